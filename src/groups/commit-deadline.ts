// Bounds how long a request waits for its commit (`offsets.commit.timeout.ms`). All wait for the same time, so the first to
// come is the first to run out and one timer serves them all.

import type { Clock, Timer, Timers } from '../env/env.ts'
import type { CommitOutcome } from '../replicated/replicated-log.ts'

interface Waiting {
  readonly atMs: number
  settled: boolean
  readonly expire: () => void
}

export class CommitDeadlines {
  readonly #clock: Clock
  readonly #timers: Timers
  /** In order; the settled ones go when the timer meets them. */
  #queue: Waiting[] = []
  #timer: Timer | undefined
  /** Whose commit is not settled, whether their time ran out or not. */
  #open = 0

  constructor(clock: Clock, timers: Timers) {
    this.#clock = clock
    this.#timers = timers
  }

  /** What `committed` says, or `undefined` when the time ran out: then the outcome is unknown. */
  within(committed: Promise<CommitOutcome>, timeoutMs: number): Promise<CommitOutcome | undefined> {
    return new Promise((resolve, reject) => {
      const atMs = this.#clock.monotonicMs() + timeoutMs
      const waiting: Waiting = { atMs, settled: false, expire: () => resolve(undefined) }
      this.#queue.push(waiting)
      this.#timer ??= this.#timers.after(timeoutMs, () => this.#expire())
      committed.then((outcome) => {
        waiting.settled = true
        this.#open--
        if (this.#open === 0) this.#rest()
        resolve(outcome)
      }, reject)
      this.#open++
    })
  }

  close(): void {
    for (const waiting of this.#queue) if (!waiting.settled) waiting.expire()
    this.#rest()
  }

  /** Nobody waits: no timer, no memory of those who did. */
  #rest(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#queue = []
  }

  #expire(): void {
    const nowMs = this.#clock.monotonicMs()
    let due = 0
    for (const waiting of this.#queue) {
      if (!waiting.settled && waiting.atMs > nowMs) break
      if (!waiting.settled) waiting.expire()
      due++
    }
    this.#queue.splice(0, due)
    const [next] = this.#queue
    this.#timer = next && this.#timers.after(Math.max(0, next.atMs - nowMs), () => this.#expire())
  }
}
