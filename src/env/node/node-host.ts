// This process as the host port.

import { writeSync } from 'node:fs'
import type { Host, LogFields } from '../env.ts'
import { formatLine } from '../log-line.ts'

/** EX_SOFTWARE of sysexits.h: the process ended itself because going on would not have been safe. */
export const FATAL_EXIT_CODE = 70

export class NodeHost implements Host {
  readonly #json: boolean

  constructor(options: { readonly json: boolean }) {
    this.#json = options.json
  }

  fatal(message: string, cause?: unknown): never {
    const time = new Date().toISOString()
    const text = `fatal: ${message}`
    const fields: LogFields = cause === undefined ? {} : { cause: describe(cause) }
    const line = this.#json
      ? JSON.stringify({ time, level: 'error', message: text, ...fields })
      : formatLine(time, 'error', text, fields)
    try {
      writeSync(2, `${line}\n`)
    } catch {
      // Standard error is closed or full: ending matters more than saying why.
    }
    process.exit(FATAL_EXIT_CODE)
  }

  memoryBytes(): number {
    return process.memoryUsage.rss()
  }
}

function describe(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
}
