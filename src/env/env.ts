// The world as ports. Everything outside `env/node` gets its clock, timers, randomness, disk and network from here, so
// that the same code runs in the simulator. `env/node` is the real world, `env/sim` the simulated one; one contract suite
// (`env/contract`) passes on both.

import type { Disk } from './disk.ts'
import type { Network } from './network.ts'

export interface Env {
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly disk: Disk
  readonly network: Network
  readonly log: Logger
  readonly host: Host
}

export interface Clock {
  /** Wall clock, milliseconds since 1970 (an integer). May jump. For record timestamps and retention only. */
  nowMs(): number
  /** Milliseconds since an arbitrary origin, with a fraction. Never goes back. For every interval. */
  monotonicMs(): number
}

export interface Timers {
  /** Calls `callback` once, not before `delayMs` have passed. Delays are bounded to 2^31-1 ms by the caller. */
  after(delayMs: number, callback: () => void): Timer
  /** Calls `callback` in a later turn of the event loop, after the I/O events already waiting (as setImmediate). */
  soon(callback: () => void): Timer
}

export interface Timer {
  /** Idempotent; after it returns the callback will not run. */
  cancel(): void
}

export interface Random {
  /** Uniform in [0, 1). */
  float(): number
  /** Uniform integer in [0, bound). `bound` is 1 … 2^32. */
  below(bound: number): number
  bytes(count: number): Uint8Array
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>

/** One line per event worth knowing, none per request. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger
}

export interface Host {
  /**
   * Ends this process at once, without cleaning up, as after a failed fsync: nothing more is written, sent or
   * acknowledged. In the simulator it ends the incarnation.
   */
  fatal(message: string, cause?: unknown): never
  /** Resident memory of this process, bytes. */
  memoryBytes(): number
}
