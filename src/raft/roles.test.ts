// The roles of one replica, event by event: what leads from one to the other, and what must not.

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { asNodeId, asOffset } from '../base/brand.ts'
import type { Effects } from './events.ts'
import type { BatchRef } from './messages.ts'
import { TIMING } from './testing/cluster.ts'
import { ACK, APPEND, at, kinds, NOW, Single, term } from './testing/single.ts'

const claim = (single: Single, leader: number, epoch = 1): Effects<BatchRef> =>
  single.step({
    kind: 'leader-claim',
    leader: asNodeId(leader),
    epoch: term(epoch),
    nowMs: NOW,
  })

const reply = (forTerm: number) =>
  ({ kind: 'pre-vote-reply', term: term(1), forTerm: term(forTerm), granted: true }) as const

test('R9: established is a leader that committed its own epoch, and it says so once', () => {
  const single = new Single().lead()
  assert.equal(single.raft.established, false)
  single.send(2)
  single.receive(2, ACK)
  assert.equal(single.raft.established, false)
  assert.equal(single.sync().roleChanged, true)
  assert.equal(single.raft.established, true)
  assert.equal(single.sync().roleChanged, false)
  const follower = new Single()
  follower.receive(2, { ...APPEND, commit: at(1, 6) })
  assert.deepEqual(follower.raft.commit, at(1, 6))
  assert.equal(follower.raft.established, false)
})

test('before its time nothing happens', () => {
  const single = new Single()
  single.receive(2, APPEND)
  const { deadlineMs } = single.raft
  assert.deepEqual(kinds(single.step({ kind: 'tick', nowMs: deadlineMs - 1 })), [])
  assert.equal(single.raft.role, 'follower')
})

test('a candidate whose vote is not durable waits, and not without an end; one that asked begins anew', () => {
  const single = new Single()
  single.campaign()
  const { deadlineMs } = single.raft
  assert.ok(deadlineMs > NOW)
  single.tick()
  assert.equal(single.raft.role, 'candidate')
  assert.ok(single.raft.deadlineMs > deadlineMs)
  single.sync()
  single.tick()
  assert.equal(single.raft.role, 'pre-candidate')
})

test('R7: who is no voter does not campaign', () => {
  const observer = new Single({ self: 9 })
  assert.deepEqual(kinds(observer.tick()), [])
  assert.equal(observer.raft.role, 'follower')
})

test('R8: a leader that did not claim the epoch in time is none', () => {
  const single = new Single()
  single.receive(2, APPEND)
  assert.equal(single.raft.leader, 2)
  assert.equal(single.raft.deadlineMs, NOW + TIMING.claimMs)
  single.tick()
  assert.equal(single.raft.leader, undefined)
})

test('R8: a leader that can not be reached keeps nobody quiet, claim or not', () => {
  for (const heard of ['append', 'claim']) {
    const single = new Single({ up: false })
    if (heard === 'append') single.receive(2, APPEND)
    else claim(single, 2)
    assert.equal(single.raft.leader, undefined)
    assert.equal(single.raft.deadlineMs, NOW + TIMING.retryMs)
  }
})

test('9.6: only a majority that was asked leads to an election, and only who may campaign', () => {
  const unasked = new Single()
  for (const from of [2, 3]) unasked.receive(from, reply(2))
  assert.equal(unasked.raft.role, 'follower')
  const other = new Single()
  other.tick()
  for (const from of [2, 3]) other.receive(from, reply(3))
  assert.equal(other.raft.role, 'pre-candidate', 'they answered something else')
  const few = new Single({ voters: 5 })
  few.tick()
  few.receive(2, reply(2))
  assert.equal(few.raft.role, 'pre-candidate', 'two of five')
  const unfit = new Single()
  unfit.tick()
  unfit.step({ kind: 'fitness', fit: false })
  unfit.receive(2, reply(2))
  assert.equal(unfit.raft.role, 'pre-candidate', 'R8: it became unfit meanwhile')
})

