// Installs that bring a snapshot, from both sides: its pieces, what is gathered of them, and when it counts (law R10).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asNodeId, asOffset } from '../base/brand.ts'
import type { InstallRequest, SnapshotPart } from '../raft/messages.ts'
import { SNAPSHOT_BYTES_MAX } from './group-codec.ts'
import { at } from './testing/fake-log.ts'
import { LoneGroup } from './testing/lone-group.ts'

/** What is settled goes on, and what comes of it. */
async function turn(): Promise<void> {
  for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve))
}

const term = asLeaderEpoch

// The follower

interface Piece extends Partial<Omit<InstallRequest, 'snapshot'>> {
  readonly sender?: number
  readonly text?: string
  readonly snapshot?: Partial<SnapshotPart>
}

/** A snapshot of four bytes, as of (2, 45), for a log that begins at 40. */
function receive(group: LoneGroup, text: string, { sender = 2, snapshot, ...other }: Piece): void {
  const message: InstallRequest = {
    kind: 'install',
    term: term(2),
    logStart: asOffset(40),
    epochs: [{ epoch: term(2), start: asOffset(20) }],
    keep: at(2, 50),
    tombstonesRemovedBelow: asOffset(0),
    ...other,
    snapshot: { at: at(2, 45), totalBytes: 4, from: 0, ...snapshot },
  }
  group.receive(sender, message, [Buffer.from(text)])
}

const REST = { snapshot: { from: 2 } }

test('the snapshot of an install is durable before anything of the install counts', async () => {
  const group = new LoneGroup()
  group.takeTrace()
  receive(group, 'ab', {})
  assert.equal(group.log.adopted, undefined)
  receive(group, 'cd', REST)
  await turn()
  assert.deepEqual([group.takeTrace(), group.raft.term], [[], 1])
  group.log.adopted!(true)
  await turn()
  assert.deepEqual(
    group.log.saved.map(
      ({ at: { offset }, bytes }) => `${offset}: ${Buffer.from(bytes).toString()}`,
    ),
    ['45: abcd'],
  )
  const trace = group.takeTrace()
  assert.ok(trace.includes('install at 40'))
  assert.equal(trace.at(-1), 'snapshot')
})

const BROKEN: Readonly<Record<string, Piece>> = {
  'another sender': { ...REST, sender: 3 },
  'another term': { ...REST, term: term(3) },
  'another log start': { ...REST, logStart: asOffset(41) },
  'another position': { snapshot: { from: 2, at: at(2, 46) } },
  'another size': { snapshot: { from: 2, totalBytes: 3 }, text: 'c' },
  'another place': { snapshot: { from: 1 } },
}
for (const [what, piece] of Object.entries(BROKEN)) {
  test(`a piece of ${what} continues nothing; the snapshot is gathered anew from its beginning`, () => {
    const group = new LoneGroup()
    receive(group, 'ab', {})
    receive(group, piece.text ?? 'cd', piece)
    assert.equal(group.log.adopted, undefined)
    receive(group, 'cd', REST)
    assert.equal(group.log.adopted, undefined)
    receive(group, 'ab', {})
    receive(group, 'cd', REST)
    assert.ok(group.log.adopted !== undefined)
  })
}

test('what was gathered from a leader whose connection ended is gone; the end of another is no matter', () => {
  const group = new LoneGroup()
  receive(group, 'ab', {})
  group.goesDown(3)
  receive(group, 'cd', REST)
  assert.ok(group.log.adopted !== undefined)
  group.log.adopted = undefined
  receive(group, 'ab', {})
  group.goesDown(2)
  receive(group, 'cd', REST)
  assert.equal(group.log.adopted, undefined)
})

test('a snapshot that finds no room is refused, and nothing of its install is taken', async () => {
  const group = new LoneGroup()
  receive(group, 'abcd', {})
  group.log.adopted!(false)
  await turn()
  assert.deepEqual(group.takeKinds(), ['deferred to 2'])
  assert.deepEqual(group.log.end, at(1, 6))
})

