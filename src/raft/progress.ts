// What a leader knows of one follower, in one epoch.
//
// Invariant: match ≤ next ≤ the leader's end, as positions; a position that was acknowledged as durable is never taken back,
// except from a suspect replica (law R5).

import { assert } from '../base/assert.ts'
import { asOffset, type Offset } from '../base/brand.ts'
import { comparePositions, type Position } from '../base/position.ts'
import { NOTHING } from './durability.ts'

/**
 * - `down`: its node can't be reached; nothing is sent.
 * - `probe`: where the logs agree is not certain; one message at a time.
 * - `stream`: they agree at `next`; messages are pipelined.
 * - `install`: nothing in common above the leader's log start.
 * - `deferred`: it asked to be left alone for a while.
 */
export type ProgressState = 'down' | 'probe' | 'stream' | 'install' | 'deferred'

export class Progress {
  state: ProgressState
  /** Everything before it was sent, or is held. */
  next: Position
  /** Durable there, verified in this epoch; NOTHING before the first acknowledgement, and while it is suspect. */
  match: Position = NOTHING
  /** In `probe` and `install`: sent and not answered. */
  waiting: Position | undefined
  /** The greatest commit that it can know by what was sent. */
  commitSent: Position = NOTHING
  logStartSent: Offset = asOffset(0)
  /** Durable there. */
  logStart: Offset = asOffset(0)
  /** It acknowledged in this epoch since its node was last unreachable (law R8: under its present boot id). */
  answered = false
  /** Law R5. */
  suspect = false
  /** What a suspect replica says it holds. */
  suspectMatch: Position = NOTHING
  /** Rounds that others must confirm before the suspect one may be cleared. */
  clearRound = 0
  roundSent = 0
  /** The last round that it answered. */
  round = 0

  constructor(options: { readonly up: boolean; readonly next: Position }) {
    this.state = options.up ? 'probe' : 'down'
    this.next = options.next
  }

  down(): void {
    this.state = 'down'
    this.answered = false
    this.waiting = undefined
  }

  /** Begins again at what is certain, or where the last message ended: the answer tells which. */
  up(): void {
    if (this.state === 'down') this.#probe(this.next)
  }

  resume(): void {
    if (this.state === 'deferred') this.#probe(this.next)
  }

  defer(): void {
    if (this.state === 'down') return
    this.state = 'deferred'
    this.waiting = undefined
  }

  sent(upTo: Position, { commit, logStart, round }: SentWith): void {
    assert(comparePositions(upTo, this.next) >= 0 || this.state === 'install', 'sent backwards')
    if (this.state !== 'stream') this.waiting = this.next
    this.next = upTo
    this.commitSent = comparePositions(commit, upTo) < 0 ? commit : upTo
    this.logStartSent = logStart
    this.roundSent = round
  }

  /** The follower verified everything up to `accepted` against this leader. */
  accepted(accepted: Position): void {
    this.answered = true
    if (this.state === 'down' || this.state === 'stream') return
    this.state = 'stream'
    this.waiting = undefined
    if (comparePositions(accepted, this.next) > 0) this.next = accepted
  }

  /** Whether an answer that names `prev` is about what this leader waits for. */
  awaits(prev: Position): boolean {
    if (this.state === 'stream') return true
    return this.waiting !== undefined && comparePositions(this.waiting, prev) === 0
  }

  agreeAt(position: Position): void {
    this.#probe(comparePositions(position, this.match) < 0 ? this.match : position)
  }

  mustInstall(): void {
    this.state = 'install'
    this.waiting = undefined
  }

  #probe(next: Position): void {
    this.state = 'probe'
    this.next = next
    this.waiting = undefined
    this.commitSent = NOTHING
    this.logStartSent = asOffset(0)
  }
}

export interface SentWith {
  readonly commit: Position
  readonly logStart: Offset
  readonly round: number
}
