// Takes records out of a finished batch, as a log's compaction does. What stays keeps its bytes: a record's offset and
// timestamp are relative to the batch's, which stay too, as do last offset, producer and sequence (Kafka's
// `MemoryRecords.filterTo`, but for the base timestamp, which Kafka moves to the first record that stays).

import { asOffset, type Offset } from '../base/brand.ts'
import * as header from './batch-header.ts'
import { sealBatch } from './build.ts'
import { codecOf, compress, UNCOMPRESSED_BYTES_MAX } from './codecs.ts'
import { BadBatchError, payloadCursor } from './read.ts'

export interface FilterRecord {
  readonly offset: Offset
  /** Milliseconds since 1970; in a LogAppendTime batch, the broker's. */
  readonly timestampMs: number
  readonly key: Uint8Array | null
  /** Without a value: a tombstone. */
  readonly hasValue: boolean
}

export interface Filtered {
  /** Undefined when no record stays; a view of the given bytes when all do. */
  readonly batch: Uint8Array | undefined
  readonly records: number
  readonly kept: number
}

/** Of the batch at `at`. Throws BadBatchError. */
export function filterBatch(
  bytes: Uint8Array,
  at: number,
  keep: (record: FilterRecord) => boolean,
): Filtered {
  const whole = bytes.subarray(at, at + header.batchBytesAt(bytes, at))
  const cursor = payloadCursor(bytes, at, UNCOMPRESSED_BYTES_MAX)
  const baseOffset = header.baseOffsetAt(bytes, at)
  const baseTimestampMs = header.baseTimestampAt(bytes, at)
  const appendTime = header.isLogAppendTimeAt(bytes, at)
  const appendTimeMs = header.maxTimestampAt(bytes, at)
  const kept: Uint8Array[] = []
  let records = 0
  let maxTimestampMs: number = header.NO_TIMESTAMP
  for (let from = cursor.at; cursor.next(); from = cursor.at, records++) {
    const timestampMs = appendTime ? appendTimeMs : baseTimestampMs + cursor.timestampDelta
    const key =
      cursor.keyBytes < 0
        ? null
        : cursor.bytes.subarray(cursor.keyAt, cursor.keyAt + cursor.keyBytes)
    const offset = asOffset(baseOffset + cursor.offsetDelta)
    if (!keep({ offset, timestampMs, key, hasValue: cursor.valueBytes >= 0 })) continue
    kept.push(cursor.bytes.subarray(from, cursor.at))
    maxTimestampMs = Math.max(maxTimestampMs, timestampMs)
  }
  if (cursor.fault !== undefined || records !== header.recordCountAt(bytes, at)) {
    throw new BadBatchError(
      `batch at offset ${baseOffset}: ${cursor.fault ?? `${records} records`}`,
    )
  }
  if (kept.length === records)
    return { batch: records === 0 ? undefined : whole, records, kept: records }
  if (kept.length === 0) return { batch: undefined, records, kept: 0 }
  const head = whole.slice(0, header.BATCH_HEADER_BYTES)
  header.putInt32(head, header.RECORD_COUNT_AT, kept.length)
  header.putInt64(head, header.MAX_TIMESTAMP_AT, maxTimestampMs)
  const codec = codecOf(header.codecIdAt(bytes, at)) ?? 'none'
  const batch = sealBatch(head, compress(codec, Buffer.concat(kept)))
  return { batch, records, kept: kept.length }
}

/** The batch at `at` without its records: its offsets, epoch, producer and sequence stay. */
export function emptiedBatch(bytes: Uint8Array, at: number): Uint8Array {
  const head = bytes.slice(at, at + header.BATCH_HEADER_BYTES)
  header.putInt16(head, header.ATTRIBUTES_AT, header.attributesAt(head, 0) & ~header.CODEC_MASK)
  header.putInt32(head, header.RECORD_COUNT_AT, 0)
  return sealBatch(head, new Uint8Array(0))
}
