// Walks the batches of a segment file by their headers, reading no more than it must.

import { asOffset, type Offset } from '../base/brand.ts'
import type { DiskFile } from '../env/disk.ts'
import {
  baseOffsetAt,
  BATCH_HEADER_BYTES,
  batchBytesAt,
  lastOffsetAt,
  MAGIC_V2,
  magicAt,
  maxTimestampAt,
} from '../records/batch-header.ts'
import type { ScanStart } from './segment-index.ts'
import type { BatchSummary } from './store.ts'
import { StoreError } from './store.ts'

const BLOCK_BYTES = 64 * 1024

/** The header at `at` of `bytes`, plausible for a batch at file position `position` that must not end beyond `end`. */
export function checkedSummary(
  bytes: Uint8Array,
  at: number,
  where: {
    readonly position: number
    readonly end: number
    readonly offsetMin: number
    /** The offset that comes next in the log, where it is known: base offsets lie outside a batch's CRC. */
    readonly baseOffset?: number | undefined
  },
): BatchSummary {
  const size = batchBytesAt(bytes, at)
  const baseOffset = baseOffsetAt(bytes, at)
  const lastOffset = lastOffsetAt(bytes, at)
  const plausible =
    magicAt(bytes, at) === MAGIC_V2 &&
    size >= BATCH_HEADER_BYTES &&
    where.position + size <= where.end &&
    baseOffset >= where.offsetMin &&
    (where.baseOffset === undefined || baseOffset === where.baseOffset) &&
    lastOffset >= baseOffset &&
    Number.isSafeInteger(lastOffset)
  if (!plausible) {
    throw new StoreError(
      'corrupt',
      `no valid batch at byte ${where.position} (offset ${baseOffset})`,
    )
  }
  return { baseOffset, lastOffset, bytes: size, maxTimestampMs: maxTimestampAt(bytes, at) }
}

/**
 * Calls `onBatch` for each batch from file position `from` up to `end`, until it returns false. Throws StoreError
 * `corrupt` on bytes that can't be a batch, or not the next one: nothing is compacted, so offsets follow one another.
 */
export async function scanBatches(
  file: DiskFile,
  range: { readonly from: ScanStart; readonly end: number; readonly base: Offset },
  onBatch: (batch: BatchSummary, position: number) => boolean,
): Promise<void> {
  const { from } = range
  const block = new Uint8Array(Math.min(BLOCK_BYTES, Math.max(0, range.end - from.position)))
  let { position } = from
  let baseOffset = position === 0 ? range.base : from.baseOffset
  while (position < range.end) {
    const wanted = Math.min(block.length, range.end - position)
    const read = await file.read(block.subarray(0, wanted), position)
    if (read < BATCH_HEADER_BYTES) {
      throw new StoreError(
        'corrupt',
        `the segment ends at byte ${position + read}, not ${range.end}`,
      )
    }
    const blockAt = position
    while (position < range.end && position - blockAt + BATCH_HEADER_BYTES <= read) {
      const at = position - blockAt
      const where = { position, end: range.end, offsetMin: range.base, baseOffset }
      const batch = checkedSummary(block, at, where)
      if (
        position === from.position &&
        (from.lastOffset ?? batch.lastOffset) !== batch.lastOffset
      ) {
        throw new StoreError('corrupt', `the batch at byte ${position} is not what the index says`)
      }
      if (!onBatch(batch, position)) return
      position += batch.bytes
      baseOffset = asOffset(batch.lastOffset + 1)
    }
  }
}
