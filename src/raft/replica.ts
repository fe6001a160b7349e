// What a replica is in whatever role: its term and vote, its log, its commit, and what of them is durable. Shared by the
// parts of the core; each of the rest owns its own state.

import { assert } from '../base/assert.ts'
import type { LeaderEpoch, NodeId, Offset } from '../base/brand.ts'
import { comparePositions, type Position } from '../base/position.ts'
import { Durability, type HardState } from './durability.ts'
import type { InstallPoint } from './events.ts'
import { LogView, type LogShape } from './log-view.ts'
import type { BatchRef } from './messages.ts'
import { Outbox } from './outbox.ts'

export interface ReplicaOptions {
  readonly self: NodeId
  /** In preferred order: the first leads if it can. */
  readonly voters: readonly NodeId[]
  /** All of it durable. */
  readonly hardState: HardState
  /** All of it durable. */
  readonly log: LogShape
}

export class Replica<B extends BatchRef> {
  readonly self: NodeId
  readonly voters: readonly NodeId[]
  readonly log: LogView<B>
  readonly durability: Durability
  readonly out = new Outbox<B>()
  #hardState: HardState
  #commit: Position

  constructor({ self, voters, hardState, log }: ReplicaOptions) {
    assert(
      hardState.term >= log.end.epoch,
      `the log ends in ${log.end.epoch}, above the term ${hardState.term}`,
    )
    this.self = self
    this.voters = voters
    this.log = new LogView(log)
    this.durability = new Durability({ log: log.end, logStart: log.logStart, hardState })
    this.#hardState = hardState
    this.#commit = this.log.first
  }

  get hardState(): HardState {
    return this.#hardState
  }

  get term(): LeaderEpoch {
    return this.#hardState.term
  }

  get suspect(): boolean {
    return this.#hardState.suspect
  }

  get commit(): Position {
    return this.#commit
  }

  isMajority(count: number): boolean {
    return count > this.voters.length / 2
  }

  saveHardState(state: HardState): void {
    const { term, votedFor } = this.#hardState
    assert(state.term >= term, `term ${state.term} after ${term}`)
    assert(
      state.term > term || votedFor === undefined || state.votedFor === votedFor || this.suspect,
      `a second vote in term ${term}`,
    )
    this.#hardState = state
    this.out.hardState(state)
  }

  /** It never moves back, except with `beginAnew`. */
  setCommit(to: Position): void {
    if (comparePositions(to, this.#commit) <= 0) return
    assert(
      comparePositions(to, this.log.end) <= 0,
      `commit ${to.epoch}, ${to.offset} above the end`,
    )
    this.#commit = to
    this.out.committed(to)
    this.out.replicate()
  }

  /** Law R10: never above the commit. */
  advanceLogStart(to: Offset): void {
    const offset = Math.min(to, this.#commit.offset) as Offset
    if (offset > this.log.logStart) this.log.advanceLogStart(offset)
  }

  /** Storage says what is durable. What it says of a log that was cut since is no concern of the log as it is now. */
  reached(durable: { log: Position; logStart: Offset; hardState: HardState }): void {
    this.durability.reached(durable)
    if (this.log.holds(durable.log)) this.durability.logReached(durable.log)
  }

  /** Law R10: another log takes the place of this one. What was committed here is, elsewhere, and comes again. */
  beginAnew(point: InstallPoint): void {
    this.log.install(point)
    this.durability.replaced()
    const { first } = this.log
    if (comparePositions(this.#commit, first) > 0) this.#commit = first
  }

  cut(to: Position): void {
    assert(
      comparePositions(to, this.#commit) >= 0,
      `truncation to (${to.epoch}, ${to.offset}), below the commit (${this.#commit.epoch}, ${this.#commit.offset})`,
    )
    this.log.truncate(to)
    this.durability.cut(to)
  }
}
