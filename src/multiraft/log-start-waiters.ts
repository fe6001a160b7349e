// Those who wait until a majority has moved its log start (law R10).

import type { Offset } from '../base/brand.ts'

interface Waiting {
  readonly offset: Offset
  readonly settle: (reached: boolean) => void
}

export class LogStartWaiters {
  #waiting: Waiting[] = []

  get empty(): boolean {
    return this.#waiting.length === 0
  }

  /** Resolves to whether it was reached while this replica led. */
  wait(offset: Offset): Promise<boolean> {
    return new Promise((settle) => this.#waiting.push({ offset, settle }))
  }

  reached(start: Offset): void {
    const waiting = this.#waiting
    this.#waiting = waiting.filter(({ offset }) => offset > start)
    for (const { offset, settle } of waiting) if (offset <= start) settle(true)
  }

  fail(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const { settle } of waiting) settle(false)
  }
}
