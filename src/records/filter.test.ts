// What is left of a batch when records are taken out: the rest, bit for bit, under the same offsets.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { crc32c } from '../base/crc32c.ts'
import { asLeaderEpoch, asOffset } from '../base/brand.ts'
import * as header from './batch-header.ts'
import { buildBatch, type BatchOptions } from './build.ts'
import { fillerBatch, FILLER_OFFSETS_MAX, isFillerAt } from './filler.ts'
import { emptiedBatch, filterBatch } from './filter.ts'
import { BadBatchError, recordsOf, type LogRecord } from './read.ts'
import { setTimestamps } from './rewrite.ts'

const key = fc.option(fc.uint8Array({ maxLength: 6 }), { nil: null })
const record = fc.record({
  key,
  value: key,
  timestampMs: fc.integer({ min: 0, max: 100_000 }),
})

function batchOf(
  records: readonly { key: Uint8Array | null; value: Uint8Array | null; timestampMs: number }[],
  options: BatchOptions = {},
): Uint8Array {
  const batch = buildBatch(records, options)
  header.stampBatch(batch, 0, asOffset(500), asLeaderEpoch(3))
  return batch
}

/** A Buffer or not: the bytes. */
const plain = (bytes: Uint8Array | null): number[] | null => (bytes === null ? null : [...bytes])

const plainRecord = (one: LogRecord) => ({ ...one, key: plain(one.key), value: plain(one.value) })

const crcIsRight = (batch: Uint8Array): boolean =>
  crc32c(batch.subarray(header.ATTRIBUTES_AT)) === header.crcAt(batch, 0)

test('the records that stay are the same records, whichever they are', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(record, fc.boolean()), { minLength: 1, maxLength: 12 }),
      fc.constantFrom('none' as const, 'gzip' as const, 'snappy' as const),
      fc.nat(30),
      (chosen, codec, before) => {
        const producer = { producerId: 7, producerEpoch: 2, baseSequence: 40 }
        const batch = batchOf(
          chosen.map(([one]) => one),
          { codec, producer },
        )
        const buffer = Buffer.concat([new Uint8Array(before), batch, new Uint8Array(5)])
        const all = [...recordsOf(batch, 0)]
        const kept = all.filter((_, i) => chosen[i]?.[1])
        const seen: unknown[] = []
        const result = filterBatch(buffer, before, (one) => {
          seen.push([one.offset, one.timestampMs, plain(one.key), one.hasValue])
          return chosen[one.offset - 500]?.[1] === true
        })
        assert.deepEqual(
          seen,
          all.map((one) => [one.offset, one.timestampMs, plain(one.key), one.value !== null]),
        )
        assert.deepEqual([result.records, result.kept], [all.length, kept.length])
        if (kept.length === 0) {
          assert.equal(result.batch, undefined)
          return
        }
        const left = result.batch!
        assert.deepEqual([...recordsOf(left, 0)].map(plainRecord), kept.map(plainRecord))
        assert.ok(crcIsRight(left))
        assert.equal(header.batchBytesAt(left, 0), left.length)
        assert.equal(header.lastOffsetAt(left, 0), header.lastOffsetAt(batch, 0))
        assert.equal(header.lastSequenceAt(left, 0), header.lastSequenceAt(batch, 0))
        assert.equal(header.leaderEpochAt(left, 0), 3)
        const max = Math.max(...kept.map((one) => one.timestampMs))
        assert.equal(header.maxTimestampAt(left, 0), max)
        if (kept.length === all.length) assert.deepEqual(Buffer.from(left), Buffer.from(batch))
      },
    ),
  )
})

test('a LogAppendTime batch keeps its timestamp', () => {
  const one = { key: Buffer.from('k'), value: null, timestampMs: 5 }
  const batch = batchOf([one, one])
  setTimestamps(batch, 0, { type: 'LogAppendTime', maxTimestampMs: 900 })
  const { batch: left } = filterBatch(batch, 0, (each) => {
    assert.equal(each.timestampMs, 900)
    return each.offset === 501
  })
  assert.deepEqual(
    [...recordsOf(left!, 0)].map(({ offset, timestampMs }) => [offset, timestampMs]),
    [[501, 900]],
  )
})

test('a batch that is damaged is not filtered', () => {
  const batch = batchOf([{ key: Buffer.from('key'), value: null, timestampMs: 5 }])
  for (const at of [header.RECORD_COUNT_AT + 3, header.BATCH_HEADER_BYTES, header.MAGIC_AT]) {
    const bad = batch.slice()
    bad[at]! ^= 4
    assert.throws(() => filterBatch(bad, 0, () => true), BadBatchError)
  }
})

test('an emptied batch keeps offsets, epoch, producer and sequence', () => {
  const producer = { producerId: 7, producerEpoch: 2, baseSequence: 40 }
  const records = Array.from({ length: 5 }, () => ({ key: null, value: null, timestampMs: 9 }))
  const batch = batchOf(records, { producer, codec: 'gzip' })
  const empty = emptiedBatch(Buffer.concat([new Uint8Array(3), batch]), 3)
  assert.equal(empty.length, header.BATCH_HEADER_BYTES)
  assert.ok(crcIsRight(empty))
  assert.deepEqual([...recordsOf(empty, 0)], [])
  assert.equal(header.lastOffsetAt(empty, 0), 504)
  assert.equal(header.lastSequenceAt(empty, 0), 44)
  assert.equal(header.producerEpochAt(empty, 0), 2)
  assert.equal(header.codecIdAt(empty, 0), 0)
  assert.equal(header.leaderEpochAt(empty, 0), 3)
  assert.ok(!isFillerAt(empty, 0))
  assert.equal(filterBatch(empty, 0, () => true).batch, undefined)
})

test('a filler stands for its offsets and nothing else', () => {
  const filler = fillerBatch(asOffset(10), asOffset(5000), asLeaderEpoch(4))
  assert.equal(filler.length, header.BATCH_HEADER_BYTES)
  assert.ok(crcIsRight(filler) && isFillerAt(filler, 0))
  assert.deepEqual([...recordsOf(filler, 0)], [])
  assert.deepEqual([header.baseOffsetAt(filler, 0), header.lastOffsetAt(filler, 0)], [10, 5000])
  assert.deepEqual([header.leaderEpochAt(filler, 0), header.maxTimestampAt(filler, 0)], [4, -1])
  assert.equal(header.producerIdAt(filler, 0), -1)
  assert.throws(() => fillerBatch(asOffset(3), asOffset(2), asLeaderEpoch(4)), /a filler from 3/)
  assert.throws(
    () => fillerBatch(asOffset(0), asOffset(FILLER_OFFSETS_MAX), asLeaderEpoch(4)),
    /a filler/,
  )
  assert.ok(!isFillerAt(batchOf([{ key: null, value: null, timestampMs: 1 }]), 0))
})
