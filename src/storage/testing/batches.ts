// What the tests of this room share: batches that pass every check, and small sizes.

import { crc32c } from '../../base/crc32c.ts'
import { asLeaderEpoch, asOffset } from '../../base/brand.ts'
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
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
  putInt16,
  putInt32,
  putInt64,
  RECORD_COUNT_AT,
  stampBatch,
} from '../../records/batch-header.ts'
import type { LogConfig } from '../store.ts'

export const SMALL_LOG: LogConfig = {
  segmentBytes: 16 * 1024,
  segmentMs: 1_000_000_000,
  indexIntervalBytes: 512,
}

/** Sizes at which every boundary is met often. */
export const SMALL_STORE = {
  journalFileBytes: 16 * 1024,
  journalFirstFileBytes: 8 * 1024,
  journalBytesMax: 256 * 1024,
  directBytesMin: 2 * 1024,
  groupBytesMax: 8 * 1024,
  copyForwardBytesMax: 1024,
  writebackBytes: 6 * 1024,
  dirtyBytesMax: 32 * 1024,
  tailCacheBytes: 8 * 1024,
  maxOpenFiles: 4,
  freeBytesMin: 0,
  idleWritebackMs: 50,
} as const

/** A batch whose payload is not records but arbitrary bytes that `seed` decides: storage does not look into it. */
export function testBatch(batch: {
  readonly baseOffset: number
  readonly epoch: number
  readonly count?: number
  readonly payloadBytes?: number
  readonly timestampMs?: number
  readonly seed?: number
}): Uint8Array {
  const { baseOffset, epoch, count = 1, payloadBytes = 20, timestampMs = 1000, seed = 0 } = batch
  const bytes = new Uint8Array(BATCH_HEADER_BYTES + payloadBytes)
  for (let i = BATCH_HEADER_BYTES; i < bytes.length; i++) bytes[i] = (i * 31 + seed * 7919) & 255
  putInt32(bytes, BATCH_LENGTH_AT, bytes.length - BATCH_LENGTH_OVERHEAD)
  bytes[MAGIC_AT] = MAGIC_V2
  putInt32(bytes, LAST_OFFSET_DELTA_AT, count - 1)
  putInt64(bytes, BASE_TIMESTAMP_AT, timestampMs)
  putInt64(bytes, MAX_TIMESTAMP_AT, timestampMs)
  putInt64(bytes, PRODUCER_ID_AT, -1)
  putInt16(bytes, PRODUCER_EPOCH_AT, -1)
  putInt32(bytes, BASE_SEQUENCE_AT, -1)
  putInt32(bytes, RECORD_COUNT_AT, count)
  putInt32(bytes, CRC_AT, crc32c(bytes.subarray(ATTRIBUTES_AT)))
  stampBatch(bytes, 0, asOffset(baseOffset), asLeaderEpoch(epoch))
  return bytes
}
