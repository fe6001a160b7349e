// One log as its users see it: the accepted state, which moves at once, and the queue of changes that the committer takes
// into the journal. The journaled state is beside it (`state`, see log-state.ts) and lags behind.
//
// Invariants:
// - accepted state = journaled state + `extents` in flight + `queue`, applied in order;
// - `durable` is a prefix of the accepted log; while a truncation is not durable it stays below that truncation's position;
// - while `filesBusy`, a task owns the log's files, and no truncation, log start or drop is journaled;
// - while `direct`, the appends of the queue's front are being written to a segment, and nothing later is journaled.

import { assert } from '../base/assert.ts'
import { asOffset, type LeaderEpoch, type LogId, type Offset } from '../base/brand.ts'
import { NO_EPOCH, type EpochTable } from '../base/epoch-table.ts'
import { comparePositions, type Position } from '../base/position.ts'
import { leaderEpochAt } from '../records/batch-header.ts'
import { detached, splitBatches } from './append-parts.ts'
import type { CreateRecord } from './journal-record.ts'
import { copyEpochs, type LogState, type SegmentState } from './log-state.ts'
import type { LogOp, Mark, ReplaceOp, Replacement } from './log-op.ts'
import { LogDamage } from './log-damage.ts'
import { positionBelow } from './position-below.ts'
import type { LogReads } from './log-reads.ts'
import type { Extent, WritablePiece } from './segment-writer.ts'
import type { LogTail } from './tail-cache.ts'
import {
  StoreError,
  type BatchSummary,
  type Damage,
  type HardState,
  type InstallPoint,
  type LogConfig,
  type ReadRequest,
  type SegmentInfo,
  type SegmentRange,
  type SegmentRewriter,
  type Snapshots,
  type StoredBytes,
  type StoredLog,
} from './store.ts'

/** What a log needs of its store. */
export interface LogHost {
  /** The log has something for the journal. */
  wake(log: Log): void
  /** Throws StoreError `storage-full` when `bytes` more can't be promised a place. */
  admit(bytes: number): void
  queued(bytes: number): void
  repair(log: Log, batches: Uint8Array, summary: readonly BatchSummary[]): Promise<Offset>
  rewrite(log: Log, range: SegmentRange): Promise<SegmentRewriter | undefined>
}

/** What files must follow. */
export interface Cleanup {
  /** Segments that go. */
  readonly remove: Set<Offset>
  /** The one whose file is cut. */
  cut: Offset | undefined
  swap: ReplaceOp | undefined
}

/** Below every position that a log can have. */
const NOTHING: Position = { epoch: NO_EPOCH, offset: asOffset(0) }

export class Log implements StoredLog {
  readonly state: LogState
  /** Absolute path of the log's folder. */
  readonly path: string
  readonly tail: LogTail
  readonly snapshots: Snapshots
  readonly #host: LogHost
  readonly #reads: LogReads
  #config: LogConfig
  #end: Position
  #durable: Position
  #epochs: EpochTable
  #logStart: Offset
  #hardState: HardState
  #durableHardState: HardState
  readonly #listeners: ((durable: Position) => void)[] = []
  #closed: string | undefined
  #revision = 0
  /** Truncations and installs accepted and not durable. */
  #pendingCuts = 0

  /** Accepted, not journaled. */
  readonly queue: LogOp[] = []
  /** Journaled, not durable, oldest first. */
  readonly inFlight: Mark[] = []
  pendingHardState: HardState | undefined
  /** Segment writes that are done and synced, to be journaled next, and the marks of the appends among them. */
  extents: Extent[] = []
  extentMarks: Mark[] = []
  direct = false
  filesBusy = false
  /** The file position of the truncation at the queue's front is being looked up. */
  resolving = false
  /** Files may be written once the journal is durable up to here: a truncation or log start before it must hold. */
  filesBarrierLsn = 0
  /** Files to remove or cut, once `filesBarrierLsn` is durable. */
  cleanup: Cleanup = { remove: new Set(), cut: undefined, swap: undefined }
  /** A replacement that is journaled: its file is not in its place yet. */
  swapping:
    | { readonly base: Offset; readonly done: Promise<void>; readonly end: () => void }
    | undefined
  /** Appends go to the journal whatever their size: the file system refused a segment write. */
  inlineOnly = false
  /** Pieces in journal files up to this sequence are to be copied forward. */
  copyUpTo = 0
  /** Told once the copies asked for, and the extents waiting, are durable, whatever the queue waits for. */
  moved: (() => void)[] = []
  /** Records of this log are in the group that is being written. */
  committing = false
  created: boolean
  dropped = false
  /** The drop has its place in the journal. */
  dropJournaled = false
  /** The next incarnation of the id, if it is already there. */
  successor: Log | undefined
  lastAppendMs = 0
  /** Grows with every truncation and install: a read that overlapped one starts over. */
  truncations = 0
  readonly damages: LogDamage

