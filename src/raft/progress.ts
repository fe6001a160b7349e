// What a leader knows of one follower, in one epoch.
//
// Invariant: next ≤ the leader's end. `match` was acknowledged as durable and is never taken back, except from a suspect
// replica (law R5) and from one that began its log anew (law R10: what it takes back is committed without it). `next` is
// where the logs are taken to agree; while that is a guess (`probe`) it may lie on either side.

import { assert } from '../base/assert.ts'
import { asOffset, type Offset } from '../base/brand.ts'
import { comparePositions, type Position } from '../base/position.ts'
import { NOTHING } from './durability.ts'
import type { AppendAck } from './messages.ts'

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
  /** In `probe` and `install`: the position that was asked about; undefined: none yet. */
  waiting: Position | undefined
  /** With the last message; it counts for the follower as far as that went. */
  commitSent: Position = NOTHING
  logStartSent: Offset = asOffset(0)
  /** Durable there. */
  logStart: Offset = asOffset(0)
  /** It acknowledged in this epoch since its node was last unreachable (law R8: under its present boot id). */
  answered = false
  roundSent = 0
  /** The last round that it answered. */
  round = 0
  /** Law R10: it durably holds only what this leader sent since an install with that `tombstonesRemovedBelow`. */
  begunBelow: Offset = asOffset(0)
  /** As it said itself since its node was last unreachable; what says less was said before. */
  #saidBegunBelow: Offset = asOffset(0)
  /** Law R5: met as suspect, and not as whole since. */
  suspicion: Suspicion | undefined

  constructor(options: { readonly up: boolean; readonly next: Position }) {
    this.state = options.up ? 'probe' : 'down'
    this.next = options.next
  }

  get suspect(): boolean {
    return this.suspicion !== undefined
  }

  down(): void {
    this.state = 'down'
    this.#saidBegunBelow = asOffset(0)
    this.answered = false
    this.waiting = undefined
  }

  /** Begins again where the last message ended: the answer tells whether that is right. */
  up(): void {
    this.probe(this.next)
  }

  resume(): void {
    if (this.state === 'deferred') this.probe(this.next)
  }

  defer(): void {
    if (this.state === 'down') return
    this.state = 'deferred'
    this.waiting = undefined
  }

  sent(upTo: Position, { commit, logStart, round }: SentWith): void {
    if (this.state === 'install') {
      // It carries neither commit nor round: they follow.
      this.waiting = upTo
      this.next = upTo
      this.commitSent = NOTHING
      this.roundSent = 0
      return
    }
    assert(comparePositions(upTo, this.next) >= 0, 'sent backwards')
    this.waiting = this.next
    this.next = upTo
    this.commitSent = commit
    this.logStartSent = logStart
    this.roundSent = round
  }

  /** The follower verified everything up to there against this leader. */
  accepted(upTo: Position): void {
    // An acknowledgement that was on its way already answers nothing that has not been asked yet.
    if (this.waiting === undefined) return
    this.answered = true
    this.state = 'stream'
    if (comparePositions(upTo, this.next) > 0) this.next = upTo
  }

  /** Law R10: what it acknowledged before its log was begun anew is void. False: the answer is from before. */
  begun(below: Offset): boolean {
    if (below < this.#saidBegunBelow) return false
    this.#saidBegunBelow = below
    if (below > this.begunBelow) {
      this.begunBelow = below
      this.match = NOTHING
    }
    return true
  }

  /** Its log is empty. It may have lost that it was begun anew, and is to begin anew once more (laws R5, R10). */
  emptied(): void {
    this.begunBelow = asOffset(0)
  }

  /** Durable there, from a replica that may be counted. */
  durable({ durable, logStart }: AppendAck): void {
    if (comparePositions(durable, this.match) > 0) this.match = durable
    if (logStart > this.logStart) this.logStart = logStart
  }

  /** Law R5: what it acknowledged before is void. Confirmations count from `round` on. */
  meetSuspect(round: number): Suspicion {
    this.match = NOTHING
    this.logStart = asOffset(0)
    this.suspicion = { round, match: NOTHING, logStart: asOffset(0), cleared: false }
    return this.suspicion
  }

  /** Whether an answer that names `prev` is about what this leader waits for. */
  awaits(prev: Position): boolean {
    if (this.state === 'stream') return true
    return this.waiting !== undefined && comparePositions(this.waiting, prev) === 0
  }

  mustInstall(): void {
    this.state = 'install'
    this.waiting = undefined
  }

  probe(next: Position): void {
    this.state = 'probe'
    this.next = next
    this.waiting = undefined
  }
}

/** Law R5, of one return of a suspect replica. */
export interface Suspicion {
  /** Answers to this round and later ones were given after its return. */
  readonly round: number
  /** What it says it holds, durably. */
  match: Position
  logStart: Offset
  /** It was told that it is whole. */
  cleared: boolean
}

export interface SentWith {
  readonly commit: Position
  readonly logStart: Offset
  readonly round: number
}
