// Changes of a log that were accepted and wait for their place in the journal, in order.

import type { LeaderEpoch, Offset } from '../base/brand.ts'
import type { Position } from '../base/position.ts'
import type { SegmentState } from './log-state.ts'
import type { WritablePiece } from './segment-writer.ts'
import type { InstallPoint } from './store.ts'

/** What the log's durable position becomes once the change is durable, unless a truncation is pending then. */
export interface Mark {
  readonly after: Position
  /** A truncation or an install: reported by itself, before anything later. */
  readonly cut: boolean
}

export interface CreateOp {
  readonly kind: 'create'
  /** The drop of the id's last incarnation must be journaled first: there is never more than one. */
  readonly isFree: () => boolean
}

export interface AppendOp extends Mark {
  readonly kind: 'append'
  readonly piece: WritablePiece
  /** Of the piece, once somebody needed it. */
  crc: number | undefined
}

export interface EpochStartOp extends Mark {
  readonly kind: 'epoch-start'
  readonly epoch: LeaderEpoch
  readonly start: Offset
}

export interface TruncateOp extends Mark {
  readonly kind: 'truncate'
  readonly to: Position
  /** Of the segment file, once it was looked up. */
  keptBytes: number | undefined
}

export interface InstallOp extends Mark {
  readonly kind: 'install'
  readonly to: InstallPoint
}

export interface LogStartOp extends Mark {
  readonly kind: 'log-start'
  readonly offset: Offset
}

/** Segments get another file, written and synced already. Does nothing if they are no longer what it was written from. */
export interface ReplaceOp {
  readonly kind: 'replace'
  /** As they were, in order. */
  readonly replaced: readonly SegmentState[]
  readonly revision: number
  readonly bytes: number
  readonly crc: number
  readonly maxTimestampMs: number
  readonly tombstonesRemovedBelow: Offset
  /** Told once the file is in its place, or at once where it does not count. */
  readonly done: (counts: boolean) => void
}

export type Replacement = Omit<ReplaceOp, 'kind' | 'done'>

export interface DropOp {
  readonly kind: 'drop'
}

/** Says when everything before it is durable. */
export interface MarkerOp {
  readonly kind: 'marker'
  readonly reached: () => void
}

export type LogOp =
  | CreateOp
  | AppendOp
  | EpochStartOp
  | TruncateOp
  | InstallOp
  | LogStartOp
  | ReplaceOp
  | DropOp
  | MarkerOp

/** The queue's leading appends: what could be written to a segment together. */
export function leadingAppends(queue: readonly LogOp[]): AppendOp[] {
  const appends: AppendOp[] = []
  for (const op of queue) {
    if (op.kind !== 'append') break
    appends.push(op)
  }
  return appends
}
