import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asOffset } from './brand.ts'
import { comparePositions, type Position } from './position.ts'

const at = (epoch: number, offset: number): Position => ({
  epoch: asLeaderEpoch(epoch),
  offset: asOffset(offset),
})

test('positions compare by epoch, then offset (law R1)', () => {
  const ascending = [at(-1, 0), at(0, 0), at(0, 7), at(1, 0), at(1, 5), at(2, 3)]
  for (const [i, a] of ascending.entries()) {
    for (const [j, b] of ascending.entries()) {
      assert.equal(Math.sign(comparePositions(a, b)), Math.sign(i - j))
    }
  }
})

test('a later epoch wins over a longer log', () => {
  assert.ok(comparePositions(at(3, 10), at(2, 1_000_000)) > 0)
})
