// Virtual clocks and timers of one simulated process.

import { assert } from '../../base/assert.ts'
import type { Clock, Timer, Timers } from '../env.ts'
import { EVENT, type Scheduler } from './scheduler.ts'
import type { SimProcess } from './sim-process.ts'

/** 2026-01-01T00:00:00Z: where every simulation begins. */
const EPOCH_MS = 1_767_225_600_000

export class SimClock implements Clock {
  readonly #scheduler: Scheduler
  readonly #wall: { readonly skewMs: number }

  constructor(scheduler: Scheduler, wall: { readonly skewMs: number }) {
    this.#scheduler = scheduler
    this.#wall = wall
  }

  nowMs(): number {
    return Math.floor(EPOCH_MS + this.#scheduler.nowMs + this.#wall.skewMs)
  }

  monotonicMs(): number {
    return this.#scheduler.nowMs
  }
}

export class SimTimers implements Timers {
  readonly #scheduler: Scheduler
  readonly #process: SimProcess

  constructor(scheduler: Scheduler, process: SimProcess) {
    this.#scheduler = scheduler
    this.#process = process
  }

  after(delayMs: number, callback: () => void): Timer {
    assert(delayMs >= 0 && delayMs < 2 ** 31, () => `delay ${delayMs}`)
    // A little late, as real ones are; which of two equal delays is first stays the order of the calls.
    return this.#schedule(delayMs === 0 ? 0.01 : delayMs, EVENT.timer, callback)
  }

  soon(callback: () => void): Timer {
    return this.#schedule(0, EVENT.soon, callback)
  }

  #schedule(delayMs: number, kind: number, callback: () => void): Timer {
    if (!this.#process.alive) return { cancel: () => {} }
    let cancelled = false
    const event = this.#scheduler.after(delayMs, kind, () => {
      // A process that was held may cancel it in the moment in which it goes on.
      this.#process.enter(() => {
        if (!cancelled) callback()
      })
    })
    return {
      cancel: () => {
        cancelled = true
        event.run = undefined
      },
    }
  }
}
