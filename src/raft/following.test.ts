// Following a leader: thesis 3.5 and laws R1 (truncation), R2 (acknowledgements), R9 (commit), R10 (log start).

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { asLeaderEpoch, asOffset } from '../base/brand.ts'
import type { Position } from '../base/position.ts'
import { Cluster } from './testing/cluster.ts'
import { crashSeen, deliverAll, lead, leadUnheard, ledByFirst } from './testing/scripts.ts'

const three = (): Cluster => ledByFirst(new Cluster({ voters: 3 }))

const at = (epoch: number, offset: number): Position => ({
  epoch: asLeaderEpoch(epoch),
  offset: asOffset(offset),
})

const ends = (cluster: Cluster): Position[] => cluster.nodes.map(({ raft }) => raft.end)

/** Node 1 has three batches of epoch 1 that nobody else has; node 3 leads epoch 3 after two of epoch 2. */
function diverged(): Cluster {
  const cluster = three()
  cluster.isolate(1)
  cluster.append(1, 3)
  cluster.settle()
  cluster.tick(1)
  lead(cluster, 2)
  cluster.append(2, 2)
  cluster.settle()
  crashSeen(cluster, 2)
  cluster.connect(1, 3)
  leadUnheard(cluster, 3)
  cluster.trace.length = 0
  return cluster
}

test('3.5: a follower that differs costs one round trip, by its table of epochs', () => {
  const cluster = diverged()
  cluster.settle()
  assert.deepEqual(cluster.trace, [
    '3→1 append 3 after (2, 3): M3@3 commit (2, 3) ?',
    '1→3 mismatch 3 at (2, 3): M1@0 to (1, 6)',
    '3→1 append 3 after (1, 0): M2@0 [0 3) commit (2, 3) ?',
    '1 truncate to (1, 0)',
    '1 M2',
    '1 append [0 3)',
    '1 syncs',
    '1→3 ack 3: durable (-1, 0), accepted (2, 3)',
    '1→3 ack 3: durable (2, 3), accepted (2, 3)',
    '3→1 append 3 after (2, 3): M3@3 commit (2, 3)',
    '1 M3',
    '1 commits (2, 3)',
    '1 syncs',
    '1→3 ack 3: durable (3, 3), accepted (3, 3)',
    '3 commits (3, 3)',
    '3→1 append 3 after (3, 3): commit (3, 3)',
    '1 commits (3, 3)',
  ])
})

test('R1: epoch starts at one offset: a truncation takes those above its epoch, not those at its offset', () => {
  const cluster = three()
  // Epoch 2 is known to node 2 alone, epoch 3 comes to begin at the same offset.
  crashSeen(cluster, 1)
  leadUnheard(cluster, 2)
  assert.deepEqual(cluster.core(2).end, at(2, 0))
  cluster.isolate(2)
  cluster.start(1)
  cluster.connect(1, 3)
  lead(cluster, 3)
  assert.deepEqual(cluster.core(3).end, at(3, 0))
  cluster.connect(2, 3)
  cluster.settle()
  assert.ok(cluster.trace.includes('2 truncate to (1, 0)'))
  assert.deepEqual(ends(cluster), [at(3, 0), at(3, 0), at(3, 0)])
  assert.deepEqual(
    cluster.node(2).durable.epochs.entries.map(({ epoch }) => epoch),
    [1, 3],
  )
})

test('R1: a message that is shorter than the log cuts nothing', () => {
  const cluster = three()
  cluster.append(1)
  cluster.pump(1)
  cluster.append(1)
  cluster.pump(1)
  const [first, second] = cluster.inFlight({ to: 2 })
  cluster.deliver(first!, { again: true })
  cluster.deliver(second!)
  const { end } = cluster.core(2)
  cluster.deliver(first!)
  assert.deepEqual(cluster.core(2).end, end)
  assert.equal(
    cluster.trace.some((line) => line.includes('truncate')),
    false,
  )
})

test('3.5: messages that overtake one another end in the same log', () => {
  const cluster = three()
  for (let i = 0; i < 4; i++) {
    cluster.append(1)
    cluster.pump(1)
  }
  for (const envelope of cluster.inFlight({ to: 2 }).toReversed()) cluster.deliver(envelope)
  cluster.settle()
  assert.deepEqual(cluster.core(2).end, cluster.core(1).end)
  assert.deepEqual(cluster.core(2).commit, cluster.core(1).end)
})

