// A batch without records that stands for offsets whose records are gone, by compaction or below the log start. Kafka's own
// cleaner leaves such batches behind where it must keep a producer's last sequence (`DefaultRecordBatch.writeEmptyHeader`),
// so every client steps over them. Here they also keep a log's offsets without gaps: each offset lies in one batch.

import { assert } from '../base/assert.ts'
import { crc32c } from '../base/crc32c.ts'
import type { LeaderEpoch, Offset } from '../base/brand.ts'
import {
  ATTRIBUTES_AT,
  BASE_SEQUENCE_AT,
  BASE_TIMESTAMP_AT,
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_AT,
  BATCH_LENGTH_OVERHEAD,
  CRC_AT,
  LAST_OFFSET_DELTA_AT,
  MAGIC_AT,
  MAGIC_V2,
  MAX_TIMESTAMP_AT,
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  NO_SEQUENCE,
  NO_TIMESTAMP,
  producerIdAt,
  recordCountAt,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
  putInt16,
  putInt32,
  putInt64,
  stampBatch,
} from './batch-header.ts'

/** The most offsets that one batch can stand for. */
export const FILLER_OFFSETS_MAX = 0x7fff_ffff

/** `last` is inclusive. It has no producer and no timestamp. */
export function fillerBatch(base: Offset, last: Offset, epoch: LeaderEpoch): Uint8Array {
  assert(last >= base && last - base < FILLER_OFFSETS_MAX, `a filler from ${base} to ${last}`)
  const bytes = new Uint8Array(BATCH_HEADER_BYTES)
  putInt32(bytes, BATCH_LENGTH_AT, BATCH_HEADER_BYTES - BATCH_LENGTH_OVERHEAD)
  bytes[MAGIC_AT] = MAGIC_V2
  putInt32(bytes, LAST_OFFSET_DELTA_AT, last - base)
  putInt64(bytes, BASE_TIMESTAMP_AT, NO_TIMESTAMP)
  putInt64(bytes, MAX_TIMESTAMP_AT, NO_TIMESTAMP)
  putInt64(bytes, PRODUCER_ID_AT, NO_PRODUCER_ID)
  putInt16(bytes, PRODUCER_EPOCH_AT, NO_PRODUCER_EPOCH)
  putInt32(bytes, BASE_SEQUENCE_AT, NO_SEQUENCE)
  putInt32(bytes, CRC_AT, crc32c(bytes.subarray(ATTRIBUTES_AT)))
  stampBatch(bytes, 0, base, epoch)
  return bytes
}

/** Whether the batch at `at` only stands for offsets: no records, nobody's sequence. */
export function isFillerAt(bytes: Uint8Array, at: number): boolean {
  return recordCountAt(bytes, at) === 0 && producerIdAt(bytes, at) === NO_PRODUCER_ID
}
