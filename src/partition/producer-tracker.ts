// Keeps a partition's producer state in step with its log: every batch the log takes is observed at once, whoever appended
// it; a truncation or a restart rebuilds the state from the newest snapshot that the log still holds and the batch headers
// after it. While it is not in step, the partition takes no batch that carries a producer id.

import { assert } from '../base/assert.ts'
import { asOffset, type Offset } from '../base/brand.ts'
import type { Position } from '../base/position.ts'
import type { Clock, Logger } from '../env/env.ts'
import type { Limiter } from '../env/limiter.ts'
import { nextOffsetAt } from '../records/batch-header.ts'
import type { ReplicatedLog } from '../replicated/replicated-log.ts'
import { StoreError } from '../storage/store.ts'
import { eachBatch } from './batches.ts'
import { decodeProducerSnapshot, encodeProducerSnapshot } from './producer-snapshot.ts'
import { ProducerState } from './producer-state.ts'

/** A restart replays at most about this much per partition. */
const SNAPSHOT_BYTES = 16 * 1024 * 1024
const SNAPSHOT_BATCHES = 10_000
/** For a partition that rests. */
const RESTING_SNAPSHOT_BYTES = 1024 * 1024
/** At close, less than this is not worth a file. */
const CLOSE_SNAPSHOT_BYTES = 256 * 1024
const REPLAY_READ_BYTES = 4 * 1024 * 1024
/** A rebuild that failed is tried again when somebody needs it, but no sooner. */
const REBUILD_RETRY_MS = 1_000

export class ProducerTracker {
  readonly state = new ProducerState()
  readonly #log: ReplicatedLog
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #rebuilds: Limiter
  /** What the monotonic clock lacked to the time of day when the tracker began: expiry must not go by a clock that jumps. */
  readonly #beganMs: number
  /** The state covers the log up to here, exclusive. Equals the log end when in step. */
  #next: Offset = asOffset(0)
  #inStep = false
  #closed = false
  /** A snapshot of what lies below is durable, and never truncated. */
  #keptTo: Offset = asOffset(0)
  /** By the monotonic clock: when the last rebuild failed. */
  #failedAtMs: number | undefined
  /** Called back when the commit has moved, the log was truncated, or the tracker closes. */
  #waiting: (() => void)[] = []
  /** Counts rebuilds, so that one that was overtaken by a truncation stops. */
  #rebuild = 0
  #rebuilding: Promise<void> = Promise.resolve()
  #bytesSinceSnapshot = 0
  #batchesSinceSnapshot = 0
  /** `#bytesSinceSnapshot` when it was last looked at whether the partition rests. */
  #bytesWhenChecked = 0

  constructor(options: {
    readonly log: ReplicatedLog
    readonly clock: Clock
    readonly logger: Logger
    /** Bounds how many partitions of a node rebuild at once: each reads megabytes. */
    readonly rebuilds: Limiter
  }) {
    this.#log = options.log
    this.#clock = options.clock
    this.#logger = options.logger
    this.#rebuilds = options.rebuilds
    this.#beganMs = options.clock.nowMs() - options.clock.monotonicMs()
    this.#startRebuild()
  }

  /** Whether the state covers the whole log, so that sequences can be judged. */
  get inStep(): boolean {
    return this.#inStep
  }

