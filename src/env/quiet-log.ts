// Lines that repeat as long as their cause lasts, or that a stranger can provoke, must not fill the disk: at most one line for
// each cause and interval, with the count of those left out.

import type { Clock, LogFields, Logger } from './env.ts'

export interface QuietLogOptions {
  readonly clock: Clock
  readonly log: Logger
  readonly intervalMs: number
}

interface Cause {
  lastMs: number
  suppressed: number
}

export class QuietLog {
  readonly #options: QuietLogOptions
  readonly #causes = new Map<string, Cause>()

  constructor(options: QuietLogOptions) {
    this.#options = options
  }

  /** There must be few causes: what a stranger can choose freely goes into `fields`. */
  write(level: 'info' | 'warn', cause: string, message: string, fields: LogFields): void {
    const { clock, log, intervalMs } = this.#options
    const nowMs = clock.monotonicMs()
    const known = this.#causes.get(cause)
    if (known !== undefined && nowMs - known.lastMs < intervalMs) {
      known.suppressed += 1
      return
    }
    this.#causes.set(cause, { lastMs: nowMs, suppressed: 0 })
    const suppressed = known?.suppressed ?? 0
    log[level](message, suppressed === 0 ? fields : { ...fields, suppressed })
  }

  /** A warning whose text is its cause: a fixed text; what varies goes into `fields`. */
  warn(message: string, fields: LogFields): void {
    this.write('warn', message, message, fields)
  }

  /** The cause is gone: when it comes back, that is news. */
  forget(cause: string): void {
    this.#causes.delete(cause)
  }
}
