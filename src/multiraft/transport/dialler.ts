// When a peer's lane is dialled: one attempt at a time, at once when there is a reason to, else after a pause that grows
// with each failure.

import type { Timer } from '../../env/env.ts'
import { OutgoingLink, type OutgoingOwner } from './outgoing-link.ts'
import type { TransportContext } from './transport-context.ts'
import type { Lane, PeerAddress } from './transport.ts'

const PAUSE_MS_MIN = 20
const PAUSE_MS_MAX = 500
/** An answer that is still missing then is not on its way. */
const HANGING_MS_MIN = 1_000

export class Dialler {
  readonly #context: TransportContext
  readonly #to: PeerAddress
  readonly #lane: Lane
  readonly #owner: OutgoingOwner
  #attempt: OutgoingLink | undefined
  #timer: Timer | undefined
  #pauseMs = PAUSE_MS_MIN

  constructor(
    context: TransportContext,
    options: { readonly to: PeerAddress; readonly lane: Lane; readonly owner: OutgoingOwner },
  ) {
    this.#context = context
    this.#to = options.to
    this.#lane = options.lane
    this.#owner = options.owner
  }

  /** There is reason to think that it works now. An attempt that hangs since before (a lost SYN) is given up for it. */
  now(): void {
    if (this.#attempt !== undefined) {
      if (!this.#hangs(this.#attempt)) return
      this.#attempt.destroy()
    }
    this.#timer?.cancel()
    this.#timer = undefined
    this.#begin()
  }

  /** After a pause, unless an attempt is under way. */
  later(): void {
    if (this.#attempt !== undefined || this.#timer !== undefined) return
    const { random, timers } = this.#context.env
    const pauseMs = this.#pauseMs * (0.5 + random.float() / 2)
    this.#pauseMs = Math.min(this.#pauseMs * 2, PAUSE_MS_MAX)
    this.#timer = timers.after(pauseMs, () => {
      this.#timer = undefined
      this.#begin()
    })
  }

  stop(): void {
    this.#attempt?.destroy()
    this.#attempt = undefined
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** The next pause is a short one again. */
  resetPause(): void {
    this.#pauseMs = PAUSE_MS_MIN
  }

  /** The attempt has led to something. False: it was another link. */
  settled(link: OutgoingLink): boolean {
    if (this.#attempt !== link) return false
    this.#attempt = undefined
    return true
  }

  /** Two nodes that start at the same time must not give up, for one another, what is about to succeed. */
  #hangs(attempt: OutgoingLink): boolean {
    const ageMs = this.#context.env.clock.monotonicMs() - attempt.startedMs
    return ageMs >= (attempt.isConnected ? HANGING_MS_MIN : PAUSE_MS_MIN)
  }

  #begin(): void {
    const to = this.#to
    this.#attempt = new OutgoingLink({
      context: this.#context,
      to,
      lane: this.#lane,
      owner: this.#owner,
    })
  }
}
