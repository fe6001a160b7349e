// A leader's sending side, message by message: how much is on the way, what comes from the disk, and what was overtaken meanwhile.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asOffset } from '../base/brand.ts'
import { StoreError } from '../storage/store.ts'
import { at } from './testing/fake-log.ts'
import { LoneGroup } from './testing/lone-group.ts'

/** What is settled goes on. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const MIB = 1 << 20
const term = asLeaderEpoch

/** Of what went to a follower since the last call: where it begins, and how many records it has. */
function takeSentTo(group: LoneGroup, to: number): string[] {
  return group
    .takeSent()
    .filter((sent) => sent.to === to)
    .map(({ message }) => {
      if (message.kind !== 'append') return message.kind
      const { prev, batches } = message
      return `${prev.offset} + ${batches.length}`
    })
}

/** Leads, established; a dozen records of 1 MiB each follow, and as many of them as may have left. */
function withFullWindow(): LoneGroup {
  const group = new LoneGroup().established()
  for (let i = 0; i < 12; i++) group.write(MIB)
  group.group.pump()
  return group
}

// How much is on the way

test('a follower has 8 MB on the way at most; what it acknowledges makes room', () => {
  const group = withFullWindow()
  const first = ['6 + 1', '7 + 1', '8 + 1', '9 + 1', '10 + 1', '11 + 1', '12 + 1', '13 + 1']
  assert.deepEqual(takeSentTo(group, 2), first)
  group.group.pump()
  assert.deepEqual(takeSentTo(group, 2), [])
  group.ack(2, { durable: at(2, 8), accepted: at(2, 14) })
  group.group.pump()
  assert.deepEqual(takeSentTo(group, 2), ['14 + 1', '15 + 1'])
  group.ack(2, { durable: at(2, 16) })
  group.group.pump()
  assert.deepEqual(takeSentTo(group, 2), ['16 + 1', '17 + 1'])
  group.ack(2)
  for (let i = 0; i < 12; i++) group.write(MIB)
  group.group.pump()
  assert.equal(takeSentTo(group, 2).length, 8)
})

test('small records go together, in memory, in the turn in which they are asked for', () => {
  const group = new LoneGroup().established()
  for (let i = 0; i < 5; i++) group.write()
  group.group.pump()
  assert.deepEqual(takeSentTo(group, 2), ['6 + 5'])
  assert.equal(group.log.reads.length, 0)
})

const LOST: Readonly<Record<string, (group: LoneGroup) => void>> = {
  'its connection ended': (group) => {
    group.goesDown(2)
    group.comesUp(2)
  },
  'its log does not hold what the messages follow on': (group) => {
    const [prev, end] = [at(2, 12), at(2, 6)]
    const epochs = [
      { epoch: term(1), start: asOffset(0) },
      { epoch: term(2), start: asOffset(6) },
    ]
    group.receive(2, { kind: 'mismatch', term: term(2), prev, end, epochs, logStart: asOffset(0) })
  },
  'its disk was full, until it is asked again': (group) => {
    group.receive(2, { kind: 'deferred', term: term(2) })
    group.tick()
  },
  'another led meanwhile': (group) => {
    group.receive(2, { kind: 'higher-term', term: term(3) })
    group.lead()
  },
}
for (const [what, happens] of Object.entries(LOST)) {
  test(`what was on its way to a follower is lost where ${what}`, () => {
    const group = withFullWindow()
    group.takeSent()
    happens(group)
    group.group.pump()
    assert.equal(takeSentTo(group, 2).length, 1)
  })
}

test('any other message leaves what is on the way where it is', () => {
  const group = withFullWindow()
  group.takeSent()
  group.receive(2, { kind: 'vote-refusal', term: term(2) })
  group.group.pump()
  assert.deepEqual(group.takeSent(), [])
})

test('what the connection does not take is sent once it does', () => {
  const group = new LoneGroup().established()
  group.takes = () => false
  group.write()
  group.group.pump()
  group.takes = () => true
  assert.deepEqual(takeSentTo(group, 2), [])
  group.group.pump()
  assert.deepEqual(takeSentTo(group, 2), ['6 + 1'])
})

// From the disk

/** Leads, established; what is written goes to the disk at once. */
function onDisk(records: number, voters = 3): LoneGroup {
  const up = Array.from({ length: voters - 1 }, (_, i) => i + 2)
  const group = new LoneGroup({ voters, up }).established()
  for (let i = 0; i < records; i++) group.write()
  group.log.memoryStart = group.log.end.offset
  group.goesDown(3)
  return group
}

