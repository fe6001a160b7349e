// Log lines for people (`2026-11-22T05:00:00.123Z INFO  message key=value`) or, with `json`, for machines.

import type { LogFields, Logger, LogLevel } from '../env.ts'
import { formatLine } from '../log-line.ts'

export interface LogOptions {
  /** Lines below it are dropped. Default `info`. */
  readonly level?: LogLevel | 'silent'
  readonly json?: boolean
  /** Takes one line with its newline. Default: standard error. */
  readonly write?: (line: string) => void
  /** For tests. */
  readonly now?: () => Date
}

const RANKS: Readonly<Record<LogLevel | 'silent', number>> = {
  debug: 0,
  info: 1,
  warn: 2,
  error: 3,
  silent: 4,
}

export function createLogger(options: LogOptions = {}): Logger {
  return new LineLogger(
    {
      rank: RANKS[options.level ?? 'info'],
      json: options.json ?? false,
      write: options.write ?? ((line) => void process.stderr.write(line)),
      now: options.now ?? (() => new Date()),
    },
    {},
  )
}

interface Sink {
  readonly rank: number
  readonly json: boolean
  readonly write: (line: string) => void
  readonly now: () => Date
}

class LineLogger implements Logger {
  readonly #sink: Sink
  readonly #fields: LogFields

  constructor(sink: Sink, fields: LogFields) {
    this.#sink = sink
    this.#fields = fields
  }

  debug(message: string, fields?: LogFields): void {
    this.#log('debug', message, fields)
  }

  info(message: string, fields?: LogFields): void {
    this.#log('info', message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    this.#log('warn', message, fields)
  }

  error(message: string, fields?: LogFields): void {
    this.#log('error', message, fields)
  }

  child(fields: LogFields): Logger {
    return new LineLogger(this.#sink, { ...this.#fields, ...fields })
  }

  #log(level: LogLevel, message: string, fields?: LogFields): void {
    if (RANKS[level] < this.#sink.rank) return
    const all = { ...this.#fields, ...fields }
    const time = this.#sink.now().toISOString()
    const line = this.#sink.json
      ? JSON.stringify({ time, level, message, ...all })
      : formatLine(time, level, message, all)
    this.#sink.write(`${line}\n`)
  }
}