test('a replica that lost its snapshot does not campaign until it has that of its leader', async () => {
  const group = new LoneGroup()
  group.takeTrace()
  assert.ok(group.group.needSnapshot())
  assert.deepEqual(group.takeTrace(), ['heal'])
  group.tick()
  assert.deepEqual(group.takeSent(), [])
  receive(group, 'abcd', {})
  group.log.adopted!(true)
  await turn()
  assert.ok(!group.group.needsSnapshot)
  group.goesDown(2)
  group.tick()
  assert.deepEqual(group.takeKinds(), ['pre-vote to 2', 'pre-vote to 3'])
})

test('a sole voter that lost its snapshot has nobody to get one from', () => {
  const group = new LoneGroup({ voters: 1, up: [] })
  assert.equal(group.group.needSnapshot(), false)
  assert.equal(group.group.needsSnapshot, false)
})

test('a group that was closed meanwhile takes nothing of an install', async () => {
  const group = new LoneGroup()
  receive(group, 'abcd', {})
  group.group.close()
  group.takeTrace()
  group.log.adopted!(true)
  await turn()
  assert.deepEqual(group.takeTrace(), [])
})

// The leader

/** What went to node 3 since the last call, with the bytes of its snapshot. */
const takeSent = (group: LoneGroup): string[] =>
  group
    .takeSent()
    .filter(({ to }) => to === 3)
    .map(({ message, bytes }) => {
      if (message.kind !== 'install') return message.kind
      const { snapshot } = message
      if (snapshot === undefined) return 'install'
      return `${snapshot.at.offset}: ${snapshot.from} + ${bytes.length} of ${snapshot.totalBytes}`
    })

/** Leads, established at 12; its log starts at 4, and node 3 has nothing. */
function leading(): LoneGroup {
  const group = new LoneGroup({ end: 12 }).established()
  void group.group.advanceLogStart(asOffset(4))
  group.goesDown(3)
  group.comesUp(3)
  group.group.pump()
  hasNothing(group)
  group.takeTrace()
  group.takeSent()
  return group
}

/** Node 3's answer to what it was asked. */
function hasNothing(group: LoneGroup): void {
  const [prev, end] = [at(2, 12), at(-1, 0)]
  const mismatch = { kind: 'mismatch', term: term(2), prev, end, epochs: [] } as const
  group.receive(3, { ...mismatch, logStart: asOffset(0) })
}

/** Looks for a snapshot, then sends what it found. */
async function pumped(group: LoneGroup): Promise<string[]> {
  group.group.pump()
  await turn()
  group.group.pump()
  return takeSent(group)
}

const snapshot = (offset: number, bytes = 4, epoch = 1) => ({
  at: at(epoch, offset),
  bytes: new Uint8Array(bytes),
})

test('a follower that begins at the log start is sent the snapshot in pieces, once it was found', async () => {
  const group = leading()
  group.log.saved.push(snapshot(8, 600 * 1024))
  group.group.pump()
  assert.deepEqual(takeSent(group), [])
  await turn()
  assert.deepEqual(group.takeTrace(), ['dirty'])
  group.group.pump()
  const [piece, last] = [256 * 1024, 88 * 1024]
  assert.deepEqual(takeSent(group), [
    `8: 0 + ${piece} of 614400`,
    `8: ${piece} + ${piece} of 614400`,
    `8: ${2 * piece} + ${last} of 614400`,
  ])
  assert.deepEqual(await pumped(group), [])
})

test('what the connection does not take of a snapshot is sent once it does', async () => {
  const group = leading()
  group.log.saved.push(snapshot(8, 600 * 1024))
  let room = 1
  group.takes = () => room-- > 0
  assert.deepEqual(await pumped(group), ['8: 0 + 262144 of 614400'])
  room = 9
  group.group.pump()
  assert.deepEqual(takeSent(group).length, 2)
})

test('of several the newest that is committed is sent, and one that is damaged is passed over', async () => {
  const group = leading()
  group.log.saved.push(snapshot(3), snapshot(5), snapshot(9), snapshot(14, 4, 2))
  assert.deepEqual(await pumped(group), ['9: 0 + 4 of 4'])
  const damaged = leading()
  damaged.log.saved.push(snapshot(5), snapshot(9, SNAPSHOT_BYTES_MAX + 1))
  assert.deepEqual(await pumped(damaged), ['5: 0 + 4 of 4'])
})

