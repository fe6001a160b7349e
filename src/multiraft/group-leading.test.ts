// What a leader knows of its followers and promises by it: who holds what, who lags, whether it still leads, and where the log
// starts on a majority.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asNodeId, asOffset } from '../base/brand.ts'
import { at } from './testing/fake-log.ts'
import { LoneGroup } from './testing/lone-group.ts'

/** What is settled goes on. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const LAG_MS_MAX = 30_000
const two = asNodeId(2)
const three = asNodeId(3)

const lagging = (group: LoneGroup): number[] => group.group.lagging(LAG_MS_MAX)

/** A later leader makes itself known, then is gone. */
function depose(group: LoneGroup): void {
  const term = asLeaderEpoch(group.raft.term + 1)
  group.receive(2, { kind: 'higher-term', term })
  assert.equal(group.raft.role, 'follower')
}

// Who holds what

test('R2: who holds a position holds it durably, the leader by the same test as everyone', () => {
  const group = new LoneGroup().established()
  group.write()
  const end = at(2, 7)
  assert.equal(group.group.holders(end), 0)
  group.sync()
  assert.equal(group.group.holders(end), 1)
  group.group.pump()
  group.ack(2)
  assert.equal(group.group.holders(end), 2)
  group.ack(3)
  assert.equal(group.group.holders(end), 3)
  assert.equal(group.group.holders(at(2, 8)), 0)
})

test('a follower is in sync while it holds everything, or did within the lag', () => {
  const group = new LoneGroup().established()
  group.nowMs += 40_000
  assert.deepEqual(lagging(group), [])
  group.write()
  group.group.pump()
  assert.deepEqual(lagging(group), [2, 3])
  group.ack(2)
  assert.deepEqual(lagging(group), [3])
  group.write()
  assert.deepEqual(lagging(group), [3])
  group.nowMs += LAG_MS_MAX + 1
  assert.deepEqual(lagging(group), [2, 3])
})

test('who can not be reached does not lag, and what it held says nothing about when it is back', () => {
  const group = new LoneGroup().established()
  group.nowMs += 2_000
  group.write()
  group.goesDown(3)
  assert.deepEqual(lagging(group), [])
  assert.equal(group.group.caughtUpMs(three), undefined)
  group.comesUp(3)
  assert.deepEqual(lagging(group), [3])
})

test('an epoch begins with everyone in sync for a second, whatever was known in an earlier one', () => {
  const group = new LoneGroup().established()
  group.nowMs += 40_000
  depose(group)
  group.lead()
  group.nowMs += 900
  assert.deepEqual(lagging(group), [])
  group.nowMs += 200
  assert.deepEqual(lagging(group), [2, 3])
})

test('when a follower last held everything: now, when it last did, or not known', () => {
  const group = new LoneGroup().lead()
  assert.equal(group.group.caughtUpMs(two), undefined)
  group.sync()
  group.group.pump()
  group.ack(2)
  group.nowMs += 500
  assert.equal(group.group.caughtUpMs(two), group.nowMs)
  group.write()
  assert.equal(group.group.caughtUpMs(two), group.nowMs - 500)
  assert.equal(group.group.caughtUpMs(asNodeId(9)), undefined)
  group.group.pump()
  group.ack(2)
  group.up.delete(2)
  assert.equal(group.group.caughtUpMs(two), undefined)
})

test('only a follower that has answered since it could be reached can take over, and one that is not suspect', () => {
  const group = new LoneGroup().established()
  assert.ok(group.group.isCaughtUp(two, 1_000))
  group.write()
  group.nowMs += 1_000
  assert.ok(group.group.isCaughtUp(two, 1_000))
  group.nowMs += 1
  assert.ok(!group.group.isCaughtUp(two, 1_000))
  group.group.pump()
  group.ack(2)
  group.goesDown(2)
  group.comesUp(2)
  assert.equal(group.group.caughtUpMs(two), group.nowMs)
  assert.ok(!group.group.isCaughtUp(two, 1_000))
  group.group.pump()
  group.ack(3, { suspect: true })
  assert.equal(group.group.caughtUpMs(three), group.nowMs)
  assert.ok(!group.group.isCaughtUp(three, 1_000))
  assert.ok(!group.group.isCaughtUp(asNodeId(9), 1_000))
})

// Law R9: whether it still leads

test('R9: a leadership is confirmed by its node; who does not lead asks nobody', async () => {
  const group = new LoneGroup()
  group.takeTrace()
  assert.equal(await group.group.confirm(), false)
  assert.deepEqual(group.takeTrace(), [])
  group.established()
  assert.equal(await group.group.confirm(), true)
  assert.deepEqual(group.takeTrace(), ['confirm 2 with 1 2 3'])
  group.confirms = () => Promise.resolve(false)
  assert.equal(await group.group.confirm(), false)
})

const MEANWHILE: Readonly<Record<string, (group: LoneGroup) => void>> = {
  'it lost its followers, and with them the leadership': (group) => {
    group.goesDown(2)
    group.goesDown(3)
    group.tick()
    assert.deepEqual([group.raft.role, group.raft.term], ['follower', 2])
  },
  'it leads another epoch by now': (group) => {
    depose(group)
    group.lead()
  },
  'it was closed': (group) => group.group.close(),
}
for (const [what, happens] of Object.entries(MEANWHILE)) {
  test(`R9: what was confirmed does not count where ${what}`, async () => {
    const group = new LoneGroup().established()
    const asked = Promise.withResolvers<boolean>()
    group.confirms = () => asked.promise
    const confirmed = group.group.confirm()
    happens(group)
    asked.resolve(true)
    assert.equal(await confirmed, false)
  })
}

