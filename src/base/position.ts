// Law R1: a place in a log is (epoch, offset). Positions compare by epoch, then offset.

import type { LeaderEpoch, Offset } from './brand.ts'

export interface Position {
  readonly epoch: LeaderEpoch
  /** Exclusive: the position stands after every byte below this offset. */
  readonly offset: Offset
}

/** Negative, zero or positive as `a` is before, at or after `b`. */
export function comparePositions(a: Position, b: Position): number {
  return a.epoch - b.epoch || a.offset - b.offset
}
