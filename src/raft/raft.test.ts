// One replica, event by event: what whole groups show too rarely, because the others make good for it.

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { asNodeId, asOffset } from '../base/brand.ts'
import type { Position } from '../base/position.ts'
import type { Effects } from './events.ts'
import type { AppendAck, BatchRef } from './messages.ts'
import { ACK, APPEND, at, batch, INSTALL, kinds, NOW, Single, term } from './testing/single.ts'

const acks = ({ send }: Effects<BatchRef>): AppendAck[] =>
  send.flatMap(({ message }) => (message.kind === 'ack' ? [message] : []))

test('9.6: a pre-vote goes to the others; it is granted to a later term and a log that is not behind', () => {
  assert.deepEqual(kinds(new Single().tick()), ['pre-vote to 2', 'pre-vote to 3'])
  const granted = (single: Single, forTerm: number, end: Position): boolean => {
    const { send } = single.receive(2, { kind: 'pre-vote', term: term(forTerm), end })
    const [reply] = send
    assert.ok(reply?.message.kind === 'pre-vote-reply')
    return reply.message.granted
  }
  assert.equal(granted(new Single(), 2, at(1, 6)), true)
  assert.equal(granted(new Single(), 1, at(1, 6)), false, 'a term that is over')
  assert.equal(granted(new Single(), 2, at(1, 5)), false, 'a log that is behind')
  assert.equal(granted(new Single({ suspect: true }), 2, at(1, 9)), false, 'R5: a suspect voter')
  const led = new Single()
  led.step({ kind: 'leader-claim', leader: asNodeId(3), epoch: term(1), nowMs: NOW })
  assert.equal(granted(led, 2, at(1, 9)), false, 'R8: there is a leader')
})

test('R2: whatever becomes durable, the requests wait for the vote, and then leave once', () => {
  const single = new Single()
  const before = single.hardState
  single.campaign()
  assert.deepEqual(kinds(single.durable(at(1, 6), before)), [])
  assert.deepEqual(kinds(single.sync()), ['vote to 2', 'vote to 3'])
  assert.deepEqual(kinds(single.sync()), [])
})

test('R2: nor does a request to one that becomes reachable leave before', () => {
  const single = new Single()
  single.campaign()
  const up = { kind: 'peer-up', peer: asNodeId(2), nowMs: NOW } as const
  assert.deepEqual(kinds(single.step(up)), [])
  single.sync()
  assert.deepEqual(kinds(single.step(up)), ['vote to 2'])
})

test('3.4: each election asks for votes of its own', () => {
  const single = new Single()
  single.campaign()
  single.sync()
  single.tick()
  const fields = { term: term(2), forTerm: term(3), granted: true }
  single.receive(2, { kind: 'pre-vote-reply', ...fields })
  assert.equal(single.raft.term, 3)
  assert.deepEqual(kinds(single.sync()), ['vote to 2', 'vote to 3'])
})

test('R2: a sole voter leads once its vote is durable, whatever is durable before', () => {
  const single = new Single({ voters: 1 })
  const before = single.hardState
  single.tick()
  single.durable(at(1, 6), before)
  assert.equal(single.raft.role, 'candidate')
  single.sync()
  assert.equal(single.raft.role, 'leader')
})

test('R10: a new leader takes the greatest log start of its voters, which is committed', () => {
  for (const starts of [
    [5, 3],
    [3, 5],
  ]) {
    const single = new Single({ voters: 5 })
    single.campaign()
    single.sync()
    const [first, second] = starts
    single.grant(2, first)
    const effects = single.grant(3, second)
    assert.equal(single.raft.role, 'leader')
    assert.deepEqual(effects.committed, at(1, 5))
    assert.deepEqual(effects.log, [
      { kind: 'advance-log-start', offset: 5 },
      { kind: 'start-epoch', epoch: 2 },
    ])
  }
})

test('a candidate that asks again is answered again, and at once where the vote is durable', () => {
  const single = new Single()
  const request = { kind: 'vote', term: term(2), end: at(1, 6), candidacy: 7 } as const
  assert.deepEqual(kinds(single.receive(2, request)), [])
  assert.deepEqual(kinds(single.sync()), ['vote-grant to 2'])
  assert.deepEqual(kinds(single.receive(2, request)), ['vote-grant to 2'])
  assert.deepEqual(kinds(single.receive(3, request)), ['vote-refusal to 3'])
})

