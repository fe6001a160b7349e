// The header's readers and writers against DataView, stamping, and walking concatenated batches.

// The header fields against a batch laid out by hand; stamping; summaries.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { asLeaderEpoch, asOffset } from '../base/brand.ts'
import * as header from './batch-header.ts'

/** A batch with recognisable fields and `payload` bytes after its header. */
function rawBatch(payload: number, lastOffsetDelta: number): Uint8Array {
  const bytes = new Uint8Array(header.BATCH_HEADER_BYTES + payload)
  const view = new DataView(bytes.buffer)
  view.setInt32(header.BATCH_LENGTH_AT, bytes.length - header.BATCH_LENGTH_OVERHEAD)
  view.setInt32(header.LEADER_EPOCH_AT, -1)
  view.setInt8(header.MAGIC_AT, 2)
  view.setUint32(header.CRC_AT, 0xdeadbeef)
  view.setInt16(header.ATTRIBUTES_AT, 0x7c)
  view.setInt32(header.LAST_OFFSET_DELTA_AT, lastOffsetDelta)
  view.setBigInt64(header.BASE_TIMESTAMP_AT, 1_700_000_000_000n)
  view.setBigInt64(header.MAX_TIMESTAMP_AT, 1_700_000_000_001n)
  view.setBigInt64(header.PRODUCER_ID_AT, -1n)
  view.setInt16(header.PRODUCER_EPOCH_AT, -1)
  view.setInt32(header.BASE_SEQUENCE_AT, 0x7fff_fffe)
  view.setInt32(header.RECORD_COUNT_AT, lastOffsetDelta + 1)
  return bytes
}

test('the readers agree with a DataView on every field', () => {
  const bytes = new Uint8Array(7 + 61)
  bytes.set(rawBatch(0, 9), 7)
  assert.equal(header.batchBytesAt(bytes, 7), 61)
  assert.equal(header.leaderEpochAt(bytes, 7), -1)
  assert.equal(header.magicAt(bytes, 7), 2)
  assert.equal(header.crcAt(bytes, 7), 0xdeadbeef)
  assert.equal(header.attributesAt(bytes, 7), 0x7c)
  assert.equal(header.codecIdAt(bytes, 7), 4)
  assert.equal(header.isLogAppendTimeAt(bytes, 7), true)
  assert.equal(header.isTransactionalAt(bytes, 7), true)
  assert.equal(header.isControlAt(bytes, 7), true)
  assert.equal(header.lastOffsetAt(bytes, 7), 9)
  assert.equal(header.nextOffsetAt(bytes, 7), 10)
  assert.equal(header.baseTimestampAt(bytes, 7), 1_700_000_000_000)
  assert.equal(header.maxTimestampAt(bytes, 7), 1_700_000_000_001)
  assert.equal(header.producerIdAt(bytes, 7), -1)
  assert.equal(header.producerEpochAt(bytes, 7), -1)
  assert.equal(header.baseSequenceAt(bytes, 7), 0x7fff_fffe)
  assert.equal(header.lastSequenceAt(bytes, 7), 7)
  assert.equal(header.recordCountAt(bytes, 7), 10)
})

test('integers are read and written as a DataView does', () => {
  fc.assert(
    fc.property(
      fc.maxSafeInteger(),
      fc.integer(),
      fc.integer({ min: -0x8000, max: 0x7fff }),
      (a, b, c) => {
        const bytes = new Uint8Array(15)
        const view = new DataView(bytes.buffer)
        header.putInt64(bytes, 1, a)
        header.putInt32(bytes, 9, b)
        header.putInt16(bytes, 13, c)
        assert.equal(view.getBigInt64(1), BigInt(a))
        assert.equal(view.getInt32(9), b)
        assert.equal(view.getInt16(13), c)
        assert.equal(header.int64At(bytes, 1), a)
        assert.equal(header.int32At(bytes, 9), b)
        assert.equal(header.int16At(bytes, 13), c)
        assert.equal(header.int8At(bytes, 13), view.getInt8(13))
      },
    ),
  )
})

test('an int64 beyond the safe integers is never read as a safe one', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      const bytes = new Uint8Array(8)
      new DataView(bytes.buffer).setBigInt64(0, value)
      const safe =
        value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
      assert.equal(Number.isSafeInteger(header.int64At(bytes, 0)), safe)
    }),
    {
      examples: [
        [2n ** 53n],
        [2n ** 53n - 1n],
        [2n ** 53n + 1n],
        [-(2n ** 53n) - 1n],
        [2n ** 63n - 1n],
      ],
    },
  )
})

test('stamping changes nothing but base offset and leader epoch', () => {
  const bytes = rawBatch(5, 4)
  const before = bytes.slice()
  header.stampBatch(bytes, 0, asOffset(2 ** 40 + 3), asLeaderEpoch(77))
  assert.equal(header.baseOffsetAt(bytes, 0), 2 ** 40 + 3)
  assert.equal(header.leaderEpochAt(bytes, 0), 77)
  assert.deepEqual(bytes.subarray(8, 12), before.subarray(8, 12))
  assert.deepEqual(bytes.subarray(16), before.subarray(16))
})

test('concatenated batches are found, stamped contiguously and summarised', () => {
  const bytes = new Uint8Array([...rawBatch(3, 0), ...rawBatch(0, 9), ...rawBatch(100, 1)])
  assert.deepEqual([...header.batchesIn(bytes)], [0, 64, 125])
  const summaries = header.stampBatches(bytes, asOffset(50), asLeaderEpoch(3))
  assert.deepEqual(summaries, header.summarizeBatches(bytes))
  assert.deepEqual(summaries, [
    { baseOffset: 50, lastOffset: 50, bytes: 64, maxTimestampMs: 1_700_000_000_001 },
    { baseOffset: 51, lastOffset: 60, bytes: 61, maxTimestampMs: 1_700_000_000_001 },
    { baseOffset: 61, lastOffset: 62, bytes: 161, maxTimestampMs: 1_700_000_000_001 },
  ])
})

test('a batch that is not whole is not taken for one', () => {
  const bytes = rawBatch(3, 0)
  for (let cut = 0; cut < bytes.length; cut++) {
    assert.equal(header.wholeBatchBytesAt(bytes.subarray(0, cut), 0), undefined)
  }
  assert.equal(header.wholeBatchBytesAt(bytes, 0), 64)
  header.putInt32(bytes, header.BATCH_LENGTH_AT, 48)
  assert.equal(header.wholeBatchBytesAt(bytes, 0), undefined)
  header.putInt32(bytes, header.BATCH_LENGTH_AT, -1)
  assert.equal(header.wholeBatchBytesAt(bytes, 0), undefined)
  assert.throws(() => [...header.batchesIn(bytes)], /no whole batch at byte 0/)
})

test('sequences wrap from the largest int32 to 0', () => {
  assert.equal(header.sequencePlus(0x7fff_ffff, 1), 0)
  assert.equal(header.sequencePlus(5, 0), 5)
})
