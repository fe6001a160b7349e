// What the members of one group say to each other. A message that promises something (a vote, an acknowledgement) is a
// `Promised` type: it can only be made from a proof that what it promises is durable (law R2, `durability.ts`).

import type { LeaderEpoch, Offset } from '../base/brand.ts'
import type { EpochStart } from '../base/epoch-table.ts'
import type { Position } from '../base/position.ts'

/** A record batch as consensus sees it: what lies inside is the driver's. */
export interface BatchRef {
  readonly baseOffset: Offset
  /** The offset after it. In a compacted log the next batch may begin later. */
  readonly nextOffset: Offset
}

/** Would you vote for me in `term`? (thesis 9.6). Changes nothing at the voter. */
export interface PreVoteRequest {
  readonly kind: 'pre-vote'
  /** The term that the sender would begin. */
  readonly term: LeaderEpoch
  /** Its accepted end. */
  readonly end: Position
}

export interface PreVoteReply {
  readonly kind: 'pre-vote-reply'
  /** The responder's own term. */
  readonly term: LeaderEpoch
  /** The term that was asked about. */
  readonly forTerm: LeaderEpoch
  readonly granted: boolean
}

/** RequestVote (thesis 3.4). Promises that the candidate's own vote in `term` is durable. */
export interface VoteRequest {
  readonly kind: 'vote'
  readonly term: LeaderEpoch
  readonly end: Position
  /** Drawn at random: a candidate that was damaged may ask a second time in a term without knowing (law R5). */
  readonly candidacy: number
}

/** Promises that this vote is durable. */
export interface VoteGrant {
  readonly kind: 'vote-grant'
  readonly term: LeaderEpoch
  /** As it was asked: the vote is for that candidacy alone. */
  readonly candidacy: number
  /** The voter's log start: a new leader takes the greatest (law R10). */
  readonly logStart: Offset
}

export interface VoteRefusal {
  readonly kind: 'vote-refusal'
  readonly term: LeaderEpoch
}

/**
 * AppendEntries (thesis 3.5) over positions (law R1): after `prev` come the epoch starts, all at `prev.offset`, then the
 * batches, all of the last epoch named. Both may be empty.
 */
export interface AppendRequest<B extends BatchRef> {
  readonly kind: 'append'
  readonly term: LeaderEpoch
  readonly prev: Position
  readonly starts: readonly EpochStart[]
  readonly batches: readonly B[]
  /** The leader's commit. */
  readonly commit: Position
  readonly logStart: Offset
  /** Wants an answer even where nothing new became durable. */
  readonly probe: boolean
  /** Counts the leader's confirmations (law R5); the answer gives it back. */
  readonly round: number
}

/** Promises that everything up to `durable` is durable here, and that `term` is. */
export interface AppendAck {
  readonly kind: 'ack'
  readonly term: LeaderEpoch
  readonly durable: Position
  /** Verified against this leader in this term, perhaps not durable yet. */
  readonly accepted: Position
  /** Durable too. */
  readonly logStart: Offset
  readonly round: number
  /** Law R5: acknowledges what it holds, but must not be counted. */
  readonly suspect: boolean
  /** Law R10: its log was begun anew, durably, by this leader's install with that `tombstonesRemovedBelow`; 0: it was not. */
  readonly begunBelow: Offset
}

/** The log does not hold `prev`. With its epochs the leader finds the common position at once. */
export interface AppendMismatch {
  readonly kind: 'mismatch'
  readonly term: LeaderEpoch
  /** As it was asked. */
  readonly prev: Position
  readonly end: Position
  readonly epochs: readonly EpochStart[]
  readonly logStart: Offset
}

/** Nothing was taken, for a reason that passes (a full disk). */
export interface AppendDeferred {
  readonly kind: 'deferred'
  readonly term: LeaderEpoch
}

/**
 * The follower's log ends below the leader's start, or shares nothing above it, or ends where the leader's has no tombstones
 * any more: begin anew at the log start (law R10).
 */
export interface InstallRequest {
  readonly kind: 'install'
  readonly term: LeaderEpoch
  readonly logStart: Offset
  /** Those that start at or below the log start; the last is in force there. */
  readonly epochs: readonly EpochStart[]
  /** A log that holds this position of the leader's lacks nothing, and stays. At or above the log start; committed. */
  readonly keep: Position
  /** The leader's. What the follower gets has none of these tombstones, so they count as removed by the follower too. */
  readonly tombstonesRemovedBelow: Offset
  /** What the state machine must know of what lies below the log start; undefined: nothing. */
  readonly snapshot: SnapshotPart | undefined
}

/**
 * A piece of a state machine's snapshot, taken at a committed position at or above the log start. The driver's affair: it
 * gathers the pieces, and the core is given the install when the whole snapshot is durable.
 */
export interface SnapshotPart {
  readonly at: Position
  readonly totalBytes: number
  /** Where the piece begins; it goes as far as the message. */
  readonly from: number
}

/** Law R5: a suspect replica that durably holds `at` is whole again. */
export interface ClearRequest {
  readonly kind: 'clear'
  readonly term: LeaderEpoch
  readonly at: Position
}

/** Leader transfer (thesis 3.10): campaign at once. */
export interface TimeoutNow {
  readonly kind: 'timeout-now'
  readonly term: LeaderEpoch
}

/** The sender's term is over. */
export interface HigherTerm {
  readonly kind: 'higher-term'
  readonly term: LeaderEpoch
}

/** May leave at once. */
export type FreeMessage<B extends BatchRef> =
  | PreVoteRequest
  | PreVoteReply
  | VoteRefusal
  | AppendRequest<B>
  | AppendMismatch
  | AppendDeferred
  | InstallRequest
  | ClearRequest
  | TimeoutNow
  | HigherTerm

/** May leave only once what they promise is durable. */
export type PromiseMessage = VoteRequest | VoteGrant | AppendAck

export type Message<B extends BatchRef = BatchRef> = FreeMessage<B> | PromiseMessage
