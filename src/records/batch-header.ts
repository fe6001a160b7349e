// The header of a v2 record batch, read in place: where its fields lie, cheap readers at a position in a buffer, and the
// only two fields a log stamps (base offset and leader epoch, both outside the CRC). Bytes from 21 on are the producer's.
// The layout is Kafka's message format v2 (KIP-98; Kafka's `DefaultRecordBatch`). The readers work on the bytes
// themselves, since a DataView per batch costs an allocation; they trust nothing but that the header lies in the buffer.

import { assert } from '../base/assert.ts'
import { asLeaderEpoch, asOffset, type LeaderEpoch, type Offset } from '../base/brand.ts'

export const BASE_OFFSET_AT = 0
/** int32: bytes of the batch after this field. */
export const BATCH_LENGTH_AT = 8
export const LEADER_EPOCH_AT = 12
export const MAGIC_AT = 16
/** uint32: CRC-32C of everything from `ATTRIBUTES_AT` to the end of the batch. */
export const CRC_AT = 17
export const ATTRIBUTES_AT = 21
export const LAST_OFFSET_DELTA_AT = 23
export const BASE_TIMESTAMP_AT = 27
export const MAX_TIMESTAMP_AT = 35
export const PRODUCER_ID_AT = 43
export const PRODUCER_EPOCH_AT = 51
export const BASE_SEQUENCE_AT = 53
export const RECORD_COUNT_AT = 57
/** Bytes of the whole header; the records (or their compressed form) start here. */
export const BATCH_HEADER_BYTES = 61
/** Bytes before and including the length field: base offset and length. */
export const BATCH_LENGTH_OVERHEAD = 12

export const MAGIC_V2 = 2

export const CODEC_MASK = 0x07
export const TIMESTAMP_TYPE_BIT = 0x08
export const TRANSACTIONAL_BIT = 0x10
export const CONTROL_BIT = 0x20
export const DELETE_HORIZON_BIT = 0x40

export const NO_PRODUCER_ID = -1
export const NO_PRODUCER_EPOCH = -1
export const NO_SEQUENCE = -1
export const NO_TIMESTAMP = -1

export function int8At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) >> 24
}

export function int16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16)) >> 16
}

export function int32At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

/**
 * Exact within ±(2^53 − 1). Anything beyond comes out rounded and is no safe integer, so `Number.isSafeInteger` tells;
 * a batch is checked for that once, when it comes in.
 */
export function int64At(bytes: Uint8Array, at: number): number {
  return int32At(bytes, at) * 0x1_0000_0000 + (int32At(bytes, at + 4) >>> 0)
}

export function putInt16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8
  bytes[at + 1] = value
}

export function putInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 24
  bytes[at + 1] = value >> 16
  bytes[at + 2] = value >> 8
  bytes[at + 3] = value
}

/** `value` must be a safe integer. */
export function putInt64(bytes: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000)
  putInt32(bytes, at, high)
  putInt32(bytes, at + 4, value - high * 0x1_0000_0000)
}

export const baseOffsetAt = (bytes: Uint8Array, at: number): Offset =>
  asOffset(int64At(bytes, at + BASE_OFFSET_AT))

/** Bytes of the whole batch, header and length field included. Below `BATCH_HEADER_BYTES` in a damaged batch. */
export const batchBytesAt = (bytes: Uint8Array, at: number): number =>
  int32At(bytes, at + BATCH_LENGTH_AT) + BATCH_LENGTH_OVERHEAD

export const leaderEpochAt = (bytes: Uint8Array, at: number): LeaderEpoch =>
  asLeaderEpoch(int32At(bytes, at + LEADER_EPOCH_AT))

export const magicAt = (bytes: Uint8Array, at: number): number => int8At(bytes, at + MAGIC_AT)

/** Unsigned, as `crc32c` gives it. */
export const crcAt = (bytes: Uint8Array, at: number): number => int32At(bytes, at + CRC_AT) >>> 0

export const attributesAt = (bytes: Uint8Array, at: number): number =>
  int16At(bytes, at + ATTRIBUTES_AT)

export const codecIdAt = (bytes: Uint8Array, at: number): number =>
  bytes[at + ATTRIBUTES_AT + 1]! & CODEC_MASK

export const isTransactionalAt = (bytes: Uint8Array, at: number): boolean =>
  (attributesAt(bytes, at) & TRANSACTIONAL_BIT) !== 0

export const isControlAt = (bytes: Uint8Array, at: number): boolean =>
  (attributesAt(bytes, at) & CONTROL_BIT) !== 0

export const isLogAppendTimeAt = (bytes: Uint8Array, at: number): boolean =>
  (attributesAt(bytes, at) & TIMESTAMP_TYPE_BIT) !== 0

export const lastOffsetDeltaAt = (bytes: Uint8Array, at: number): number =>
  int32At(bytes, at + LAST_OFFSET_DELTA_AT)

/** Inclusive. Kept by compaction, even where the last record is gone. */
export const lastOffsetAt = (bytes: Uint8Array, at: number): Offset =>
  asOffset(baseOffsetAt(bytes, at) + lastOffsetDeltaAt(bytes, at))

