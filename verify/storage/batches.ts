// Record batches that no other has the like of: every byte that a log gives back can be told from every other.

import { asLeaderEpoch, asOffset } from '../../src/base/brand.ts'
import type { Prng } from '../../src/env/sim/prng.ts'
import { stampBatches, type BatchSummary } from '../../src/records/batch-header.ts'
import { BatchBuilder } from '../../src/records/build.ts'
import type { ModelBatch } from './model.ts'

export interface NewBatches {
  readonly bytes: Uint8Array
  readonly summary: readonly BatchSummary[]
  readonly batches: readonly ModelBatch[]
}

export interface BatchSizes {
  readonly batches: number
  readonly valueBytesMax: number
}

/** Batches as a leader would append them at `base` in `epoch`. */
export function makeBatches(
  chance: Prng,
  at: { readonly base: number; readonly epoch: number; readonly nowMs: number },
  sizes: BatchSizes,
): NewBatches {
  const parts: Uint8Array[] = []
  for (let i = 0; i < sizes.batches; i++) {
    const builder = new BatchBuilder()
    const records = chance.chance(0.7) ? 1 : chance.between(2, 5)
    for (let r = 0; r < records; r++) {
      // Record timestamps are the producers' and in no order.
      const timestampMs = at.nowMs - (chance.chance(0.2) ? chance.below(5_000) : 0)
      builder.append({ key: null, value: makeValue(chance, sizes.valueBytesMax), timestampMs })
    }
    parts.push(builder.build())
  }
  const bytes = new Uint8Array(Buffer.concat(parts))
  const summary = stampBatches(bytes, asOffset(at.base), asLeaderEpoch(at.epoch))
  let from = 0
  const batches = summary.map((batch): ModelBatch => {
    const own = bytes.slice(from, from + batch.bytes)
    from += batch.bytes
    return {
      base: batch.baseOffset,
      last: batch.lastOffset,
      bytes: own,
      maxTimestampMs: batch.maxTimestampMs,
    }
  })
  return { bytes, summary, batches }
}

/** Random bytes, sometimes with long runs of zeros, which look like a file that was never written. */
function makeValue(chance: Prng, bytesMax: number): Uint8Array {
  const value = new Uint8Array(chance.between(8, Math.max(8, bytesMax)))
  const zerosFrom = chance.chance(0.2) ? chance.between(8, value.byteLength) : value.byteLength
  const view = new DataView(value.buffer)
  for (let at = 0; at + 4 <= zerosFrom; at += 4) view.setUint32(at, chance.next())
  return value
}
