// Commit (thesis 3.6.2) and damage (law R5): what a leader counts, what it counts no longer, and when a replica that lost its
// memory is whole again.

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { asLeaderEpoch, asOffset } from '../base/brand.ts'
import type { Position } from '../base/position.ts'
import { Cluster } from './testing/cluster.ts'
import { randomOf } from './testing/schedule.ts'
import {
  acknowledgedLate,
  crashSeen,
  deliverAll,
  figure37,
  forgottenCandidacy,
  forgottenVote,
  lead,
  ledByFirst,
  voterRestarts,
} from './testing/scripts.ts'

const at = (epoch: number, offset: number): Position => ({
  epoch: asLeaderEpoch(epoch),
  offset: asOffset(offset),
})

const three = (): Cluster => ledByFirst(new Cluster({ voters: 3 }))

/** Damaged and up again; everybody else noticed. */
function damaged(cluster: Cluster, id: number): void {
  crashSeen(cluster, id)
  cluster.damage(id)
  cluster.start(id)
}

const suspicionOf = (cluster: Cluster, id: number) =>
  cluster.leaders()[0]!.raft.followers.get(cluster.node(id).id)?.suspicion

test('3.6.2, figure 3.7: an entry of an old epoch is committed by one of the own, not by counting', () => {
  const cluster = new Cluster({ voters: 5 })
  figure37(cluster)
  assert.equal(cluster.core(5).role, 'leader')
  assert.deepEqual(cluster.core(3).end, cluster.core(5).end)
  assert.deepEqual(cluster.node(3).accepted.batches, [])
})

test('3.8, R2: a vote survives a restart', () => {
  const cluster = new Cluster({ voters: 3 })
  voterRestarts(cluster)
  assert.equal(cluster.core(1).role, 'leader')
  assert.equal(cluster.core(2).role, 'candidate')
})

test('R2: votes compare the accepted end, synced or not', () => {
  const cluster = new Cluster({ voters: 3 })
  acknowledgedLate(cluster)
  assert.notEqual(cluster.core(3).role, 'leader')
})

test('R2: the leader counts itself by what is durable', () => {
  const cluster = three()
  cluster.append(1)
  cluster.pump(1)
  deliverAll(cluster, { to: 2 })
  cluster.sync(2)
  deliverAll(cluster, { to: 1 })
  assert.deepEqual(cluster.core(1).commit, at(1, 0))
  cluster.sync(1)
  assert.deepEqual(cluster.core(1).commit, cluster.core(1).end)
})

test('R5: message by message', () => {
  const cluster = three()
  cluster.append(1)
  cluster.settle()
  damaged(cluster, 3)
  cluster.trace.length = 0
  cluster.connect(1, 3)
  cluster.settle()
  assert.deepEqual(cluster.trace, [
    '1→3 append 1 after (1, 1): commit (1, 1) ?',
    '3 term 1, vote none, suspect',
    '3 syncs',
    '3→1 mismatch 1 at (1, 1):  to (-1, 0)',
    '1→3 append 1 after (-1, 0): M1@0 [0 1) commit (1, 1) ?',
    '3 M1',
    '3 append [0 1)',
    '3 commits (1, 1)',
    '3 syncs',
    '3→1 ack 1: durable (-1, 0), accepted (1, 1), suspect',
    '3→1 ack 1: durable (1, 1), accepted (1, 1), suspect',
    '1→2 append 1 after (1, 1): commit (1, 1) round 1 ?',
    '1→3 append 1 after (1, 1): commit (1, 1) round 1 ?',
    '2→1 ack 1: durable (1, 1), accepted (1, 1), round 1',
    '3→1 ack 1: durable (1, 1), accepted (1, 1), round 1, suspect',
    '1→3 clear 1 at (1, 1)',
    '3 term 1, vote 1',
    '3 syncs',
    '3→1 ack 1: durable (1, 1), accepted (1, 1), round 1',
  ])
})

test('R5: a suspect replica neither votes nor campaigns', () => {
  const cluster = three()
  damaged(cluster, 3)
  crashSeen(cluster, 1)
  cluster.connect(2, 3)
  for (let i = 0; i < 3; i++) {
    cluster.tick(2)
    cluster.tick(3)
    cluster.settle()
  }
  assert.notEqual(cluster.core(2).role, 'leader')
  assert.equal(cluster.core(3).role, 'follower')
})

test('R5: it is not part of a quorum', () => {
  const cluster = three()
  cluster.cut(1, 2)
  damaged(cluster, 3)
  cluster.connect(1, 3)
  cluster.settle()
  assert.ok(cluster.core(1).deadlineMs < Infinity)
  cluster.tick(1)
  assert.equal(cluster.core(1).role, 'follower')
})

