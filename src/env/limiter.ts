// Bounds how many operations run at once; the rest wait in order. Keeps background disk work from filling the thread
// pool, where a journal commit would queue behind it.

import { assert } from '../base/assert.ts'

export class Limiter {
  readonly #max: number
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(max: number) {
    assert(max >= 1, `limit ${max}`)
    this.#max = max
  }

  /** `start` begins one operation and calls `release` exactly once when it has ended. */
  run(start: () => void): void {
    if (this.#running < this.#max) {
      this.#running += 1
      start()
    } else {
      this.#waiting.push(start)
    }
  }

  release(): void {
    assert(this.#running > 0, 'released more often than run')
    const next = this.#waiting.shift()
    if (next === undefined) this.#running -= 1
    else next()
  }
}