test('R2: an acknowledgement waits for the sync, and names what is durable', () => {
  const cluster = three()
  cluster.append(1)
  cluster.pump(1)
  deliverAll(cluster, { to: 2 })
  assert.deepEqual(cluster.inFlight({ from: 2 }), [])
  cluster.sync(2)
  const [ack] = cluster.inFlight({ from: 2 })
  assert.ok(ack?.message.kind === 'ack')
  assert.deepEqual(ack.message.durable, cluster.core(2).end)
})

test('R2: a change of term cancels what was not acknowledged yet', () => {
  const cluster = three()
  cluster.append(1)
  cluster.pump(1)
  deliverAll(cluster, { to: 2 })
  const message = { kind: 'higher-term', term: asLeaderEpoch(2) } as const
  const { nowMs } = cluster
  cluster.step(cluster.node(2), { kind: 'message', from: cluster.node(3).id, message, nowMs })
  cluster.sync(2)
  assert.deepEqual(cluster.inFlight({ from: 2, kind: 'ack' }), [])
})

test('R2: what storage says of a log that was cut since is not acknowledged', () => {
  const cluster = diverged()
  for (let turns = 0; turns < 2; turns++) {
    cluster.pump(3)
    deliverAll(cluster, { to: 1 })
    deliverAll(cluster, { to: 3 })
  }
  assert.equal(cluster.node(1).disk.pending[0]?.kind, 'truncate')
  const { end } = cluster.node(1).durable
  assert.deepEqual(end, at(1, 6))
  cluster.durable(cluster.node(1))
  deliverAll(cluster, { to: 3 })
  assert.deepEqual(cluster.core(3).followers.get(cluster.node(1).id)?.match, at(-1, 0))
  cluster.settle()
  assert.deepEqual(cluster.core(3).followers.get(cluster.node(1).id)?.match, cluster.core(3).end)
})

test('R9: a follower commits nothing of its own end, however high the leader’s commit', () => {
  const cluster = diverged()
  const before = cluster.core(1).commit
  cluster.pump(3)
  const [probe] = cluster.inFlight({ from: 3, kind: 'append' })
  assert.ok(probe?.message.kind === 'append')
  const commit = at(2, 4)
  cluster.network.inFlight = [{ ...probe, message: { ...probe.message, commit } }]
  deliverAll(cluster, { to: 1 })
  assert.deepEqual(cluster.core(1).commit, before)
  cluster.settle()
  assert.deepEqual(cluster.core(1).commit, cluster.core(3).end)
})

test('a full disk: the follower defers and is asked again', () => {
  const cluster = three()
  cluster.node(3).full = true
  cluster.append(1)
  cluster.settle()
  assert.equal(cluster.core(1).followers.get(cluster.node(3).id)?.state, 'deferred')
  cluster.node(3).full = false
  cluster.tick(1)
  cluster.settle()
  assert.deepEqual(cluster.core(3).commit, cluster.core(1).end)
  assert.equal(cluster.core(1).deadlineMs, Infinity)
})

test('a gap: the leader’s log was compacted, the follower’s was not', () => {
  const cluster = three()
  cluster.append(1, 2)
  cluster.settle()
  const middle = cluster.core(3).end.offset
  cluster.isolate(3)
  cluster.append(1, 3)
  cluster.settle()
  cluster.compact(1, asOffset(middle))
  cluster.connect(1, 3)
  cluster.settle()
  assert.deepEqual(cluster.core(3).end, cluster.core(1).end)
  assert.deepEqual(cluster.node(3).durable.batches, cluster.node(1).durable.batches)
})

const moveLogStart = (cluster: Cluster, offset: number): void =>
  cluster.step(cluster.leaders()[0]!, { kind: 'advance-log-start', offset: asOffset(offset) })

test('R10: the log start reaches followers that rest, and is counted once it is durable', () => {
  const cluster = three()
  cluster.append(1, 3)
  cluster.settle()
  const { offset } = cluster.core(1).commit
  moveLogStart(cluster, offset)
  assert.equal(cluster.core(1).logStartOnMajority(asOffset(offset)), 0)
  cluster.settle()
  assert.equal(cluster.core(1).logStartOnMajority(asOffset(offset)), offset)
  assert.deepEqual(
    cluster.nodes.map(({ durable }) => durable.logStart),
    [offset, offset, offset],
  )
})

test('R10: a new leader takes the greatest log start of its voters', () => {
  const cluster = three()
  cluster.append(1, 3)
  cluster.settle()
  const { offset } = cluster.core(1).commit
  cluster.cut(1, 3)
  moveLogStart(cluster, offset)
  cluster.settle()
  assert.equal(cluster.core(3).logStart, 0)
  crashSeen(cluster, 1)
  leadUnheard(cluster, 3)
  assert.equal(cluster.core(3).logStart, offset)
  assert.equal(cluster.core(3).commit.offset, offset)
})

