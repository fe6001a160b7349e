// What `durable` is while a truncation is not: a place before what it cuts to, which the log holds in any case (law R1).

import { asOffset } from '../base/brand.ts'
import { NO_EPOCH, type EpochTable } from '../base/epoch-table.ts'
import type { Position } from '../base/position.ts'

/** The last position of a log before `position`, or that itself where nothing is before it. */
export function positionBelow(epochs: EpochTable, position: Position): Position {
  const { epoch, offset } = position
  const started = epochs.entries.find((entry) => entry.epoch === epoch)
  if (started !== undefined && started.start < offset) {
    return { epoch, offset: asOffset(offset - 1) }
  }
  const before = epochs.entries.findLast((entry) => entry.epoch < epoch)
  return { epoch: before?.epoch ?? NO_EPOCH, offset }
}
