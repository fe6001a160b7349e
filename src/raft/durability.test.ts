// What may be promised, by what is durable (law R2).

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { asLeaderEpoch, asNodeId, asOffset } from '../base/brand.ts'
import type { Position } from '../base/position.ts'
import { Durability, NOTHING } from './durability.ts'

const at = (epoch: number, offset: number): Position => ({
  epoch: asLeaderEpoch(epoch),
  offset: asOffset(offset),
})
const term = asLeaderEpoch
const hardState = { term: term(3), votedFor: asNodeId(1), suspect: false }

const durability = (log = at(2, 10)): Durability =>
  new Durability({ log, logStart: asOffset(0), hardState })

test('what is acknowledged is durable and verified, both', () => {
  assert.deepEqual(durability().acknowledgeable(term(3), at(2, 4)), at(2, 4))
  assert.deepEqual(durability().acknowledgeable(term(3), at(3, 4)), at(2, 10))
  assert.equal(durability().acknowledgeable(term(4), at(2, 4)), undefined)
})

test('a cut takes back what lies above it and the cut itself, and nothing that lies below', () => {
  const cases: readonly (readonly [Position, Position])[] = [
    [at(2, 11), at(2, 10)],
    [at(2, 10), NOTHING],
    [at(2, 9), NOTHING],
    [at(1, 12), NOTHING],
  ]
  for (const [to, left] of cases) {
    const state = durability()
    state.cut(to)
    assert.deepEqual(state.log, left)
  }
})

test('of a log that another one replaces nothing counts, until storage says so', () => {
  const state = durability()
  state.replaced()
  assert.deepEqual(state.log, NOTHING)
  state.logReached(at(3, 20))
  assert.deepEqual(state.log, at(3, 20))
})

test('a vote is that of its term, for its candidate', () => {
  const state = durability()
  assert.equal(state.hasVoted(term(3), asNodeId(1)), true)
  assert.equal(state.hasVoted(term(3), asNodeId(2)), false)
  assert.equal(state.hasVoted(term(2), asNodeId(1)), false)
  assert.equal(state.hasVoted(term(4), asNodeId(1)), false)
})