test('R10: a leader takes over a greater log start that it hears of later', () => {
  const cluster = three()
  cluster.append(1, 3)
  cluster.settle()
  const { offset } = cluster.core(1).commit
  cluster.isolate(1)
  moveLogStart(cluster, offset)
  cluster.settle()
  crashSeen(cluster, 1)
  lead(cluster, 3)
  assert.equal(cluster.core(3).logStart, 0)
  cluster.start(1)
  cluster.connect(1, 3)
  cluster.settle()
  assert.deepEqual(
    cluster.nodes.map(({ raft }) => raft.logStart),
    [offset, offset, offset],
  )
})

/** Node 3 was away while the leader's log start passed its end by; epoch 2 begins there. */
function passedBy(): { cluster: Cluster; offset: number } {
  const cluster = three()
  cluster.isolate(3)
  cluster.append(1, 3)
  cluster.settle()
  const { offset } = cluster.core(1).commit
  moveLogStart(cluster, offset)
  cluster.settle()
  return { cluster, offset }
}

test('R10: whom retention passed by is installed at the log start, at rest too', () => {
  const { cluster, offset } = passedBy()
  cluster.connect(1, 3)
  cluster.settle()
  const third = cluster.core(3)
  assert.equal(third.logStart, offset)
  assert.deepEqual(third.end, cluster.core(1).end)
  assert.deepEqual(third.commit, cluster.core(1).commit)
})

test('R10: whoever is installed at an epoch start learns that it is committed, at rest too', () => {
  const { cluster, offset } = passedBy()
  const to = cluster.node(2).id
  cluster.step(cluster.node(1), { kind: 'transfer', to, nowMs: cluster.nowMs })
  cluster.settle()
  const { commit } = cluster.core(2)
  assert.equal(commit.offset, offset)
  assert.equal(commit.epoch, cluster.core(2).term)
  cluster.connect(2, 3)
  cluster.settle()
  assert.deepEqual(cluster.core(3).commit, commit)
})

test('R10: what an install brings of epoch starts is not committed by that', () => {
  const { cluster, offset } = passedBy()
  crashSeen(cluster, 1)
  // Node 2 leads with a start that nobody else has, and installs node 3 with it.
  cluster.connect(2, 3)
  leadUnheard(cluster, 2)
  const epoch = cluster.core(2).term
  assert.deepEqual(cluster.core(2).end, at(epoch, offset))
  const installed = (): boolean => cluster.trace.some((line) => line.startsWith('3 install'))
  for (let turns = 0; turns < 20 && !installed(); turns++) {
    cluster.pump(2)
    deliverAll(cluster, { from: 2, to: 3 })
    deliverAll(cluster, { from: 3, to: 2 })
  }
  assert.deepEqual(cluster.core(3).end, at(epoch, offset))
  assert.deepEqual(cluster.core(3).commit, at(1, offset))
  // Lost again before it was synced: another start may take its place.
  cluster.crash(3)
  cluster.crash(2)
  for (const id of [1, 2, 3]) cluster.start(id)
  cluster.connectAll()
  lead(cluster, 1)
  assert.equal(cluster.core(3).commit.epoch, cluster.core(1).term)
})

test('R10: an install that comes too late is answered, and changes nothing', () => {
  const { cluster, offset } = passedBy()
  cluster.append(1)
  cluster.settle()
  const to = cluster.node(2).id
  cluster.step(cluster.node(1), { kind: 'transfer', to, nowMs: cluster.nowMs })
  cluster.settle()
  cluster.append(2)
  cluster.settle()
  cluster.connect(2, 3)
  for (let turns = 0; turns < 20 && cluster.inFlight({ kind: 'install' }).length === 0; turns++) {
    cluster.pump(2)
    deliverAll(cluster, { to: 3, kind: 'append' })
    cluster.sync(3)
    deliverAll(cluster, { to: 2 })
    cluster.pump(2)
  }
  const [install] = cluster.inFlight({ kind: 'install' })
  cluster.settle()
  // The log starts in a later epoch by now.
  moveLogStart(cluster, cluster.core(2).commit.offset)
  cluster.settle()
  const { end, commit, logStart } = cluster.core(3)
  assert.ok(logStart > offset)
  cluster.network.inFlight.push(install!)
  cluster.settle()
  assert.ok(cluster.trace.some((line) => line.startsWith(`3→2 mismatch 2 at (1, ${offset})`)))
  assert.deepEqual(cluster.core(3).end, end)
  assert.deepEqual(cluster.core(3).commit, commit)
  cluster.append(2)
  cluster.settle()
  assert.deepEqual(cluster.core(3).commit, cluster.core(2).end)
})
