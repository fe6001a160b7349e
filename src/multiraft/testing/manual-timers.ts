// Test support: time that passes when the test says so.

import type { Clock, Timer, Timers } from '../../env/env.ts'

interface Waiting {
  readonly dueMs: number
  readonly callback: () => void
}

export class ManualTimers implements Timers, Clock {
  #nowMs = 1_000
  readonly #waiting = new Set<Waiting>()

  get size(): number {
    return this.#waiting.size
  }

  nowMs(): number {
    return 1_000_000 + this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, callback: () => void): Timer {
    const waiting = { dueMs: this.#nowMs + delayMs, callback }
    this.#waiting.add(waiting)
    return { cancel: () => void this.#waiting.delete(waiting) }
  }

  soon(callback: () => void): Timer {
    return this.after(0, callback)
  }

  /** What is due meanwhile is called in order; what is settled by it goes on. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await settled()
    for (;;) {
      const [next] = [...this.#waiting].toSorted((a, b) => a.dueMs - b.dueMs)
      if (next === undefined || next.dueMs > untilMs) break
      this.#nowMs = next.dueMs
      this.#waiting.delete(next)
      next.callback()
      await settled()
    }
    this.#nowMs = untilMs
    await settled()
  }
}

/** Some promises deep. */
export async function settled(): Promise<void> {
  for (let depth = 0; depth < 20; depth++) await Promise.resolve()
}
