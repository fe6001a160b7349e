import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { asOffset } from '../base/brand.ts'
import { OFFSET_ENTRY_BYTES, SegmentIndex, TIME_ENTRY_BYTES } from './segment-index.ts'
import type { BatchSummary } from './store.ts'

const BASE = asOffset(1000)

const batches = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 61, max: 900 }), fc.nat(50)), {
    minLength: 1,
    maxLength: 60,
  })
  .map((parts) => {
    let next: number = BASE
    return parts.map(([count, bytes, timestamp]): BatchSummary => {
      const baseOffset = asOffset(next)
      next += count
      return { baseOffset, lastOffset: asOffset(next - 1), bytes, maxTimestampMs: timestamp }
    })
  })

function fill(index: SegmentIndex, list: readonly BatchSummary[], from = 0): number {
  let position = 0
  for (const [i, batch] of list.entries()) {
    if (i >= from) index.add(batch, position)
    position += batch.bytes
  }
  return position
}

function positions(list: readonly BatchSummary[]): number[] {
  let at = 0
  return list.map((batch) => (at += batch.bytes) - batch.bytes)
}

/** A scan from what the index says finds what a scan from the start finds. */
function check(index: SegmentIndex, list: readonly BatchSummary[]): void {
  const at = positions(list)
  for (const [i, batch] of list.entries()) {
    const start = index.lookup(batch.baseOffset).position
    assert.ok(at.includes(start) && start <= at[i]!, `offset ${batch.baseOffset}`)
  }
  for (let ms = -1; ms <= 51; ms++) {
    const wanted = list.findIndex((batch) => batch.maxTimestampMs >= ms)
    const start = index.lookupTimestamp(ms).position
    assert.ok(at.includes(start), `timestamp ${ms}`)
    if (wanted >= 0) assert.ok(start <= at[wanted]!, `timestamp ${ms} starts behind its batch`)
  }
}

test('a scan from where the index points misses nothing', () => {
  fc.assert(
    fc.property(batches, fc.nat(2000), (list, interval) => {
      const index = new SegmentIndex(BASE, interval)
      fill(index, list)
      check(index, list)
      index.seal()
      check(index, list)
    }),
  )
})

test('a cut index, filled again, equals one that never had more', () => {
  fc.assert(
    fc.property(batches, batches, fc.nat(60), fc.nat(2000), (list, other, keepPick, interval) => {
      const keep = Math.min(keepPick, list.length)
      const index = new SegmentIndex(BASE, interval)
      fill(index, list)
      index.cut(positions([...list, list[0]!])[keep]!)
      const kept = list.slice(0, keep)
      let next: number = kept.at(-1)?.lastOffset ?? BASE - 1
      const grown = other.map((batch): BatchSummary => {
        const baseOffset = asOffset(next + 1)
        next += batch.lastOffset - batch.baseOffset + 1
        return { ...batch, baseOffset, lastOffset: asOffset(next) }
      })
      const whole = [...kept, ...grown]
      const at = positions(whole)
      fill(
        index,
        whole,
        at.indexOf(index.coveredTo) < 0 ? whole.length : at.indexOf(index.coveredTo),
      )
      check(index, whole)
      const fresh = new SegmentIndex(BASE, interval)
      fill(fresh, whole)
      assert.equal(index.coveredTo, fresh.coveredTo)
    }),
  )
})

test('whatever of its two files is left, a loaded index is right once it has caught up', () => {
  fc.assert(
    fc.property(batches, fc.nat(900), fc.nat(60), fc.nat(60), (list, interval, cutA, cutB) => {
      const written = new SegmentIndex(BASE, interval)
      const bytes = fill(written, list)
      const offsets = written.pendingOffsets()
      const times = written.pendingTimes()
      const index = new SegmentIndex(BASE, interval)
      index.load(
        offsets.subarray(0, Math.min(offsets.length, cutA * OFFSET_ENTRY_BYTES)),
        times.subarray(0, Math.min(times.length, cutB * TIME_ENTRY_BYTES)),
        bytes,
      )
      const from = positions(list).indexOf(index.coveredTo)
      assert.ok(from >= 0)
      fill(index, list, from)
      check(index, list)
    }),
  )
})

test('entries are Kafka’s: last offset and position of a batch; greatest timestamp and its last offset', () => {
  const index = new SegmentIndex(BASE, 100)
  const batch = (first: number, last: number, maxTimestampMs: number): BatchSummary => ({
    baseOffset: asOffset(first),
    lastOffset: asOffset(last),
    bytes: 101,
    maxTimestampMs,
  })
  fill(index, [batch(1000, 1004, 9), batch(1005, 1009, 7), batch(1010, 1010, 12)])
  const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset)
  const offsets = view(index.pendingOffsets())
  assert.deepEqual(
    [0, 4, 8, 12].map((at) => offsets.getInt32(at)),
    [9, 101, 10, 202],
  )
  const times = view(index.pendingTimes())
  assert.deepEqual([times.getBigInt64(0), times.getInt32(8)], [9n, 4])
  assert.deepEqual([times.getBigInt64(12), times.getInt32(20)], [12n, 10])
})
