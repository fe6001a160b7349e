// Walking the batches of stored bytes without allocating.

import { assert } from '../base/assert.ts'
import { wholeBatchBytesAt } from '../records/batch-header.ts'

/** Calls `visit` with the place of each batch. The bytes must be whole batches, as a log stores and returns them. */
export function eachBatch(bytes: Uint8Array, visit: (at: number) => void): void {
  for (let at = 0; at < bytes.length;) {
    const length = wholeBatchBytesAt(bytes, at)
    assert(length !== undefined, `no whole batch at byte ${at} of ${bytes.length}`)
    visit(at)
    at += length
  }
}
