// Warnings that a peer can provoke must not let it fill the disk: at most one line per kind and interval, with the count of
// those left out.

import type { Clock, LogFields, Logger } from '../env/env.ts'

const INTERVAL_MS = 1000

interface Kind {
  lastMs: number
  suppressed: number
}

export class QuietLog {
  readonly #clock: Clock
  readonly #log: Logger
  /** One entry per message text, and those are written in the source. */
  readonly #kinds = new Map<string, Kind>()

  constructor(options: { readonly clock: Clock; readonly log: Logger }) {
    this.#clock = options.clock
    this.#log = options.log
  }

  /** `message` must be a fixed text; what varies goes into `fields`. */
  warn(message: string, fields: LogFields): void {
    const nowMs = this.#clock.monotonicMs()
    const kind = this.#kinds.get(message)
    if (kind === undefined) {
      this.#kinds.set(message, { lastMs: nowMs, suppressed: 0 })
      this.#log.warn(message, fields)
    } else if (nowMs - kind.lastMs < INTERVAL_MS) {
      kind.suppressed++
    } else {
      const { suppressed } = kind
      kind.lastMs = nowMs
      kind.suppressed = 0
      this.#log.warn(message, suppressed === 0 ? fields : { ...fields, suppressed })
    }
  }
}