// Law R10: the log start

test('R10: a log start is there once a majority has moved it, durably', async () => {
  const group = new LoneGroup().established()
  const seen: string[] = []
  const moving = (offset: number): void =>
    void group.group
      .advanceLogStart(asOffset(offset))
      .then((reached) => seen.push(`${offset}: ${reached}`))
  moving(2)
  moving(4)
  assert.deepEqual(group.takeTrace(), [
    'store log start 2',
    'log start 2',
    'dirty',
    'store log start 4',
    'log start 4',
    'dirty',
  ])
  group.ack(2, { logStart: asOffset(3) })
  await turn()
  assert.deepEqual(seen, [])
  group.flush()
  await turn()
  assert.deepEqual(seen, ['2: true'])
  group.ack(2, { logStart: asOffset(4) })
  await turn()
  assert.deepEqual(seen, ['2: true', '4: true'])
  moving(3)
  await turn()
  assert.deepEqual(seen, ['2: true', '4: true', '3: true'])
})

test('R10: nor before the leader has moved its own, which still serves what is to go', async () => {
  const group = new LoneGroup().established()
  const kept = Promise.withResolvers<void>()
  group.keeps = kept.promise
  const seen: boolean[] = []
  void group.group.advanceLogStart(asOffset(2)).then((reached) => seen.push(reached))
  for (const follower of [2, 3]) group.ack(follower, { logStart: asOffset(2) })
  await turn()
  assert.deepEqual([group.log.logStart, seen], [0, []])
  kept.resolve()
  await turn()
  group.flush()
  await turn()
  assert.deepEqual([group.log.logStart, seen], [2, [true]])
})

test('R10: who waits for a log start hears when the leadership ends first', async () => {
  const group = new LoneGroup()
  assert.equal(await group.group.advanceLogStart(asOffset(2)), false)
  group.established()
  const moved = group.group.advanceLogStart(asOffset(2))
  depose(group)
  assert.equal(await moved, false)
  group.flush()
  await turn()
  assert.equal(group.log.logStart, 2)
})

test('R10: a follower says where its log starts once that is durable', async () => {
  const group = new LoneGroup()
  const logStarts = (): number[] =>
    group.takeSent().map(({ message }) => (message.kind === 'ack' ? message.logStart : -1))
  group.append({ commit: at(2, 6) })
  group.sync()
  assert.deepEqual(logStarts(), [0])
  const next = { prev: at(2, 6), starts: [], commit: at(2, 6), probe: false }
  group.append({ ...next, logStart: asOffset(4) })
  assert.deepEqual(logStarts(), [])
  group.takeTrace()
  group.sync()
  assert.deepEqual(logStarts(), [])
  group.flush()
  await turn()
  assert.deepEqual(logStarts(), [4])
  assert.deepEqual(group.takeTrace(), ['send ack to 2'])
})

test('R10: what is installed starts where the leader said, and its listener follows a log that is empty', async () => {
  const group = new LoneGroup()
  group.takeTrace()
  const epochs = [{ epoch: asLeaderEpoch(2), start: asOffset(20) }]
  const none = { tombstonesRemovedBelow: asOffset(0), snapshot: undefined }
  const point = { logStart: asOffset(40), epochs, ...none }
  group.receive(2, { kind: 'install', term: asLeaderEpoch(2), keep: at(2, 40), ...point })
  assert.deepEqual(group.takeTrace(), [
    'save term 2, vote undefined',
    'term changed to 2',
    'install at 40',
    'truncated to (-1, 0)',
    'log start 40',
    'follower in 2',
    'committed (2, 40)',
  ])
  group.sync()
  group.flush()
  await turn()
  const last = group.takeSent().at(-1)?.message
  assert.ok(last?.kind === 'ack')
  assert.deepEqual([last.durable, last.logStart], [at(2, 40), 40])
})

test('a log start waits for what a listener keeps of the records that go; a later one may overtake it', async () => {
  const group = new LoneGroup().established()
  const first = Promise.withResolvers<void>()
  group.keeps = first.promise
  void group.group.advanceLogStart(asOffset(2))
  assert.deepEqual(group.takeTrace(), ['dirty'])
  group.keeps = undefined
  void group.group.advanceLogStart(asOffset(4))
  assert.deepEqual(group.takeTrace(), ['store log start 4', 'log start 4', 'dirty'])
  first.resolve()
  await turn()
  assert.deepEqual(group.takeTrace(), [])
  assert.equal(group.log.logStart, 4)
})

test('a log start whose group was closed meanwhile stays where it was', async () => {
  const group = new LoneGroup().established()
  const kept = Promise.withResolvers<void>()
  group.keeps = kept.promise
  void group.group.advanceLogStart(asOffset(2))
  group.group.close()
  kept.resolve()
  await turn()
  assert.equal(group.log.logStart, 0)
})