  /** Resolves when no rebuild is under way. One that failed is tried again: what was damaged may be healed by now (law R5). */
  async settled(): Promise<void> {
    const failedAtMs = this.#failedAtMs ?? Infinity
    if (this.#clock.monotonicMs() - failedAtMs >= REBUILD_RETRY_MS) this.#startRebuild()
    for (let seen = -1; seen !== this.#rebuild;) {
      seen = this.#rebuild
      await this.#rebuilding
    }
  }

  onAppended(batches: Uint8Array): void {
    // A rebuild reads up to the log end, so what arrives meanwhile is found there.
    if (!this.#inStep) return
    const nowMs = this.#nowMs()
    eachBatch(batches, (at) => {
      this.state.observe(batches, at, nowMs)
      this.#batchesSinceSnapshot++
      this.#next = nextOffsetAt(batches, at)
    })
    this.#bytesSinceSnapshot += batches.length
    if (
      this.#bytesSinceSnapshot >= SNAPSHOT_BYTES ||
      this.#batchesSinceSnapshot >= SNAPSHOT_BATCHES
    ) {
      this.#saveSnapshotLater()
    }
  }

  onTruncated(to: Position): void {
    // In step and nothing that was seen is gone: only an epoch start fell.
    if (this.#inStep && this.#next <= to.offset) return
    this.#startRebuild()
  }

  /**
   * To be called now and then: a partition that got bytes since the last snapshot and rests now is worth one, so that a
   * restart has little to replay even after a kill.
   */
  saveWhereResting(): void {
    const bytes = this.#bytesSinceSnapshot
    const resting = bytes === this.#bytesWhenChecked
    this.#bytesWhenChecked = bytes
    if (this.#inStep && resting && bytes >= RESTING_SNAPSHOT_BYTES) this.#saveSnapshotLater()
  }

  expire(expirationMs: number): void {
    this.state.expire(this.#nowMs(), expirationMs)
  }

  /**
   * To be called before records below `offset` go: what they alone say of their producers is kept in a snapshot past them, or
   * else a restart would take a retry of theirs for something new. False when that could not be made durable.
   */
  async keepPast(offset: Offset): Promise<boolean> {
    await this.settled()
    // Where the log can't be read there is nothing to keep; producers with ids are refused then.
    if (!this.#inStep || this.state.size === 0) return true
    const { logEnd } = this.#log
    assert(logEnd.offset >= offset, `${offset} is above the log end`)
    if (!(await this.#saveSnapshot())) return false
    // Only what is committed is never truncated, and the snapshot counts only while the log holds its position.
    if ((await this.#log.whenCommitted(logEnd)).kind !== 'committed') return false
    this.#kept(logEnd.offset)
    return true
  }

  /**
   * Every replica needs a snapshot of its own before its log start moves, whoever moves it (law R10). Undefined: there is one,
   * or nothing to keep. Resolves, however long that takes, when there is one, or none can be made.
   */
  beforeLogStart(offset: Offset): Promise<void> | undefined {
    if (offset <= this.#keptTo || (this.#inStep && this.state.size === 0)) return undefined
    return this.#keepWhenCommitted(offset)
  }

  async #keepWhenCommitted(offset: Offset): Promise<void> {
    for (;;) {
      await this.settled()
      if (offset <= this.#keptTo || !this.#inStep || this.state.size === 0) return
      const end = this.#log.logEnd.offset
      // Of the epoch of its last record: an epoch that began right there may not be committed when the records are.
      const at = { epoch: this.#log.epochs.epochAt(asOffset(end - 1)), offset: end }
      if (!(await this.#saveSnapshot(at))) return
      const truncations = this.#rebuild
      while (!this.#closed && this.#rebuild === truncations && this.#log.highWatermark < end) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve))
      }
      if (this.#rebuild === truncations) return this.#kept(end)
    }
  }

  #kept(to: Offset): void {
    if (to > this.#keptTo) this.#keptTo = to
  }

  onCommitted(): void {
    if (this.#waiting.length > 0) this.#wake()
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }

  /** Queues a last snapshot where one is worth it. The log must still be open. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#inStep && this.#bytesSinceSnapshot >= CLOSE_SNAPSHOT_BYTES) this.#saveSnapshotLater()
    this.#inStep = false
    this.#rebuild++
    this.#wake()
  }

  #saveSnapshotLater(): void {
    this.#saveSnapshot().catch((error: unknown) => {
      this.#logger.error('a producer snapshot could not be saved', {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
    })
  }

  #saveSnapshot(at: Position = this.#log.logEnd): Promise<boolean> {
    this.#bytesSinceSnapshot = 0
    this.#batchesSinceSnapshot = 0
    return this.#log.snapshots.save(at, encodeProducerSnapshot(this.state))
  }

  /** Milliseconds since 1970, but for how far the clock was put forward or back meanwhile. */
  #nowMs(): number {
    return this.#beganMs + this.#clock.monotonicMs()
  }

  #startRebuild(): void {
    if (this.#closed) return
    this.#inStep = false
    this.#failedAtMs = undefined
    const rebuild = ++this.#rebuild
    if (this.#keptTo > this.#log.logEnd.offset) this.#keptTo = asOffset(0)
    this.#wake()
    // Nothing was ever written: in step at once. (Of a log that was deleted up to its end, a snapshot may still tell.)
    if (this.#log.logEnd.offset === 0) {
      this.state.clear()
      this.#finish()
      return
    }
    this.#rebuilding = this.#replayInTurn(rebuild).catch((error: unknown) => {
      if (rebuild !== this.#rebuild) return
      // The log stays readable; only idempotent produce is refused until a rebuild succeeds.
      this.#failedAtMs = this.#clock.monotonicMs()
      this.#logger.error('producer state could not be rebuilt from the log', {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
    })
  }

  #replayInTurn(rebuild: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#rebuilds.run(() => {
        this.#replay(rebuild)
          .then(resolve, reject)
          .finally(() => this.#rebuilds.release())
      })
    })
  }

  async #replay(rebuild: number): Promise<void> {
    if (rebuild !== this.#rebuild) return
    const snapshot = await this.#log.snapshots.latest(this.#log.logEnd.offset)
    if (rebuild !== this.#rebuild) return
    this.state.clear()
    let next = this.#log.logStart
    const entries = snapshot === undefined ? undefined : decodeProducerSnapshot(snapshot.bytes)
    if (snapshot !== undefined && entries === undefined) {
      this.#logger.warn('a damaged producer snapshot was passed over', {
        offset: snapshot.at.offset,
      })
    }
    if (snapshot !== undefined && entries !== undefined) {
      for (const entry of entries) this.state.restore(entry)
      next = asOffset(Math.max(next, snapshot.at.offset))
    }
    this.#bytesSinceSnapshot = 0
    this.#batchesSinceSnapshot = 0
    while (next < this.#log.logEnd.offset) {
      const after = await this.#replayFrom(next, rebuild)
      if (rebuild !== this.#rebuild) return
      next = after
    }
    this.#finish()
  }

  async #replayFrom(from: Offset, rebuild: number): Promise<Offset> {
    const below = this.#log.logEnd.offset
    const read = await this.#readOrSkip(from, below)
    if (rebuild !== this.#rebuild) return from
    if (read === undefined) return asOffset(Math.max(from, this.#log.logStart))
    assert(read.next > from, `a read from ${from} below ${below} returned nothing`)
    const nowMs = this.#nowMs()
    for (const bytes of read.chunks) {
      eachBatch(bytes, (at) => {
        this.state.observe(bytes, at, nowMs)
        this.#batchesSinceSnapshot++
      })
    }
    this.#bytesSinceSnapshot += read.bytes
    return read.next
  }

  /** Undefined when the log start moved past `from` meanwhile. */
  async #readOrSkip(from: Offset, below: Offset) {
    try {
      return await this.#log.read({ from, below, maxBytes: REPLAY_READ_BYTES })
    } catch (error) {
      const retained = error instanceof StoreError && error.code === 'offset-out-of-range'
      if (retained && this.#log.logStart > from) return undefined
      throw error
    }
  }

  #finish(): void {
    this.#next = this.#log.logEnd.offset
    this.#inStep = true
    if (this.#bytesSinceSnapshot >= SNAPSHOT_BYTES) this.#saveSnapshotLater()
  }
}