test('R5: what it acknowledged before counts no more', () => {
  const cluster = three()
  cluster.cut(1, 2)
  // Acknowledged by node 3 while the leader itself had not synced.
  cluster.append(1)
  cluster.pump(1)
  deliverAll(cluster, { to: 3 })
  cluster.sync(3)
  deliverAll(cluster, { to: 1 })
  damaged(cluster, 3)
  cluster.connect(1, 3)
  for (let turns = 0; turns < 3; turns++) {
    cluster.pump(1)
    deliverAll(cluster, { to: 3 })
    cluster.sync(3)
    deliverAll(cluster, { to: 1 })
  }
  assert.ok(suspicionOf(cluster, 3) !== undefined)
  cluster.sync(1)
  assert.deepEqual(cluster.core(1).commit, at(1, 0))
})

test('R5: what was said before the damage counts for nothing when it arrives after', () => {
  const cluster = three()
  cluster.append(1)
  cluster.pump(1)
  deliverAll(cluster, { to: 3 })
  cluster.sync(3)
  const [late] = cluster.inFlight({ from: 3, kind: 'ack' })
  cluster.network.inFlight = []
  damaged(cluster, 3)
  cluster.cut(1, 2)
  cluster.connect(1, 3)
  cluster.settle()
  assert.ok(suspicionOf(cluster, 3) !== undefined)
  const { message, from } = late!
  cluster.step(cluster.node(1), { kind: 'message', from, message, nowMs: cluster.nowMs })
  assert.ok(suspicionOf(cluster, 3) !== undefined)
  assert.deepEqual(cluster.core(1).commit, at(1, 0))
})

test('R5: what others hold must reach the commit, or what it held itself is lost', () => {
  const cluster = three()
  // Committed by 1 and 3; node 2 comes to hold a part of it.
  cluster.cut(1, 2)
  cluster.append(1, 3)
  cluster.settle()
  const { commit } = cluster.core(1)
  assert.deepEqual(commit, cluster.core(1).end)
  damaged(cluster, 3)
  cluster.connect(1, 3)
  cluster.settle()
  cluster.connect(1, 2)
  cluster.pump(1, { messages: 1, batches: 1 })
  deliverAll(cluster, { to: 2 })
  cluster.sync(2)
  deliverAll(cluster, { to: 1 })
  const second = cluster.core(1).followers.get(cluster.node(2).id)
  assert.deepEqual(second?.match, at(1, 1))
  assert.equal(second.round, suspicionOf(cluster, 3)?.round)
  assert.deepEqual(cluster.inFlight({ kind: 'clear' }), [])
  cluster.settle()
  assert.equal(cluster.core(3).suspect, false)
})

test('R5: the confirmation may come last, in a group that rests', () => {
  const cluster = three()
  damaged(cluster, 3)
  cluster.cut(1, 2)
  cluster.connect(1, 3)
  cluster.settle()
  assert.equal(cluster.core(3).suspect, true)
  cluster.connect(1, 2)
  cluster.settle()
  assert.equal(cluster.core(3).suspect, false)
  assert.equal(suspicionOf(cluster, 3), undefined)
})

test('R5: every other voter must have answered since, or a vote that was forgotten loses data', () => {
  const cluster = new Cluster({ voters: 5 })
  forgottenVote(cluster)
  assert.equal(cluster.node(4).durable.hardState.suspect, true)
  // Its old vote makes node 5 leader; what only 1 and 2 hold was not committed.
  assert.equal(cluster.core(5).role, 'leader')
  assert.deepEqual(cluster.core(1).commit, at(1, 0))
})

test('R5: a vote for a candidacy that was forgotten is none for the next one', () => {
  const cluster = new Cluster({ voters: 3, random: randomOf(1) })
  forgottenCandidacy(cluster)
  assert.equal(cluster.core(2).role, 'candidate')
  assert.equal(cluster.node(3).durable.hardState.votedFor, 2)
  assert.deepEqual(cluster.core(1).commit, at(1, 1))
})

test('R5: five voters, two suspects: both are whole again once all answer', () => {
  const cluster = ledByFirst(new Cluster({ voters: 5 }))
  cluster.append(1, 2)
  cluster.settle()
  damaged(cluster, 4)
  damaged(cluster, 5)
  cluster.connectAll()
  cluster.settle()
  for (const id of [4, 5]) {
    assert.deepEqual(cluster.node(id).durable.hardState, {
      term: 1,
      votedFor: 1,
      suspect: false,
    })
  }
})