  constructor(
    state: LogState,
    deps: {
      readonly host: LogHost
      readonly path: string
      readonly tail: LogTail
      readonly reads: LogReads
      readonly snapshots: (log: StoredLog, path: string) => Snapshots
      readonly created: boolean
    },
  ) {
    this.state = state
    this.path = deps.path
    this.tail = deps.tail
    this.#host = deps.host
    this.#reads = deps.reads
    this.#config = state.config
    this.#end = state.end
    this.#durable = state.end
    this.#epochs = copyEpochs(state.epochs)
    this.#logStart = state.logStart
    this.#hardState = state.hardState
    this.#durableHardState = state.hardState
    this.created = deps.created
    this.damages = new LogDamage(state.logStart)
    this.snapshots = deps.snapshots(this, deps.path)
  }

  get id(): LogId {
    return this.state.id
  }

  get incarnation(): number {
    return this.state.incarnation
  }

  get descriptor(): Uint8Array {
    return this.state.descriptor
  }

  get logStart(): Offset {
    return this.#logStart
  }

  get end(): Position {
    return this.#end
  }

  get durable(): Position {
    return this.#durable
  }

  get epochs(): EpochTable {
    return this.#epochs
  }

  get memoryStart(): Offset {
    return this.tail.start ?? this.#end.offset
  }

  get hardState(): HardState {
    return this.#hardState
  }

  get durableHardState(): HardState {
    return this.#durableHardState
  }

  get config(): LogConfig {
    return this.#config
  }

  get bytes(): number {
    return this.segments().reduce((sum, segment) => sum + segment.bytes, 0)
  }

  /** The record that creates this log. */
  get createRecord(): CreateRecord {
    const { incarnation, id, directory, descriptor } = this.state
    return { type: 'create', incarnation, id, directory, config: this.state.config, descriptor }
  }

  configure(config: LogConfig): void {
    this.#config = config
    this.state.config = config
  }

  saveHardState(state: HardState): void {
    this.#checkUsable()
    this.#hardState = state
    this.pendingHardState = state
    this.#host.wake(this)
  }

