// Many requests wait for something with a timeout, and nearly all are answered long before. They share one timer, which runs
// only while somebody waits and fires in steps: a timeout comes up to one step late, never early.

import type { Clock, Timer, Timers } from '../env/env.ts'

const STEP_MS = 20

export interface Deadline {
  readonly atMs: number
  readonly callback: () => void
}

export class Deadlines {
  readonly #clock: Clock
  readonly #timers: Timers
  readonly #waiting = new Set<Deadline>()
  #timer: Timer | undefined
  #timerAtMs = Infinity

  constructor(options: { readonly clock: Clock; readonly timers: Timers }) {
    this.#clock = options.clock
    this.#timers = options.timers
  }

  get size(): number {
    return this.#waiting.size
  }

  /** Calls `callback` once after `delayMs`, unless cancelled. It must not throw. */
  after(delayMs: number, callback: () => void): Deadline {
    const deadline = { atMs: this.#clock.monotonicMs() + delayMs, callback }
    this.#waiting.add(deadline)
    this.#schedule(deadline.atMs)
    return deadline
  }

  cancel(deadline: Deadline): void {
    this.#waiting.delete(deadline)
  }

  /** Calls everything that waits now, as if its time were over. */
  expire(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const { callback } of waiting) callback()
  }

  /** Cancels everything. */
  close(): void {
    this.#waiting.clear()
    this.#timer?.cancel()
    this.#timer = undefined
    this.#timerAtMs = Infinity
  }

  #schedule(atMs: number): void {
    if (atMs >= this.#timerAtMs) return
    this.#timer?.cancel()
    this.#timerAtMs = atMs
    const delayMs = Math.max(atMs - this.#clock.monotonicMs(), STEP_MS)
    this.#timer = this.#timers.after(Math.ceil(delayMs), () => this.#fire())
  }

  #fire(): void {
    this.#timer = undefined
    this.#timerAtMs = Infinity
    const nowMs = this.#clock.monotonicMs()
    let nextMs = Infinity
    for (const deadline of this.#waiting) {
      if (deadline.atMs > nowMs) {
        nextMs = Math.min(nextMs, deadline.atMs)
        continue
      }
      this.#waiting.delete(deadline)
      deadline.callback()
    }
    if (nextMs < Infinity) this.#schedule(nextMs)
  }
}
