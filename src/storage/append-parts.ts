// How an append is taken apart and kept: in pieces no larger than a segment, without holding on to larger buffers.

import type { BatchSummary } from './store.ts'

/** A piece this small is copied where it would keep a much larger buffer alive. */
const COPY_BYTES_MAX = 64 * 1024

/** Parts of at most `bytesMax` each, or of one batch: a segment is never larger than it must be. */
export function splitBatches(
  batches: Uint8Array,
  summary: readonly BatchSummary[],
  bytesMax: number,
): { bytes: Uint8Array; batches: readonly BatchSummary[] }[] {
  if (batches.length <= bytesMax || summary.length === 1)
    return [{ bytes: batches, batches: summary }]
  const parts: { bytes: Uint8Array; batches: BatchSummary[] }[] = []
  let at = 0
  let from = 0
  let current: BatchSummary[] = []
  for (const batch of summary) {
    if (current.length > 0 && at + batch.bytes - from > bytesMax) {
      parts.push({ bytes: batches.subarray(from, at), batches: current })
      from = at
      current = []
    }
    current.push(batch)
    at += batch.bytes
  }
  parts.push({ bytes: batches.subarray(from, at), batches: current })
  return parts
}

export function detached(bytes: Uint8Array): Uint8Array {
  const holdsMore = bytes.buffer.byteLength > 2 * bytes.length
  return holdsMore && bytes.length <= COPY_BYTES_MAX ? new Uint8Array(bytes) : bytes
}
