// Keeps a partition's producer state in step with its log: every batch the log takes is observed at once, whoever appended
// it; a truncation or a restart rebuilds the state from the newest snapshot that the log still holds and the batch headers
// after it. While it is not in step, the partition takes no batch that carries a producer id.
//
// Invariant: once the log start has moved, a snapshot is there of a committed position at or above it, though it be empty: what
// lay below is in no log any more. A replica that is installed gets the leader's (law R10), and its log may not be there yet.

import { assert } from '../base/assert.ts'
import { asOffset, type Offset } from '../base/brand.ts'
import { NO_EPOCH } from '../base/epoch-table.ts'
import type { Position } from '../base/position.ts'
import type { Clock, Logger } from '../env/env.ts'
import type { Limiter } from '../env/limiter.ts'
import {
  baseSequenceAt,
  nextOffsetAt,
  producerEpochAt,
  producerIdAt,
} from '../records/batch-header.ts'
import type { ReplicatedLog } from '../replicated/replicated-log.ts'
import { StoreError } from '../storage/store.ts'
import { eachBatch } from './batches.ts'
import { MissingBatches } from './missing-batches.ts'
import { decodeProducerSnapshot, encodeProducerSnapshot } from './producer-snapshot.ts'
import { type ProducerEntry, ProducerState, type SequenceCheck } from './producer-state.ts'

