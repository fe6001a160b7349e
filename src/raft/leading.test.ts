// One leader, event by event: how long it leads (thesis 6.2), hands over (thesis 3.10) and waits for followers that
// deferred; what it makes of log starts (law R10) and of suspect replicas (law R5) that it hears of.

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { asNodeId, asOffset } from '../base/brand.ts'
import type { Effects } from './events.ts'
import type { BatchRef } from './messages.ts'
import { TIMING } from './testing/cluster.ts'
import { ACK, at, kinds, NOW, Single, term } from './testing/single.ts'

/** Leads epoch 2, whose start is durable here; everybody was sent it. */
function leader(options: { voters?: number; logStart?: number } = {}): Single {
  const single = new Single(options).lead()
  single.sync()
  for (const voter of single.raft.voters.slice(1)) single.send(voter)
  return single
}

const tickAt = (single: Single, nowMs: number): Effects<BatchRef> =>
  single.step({ kind: 'tick', nowMs })

const goes = (single: Single, peer: number, nowMs = NOW): Effects<BatchRef> =>
  single.step({ kind: 'peer-down', peer: asNodeId(peer), nowMs })

const transfer = (single: Single, to: number): Effects<BatchRef> =>
  single.step({ kind: 'transfer', to: asNodeId(to), nowMs: NOW })

const defers = (single: Single, from: number, nowMs = NOW): Effects<BatchRef> =>
  single.step({
    kind: 'message',
    from: asNodeId(from),
    message: { kind: 'deferred', term: term(2) },
    nowMs,
  })

const isAsked = (single: Single, follower: number): boolean => single.next(follower) !== undefined

test('6.2: a new leader that nobody acknowledges steps down', () => {
  const single = leader()
  assert.equal(single.raft.deadlineMs, NOW + TIMING.quorumMs)
  single.tick()
  assert.equal(single.raft.role, 'follower')
})

test('6.2: the time without a quorum counts from its loss, whoever else goes', () => {
  const single = leader({ voters: 5 })
  for (const from of [2, 3]) single.receive(from, ACK)
  assert.equal(single.raft.deadlineMs, Infinity)
  goes(single, 2, NOW + 10)
  goes(single, 3, NOW + 50)
  assert.equal(single.raft.deadlineMs, NOW + 10 + TIMING.quorumMs)
})

test('3.10: a transfer is called off by its own time, not by another deadline or another node', () => {
  const single = leader()
  transfer(single, 2)
  defers(single, 3)
  tickAt(single, NOW + TIMING.deferMs)
  assert.equal(single.raft.acceptsAppends, false)
  goes(single, 3)
  assert.equal(single.raft.acceptsAppends, false)
  tickAt(single, NOW + TIMING.transferMs)
  assert.equal(single.raft.acceptsAppends, true)
})

test('3.10: the successor is told once it holds everything, and that once', () => {
  const single = leader()
  single.receive(3, ACK)
  assert.deepEqual(single.raft.commit, at(2, 6))
  assert.deepEqual(kinds(transfer(single, 2)), [], 'it does not hold the start of the epoch')
  assert.deepEqual(kinds(single.receive(2, ACK)), ['timeout-now to 2'])
  assert.deepEqual(kinds(single.receive(3, ACK)), [])
})

test('3.10: the successor is told once everything is committed', () => {
  const single = leader({ voters: 5 })
  transfer(single, 2)
  assert.deepEqual(kinds(single.receive(2, ACK)), [], 'two of five hold it')
  assert.deepEqual(kinds(single.receive(3, ACK)), ['timeout-now to 2'])
})

test('who deferred is asked again in its time, whoever else defers later', () => {
  const single = leader()
  defers(single, 2)
  defers(single, 3, NOW + TIMING.deferMs / 2)
  assert.equal(isAsked(single, 2), false)
  tickAt(single, NOW + TIMING.deferMs)
  assert.equal(isAsked(single, 2), true)
})

test('who deferred is not asked before its time because something else is due', () => {
  const single = leader()
  transfer(single, 2)
  const laterMs = NOW + TIMING.transferMs - 1
  defers(single, 3, laterMs)
  tickAt(single, NOW + TIMING.transferMs)
  assert.equal(single.raft.acceptsAppends, true)
  assert.equal(isAsked(single, 3), false)
  tickAt(single, laterMs + TIMING.deferMs)
  assert.equal(isAsked(single, 3), true)
})

test('who deferred and says that it is there now is asked at once', () => {
  const single = leader()
  defers(single, 2)
  single.up(2)
  assert.equal(isAsked(single, 2), true)
})

test('R10: a log start that a follower has is taken once what lies below it is committed here', () => {
  const single = leader()
  const ahead = { ...ACK, durable: at(1, 5), accepted: at(1, 5), logStart: asOffset(4) }
  assert.deepEqual(single.receive(2, ahead).log, [], 'nothing is committed yet')
  assert.deepEqual(single.receive(3, ACK).log, [{ kind: 'advance-log-start', offset: 4 }])
})

test('R5, R10: a log start that a replica had before it was damaged counts no more', () => {
  const single = leader()
  const moved = { ...ACK, logStart: asOffset(4) }
  single.receive(2, moved)
  assert.equal(single.raft.logStartOnMajority(asOffset(4)), 4)
  single.receive(2, { ...moved, suspect: true })
  assert.equal(single.raft.logStartOnMajority(asOffset(4)), 0)
})

test('R5, R10: an install says neither commit nor round: both are said after it, said before or not', () => {
  for (const suspects of [false, true]) {
    const single = new Single({ voters: 5, logStart: 6 }).lead()
    single.sync()
    for (const voter of [3, 4, 5]) single.send(voter)
    for (const voter of [3, 4]) single.receive(voter, ACK)
    assert.deepEqual(single.raft.commit, at(2, 6))
    if (suspects) single.receive(5, { ...ACK, suspect: true })
    single.send(2)
    const empty = { end: at(-1, 0), epochs: [], logStart: asOffset(0) }
    single.receive(2, { kind: 'mismatch', term: term(2), prev: at(1, 6), ...empty })
    assert.equal(single.next(2)?.kind, 'install')
    single.raft.sent(asNodeId(2), at(2, 6))
    assert.equal(isAsked(single, 2), false)
    single.receive(2, { ...ACK, logStart: asOffset(6) })
    const plan = single.next(2)
    assert.ok(plan?.kind === 'append')
    assert.equal(plan.probe, suspects, 'the round is asked for')
  }
})