test('3.3: a request for votes of a term that is over is refused', () => {
  const single = new Single()
  single.receive(2, { kind: 'higher-term', term: term(5) })
  const request = { kind: 'vote', term: term(4), end: at(4, 6), candidacy: 7 } as const
  assert.deepEqual(kinds(single.receive(2, request)), ['vote-refusal to 2'])
  assert.equal(single.hardState.votedFor, undefined)
})

test('3.4: whoever lost an election follows who won it', () => {
  const single = new Single()
  single.receive(2, APPEND)
  single.step({ kind: 'leader-unsupported', nowMs: NOW })
  single.campaign()
  single.receive(3, { ...APPEND, term: term(2) })
  assert.equal(single.raft.leader, 3)
})

test('R2: nobody acknowledges in a term in which it heard of no leader', () => {
  const single = new Single()
  single.receive(2, APPEND)
  single.receive(2, { kind: 'higher-term', term: term(2) })
  assert.deepEqual(kinds(single.sync()), [])
})

test('R5: an answer carries the latest round of this leader, not that of an earlier one', () => {
  const single = new Single()
  const [first] = acks(single.receive(2, { ...APPEND, round: 5 }))
  assert.equal(first?.round, 5)
  const [late] = acks(single.receive(2, { ...APPEND, round: 3 }))
  assert.equal(late?.round, 5, 'a message that was overtaken')
  single.receive(3, { ...APPEND, term: term(2), round: 0 })
  const [other] = acks(single.sync())
  assert.equal(other?.round, 0)
})

test('R10: a log start is taken up to the commit and no further', () => {
  const single = new Single()
  const committed = { ...APPEND, batches: [batch(6, 8)], commit: at(1, 4), logStart: asOffset(5) }
  const { log } = single.receive(2, committed)
  assert.deepEqual(log.at(-1), { kind: 'advance-log-start', offset: 4 })
})

test('R1: where the leader’s epoch goes on, a later epoch here is cut', () => {
  const single = new Single()
  const starts = [{ epoch: term(2), start: asOffset(6) }]
  single.receive(2, { ...APPEND, term: term(2), starts })
  // Nobody else has that start, and the leader of epoch 3 has more of epoch 1.
  const batches = [batch(6, 8)]
  const { log } = single.receive(3, { ...APPEND, term: term(3), batches })
  assert.deepEqual(log, [
    { kind: 'truncate', to: at(1, 6) },
    { kind: 'append', batches },
  ])
})

test('R1: an epoch start that comes twice is there once', () => {
  const single = new Single()
  const starts = [{ epoch: term(2), start: asOffset(6) }]
  const message = { ...APPEND, term: term(2), starts }
  assert.deepEqual(single.receive(2, message).log, [{ kind: 'start-epoch', epoch: 2 }])
  assert.deepEqual(single.receive(2, message).log, [])
})

test('R2: what this leader verified stays verified, whatever arrives late', () => {
  const single = new Single()
  single.receive(2, { ...APPEND, batches: [batch(6, 8)] })
  single.sync()
  const [late] = acks(single.receive(2, APPEND))
  assert.deepEqual(late?.accepted, at(1, 8))
})

test('R10: an install at what the log holds takes nothing away but what lies below, and is answered', () => {
  const single = new Single()
  assert.equal(acks(single.receive(2, APPEND)).length, 1)
  const effects = single.receive(2, INSTALL)
  assert.deepEqual(effects.log, [{ kind: 'advance-log-start', offset: 4 }])
  assert.deepEqual(effects.committed, at(1, 4))
  assert.equal(acks(effects).length, 1)
})

test('R2, R10: of a log that an install replaces nothing is acknowledged, nor of the new one before it is durable', () => {
  const single = new Single()
  const starts = [{ epoch: term(2), start: asOffset(6) }]
  single.receive(2, { ...APPEND, term: term(2), starts, batches: [batch(6, 50)] })
  single.sync()
  const install = { ...INSTALL, term: term(3), logStart: asOffset(10), keep: at(1, 10) }
  const { log, committed } = single.receive(3, install)
  assert.deepEqual(
    log.map(({ kind }) => kind),
    ['install'],
  )
  assert.deepEqual(committed, at(1, 10), 'what lies below a log start is committed')
  const [ack] = acks(single.durable(at(2, 50)))
  assert.deepEqual(ack?.accepted, at(1, 10))
  assert.deepEqual(ack?.durable, at(-1, 0))
  assert.deepEqual(acks(single.sync())[0]?.durable, at(1, 10))
})

