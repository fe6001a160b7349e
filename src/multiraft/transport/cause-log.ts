// Warnings that repeat as long as their cause lasts: one line a minute for each cause, with the count of those left out.

import type { Clock, LogFields, Logger } from '../../env/env.ts'

const INTERVAL_MS = 60_000

interface Cause {
  lastMs: number
  suppressed: number
}

export class CauseLog {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #causes = new Map<string, Cause>()

  constructor(options: { readonly clock: Clock; readonly log: Logger }) {
    this.#clock = options.clock
    this.#log = options.log
  }

  /** There must be few causes: what a stranger can choose freely goes into `fields`. */
  write(level: 'info' | 'warn', cause: string, message: string, fields: LogFields): void {
    const nowMs = this.#clock.monotonicMs()
    const known = this.#causes.get(cause)
    if (known !== undefined && nowMs - known.lastMs < INTERVAL_MS) {
      known.suppressed += 1
      return
    }
    this.#causes.set(cause, { lastMs: nowMs, suppressed: 0 })
    const suppressed = known?.suppressed ?? 0
    this.#log[level](message, suppressed === 0 ? fields : { ...fields, suppressed })
  }

  /** The cause is gone: when it comes back, that is news. */
  forget(cause: string): void {
    this.#causes.delete(cause)
  }
}