type Restored =
  | { readonly kind: 'found'; readonly at: Position; readonly entries: readonly ProducerEntry[] }
  | { readonly kind: 'awaited'; readonly at: Position }
  | { readonly kind: 'damaged' }
  /** Nothing lies below the log start, or it was moved by a version that kept nothing where there was no producer. */
  | { readonly kind: 'none' }

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
  readonly #missing = new MissingBatches()
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
  /** All that is known of what lies below the log start is a snapshot of this position, which the log has not reached. */
  #awaited: Position | undefined
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

  /** Judges a batch with a producer id before it is appended; only while `inStep`. */
  check(batch: Uint8Array): SequenceCheck {
    const verdict = this.state.check(batch, 0)
    if (verdict.kind !== 'next' || this.state.get(producerIdAt(batch, 0)) !== undefined) {
      return verdict
    }
    const missing = this.#missing.before(batch, 0, this.#nowMs())
    if (missing === undefined) return verdict
    return {
      kind: 'out-of-order',
      detail: `a batch came before sequence ${missing}, which is not in the log yet`,
    }
  }

  /** The batch, perhaps of a producer with an id, was not taken, and may be when it comes again. */
  refused(batch: Uint8Array): void {
    const producerId = producerIdAt(batch, 0)
    if (producerId < 0 || (this.#inStep && this.state.get(producerId) !== undefined)) return
    const producerEpoch = producerEpochAt(batch, 0)
    const sequence = baseSequenceAt(batch, 0)
    this.#missing.add(producerId, { producerEpoch, sequence, sinceMs: this.#nowMs() })
  }

  onAppended(batches: Uint8Array): void {
    // A rebuild reads up to the log end, so what arrives meanwhile is found there.
    if (!this.#inStep) return this.#lookAgain()
    const nowMs = this.#nowMs()
    eachBatch(batches, (at) => {
      this.state.observe(batches, at, nowMs)
      this.#missing.found(producerIdAt(batches, at))
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
    if (this.#inStep && this.#next <= to.offset && to.epoch !== NO_EPOCH) return
    if (this.#inStep) this.#missLost(to.offset)
    this.#startRebuild()
  }

  #missLost(from: Offset): void {
    const sinceMs = this.#nowMs()
    for (const { producerId, producerEpoch, batches } of this.state.entries()) {
      const [first] = batches
      if (first === undefined || first.baseOffset < from) continue
      this.#missing.add(producerId, { producerEpoch, sequence: first.firstSequence, sinceMs })
    }
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
   * Every replica needs a snapshot of its own before its log start moves, whoever moves it (law R10). Undefined: there is one.
   * Resolves, however long that takes, when there is one, or none can be made.
   */
  beforeLogStart(offset: Offset): Promise<void> | undefined {
    if (offset <= this.#keptTo) return undefined
    return this.#keepWhenCommitted(offset)
  }

  /** A follower is to be installed, and no snapshot could be read: there will be one once this replica knows its state. */
  snapshotWanted(): boolean {
    if (this.#inStep) this.#saveSnapshotLater()
    return true
  }

  /** The leader's snapshot is here. */
  onSnapshot(): void {
    if (!this.#inStep) this.#startRebuild()
  }

  onRoleChanged(): void {
    this.#lookAgain()
  }

  /** The awaited snapshot counts now, or never will: the log went another way. */
  #lookAgain(): void {
    const { logEnd } = this.#log
    if (this.#awaited === undefined) return
    if (this.#awaited.offset > logEnd.offset && this.#awaited.epoch >= logEnd.epoch) return
    this.#startRebuild()
  }

  async #keepWhenCommitted(offset: Offset): Promise<void> {
    for (;;) {
      await this.settled()
      // The process ends: the log start stays where it is.
      if (this.#closed) return new Promise<void>(() => {})
      if (offset <= this.#keptTo || this.#coversWithoutState) return
      if (!this.#inStep) {
        // Damage is healed by another replica, or its snapshot comes; then the state is rebuilt.
        await new Promise<void>((resolve) => this.#waiting.push(resolve))
        continue
      }
      const end = this.#log.logEnd.offset
      if (!(await this.#saveSnapshot())) {
        // On a full disk: the records that go would be all that knows.
        await new Promise<void>((resolve) => this.#waiting.push(resolve))
        continue
      }
      const truncations = this.#rebuild
      while (!this.#closed && this.#rebuild === truncations && this.#log.highWatermark < end) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve))
      }
      if (this.#rebuild === truncations) return this.#kept(end)
    }
  }

  /** The snapshot that is awaited stands for all below its position; where nobody heals what can't be read, nothing can be kept. */
  get #coversWithoutState(): boolean {
    if (this.#inStep) return false
    return this.#awaited !== undefined || this.#log.voters.length === 1
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

  #saveSnapshot(): Promise<boolean> {
    this.#bytesSinceSnapshot = 0
    this.#batchesSinceSnapshot = 0
    const { epochs, logEnd } = this.#log
    // Of the epoch of the last record: an epoch that began right there may not be committed when the records are.
    const { offset } = logEnd
    const at = offset === 0 ? logEnd : { epoch: epochs.epochAt(asOffset(offset - 1)), offset }
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
    this.#awaited = undefined
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
    const known = await this.#restored()
    if (rebuild !== this.#rebuild) return
    if (known.kind === 'awaited') {
      this.#awaited = known.at
      return this.#lookAgain()
    }
    // Taken up again by `onSnapshot`.
    if (known.kind === 'damaged' && this.#log.logStart > 0 && this.#giveUp()) return
    this.state.clear()
    let next = this.#log.logStart
    if (known.kind === 'found') {
      for (const entry of known.entries) this.state.restore(entry)
      next = asOffset(Math.max(next, known.at.offset))
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

  /** The newest snapshot that counts and checks. */
  async #restored(): Promise<Restored> {
    const { held, ahead, read } = await this.#log.snapshots.survey()
    for (const at of held.toReversed()) {
      const snapshot = await read(at)
      const entries = snapshot === undefined ? undefined : decodeProducerSnapshot(snapshot.bytes)
      if (entries !== undefined) return { kind: 'found', at, entries }
      this.#logger.warn('a damaged producer snapshot was passed over', { offset: at.offset })
    }
    if (held.length > 0) return { kind: 'damaged' }
    const [first] = ahead
    return first === undefined || this.#log.logStart === 0
      ? { kind: 'none' }
      : { kind: 'awaited', at: first }
  }

  /** What lies below the log start is not known here. True: the leader's snapshot will come. */
  #giveUp(): boolean {
    const comes = this.#log.needSnapshot()
    this.#logger.error('the state of producers below the log start is lost on this replica', {
      logStart: this.#log.logStart,
      ...(comes ? { next: "the leader's is asked for" } : { next: 'their retries are not known' }),
    })
    return comes
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