test('R5: a suspect replica is made whole by its leader alone, once it holds that durably; a whole one by nobody', () => {
  const clear = { kind: 'clear', term: term(1), at: at(1, 8) } as const
  const append = { ...APPEND, batches: [batch(6, 8)] }
  const single = new Single({ suspect: true })
  single.receive(2, append)
  assert.equal(single.receive(2, clear).hardState, undefined, 'it is not durable yet')
  single.sync()
  assert.equal(single.receive(3, clear).hardState, undefined, 'not its leader')
  const whole = { term: 1, votedFor: 2, suspect: false }
  assert.deepEqual(single.receive(2, clear).hardState, whole)
  const other = new Single()
  other.receive(2, append)
  other.sync()
  assert.equal(other.receive(2, clear).hardState, undefined, 'its vote is still its own')
})

test('R9: a follower that learns of a commit has nothing to send', () => {
  const { committed, replicate } = new Single().receive(2, { ...APPEND, commit: at(1, 4) })
  assert.deepEqual(committed, at(1, 4))
  assert.equal(replicate, false)
})

test('R9: what is committed by the own sync is told at once', () => {
  const single = new Single().lead()
  single.send(2)
  assert.equal(single.receive(2, ACK).committed, undefined)
  const { committed, replicate } = single.sync()
  assert.deepEqual(committed, at(2, 6))
  assert.equal(replicate, true)
})

test('R5: what a leader counts of a suspect follower never goes back', () => {
  const single = new Single().lead()
  single.sync()
  single.send(2)
  const followers = (): unknown => single.raft.followers.get(asNodeId(2))?.suspicion
  const suspect = { ...ACK, suspect: true, logStart: asOffset(2) }
  single.receive(2, suspect)
  const met = { round: 1, match: at(2, 6), logStart: asOffset(2), cleared: false }
  assert.deepEqual(followers(), met)
  single.receive(2, { ...suspect, durable: at(1, 3), logStart: asOffset(1) })
  assert.deepEqual(followers(), met)
})

test('R5: a round that was answered stays answered', () => {
  const single = new Single().lead()
  single.send(2)
  single.receive(2, { ...ACK, round: 4 })
  single.receive(2, { ...ACK, round: 2 })
  assert.equal(single.raft.followers.get(asNodeId(2))?.round, 4)
})

test('R5: a suspect replica is told that it is whole once it holds what a majority confirmed, not before', () => {
  const single = new Single().lead()
  single.sync()
  for (const follower of [2, 3]) single.send(follower)
  single.receive(3, ACK)
  const behind = { ...ACK, suspect: true, durable: at(1, 3) }
  assert.deepEqual(kinds(single.receive(2, behind)), [], 'nobody confirmed anything yet')
  assert.deepEqual(kinds(single.receive(3, { ...ACK, round: 1 })), [], 'it does not hold that')
  assert.deepEqual(kinds(single.receive(2, { ...behind, durable: at(2, 6) })), ['clear to 2'])
  assert.deepEqual(kinds(single.receive(2, { ...behind, durable: at(2, 6) })), [], 'once')
})

test('a mismatch about something else than what was asked changes nothing', () => {
  const single = new Single().lead()
  single.send(2)
  const { next } = single.raft.followers.get(asNodeId(2))!
  const epochs = [{ epoch: term(1), start: asOffset(0) }]
  const fields = { term: term(2), end: at(1, 2), epochs, logStart: asOffset(0) }
  assert.equal(single.receive(2, { kind: 'mismatch', prev: at(1, 4), ...fields }).replicate, false)
  assert.deepEqual(single.raft.followers.get(asNodeId(2))!.next, next)
  assert.equal(single.receive(2, { kind: 'mismatch', prev: at(1, 6), ...fields }).replicate, true)
  assert.deepEqual(single.raft.followers.get(asNodeId(2))!.next, at(1, 2))
})

test('R8: whoever becomes reachable lets a replica without a leader take its turn', () => {
  const single = new Single()
  single.tick()
  assert.ok(single.raft.deadlineMs > NOW)
  single.up(2)
  assert.equal(single.raft.deadlineMs, NOW)
  single.step({ kind: 'leader-claim', leader: asNodeId(2), epoch: term(1), nowMs: NOW })
  single.up(3)
  assert.equal(single.raft.deadlineMs, Infinity)
})
