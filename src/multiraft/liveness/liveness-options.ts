// What liveness needs from its node, and what it tells it.

import type { LeaderEpoch, LogId, NodeId } from '../../base/brand.ts'
import type { Clock, Logger, Random, Timers } from '../../env/env.ts'

/** One process of a node. */
export interface Process {
  readonly nodeId: NodeId
  readonly bootId: string
}

/** `lost`: the connection ended, as of a killed process. `silent`: no answer for the election timeout, either way. */
export type DownReason = 'lost' | 'silent'

/**
 * Called synchronously, in the order of what happened. They may call back; from `onPeerUp` on a peer counts as up, from
 * just before `onPeerDown` on as down and as claiming nothing.
 */
export interface LivenessHandlers {
  onPeerUp(node: NodeId): void
  onPeerDown(node: NodeId, reason: DownReason): void
  /** The node says that it leads the group in this epoch: a new claim, or its first word in this connection. */
  onClaim(group: LogId, leader: NodeId, epoch: LeaderEpoch): void
  /** It no longer says so. Also for a claim that it gave up before this node heard of it. */
  onClaimGone(group: LogId, leader: NodeId): void
  /** The peer knows a higher epoch of a group that this node claims. Repeated each interval while the claim stands. */
  onHigherEpoch(group: LogId, epoch: LeaderEpoch, from: NodeId): void
  /**
   * This node's epoch of the group, never below one that it has voted or acknowledged in. Undefined where it can't vouch
   * for that: not a member, not opened yet, suspect (law R5). It then doesn't count for anyone's reads.
   */
  epochOf(group: LogId): LeaderEpoch | undefined
  /** What the peer set by `setStatus`; again after each reconnect. The bytes are the callee's to keep. */
  onStatus(node: NodeId, status: Uint8Array): void
}

export interface LivenessOptions {
  readonly env: {
    readonly clock: Clock
    readonly timers: Timers
    readonly random: Random
    readonly log: Logger
  }
  readonly self: Process
  /** The others. */
  readonly peers: readonly NodeId[]
  /** Between two heartbeats. Default 100. */
  readonly intervalMs?: number
  /** Silence after which a peer is down; at least three intervals. Default 1,000. */
  readonly electionTimeoutMs?: number
  /** After which `confirm` gives up. Default twice the election timeout. */
  readonly confirmTimeoutMs?: number
  /** To the peer's present connection, in order. False: not taken, and lost. */
  send(to: NodeId, frame: readonly Uint8Array[]): boolean
  readonly handlers: LivenessHandlers
}
