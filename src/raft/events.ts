// What goes into the core and what comes out of it. The core does nothing itself: the driver carries out what is asked, in
// the order of the fields, and tells what became of it.

import type { LeaderEpoch, NodeId, Offset } from '../base/brand.ts'
import type { EpochStart } from '../base/epoch-table.ts'
import type { Position } from '../base/position.ts'
import type { HardState, Promised } from './durability.ts'
import type { BatchRef, FreeMessage, Message } from './messages.ts'

export type RaftEvent<B extends BatchRef> =
  /** Time has passed; due once `deadlineMs` is reached. */
  | { readonly kind: 'tick'; readonly nowMs: number }
  | {
      readonly kind: 'message'
      readonly from: NodeId
      readonly message: Message<B>
      readonly nowMs: number
    }
  /** Storage: everything at or below is durable. */
  | {
      readonly kind: 'durable'
      readonly log: Position
      readonly logStart: Offset
      readonly hardState: HardState
      readonly nowMs: number
    }
  /** This leader's log accepted batches of its own. */
  | { readonly kind: 'appended'; readonly end: Position }
  /** The leader's node lists this group among those it leads in that epoch (law R8). */
  | {
      readonly kind: 'leader-claim'
      readonly leader: NodeId
      readonly epoch: LeaderEpoch
      readonly nowMs: number
    }
  /** The leader's node is no longer supported, or no longer lists this group (law R8). */
  | { readonly kind: 'leader-unsupported'; readonly nowMs: number }
  /** A node of this group can be reached again: who has no leader asks at once. */
  | { readonly kind: 'peer-up'; readonly peer: NodeId; readonly nowMs: number }
  /** What was on its way to the node is lost. */
  | { readonly kind: 'peer-down'; readonly peer: NodeId; readonly nowMs: number }
  /** A stalled disk or the like: do not campaign (law R8). */
  | { readonly kind: 'fitness'; readonly fit: boolean }
  /** Hand leadership over (thesis 3.10). */
  | { readonly kind: 'transfer'; readonly to: NodeId; readonly nowMs: number }
  /** Not as leader. Law R5: what the log holds can't be relied on. It begins anew, as that of a suspect. */
  | { readonly kind: 'distrust' }
  /** Leader only, at most the commit: delete what lies below. */
  | { readonly kind: 'advance-log-start'; readonly offset: Offset }

/** What a log that is begun anew starts from (see `InstallRequest`). */
export interface InstallPoint {
  readonly logStart: Offset
  readonly epochs: readonly EpochStart[]
  readonly tombstonesRemovedBelow: Offset
}

/** Changes of the local log, in order. */
export type LogOp<B extends BatchRef> =
  | { readonly kind: 'truncate'; readonly to: Position }
  | { readonly kind: 'start-epoch'; readonly epoch: LeaderEpoch }
  | { readonly kind: 'append'; readonly batches: readonly B[] }
  | ({ readonly kind: 'install' } & InstallPoint)
  | { readonly kind: 'advance-log-start'; readonly offset: Offset }

export interface Outgoing<B extends BatchRef> {
  readonly to: NodeId
  readonly message: FreeMessage<B> | Promised
}

export interface Effects<B extends BatchRef> {
  /** To save before the log operations of this step. */
  readonly hardState: HardState | undefined
  readonly log: readonly LogOp<B>[]
  readonly send: readonly Outgoing<B>[]
  /** The commit moved to here. */
  readonly committed: Position | undefined
  /** Role, term, leader or `established` changed. */
  readonly roleChanged: boolean
  /** A leader may have something for its followers: ask `nextFor`. */
  readonly replicate: boolean
}

/** What the leader should send a follower next. The driver reads the bytes and tells `sent`. */
export type SendPlan =
  | {
      readonly kind: 'append'
      readonly prev: Position
      readonly starts: readonly EpochStart[]
      /** Batches of one epoch, from here up to (not including) `below`; none when they are equal. */
      readonly from: Offset
      readonly below: Offset
      readonly probe: boolean
    }
  | InstallPlan

export interface InstallPlan extends InstallPoint {
  readonly kind: 'install'
  /** A log that holds this position of the leader's stays. */
  readonly keep: Position
}
