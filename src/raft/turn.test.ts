// When a replica without a leader tries for an election.

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { asNodeId } from '../base/brand.ts'
import { TIMING } from './testing/cluster.ts'
import { Turn } from './turn.ts'

const { rankStepMs, claimMs, retryMs } = TIMING
const voters = [1, 2, 3].map(asNodeId)
const turnOf = (voter: number): Turn =>
  new Turn({ self: asNodeId(voter), voters, timing: TIMING, random: () => 0.5 })

test('the more elections got nowhere, the longer until the next, within bounds', () => {
  const turn = turnOf(1)
  const next = (): number => {
    turn.again(0)
    return turn.deadlineMs / retryMs
  }
  assert.deepEqual([next(), next(), next(), next(), next(), next()], [1, 2, 4, 8, 16, 16])
  turn.rest()
  assert.equal(next(), 1, 'there was a leader')
  assert.equal(next(), 2)
  turn.leaderLost(asNodeId(2), 0)
  assert.equal(next(), 1, 'there was one until now')
})

test('the rank of a leader that was lost is not waited for, until there is another leader', () => {
  const turn = turnOf(3)
  turn.leaderLost(asNodeId(1), 0)
  assert.equal(turn.deadlineMs, rankStepMs)
  turn.rest()
  turn.wait(0)
  assert.equal(turn.deadlineMs, 2 * rankStepMs)
})

test('a turn is counted from the loss of the leader; without one, what is due earlier stays', () => {
  const turn = turnOf(2)
  turn.expectClaim(0)
  turn.wait(claimMs - 1)
  assert.equal(turn.deadlineMs, claimMs)
  turn.leaderLost(asNodeId(3), claimMs - 1)
  assert.equal(turn.deadlineMs, claimMs - 1 + rankStepMs)
})
