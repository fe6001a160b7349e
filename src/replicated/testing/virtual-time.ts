// Test support: a clock and timers that move only when the test says so. Enough for state machines over doubles; whole
// nodes are tested in the simulator.

import type { Clock, Host, Timer, Timers } from '../../env/env.ts'

interface Scheduled {
  readonly atMs: number
  readonly order: number
  readonly callback: () => void
}

export class VirtualTime {
  #nowMs: number
  #order = 0
  readonly #scheduled = new Set<Scheduled>()

  constructor(nowMs = 1_700_000_000_000) {
    this.#nowMs = nowMs
  }

  readonly clock: Clock = {
    nowMs: () => this.#nowMs,
    monotonicMs: () => this.#nowMs,
  }

  readonly timers: Timers = {
    after: (delayMs, callback) => this.#schedule(delayMs, callback),
    soon: (callback) => this.#schedule(0, callback),
  }

  /** Throws what ended the process, so that the test sees it. */
  readonly host: Host = {
    fatal(message: string, cause?: unknown): never {
      throw new Error(message, { cause })
    },
    memoryBytes: () => 0,
  }

  /** Timers that are set and not cancelled. */
  get timerCount(): number {
    return this.#scheduled.size
  }

  /** Runs what is due now, and everything that follows from it without time passing. */
  async settle(): Promise<void> {
    await this.advance(0)
  }

  /** Lets `ms` pass, running each timer at its time and all that follows from it before the next. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await drainMicrotasks()
    for (let next = this.#next(); next !== undefined && next.atMs <= untilMs; next = this.#next()) {
      this.#scheduled.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.callback()
      await drainMicrotasks()
    }
    this.#nowMs = untilMs
  }

  #next(): Scheduled | undefined {
    let first: Scheduled | undefined
    for (const one of this.#scheduled) {
      if (first === undefined || one.atMs < first.atMs) first = one
      else if (one.atMs === first.atMs && one.order < first.order) first = one
    }
    return first
  }

  #schedule(delayMs: number, callback: () => void): Timer {
    const scheduled = { atMs: this.#nowMs + delayMs, order: this.#order++, callback }
    this.#scheduled.add(scheduled)
    return { cancel: () => void this.#scheduled.delete(scheduled) }
  }
}

/** Longer than any chain of promises that a step of a test starts. */
const MICROTASKS = 200

async function drainMicrotasks(): Promise<void> {
  for (let i = 0; i < MICROTASKS; i++) await Promise.resolve()
}
