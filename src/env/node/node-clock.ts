// Real time and real randomness.

import { randomBytes } from 'node:crypto'
import { assert } from '../../base/assert.ts'
import type { Clock, Random, Timer, Timers } from '../env.ts'

export class NodeClock implements Clock {
  nowMs(): number {
    return Date.now()
  }

  monotonicMs(): number {
    return performance.now()
  }
}

export class NodeTimers implements Timers {
  after(delayMs: number, callback: () => void): Timer {
    assert(delayMs >= 0 && delayMs < 2 ** 31, `delay ${delayMs}`)
    const dueMs = performance.now() + delayMs
    let timeout: NodeJS.Timeout
    // Node counts whole milliseconds and may fire a fraction of one early.
    const fire = (): void => {
      const leftMs = dueMs - performance.now()
      if (leftMs <= 0) callback()
      else timeout = setTimeout(fire, Math.ceil(leftMs))
    }
    timeout = setTimeout(fire, Math.ceil(delayMs))
    return { cancel: () => clearTimeout(timeout) }
  }

  soon(callback: () => void): Timer {
    const immediate = setImmediate(callback)
    return { cancel: () => clearImmediate(immediate) }
  }
}

export class NodeRandom implements Random {
  float(): number {
    return Math.random()
  }

  below(bound: number): number {
    assert(Number.isInteger(bound) && bound >= 1 && bound <= 2 ** 32, `bound ${bound}`)
    return Math.floor(Math.random() * bound)
  }

  bytes(count: number): Uint8Array {
    return randomBytes(count)
  }
}
