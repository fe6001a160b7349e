// Producer state as bytes, kept beside the log so that a restart replays only what came after. A cache: bytes that don't
// check are given up, and the state is rebuilt from the log.
//
//   int8 version (1) · int32 count · count × (int64 producer id · int16 epoch · int64 last seen ms · int8 batches ·
//   batches × (int32 first sequence · int32 last sequence · int64 base offset · int64 last offset · int32 leader epoch))
//   · uint32 CRC-32C of all before it

import { asLeaderEpoch, asOffset } from '../base/brand.ts'
import { crc32c } from '../base/crc32c.ts'
import {
  int16At,
  int32At,
  int64At,
  int8At,
  putInt16,
  putInt32,
  putInt64,
} from '../records/batch-header.ts'
import {
  BATCHES_PER_PRODUCER,
  type ProducedBatch,
  type ProducerEntry,
  type ProducerState,
} from './producer-state.ts'

const VERSION = 1
const HEAD_BYTES = 5
const ENTRY_BYTES = 19
const BATCH_BYTES = 28
const CRC_BYTES = 4

export function encodeProducerSnapshot(state: ProducerState): Uint8Array {
  let bytes = HEAD_BYTES + CRC_BYTES
  for (const entry of state.entries()) bytes += ENTRY_BYTES + entry.batches.length * BATCH_BYTES
  const out = new Uint8Array(bytes)
  out[0] = VERSION
  putInt32(out, 1, state.size)
  let at = HEAD_BYTES
  for (const entry of state.entries()) {
    putInt64(out, at, entry.producerId)
    putInt16(out, at + 8, entry.producerEpoch)
    putInt64(out, at + 10, entry.lastSeenMs)
    out[at + 18] = entry.batches.length
    at += ENTRY_BYTES
    for (const batch of entry.batches) {
      putInt32(out, at, batch.firstSequence)
      putInt32(out, at + 4, batch.lastSequence)
      putInt64(out, at + 8, batch.baseOffset)
      putInt64(out, at + 16, batch.lastOffset)
      putInt32(out, at + 24, batch.leaderEpoch)
      at += BATCH_BYTES
    }
  }
  putInt32(out, at, crc32c(out.subarray(0, at)))
  return out
}

/** Undefined when the bytes are damaged or of a version that this program does not know. */
export function decodeProducerSnapshot(bytes: Uint8Array): ProducerEntry[] | undefined {
  const end = bytes.length - CRC_BYTES
  if (end < HEAD_BYTES || bytes[0] !== VERSION) return undefined
  if (int32At(bytes, end) >>> 0 !== crc32c(bytes.subarray(0, end))) return undefined
  const count = int32At(bytes, 1)
  const entries: ProducerEntry[] = []
  let at = HEAD_BYTES
  for (let i = 0; i < count; i++) {
    if (at + ENTRY_BYTES > end) return undefined
    const batchCount = int8At(bytes, at + 18)
    const next = at + ENTRY_BYTES + batchCount * BATCH_BYTES
    if (batchCount < 0 || batchCount > BATCHES_PER_PRODUCER || next > end) return undefined
    const batches: ProducedBatch[] = []
    for (let b = at + ENTRY_BYTES; b < next; b += BATCH_BYTES) batches.push(decodeBatch(bytes, b))
    entries.push({
      producerId: int64At(bytes, at),
      producerEpoch: int16At(bytes, at + 8),
      lastSeenMs: int64At(bytes, at + 10),
      batches,
    })
    at = next
  }
  return at === end ? entries : undefined
}

function decodeBatch(bytes: Uint8Array, at: number): ProducedBatch {
  return {
    firstSequence: int32At(bytes, at),
    lastSequence: int32At(bytes, at + 4),
    baseOffset: asOffset(int64At(bytes, at + 8)),
    lastOffset: asOffset(int64At(bytes, at + 16)),
    leaderEpoch: asLeaderEpoch(int32At(bytes, at + 24)),
  }
}
