// When a replica without a leader tries for an election: the voters take turns in preferred order, so that two candidates
// rarely meet (architecture, "Liveness belongs to nodes"); an election that got nowhere is tried again after a random time.

import type { NodeId } from '../base/brand.ts'
import type { RaftTiming } from './timing.ts'

export interface TurnOptions {
  readonly self: NodeId
  readonly voters: readonly NodeId[]
  readonly timing: RaftTiming
  /** Uniform in [0, 1). */
  readonly random: () => number
}

const DOUBLINGS_MAX = 4

export class Turn {
  readonly #options: TurnOptions
  /** Of the last leader that was lost: its rank is not waited for. */
  #lost: NodeId | undefined
  #deadlineMs = Infinity
  /** Elections of this replica that got nowhere, one after the other. */
  #tries = 0

  constructor(options: TurnOptions) {
    this.#options = options
  }

  /** Infinity while there is a leader. */
  get deadlineMs(): number {
    return this.#deadlineMs
  }

  /** There is a leader: nothing to wait for. */
  rest(): void {
    this.#deadlineMs = Infinity
    this.#lost = undefined
    this.#tries = 0
  }

  leaderLost(leader: NodeId, nowMs: number): void {
    this.rest()
    this.#lost = leader
    this.wait(nowMs)
  }

  /** Until its turn, unless it is due earlier anyway. */
  wait(nowMs: number): void {
    this.#deadlineMs = Math.min(this.#deadlineMs, nowMs + this.#rankMs)
  }

  /** Someone else may be elected meanwhile. */
  retry(nowMs: number): void {
    this.#retryAfter(nowMs, this.#options.timing.retryMs)
  }

  /** An election of its own begins: the more of them got nowhere, the longer until the next, since many groups may ask at once. */
  again(nowMs: number): void {
    this.#retryAfter(
      nowMs,
      this.#options.timing.retryMs * 2 ** Math.min(this.#tries, DOUBLINGS_MAX),
    )
    this.#tries++
  }

  /** A leader made itself known; its node is yet to list the group (law R8). */
  expectClaim(nowMs: number): void {
    this.#deadlineMs = nowMs + this.#options.timing.claimMs
  }

  #retryAfter(nowMs: number, ms: number): void {
    this.#deadlineMs = nowMs + ms * (0.5 + this.#options.random()) + this.#rankMs
  }

  /** This voter's place among those that may campaign, 0 first, as a time. */
  get #rankMs(): number {
    const { self, voters, timing } = this.#options
    let rank = 0
    for (const voter of voters) {
      if (voter === self) break
      if (voter !== this.#lost) rank++
    }
    return rank * timing.rankStepMs
  }
}
