// Test support: batches with a right header and opaque payload, for tests that care about positions and not about records.

import {
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_AT,
  BATCH_LENGTH_OVERHEAD,
  LAST_OFFSET_DELTA_AT,
  MAGIC_AT,
  MAX_TIMESTAMP_AT,
  putInt32,
  putInt64,
  RECORD_COUNT_AT,
} from '../../records/batch-header.ts'

/** One batch of `count` records, relative to offset 0. It has no valid CRC. */
export function opaqueBatch(
  count: number,
  {
    payload = 8,
    timestampMs = 0,
  }: { readonly payload?: number; readonly timestampMs?: number } = {},
): Uint8Array {
  const bytes = new Uint8Array(BATCH_HEADER_BYTES + payload)
  putInt32(bytes, BATCH_LENGTH_AT, bytes.length - BATCH_LENGTH_OVERHEAD)
  bytes[MAGIC_AT] = 2
  putInt32(bytes, LAST_OFFSET_DELTA_AT, count - 1)
  putInt64(bytes, MAX_TIMESTAMP_AT, timestampMs)
  putInt32(bytes, RECORD_COUNT_AT, count)
  return bytes
}
