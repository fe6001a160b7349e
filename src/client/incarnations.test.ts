import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Incarnations } from './incarnations.ts'

test('what a name stood for before a topic was created or deleted is gone', () => {
  const incarnations = new Incarnations()
  incarnations.replacing('t', 'seen')('first')
  assert.equal(incarnations.isGone('seen'), true)
  assert.equal(incarnations.isGone('first'), false)
  incarnations.replacing('t', 'first')()
  assert.equal(incarnations.isGone('first'), true)
})

test('a topic that this client created is gone with the next one, though it was never seen', () => {
  const incarnations = new Incarnations()
  incarnations.replacing('t', undefined)('first')
  incarnations.replacing('t', undefined)('second')
  assert.equal(incarnations.isGone('first'), true)
  assert.equal(incarnations.isGone('second'), false)
})

test('answers that overtake one another take nothing away that came later', () => {
  const incarnations = new Incarnations()
  incarnations.replacing('t', undefined)('first')
  const deleted = incarnations.replacing('t', 'first')
  incarnations.replacing('t', 'first')('second')
  deleted()
  assert.equal(incarnations.isGone('second'), false)
})

test('what has no id is never gone; the oldest are forgotten', () => {
  const incarnations = new Incarnations()
  incarnations.replacing('old broker', 'AAAAAAAAAAAAAAAAAAAAAA')()
  assert.equal(incarnations.isGone('AAAAAAAAAAAAAAAAAAAAAA'), false)
  for (let i = 0; i <= 1_000; i++) incarnations.replacing(`t${i}`, `id${i}`)()
  assert.equal(incarnations.isGone('id0'), false)
  assert.equal(incarnations.isGone('id1'), true)
  assert.equal(incarnations.isGone('id1000'), true)
})
