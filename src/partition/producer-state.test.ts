// Producer state: sequences, epochs, the window of five, expiry, snapshots.

import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { asLeaderEpoch, asOffset } from '../base/brand.ts'
import { stampBatch } from '../records/batch-header.ts'
import { batchOf, NOW_MS } from './testing/fixture.ts'
import { decodeProducerSnapshot, encodeProducerSnapshot } from './producer-snapshot.ts'
import { endOfBatch, ProducerState } from './producer-state.ts'

const batch = (baseSequence: number, count = 1, producerEpoch = 0, producerId = 7): Uint8Array =>
  batchOf(
    Array.from({ length: count }, (_, i) => `v${i}`),
    { producer: { producerId, producerEpoch, baseSequence } },
  )

function appender(state: ProducerState) {
  let next = 0
  return (bytes: Uint8Array, count = 1, leaderEpoch = 1): void => {
    stampBatch(bytes, 0, asOffset(next), asLeaderEpoch(leaderEpoch))
    state.observe(bytes, 0, NOW_MS)
    next += count
  }
}

test('sequences follow each other; one of the last five again is a duplicate of the original', () => {
  const state = new ProducerState()
  const append = appender(state)
  for (let i = 0; i < 6; i++) {
    assert.equal(state.check(batch(i * 2, 2), 0).kind, 'next')
    append(batch(i * 2, 2), 2, 3)
  }
  const again = state.check(batch(2, 2), 0)
  assert.ok(again.kind === 'duplicate')
  assert.equal(again.original.baseOffset, 2)
  assert.deepEqual(endOfBatch(again.original), { epoch: 3, offset: 4 })
  // The sixth back is forgotten, a part of a batch is no duplicate, and a gap is a gap.
  assert.equal(state.check(batch(0, 2), 0).kind, 'out-of-order')
  assert.equal(state.check(batch(2, 1), 0).kind, 'out-of-order')
  assert.equal(state.check(batch(13, 1), 0).kind, 'out-of-order')
  assert.equal(state.check(batch(12, 1), 0).kind, 'next')
})

test('an unknown producer may start anywhere, a new epoch only at 0, an old epoch not at all', () => {
  const state = new ProducerState()
  const append = appender(state)
  assert.equal(state.check(batch(41), 0).kind, 'next')
  append(batch(41))
  assert.equal(state.check(batch(42, 1, 1), 0).kind, 'out-of-order')
  assert.equal(state.check(batch(0, 1, 1), 0).kind, 'next')
  append(batch(0, 1, 1))
  assert.equal(state.check(batch(42), 0).kind, 'stale-epoch')
  assert.equal(state.check(batch(1, 1, 1), 0).kind, 'next')
})

test('sequences wrap from 2^31-1 to 0, also inside a batch', () => {
  const state = new ProducerState()
  const append = appender(state)
  append(batch(0x7fffffff))
  assert.equal(state.check(batch(0), 0).kind, 'next')
  const other = new ProducerState()
  const appendOther = appender(other)
  appendOther(batch(0x7ffffffe, 4), 4)
  assert.equal(other.check(batch(2), 0).kind, 'next')
  assert.equal(other.check(batch(0), 0).kind, 'out-of-order')
  assert.equal(other.check(batch(0x7ffffffe, 4), 0).kind, 'duplicate')
})

test('producers that were not seen for long are forgotten', () => {
  const state = new ProducerState()
  appender(state)(batch(5))
  state.expire(NOW_MS + 999, 1000)
  assert.equal(state.size, 1)
  state.expire(NOW_MS + 1000, 1000)
  assert.equal(state.size, 0)
  assert.equal(state.check(batch(9), 0).kind, 'next')
})

test('a snapshot gives the same state back; any damage is noticed', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 3 })), {
        maxLength: 60,
      }),
      fc.nat(),
      (appends, damageAt) => {
        const state = new ProducerState()
        const append = appender(state)
        const sequences = new Map<string, number>()
        for (const [producerId, epoch] of appends) {
          const key = `${producerId}/${epoch}`
          const sequence = sequences.get(key) ?? 0
          append(batch(sequence, 1, epoch, producerId))
          sequences.set(key, sequence + 1)
        }
        const bytes = encodeProducerSnapshot(state)
        assert.deepEqual(decodeProducerSnapshot(bytes), [...state.entries()])
        bytes[damageAt % bytes.length]! ^= 0x10
        assert.equal(decodeProducerSnapshot(bytes), undefined)
        assert.equal(decodeProducerSnapshot(bytes.subarray(0, damageAt % bytes.length)), undefined)
      },
    ),
  )
})

const FIXTURE = join(import.meta.dirname, 'fixtures', 'producer-snapshot-v1.bin')

function fixtureState(): ProducerState {
  const state = new ProducerState()
  const append = appender(state)
  for (let i = 0; i < 7; i++) append(batch(i * 2, 2), 2, 3)
  append(batch(0, 1, 4, 9), 1, 5)
  return state
}

if (process.env['CHRONIK_WRITE_FIXTURE'] === 'producer-snapshot-v1') {
  test('write the fixture', () => {
    assert.ok(!existsSync(FIXTURE), `${FIXTURE} is there, and fixtures never change`)
    writeFileSync(FIXTURE, encodeProducerSnapshot(fixtureState()))
  })
}

test('a snapshot of version 1 is read for ever', () => {
  const entries = decodeProducerSnapshot(readFileSync(FIXTURE))
  assert.deepEqual(entries, [...fixtureState().entries()])
})