/** The offset after the batch. */
export const nextOffsetAt = (bytes: Uint8Array, at: number): Offset =>
  asOffset(lastOffsetAt(bytes, at) + 1)

/** Milliseconds since 1970; the delete horizon where `DELETE_HORIZON_BIT` is set. */
export const baseTimestampAt = (bytes: Uint8Array, at: number): number =>
  int64At(bytes, at + BASE_TIMESTAMP_AT)

/** Milliseconds since 1970; -1 where the batch holds no timestamp. */
export const maxTimestampAt = (bytes: Uint8Array, at: number): number =>
  int64At(bytes, at + MAX_TIMESTAMP_AT)

/** -1 when the producer is not idempotent. */
export const producerIdAt = (bytes: Uint8Array, at: number): number =>
  int64At(bytes, at + PRODUCER_ID_AT)

export const producerEpochAt = (bytes: Uint8Array, at: number): number =>
  int16At(bytes, at + PRODUCER_EPOCH_AT)

export const baseSequenceAt = (bytes: Uint8Array, at: number): number =>
  int32At(bytes, at + BASE_SEQUENCE_AT)

/** Sequences wrap from 2^31 − 1 to 0. */
export const lastSequenceAt = (bytes: Uint8Array, at: number): number => {
  const base = baseSequenceAt(bytes, at)
  return base < 0 ? NO_SEQUENCE : sequencePlus(base, lastOffsetDeltaAt(bytes, at))
}

/** `sequence` moved on by `count` (≥ 0), wrapping from 2^31 − 1 to 0. */
export function sequencePlus(sequence: number, count: number): number {
  return (sequence + count) % 0x8000_0000
}

export const recordCountAt = (bytes: Uint8Array, at: number): number =>
  int32At(bytes, at + RECORD_COUNT_AT)

/** Stamps base offset and leader epoch in place. Both lie outside the CRC, so it stays right. */
export function stampBatch(
  bytes: Uint8Array,
  at: number,
  baseOffset: Offset,
  leaderEpoch: LeaderEpoch,
): void {
  putInt64(bytes, at + BASE_OFFSET_AT, baseOffset)
  putInt32(bytes, at + LEADER_EPOCH_AT, leaderEpoch)
}

/** What a log must know of a batch without parsing it again. */
export interface BatchSummary {
  readonly baseOffset: Offset
  /** Inclusive. */
  readonly lastOffset: Offset
  /** Of the whole batch, header included. */
  readonly bytes: number
  /** -1 where the batch holds no timestamp. */
  readonly maxTimestampMs: number
}

export function summarizeBatch(bytes: Uint8Array, at: number): BatchSummary {
  const baseOffset = baseOffsetAt(bytes, at)
  return {
    baseOffset,
    lastOffset: asOffset(baseOffset + lastOffsetDeltaAt(bytes, at)),
    bytes: batchBytesAt(bytes, at),
    maxTimestampMs: maxTimestampAt(bytes, at),
  }
}

/**
 * Bytes of the whole batch at `at`, or undefined when `bytes` does not hold all of it or its length field can't be one.
 * For bytes that may end in the middle of a batch (a fetch answer, the tail of a segment).
 */
export function wholeBatchBytesAt(bytes: Uint8Array, at: number): number | undefined {
  if (at + BATCH_HEADER_BYTES > bytes.length) return undefined
  const length = batchBytesAt(bytes, at)
  return length < BATCH_HEADER_BYTES || at + length > bytes.length ? undefined : length
}

/** Where each of the concatenated batches starts. The bytes must be whole batches, validated before. */
export function* batchesIn(bytes: Uint8Array): Generator<number, void, void> {
  let at = 0
  while (at < bytes.length) {
    const length = wholeBatchBytesAt(bytes, at)
    assert(length !== undefined, `no whole batch at byte ${at} of ${bytes.length}`)
    yield at
    at += length
  }
}

/** The summary of each of the concatenated batches, which must be whole and validated before. */
export function summarizeBatches(bytes: Uint8Array): BatchSummary[] {
  const summaries: BatchSummary[] = []
  for (const at of batchesIn(bytes)) summaries.push(summarizeBatch(bytes, at))
  return summaries
}

/**
 * Stamps concatenated batches, whose base offsets are contiguous from any base, so that the first starts at `baseOffset`;
 * returns their summaries as stamped.
 */
export function stampBatches(
  bytes: Uint8Array,
  baseOffset: Offset,
  leaderEpoch: LeaderEpoch,
): BatchSummary[] {
  let summaries: BatchSummary[] | undefined
  let next = baseOffset
  for (const at of batchesIn(bytes)) {
    stampBatch(bytes, at, next, leaderEpoch)
    const summary = summarizeBatch(bytes, at)
    // Mostly there is one, and summaries are kept as long as their bytes: an empty array that grows takes room for 17.
    if (summaries === undefined) summaries = [summary]
    else summaries.push(summary)
    next = asOffset(summary.lastOffset + 1)
  }
  return summaries ?? []
}
