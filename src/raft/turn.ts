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

export class Turn {
  readonly #options: TurnOptions
  /** Of the last leader that was lost: its rank is not waited for. */
  #lost: NodeId | undefined
  #deadlineMs = Infinity

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
  }

  leaderLost(leader: NodeId, nowMs: number): void {
    this.#lost = leader
    this.#deadlineMs = Infinity
    this.wait(nowMs)
  }

  /** Until its turn, unless it is due earlier anyway. */
  wait(nowMs: number): void {
    this.#deadlineMs = Math.min(this.#deadlineMs, nowMs + this.#rankMs)
  }

  retry(nowMs: number): void {
    const { timing, random } = this.#options
    this.#deadlineMs = nowMs + timing.retryMs * (0.5 + random()) + this.#rankMs
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
