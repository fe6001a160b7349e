// Guesses at what was meant.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { editDistance, nearest } from './nearest.ts'

test('distances count edits, a swap of neighbours as one', () => {
  assert.equal(editDistance('', 'abc'), 3)
  assert.equal(editDistance('abc', 'abc'), 0)
  assert.equal(editDistance('strat', 'start'), 1)
  assert.equal(editDistance('kitten', 'sitting'), 3)
})

test('the nearest name is offered, a far one is not', () => {
  const known = ['start', 'dump', 'topic', 'log.retention.ms']
  assert.equal(nearest('strat', known), 'start')
  assert.equal(nearest('Dump', known), 'dump')
  assert.equal(nearest('retention.ms', known), 'log.retention.ms')
  assert.equal(nearest('consume', known), undefined)
})
