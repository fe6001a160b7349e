// Snapshots of a state that is applied from a log, so that the log need not be kept, nor replayed, for ever. Each replica takes
// its own, of what is applied and so committed; where there are two, the leader moves the log start to the older, so that the
// newer one may be damaged. A replica behind that is installed with the leader's (law R10).
//
// Invariant: once the log start has moved, a snapshot at or above it is durable here.

import { asOffset, type Offset } from '../base/brand.ts'
import type { Timers } from '../env/env.ts'
import type { Snapshot } from '../storage/store.ts'
import type { ReplicatedLog } from './replicated-log.ts'

/** How much may be applied until the next snapshot. */
export interface SnapshotInterval {
  readonly records: number
  /** Of batches in the log. */
  readonly bytes: number
}

export interface AppliedSnapshotsOptions {
  readonly log: ReplicatedLog
  readonly timers: Timers
  readonly every: SnapshotInterval
  /** The state as of `appliedTo`. */
  readonly take: () => Uint8Array
  readonly appliedTo: () => Offset
  /** Resolves once everything below the offset is applied, or nothing is applied any more. */
  readonly whenApplied: (offset: Offset) => Promise<void>
  /** What must not fail did. */
  readonly failed: (error: unknown) => void
}

/** How long until a snapshot that could not be written is tried again. */
const RETRY_MS = 1_000

export class AppliedSnapshots {
  readonly #options: AppliedSnapshotsOptions
  #records = 0
  #bytes = 0
  #taking: Promise<boolean> | undefined
  /** Of the newest that is durable here; 0: there is none. */
  #newest: Offset = asOffset(0)
  #closed = false

  constructor(options: AppliedSnapshotsOptions) {
    this.#options = options
  }

  /** The newest above `from`, where the state is. Undefined: there is none, or there will be one (`onSnapshot`, a commit). */
  async find(from: Offset): Promise<Snapshot | undefined> {
    const { log } = this.#options
    const { held, ahead, read } = await log.snapshots.survey()
    for (const at of held.toReversed()) {
      if (at.offset <= from) break
      const snapshot = await read(at)
      if (snapshot === undefined) continue
      this.#newest = at.offset
      return snapshot
    }
    // What is ahead came with an install: it counts once the log has come there.
    if (from >= log.logStart || ahead.length > 0 || log.needSnapshot()) return undefined
    throw new Error(`no snapshot can be read, and the log begins at ${log.logStart}`)
  }

  /** Something was applied, up to a batch's end. */
  applied({ records, bytes }: SnapshotInterval): void {
    const { every } = this.#options
    this.#records += records
    this.#bytes += bytes
    if (this.#records < every.records && this.#bytes < every.bytes) return
    this.#begin()
  }

  /** Undefined: one that covers what goes is durable. */
  beforeLogStart(offset: Offset): Promise<void> | undefined {
    return offset <= this.#newest ? undefined : this.#keepTo(offset)
  }

  /** A follower is to begin at the log start, and no snapshot could be read. */
  wanted(): boolean {
    const { appliedTo, log } = this.#options
    if (appliedTo() >= log.logStart) this.#begin()
    return true
  }

  close(): void {
    this.#closed = true
  }

  async #keepTo(offset: Offset): Promise<void> {
    const { timers, whenApplied } = this.#options
    while (this.#newest < offset) {
      await whenApplied(offset)
      // The log start stays where it is.
      if (this.#closed) return new Promise<void>(() => {})
      if (await this.#take()) continue
      await new Promise<void>((resolve) => timers.after(RETRY_MS, resolve))
    }
  }

  #begin(): void {
    this.#take().catch(this.#options.failed)
  }

  /** Resolves to whether one is durable: this one, or the one that was being taken. */
  #take(): Promise<boolean> {
    const { log, take, appliedTo } = this.#options
    const offset = appliedTo()
    if (this.#taking !== undefined || offset === 0 || this.#closed) {
      return this.#taking ?? Promise.resolve(false)
    }
    this.#records = 0
    this.#bytes = 0
    // Of the epoch of the last record: that much is committed.
    const at = { epoch: log.epochs.epochAt(asOffset(offset - 1)), offset }
    this.#taking = log.snapshots.save(at, take()).then((durable) => {
      this.#taking = undefined
      if (durable) this.#kept(offset)
      return durable
    })
    return this.#taking
  }

  #kept(offset: Offset): void {
    const { log } = this.#options
    const older = this.#newest
    if (offset <= older || this.#closed) return
    this.#newest = offset
    const leads = log.role.kind === 'leader' && log.role.established
    if (leads && older > log.logStart && older <= log.highWatermark) void log.advanceLogStart(older)
  }
}
