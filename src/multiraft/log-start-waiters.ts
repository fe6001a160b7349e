// Those who wait until a majority has moved its log start (law R10).

import type { Offset } from '../base/brand.ts'

interface Waiting {
  readonly offset: Offset
  readonly settle: (reached: boolean) => void
}

export class LogStartWaiters {
  #waiting: Waiting[] = []

  /** Resolves to whether it was reached while this replica led. */
  wait(offset: Offset): Promise<boolean> {
    return new Promise((settle) => this.#waiting.push({ offset, settle }))
  }

  /** `reachedStart`: where the log starts on a majority. Only asked where somebody waits. */
  reached(reachedStart: () => Offset): void {
    if (this.#waiting.length === 0) return
    const start = reachedStart()
    this.#waiting = this.#waiting.filter(({ offset, settle }) => {
      if (offset > start) return true
      settle(true)
      return false
    })
  }

  fail(): void {
    for (const { settle } of this.#waiting.splice(0)) settle(false)
  }
}