test('where none is known to be committed yet the oldest is sent: the log start moved by it', async () => {
  const group = leading()
  group.log.saved.push(snapshot(14, 4, 2), snapshot(16, 4, 2))
  assert.deepEqual(await pumped(group), ['14: 0 + 4 of 4'])
})

test('a log that begins at 0 has nothing below it: no snapshot is looked for', () => {
  const group = new LoneGroup({ end: 12 }).established()
  group.log.saved.push(snapshot(8))
  group.log.tombstonesRemovedBelow = asOffset(8)
  group.goesDown(3)
  group.comesUp(3)
  group.group.pump()
  hasNothing(group)
  group.takeSent()
  group.group.pump()
  assert.deepEqual(takeSent(group), ['install'])
})

test('where there is none, and none to come, the log begins without; where one will come, the follower waits for it', async () => {
  const group = leading()
  group.log.saved.push(snapshot(3))
  assert.deepEqual(await pumped(group), ['install'])
  const waiting = leading()
  waiting.snapshotComes = true
  assert.deepEqual(await pumped(waiting), [])
  let others = 0
  waiting.installs.run(() => others++)
  assert.equal(others, 1)
  waiting.installs.release()
  waiting.log.saved.push(snapshot(8))
  assert.deepEqual(await pumped(waiting), [])
  waiting.tick()
  assert.deepEqual(await pumped(waiting), ['append'])
  hasNothing(waiting)
  assert.deepEqual(await pumped(waiting), ['8: 0 + 4 of 4'])
})

test('a follower that is gone, and one whose leader is none any more, is sent nothing of what was looked for', async () => {
  const gone = leading()
  gone.log.saved.push(snapshot(8))
  gone.group.pump()
  gone.goesDown(3)
  await turn()
  assert.deepEqual(gone.takeTrace(), [])
  const deposed = leading()
  deposed.snapshotComes = true
  deposed.group.pump()
  deposed.receive(2, { kind: 'higher-term', term: term(3) })
  deposed.takeTrace()
  await turn()
  assert.deepEqual(deposed.takeTrace(), ['snapshot wanted'])
})

test('a log start that moves meanwhile is sent with the snapshot that covers it', async () => {
  const group = leading()
  group.log.saved.push(snapshot(5), snapshot(9))
  group.takes = () => false
  group.group.pump()
  await turn()
  void group.group.advanceLogStart(asOffset(10))
  group.log.saved.push(snapshot(11))
  group.takes = () => true
  assert.deepEqual(await pumped(group), ['11: 0 + 4 of 4'])
})

test('a follower that lost its snapshot is sent one, and goes on with its log; only by the leader', async () => {
  const group = new LoneGroup({ end: 12 }).established()
  void group.group.advanceLogStart(asOffset(4))
  group.log.saved.push(snapshot(8))
  group.group.pump()
  group.takeSent()
  group.group.sendSnapshot(asNodeId(3))
  assert.deepEqual(await pumped(group), ['8: 0 + 4 of 4'])
  group.write()
  assert.deepEqual(await pumped(group), ['append'])
  group.receive(2, { kind: 'higher-term', term: term(3) })
  group.takeTrace()
  group.group.sendSnapshot(asNodeId(3))
  assert.deepEqual(group.takeTrace(), [])
  group.lead()
  group.group.close()
  group.takeTrace()
  group.group.sendSnapshot(asNodeId(3))
  assert.deepEqual(group.takeTrace(), [])
})

test('as many snapshots are sent at a time as the node allows: who has been sent one, or is gone, makes room', async () => {
  const group = leading()
  group.log.saved.push(snapshot(8))
  group.installs.run(() => {})
  assert.deepEqual(await pumped(group), [])
  group.installs.release()
  assert.deepEqual(await pumped(group), ['8: 0 + 4 of 4'])
  let others = 0
  const other = (): void => group.installs.run(() => others++)
  other()
  assert.equal(others, 1)
  group.group.sendSnapshot(asNodeId(3))
  group.group.pump()
  group.goesDown(3)
  group.installs.release()
  other()
  assert.equal(others, 2)
  group.installs.release()
  group.comesUp(3)
  group.group.sendSnapshot(asNodeId(3))
  group.group.pump()
  group.group.close()
  other()
  assert.equal(others, 3)
})