  startEpoch(epoch: LeaderEpoch): void {
    this.#checkUsable()
    assert(epoch > this.#epochs.last, `epoch ${epoch} after ${this.#epochs.last}`)
    const start = this.#end.offset
    this.#epochs.add({ epoch, start })
    this.#end = { epoch, offset: start }
    this.#push({ kind: 'epoch-start', epoch, start, after: this.#end, cut: false })
  }

  append(batches: Uint8Array, summary: readonly BatchSummary[]): void {
    this.#checkUsable()
    this.#checkContiguous(batches, summary)
    this.#host.admit(batches.length)
    for (const part of splitBatches(batches, summary, this.#config.segmentBytes)) {
      const bytes = detached(part.bytes)
      const end = asOffset(part.batches.at(-1)!.lastOffset + 1)
      let maxTimestampMs = -1
      for (const batch of part.batches)
        maxTimestampMs = Math.max(maxTimestampMs, batch.maxTimestampMs)
      const piece: WritablePiece = {
        base: part.batches[0]!.baseOffset,
        end,
        bytes: bytes.length,
        maxTimestampMs,
        blob: { place: undefined },
        data: bytes,
        batches: part.batches,
      }
      this.#end = { epoch: this.#end.epoch, offset: end }
      this.tail.append(bytes, part.batches)
      this.#host.queued(bytes.length)
      this.#push({ kind: 'append', piece, crc: undefined, after: this.#end, cut: false })
    }
  }

  truncate(to: Position): void {
    this.#checkUsable()
    this.#checkCut(to)
    this.#epochs.truncate(to)
    const after = { epoch: this.#epochs.last, offset: to.offset }
    this.#end = after
    this.truncations++
    this.tail.truncate(to.offset)
    this.damages.truncate(to.offset)
    this.#pendingCuts++
    const below = positionBelow(this.#epochs, after)
    if (comparePositions(this.#durable, below) > 0) this.#durable = below
    this.#push({ kind: 'truncate', to, keptBytes: undefined, after, cut: true })
  }

  install(to: InstallPoint): void {
    this.#checkUsable()
    assert(to.logStart >= 0, `install at ${to.logStart}`)
    const last = to.epochs.at(-1)
    assert((last?.start ?? 0) <= to.logStart, `epoch ${last?.epoch} starts above ${to.logStart}`)
    this.damages.clear(to.logStart)
    this.#epochs.truncate({ epoch: NO_EPOCH, offset: to.logStart })
    for (const entry of to.epochs) this.#epochs.add(entry)
    this.#logStart = to.logStart
    this.#end = { epoch: this.#epochs.last, offset: to.logStart }
    this.truncations++
    this.tail.clear()
    this.#pendingCuts++
    this.#durable = NOTHING
    this.#push({ kind: 'install', to, after: this.#end, cut: true })
  }

  advanceLogStart(offset: Offset): void {
    this.#checkUsable()
    assert(offset <= this.#end.offset, `log start ${offset} above the end ${this.#end.offset}`)
    if (offset <= this.#logStart) return
    this.#logStart = offset
    this.#epochs.advanceLogStart(offset)
    this.damages.advanceLogStart(offset)
    this.#push({ kind: 'log-start', offset, after: this.#end, cut: false })
  }

  get damage(): Damage | undefined {
    const first = this.damages.first
    return first === undefined ? undefined : { from: first.from, to: first.to }
  }

  onDamage(listener: (damage: Damage) => void): void {
    this.damages.onDamage(listener)
  }

  async repair(batches: Uint8Array, summary: readonly BatchSummary[]): Promise<Offset> {
    this.#checkUsable()
    return this.#host.repair(this, batches, summary)
  }

  get tombstonesRemovedBelow(): Offset {
    return this.state.tombstonesRemovedBelow
  }

  async rewriteSegments(range: SegmentRange): Promise<SegmentRewriter | undefined> {
    this.#checkUsable()
    return this.#host.rewrite(this, range)
  }

  /** Of a file that takes the place of this segment: no other attempt has it. */
  nextRevision(first: SegmentState): number {
    this.#revision = Math.max(this.#revision, first.revision) + 1
    return this.#revision
  }

  /** Resolves to whether it came to count, once its file is in its place. */
  replaceSegments(replacement: Replacement): Promise<boolean> {
    if (this.#closed !== undefined) return Promise.resolve(false)
    return new Promise((done) => this.#push({ kind: 'replace', ...replacement, done }))
  }

  onDurable(listener: (durable: Position) => void): void {
    this.#listeners.push(listener)
  }

  read(request: ReadRequest): StoredBytes | Promise<StoredBytes> {
    this.#checkUsable()
    return this.#reads.read(this, request)
  }

  async seekTimestamp(timestampMs: number, below: Offset): Promise<Offset | undefined> {
    this.#checkUsable()
    return this.#reads.seekTimestamp(this, timestampMs, below)
  }

  segments(): readonly SegmentInfo[] {
    return this.#reads.segments(this)
  }

  /** Called by the committer once the oldest `count` marks in flight are durable, and the hard state if it was among them. */
  reachedDurable(count: number, hardState: HardState | undefined): void {
    if (hardState !== undefined) this.#durableHardState = hardState
    if (count === 0 && hardState !== undefined) this.#notify()
    for (let left = count; left > 0; left--) {
      const mark = this.inFlight.shift()
      assert(mark !== undefined, 'a mark in flight')
      if (mark.cut) this.#pendingCuts--
      // Until the last truncation is durable, what comes before it says nothing about the log as it is now.
      if (this.#pendingCuts > 0) continue
      this.#durable = mark.after
      if (left === 1 || mark.cut) this.#notify()
    }
  }

  /** No further call is served. */
  shut(why: string): void {
    this.#closed = why
  }

  /**
   * What waits for a place in the journal needs none any more, but for the creation: on a full disk there may never be
   * one. Who waits for it waits for the drop.
   */
  enqueueDrop(): void {
    this.dropped = true
    const waiting = this.queue.splice(0)
    for (const op of waiting) {
      if (op.kind === 'append') this.#host.queued(-op.piece.bytes)
      if (op.kind === 'replace') op.done(false)
    }
    this.queue.push(...waiting.filter((op) => op.kind === 'create'))
    this.#push({ kind: 'drop' })
    this.queue.push(...waiting.filter((op) => op.kind === 'marker'))
    this.shut(`log ${this.id} was dropped`)
  }

  /** Resolves when everything accepted before is durable. */
  mark(reached: () => void): void {
    this.#push({ kind: 'marker', reached })
  }

  /** Whether anything accepted is not durable yet. */
  get unsettled(): boolean {
    const waiting = this.queue.length + this.inFlight.length + this.extents.length
    return waiting > 0 || this.direct || this.committing || this.pendingHardState !== undefined
  }

  /** Below this offset, what the files hold is also in the accepted log. */
  get cleanBelow(): Offset {
    let below = this.state.fileEnd
    for (const op of this.queue) {
      if (op.kind === 'install') return asOffset(0)
      if (op.kind === 'truncate' && op.to.offset < below) below = op.to.offset
    }
    return below
  }

  #notify(): void {
    for (const listener of this.#listeners) listener(this.#durable)
  }

  #push(op: LogOp): void {
    this.queue.push(op)
    this.#host.wake(this)
  }

  #checkUsable(): void {
    if (this.#closed !== undefined) throw new StoreError('closed', this.#closed)
  }

  #checkContiguous(batches: Uint8Array, summary: readonly BatchSummary[]): void {
    assert(this.#end.epoch !== NO_EPOCH, 'an append needs an epoch')
    assert(summary.length > 0, 'an append has batches')
    let next = this.#startOf(summary[0]!)
    let bytes = 0
    for (const batch of summary) {
      assert(batch.baseOffset === next, `batch at ${batch.baseOffset}, the end is ${next}`)
      assert(batch.lastOffset >= batch.baseOffset, `empty batch at ${batch.baseOffset}`)
      next = asOffset(batch.lastOffset + 1)
      const epoch = leaderEpochAt(batches, bytes)
      assert(epoch === this.#end.epoch, `batch of epoch ${epoch} in epoch ${this.#end.epoch}`)
      bytes += batch.bytes
    }
    assert(bytes === batches.length, `summary of ${bytes} bytes for ${batches.length}`)
  }

  /** The log end; but after an install the first batch may be the one inside of which the log starts. */
  #startOf({ baseOffset, lastOffset }: BatchSummary): Offset {
    const end = this.#end.offset
    const straddles = end === this.#logStart && baseOffset < end && lastOffset >= end
    return straddles ? baseOffset : end
  }

  /** What stays must be a log: the epoch's own start at or below the offset, the next one's not below it. */
  #checkCut(to: Position): void {
    assert(to.offset >= this.#logStart, `truncation to ${to.offset} below the log start`)
    assert(to.offset <= this.#end.offset, `truncation to ${to.offset} above the end`)
    const above = this.#epochs.entries.find((entry) => entry.epoch > to.epoch)
    const kept = this.#epochs.entries.findLast((entry) => entry.epoch <= to.epoch)
    assert(
      above === undefined || to.offset <= above.start,
      `epoch ${to.epoch} ended before ${to.offset}`,
    )
    assert(
      kept === undefined ? to.offset === this.#logStart : to.offset >= kept.start,
      `epoch ${to.epoch} starts after ${to.offset}`,
    )
  }
}