test('3.10: who is told to campaign has no leader any more, and tries again if it comes to nothing', () => {
  const single = new Single()
  claim(single, 2)
  assert.equal(single.raft.deadlineMs, Infinity)
  single.receive(3, { kind: 'timeout-now', term: term(1) })
  assert.equal(single.raft.role, 'follower', 'only the leader may say so')
  single.receive(2, { kind: 'timeout-now', term: term(1) })
  assert.equal(single.raft.role, 'candidate')
  assert.equal(single.raft.leader, undefined)
  assert.ok(single.raft.deadlineMs < Infinity)
})

test('whoever votes for another gives up its own attempt, and lets the other have its time', () => {
  const single = new Single()
  single.tick()
  assert.equal(single.raft.role, 'pre-candidate')
  // Its turn comes at once when somebody becomes reachable.
  single.up(2)
  assert.equal(single.raft.deadlineMs, NOW)
  single.receive(2, { kind: 'vote', term: term(1), end: at(1, 6), candidacy: 7 })
  assert.equal(single.raft.role, 'follower')
  assert.ok(single.raft.deadlineMs > NOW)
})

test('what is known already changes no role', () => {
  const single = new Single()
  assert.equal(claim(single, 2).roleChanged, true)
  assert.equal(claim(single, 2).roleChanged, false)
  assert.equal(single.receive(2, APPEND).roleChanged, false)
  assert.equal(single.raft.deadlineMs, Infinity, 'the claim stands')
})

test('R8: a leader neither believes its own claims nor loses itself', () => {
  const single = new Single().lead()
  claim(single, 1, 2)
  assert.equal(single.raft.role, 'leader')
  single.step({ kind: 'leader-unsupported', nowMs: NOW })
  assert.equal(single.raft.leader, 1)
  claim(single, 2, 1)
  assert.equal(single.raft.role, 'leader', 'a claim of an epoch that is over')
})

test('R7: who is no voter is not heard, and changes nothing by being there', () => {
  const single = new Single()
  single.tick()
  const { deadlineMs } = single.raft
  single.up(9)
  assert.equal(single.raft.deadlineMs, deadlineMs)
  single.receive(9, { ...APPEND, term: term(7), logStart: asOffset(0) })
  assert.equal(single.raft.term, 1)
})

test('R8: another one that goes away takes no leader with it', () => {
  const single = new Single()
  claim(single, 2)
  single.step({ kind: 'peer-down', peer: asNodeId(3), nowMs: NOW })
  assert.equal(single.raft.leader, 2)
  single.step({ kind: 'peer-down', peer: asNodeId(2), nowMs: NOW })
  assert.equal(single.raft.leader, undefined)
})

test('3.3: what was said in an earlier term is not heard', () => {
  const single = new Single()
  single.campaign()
  single.sync()
  const { candidacy } = single
  single.receive(2, { kind: 'vote-grant', term: term(1), candidacy, logStart: asOffset(0) })
  assert.equal(single.raft.role, 'candidate')
  single.receive(2, { kind: 'vote-grant', term: term(2), candidacy, logStart: asOffset(0) })
  assert.equal(single.raft.role, 'leader')
})

test('R9: an acknowledgement that establishes a leader is told as that, once', () => {
  const single = new Single().lead()
  single.sync()
  single.send(2)
  assert.equal(single.receive(2, ACK).roleChanged, true)
  assert.equal(single.receive(2, ACK).roleChanged, false)
})

test('3.3: the leader of one term may be that of a later one', () => {
  const single = new Single()
  single.receive(2, APPEND)
  single.receive(2, { ...APPEND, term: term(2) })
  assert.equal(single.raft.term, 2)
  assert.equal(single.raft.leader, 2)
})

test('R8: who is unfit does not campaign, told to or not', () => {
  const single = new Single()
  claim(single, 2)
  single.step({ kind: 'fitness', fit: false })
  single.receive(2, { kind: 'timeout-now', term: term(1) })
  assert.equal(single.raft.role, 'follower')
})

test('an election that was won is none that got nowhere: the next one is not put off for it', () => {
  const single = new Single()
  for (let tries = 0; tries < 3; tries++) single.tick()
  single.lead()
  single.receive(2, { kind: 'higher-term', term: term(3) })
  const dueMs = single.raft.deadlineMs
  single.tick()
  assert.equal(single.raft.deadlineMs, dueMs + TIMING.retryMs)
})