test('R5: its vote in the term that made it whole is spent', () => {
  const cluster = three()
  damaged(cluster, 3)
  cluster.connect(1, 3)
  cluster.settle()
  assert.equal(cluster.node(3).durable.hardState.votedFor, 1)
  // Not even a restart gives it back.
  crashSeen(cluster, 3)
  cluster.start(3)
  const message = { kind: 'vote', term: asLeaderEpoch(1), end: at(1, 99), candidacy: 1 } as const
  const from = cluster.node(2).id
  cluster.connect(2, 3)
  cluster.step(cluster.node(3), { kind: 'message', from, message, nowMs: cluster.nowMs })
  assert.deepEqual(
    cluster.inFlight({ from: 3, to: 2 }).map((envelope) => envelope.message.kind),
    ['vote-refusal'],
  )
})

test('R5: whoever is damaged again must be confirmed again', () => {
  const cluster = ledByFirst(new Cluster({ voters: 5 }))
  cluster.cut(1, 5)
  damaged(cluster, 4)
  cluster.connect(1, 4)
  cluster.settle()
  const first = suspicionOf(cluster, 4)?.round
  damaged(cluster, 4)
  cluster.connect(1, 4)
  cluster.settle()
  const second = suspicionOf(cluster, 4)?.round
  assert.ok(first !== undefined && second !== undefined && second > first)
  cluster.connect(1, 5)
  cluster.settle()
  assert.equal(cluster.core(4).suspect, false)
})

test('R5, R10: it must have the log start too, durably', () => {
  const cluster = three()
  cluster.append(1, 2)
  cluster.settle()
  cluster.cut(1, 2)
  damaged(cluster, 3)
  cluster.connect(1, 3)
  cluster.settle()
  const { offset } = cluster.core(1).commit
  cluster.step(cluster.node(1), { kind: 'advance-log-start', offset })
  cluster.pump(1)
  deliverAll(cluster, { to: 3 })
  cluster.connect(1, 2)
  cluster.settle({ except: [3] })
  assert.equal(cluster.core(3).suspect, true)
  assert.deepEqual(cluster.inFlight({ kind: 'clear' }), [])
  cluster.settle()
  assert.equal(cluster.core(3).suspect, false)
  assert.equal(cluster.node(3).durable.logStart, offset)
})

test('R5: a leader takes no suspect replica for its successor', () => {
  const cluster = three()
  cluster.cut(1, 2)
  damaged(cluster, 3)
  cluster.connect(1, 3)
  cluster.settle()
  const to = cluster.node(3).id
  cluster.step(cluster.node(1), { kind: 'transfer', to, nowMs: cluster.nowMs })
  assert.equal(cluster.core(1).acceptsAppends, true)
})

/** Node 3 was damaged and got everything again; that it is whole is on its way to it. */
function aboutToBeTold(): Cluster {
  const cluster = three()
  cluster.append(1)
  cluster.settle()
  damaged(cluster, 3)
  cluster.connect(1, 3)
  for (let turns = 0; turns < 20 && cluster.inFlight({ kind: 'clear' }).length === 0; turns++) {
    for (const id of [1, 2, 3]) cluster.sync(id)
    cluster.pump(1)
    for (const envelope of cluster.network.inFlight.slice()) cluster.deliver(envelope)
  }
  assert.equal(cluster.inFlight({ kind: 'clear' }).length, 1)
  return cluster
}

test('R5: one that is cut off before it is told that it is whole is told again', () => {
  const cluster = aboutToBeTold()
  cluster.cut(1, 3)
  cluster.connect(1, 3)
  cluster.settle()
  assert.equal(cluster.core(3).suspect, false)
})

test('R5: one that loses its log once more before it is told that it is whole is told again', () => {
  const cluster = aboutToBeTold()
  cluster.distrust(3)
  cluster.settle()
  assert.equal(cluster.core(3).suspect, false)
  assert.deepEqual(cluster.node(3).durable.end, cluster.core(1).end)
})

test('R5: cleared and cut off before it could say so: it counts again later', () => {
  const cluster = three()
  damaged(cluster, 3)
  cluster.connect(1, 3)
  for (let turns = 0; turns < 20 && cluster.core(3).suspect; turns++) {
    for (const id of [1, 2, 3]) cluster.sync(id)
    cluster.pump(1)
    for (const envelope of cluster.network.inFlight.slice()) cluster.deliver(envelope)
  }
  assert.equal(cluster.core(3).suspect, false)
  cluster.cut(1, 3)
  cluster.settle()
  assert.ok(suspicionOf(cluster, 3) !== undefined)
  cluster.connect(1, 3)
  cluster.settle()
  assert.equal(suspicionOf(cluster, 3), undefined)
  cluster.cut(1, 2)
  cluster.append(1)
  cluster.settle()
  assert.deepEqual(cluster.core(1).commit, cluster.core(1).end)
  lead(cluster, 1)
})