test('a follower that is behind is fed from the disk, read by read', async () => {
  const group = onDisk(3)
  group.group.pump()
  group.group.pump()
  assert.deepEqual(takeSentTo(group, 2), [])
  assert.equal(group.log.reads.length, 1)
  group.write()
  group.log.answerRead()
  await turn()
  assert.deepEqual(takeSentTo(group, 2), ['6 + 3', '9 + 1'])
})

test('the disk is read for two followers at once at most', async () => {
  const group = onDisk(3, 5)
  group.comesUp(3)
  group.group.pump()
  assert.equal(group.log.reads.length, 2)
  group.log.answerRead()
  await turn()
  assert.equal(group.log.reads.length, 2)
})

test('a read that its follower has overtaken is not sent: it goes on from where that is', async () => {
  const group = onDisk(3)
  group.group.pump()
  group.ack(2, { durable: at(2, 8) })
  group.log.answerRead()
  await turn()
  assert.deepEqual(takeSentTo(group, 2), [])
  group.log.answerRead()
  await turn()
  assert.deepEqual(takeSentTo(group, 2), ['8 + 1'])
})

test('a read for a follower that has everything by now is not sent', async () => {
  const group = onDisk(3)
  group.group.pump()
  group.ack(2)
  group.takeTrace()
  group.log.answerRead()
  await turn()
  assert.deepEqual(group.takeTrace(), [])
  group.write()
  group.group.pump()
  assert.deepEqual(takeSentTo(group, 2), ['9 + 1'])
})

test('a read for a connection that ended meanwhile is not sent', async () => {
  const group = onDisk(3)
  group.group.pump()
  group.goesDown(2)
  group.comesUp(2)
  group.group.pump()
  group.log.answerRead()
  await turn()
  assert.deepEqual(takeSentTo(group, 2), [])
  group.log.answerRead()
  await turn()
  assert.deepEqual(takeSentTo(group, 2), ['6 + 3'])
})

test('a read that ends after the group is not sent', async () => {
  const group = onDisk(3)
  group.group.pump()
  group.group.close()
  group.takeTrace()
  group.log.answerRead()
  await turn()
  assert.deepEqual(group.takeTrace(), [])
})

test('what was read is read again where the connection did not take it', async () => {
  const group = onDisk(3)
  group.group.pump()
  group.takes = () => false
  group.log.answerRead()
  await turn()
  assert.equal(group.log.reads.length, 0)
  group.takes = () => true
  group.group.pump()
  group.log.answerRead()
  await turn()
  assert.deepEqual(takeSentTo(group, 2), ['6 + 3'])
})

test('a follower whose place went below the log start is installed, whether that shows before the read or in it', async () => {
  for (const shows of ['before', 'in', 'after'] as const) {
    const group = onDisk(3)
    group.sync()
    group.group.pump()
    group.comesUp(3)
    group.ack(3)
    assert.deepEqual(group.raft.commit, at(2, 9))
    void group.group.advanceLogStart(asOffset(8))
    if (shows === 'in') group.log.failRead(new StoreError('offset-out-of-range', 'gone'))
    else group.log.answerRead()
    group.takeTrace()
    await turn()
    assert.ok(!group.trace.some((line) => line.includes('failed')))
    if (shows === 'in') assert.ok(group.trace.includes('dirty'))
    group.group.pump()
    // Whether there is a snapshot takes a look at the disk.
    await turn()
    group.group.pump()
    assert.deepEqual(takeSentTo(group, 2), ['install'])
  }
})

test('damage stops a read; it goes on when the damage is healed', async () => {
  const group = onDisk(3)
  group.group.pump()
  group.takeTrace()
  group.log.failRead(new StoreError('corrupt', 'a wrong CRC'))
  await turn()
  assert.deepEqual(group.takeTrace(), [])
  group.group.healed()
  group.group.pump()
  assert.equal(group.log.reads.length, 1)
})

test('a read that fails for any other reason ends the process', async () => {
  const group = onDisk(3)
  group.group.pump()
  group.takeTrace()
  group.log.failRead(new Error('broken'))
  await turn()
  assert.deepEqual(group.takeTrace(), ['a read of fake failed: Error: broken'])
})
