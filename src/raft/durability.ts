// Law R2 as a type: a promise can only be made here, by showing that what it promises is durable. The rest of the core
// passes `Promised` messages on, and can't make one.

import { asOffset, type LeaderEpoch, type NodeId, type Offset } from '../base/brand.ts'
import { NO_EPOCH } from '../base/epoch-table.ts'
import { comparePositions, type Position } from '../base/position.ts'
import type { AppendAck, PromiseMessage, VoteGrant, VoteRequest } from './messages.ts'

declare const promised: unique symbol
export type Promised<M extends PromiseMessage = PromiseMessage> = M & { readonly [promised]: true }

export interface HardState {
  readonly term: LeaderEpoch
  readonly votedFor: NodeId | undefined
  /** Law R5: this replica may have lost position, term or vote. */
  readonly suspect: boolean
}

/** Nothing at all: before the first epoch of a log that starts at 0. */
export const NOTHING: Position = { epoch: NO_EPOCH, offset: asOffset(0) }

/** What of this replica is durable, as its storage last said. */
export class Durability {
  #log: Position
  #logStart: Offset
  #hardState: HardState

  constructor(state: { log: Position; logStart: Offset; hardState: HardState }) {
    this.#log = state.log
    this.#logStart = state.logStart
    this.#hardState = state.hardState
  }

  get log(): Position {
    return this.#log
  }

  get logStart(): Offset {
    return this.#logStart
  }

  reached({ logStart, hardState }: { logStart: Offset; hardState: HardState }): void {
    this.#logStart = logStart
    this.#hardState = hardState
  }

  /** The log, as it is now, holds the position. */
  logReached(position: Position): void {
    this.#log = position
  }

  /** Until storage says otherwise nothing above the cut counts, and the cut itself does not. */
  cut(to: Position): void {
    if (comparePositions(this.#log, to) >= 0) this.#log = NOTHING
  }

  /** Another log takes the place of this one. */
  replaced(): void {
    this.#log = NOTHING
  }

  hasVoted(term: LeaderEpoch, votedFor: NodeId): boolean {
    return this.#hardState.term === term && this.#hardState.votedFor === votedFor
  }

  hasTerm(term: LeaderEpoch): boolean {
    return this.#hardState.term >= term
  }

  /** The part of what was verified that may be acknowledged in the term; undefined while the term itself is not durable. */
  acknowledgeable(term: LeaderEpoch, verified: Position): Position | undefined {
    if (!this.hasTerm(term)) return undefined
    return comparePositions(this.#log, verified) < 0 ? this.#log : verified
  }

  voteRequest(message: VoteRequest, candidate: NodeId): Promised<VoteRequest> | undefined {
    return this.hasVoted(message.term, candidate) ? promise(message) : undefined
  }

  voteGrant(message: VoteGrant, candidate: NodeId): Promised<VoteGrant> | undefined {
    return this.hasVoted(message.term, candidate) ? promise(message) : undefined
  }

  acknowledgement(
    message: Omit<AppendAck, 'kind' | 'durable' | 'logStart' | 'suspect'>,
  ): Promised<AppendAck> | undefined {
    const durable = this.acknowledgeable(message.term, message.accepted)
    if (durable === undefined) return undefined
    const { suspect } = this.#hardState
    return promise({ kind: 'ack', ...message, durable, logStart: this.#logStart, suspect })
  }
}

function promise<M extends PromiseMessage>(message: M): Promised<M> {
  return message as Promised<M>
}
