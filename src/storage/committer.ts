// The commit cycle: takes what the logs accepted into the journal, one group at a time, and tells them when it is durable.
//
// Order (laws R3, R4): per log, changes are journaled in the order in which they were accepted, hard state aside, which
// may go ahead. State is applied when a record is put into a frame; the frame's sync makes it durable. A log's large
// appends are written to its segment first; their extents, and whatever the log accepted after them, go into a later
// frame. A truncation takes everything that the log accepted after it into the same frame (law R1).

import { asOffset } from '../base/brand.ts'
import { crc32c } from '../base/crc32c.ts'
import type { Env } from '../env/env.ts'
import type { Frame, JournalWriter } from './journal-writer.ts'
import { RECORD_BYTES_MAX, type JournalRecord } from './journal-record.ts'
import { compoundBytes, FILES_FOLLOW, isAsItWas, opBytes } from './op-rules.ts'
import type { JournalSlots } from './journal-slots.ts'
import type { Log } from './log.ts'
import {
  leadingAppends,
  type AppendOp,
  type InstallOp,
  type LogOp,
  type Mark,
  type ReplaceOp,
  type TruncateOp,
} from './log-op.ts'
import type { Piece } from './log-state.ts'
import type { NodeState } from './node-state.ts'
import type { HardState } from './store.ts'

/** What the committer leaves to others: everything that touches segment files. */
export interface CommitHooks {
  /** Writes the appends, and what of the log is in the journal only, to segments; `log.direct` is set meanwhile. */
  writeDirect(log: Log, appends: readonly AppendOp[]): void
  /** Finds `keptBytes` for the truncation in the segment file, then wakes the log. */
  resolveCut(log: Log, op: TruncateOp): void
  /** Bytes left the queue of accepted ones. */
  unqueued(bytes: number): void
  /** There is no place for data, or not for this frame at all; `bytes` is what was wanted. */
  journalFull(bytes: number): void
  /** Truncations, installs, log starts and drops that are durable now: files may follow. */
  filesMayFollow(log: Log): void
  /** After each group. */
  committed(logs: Iterable<Log>): void
}

interface Touched {
  marks: number
  hardState: HardState | undefined
  /** A truncation, install, log start or drop was among the records. */
  files: boolean
}

interface Group {
  readonly frame: Frame
  readonly touched: Map<Log, Touched>
  readonly markers: (() => void)[]
}

export class Committer {
  readonly #timers: Env['timers']
  readonly #writer: JournalWriter
  readonly #slots: JournalSlots
  readonly #state: NodeState
  readonly #hooks: CommitHooks
  readonly #groupBytesMax: number
  readonly #directBytesMin: number
  readonly #ready = new Set<Log>()
  /** Logs with changes that have no place in the journal at the moment. */
  readonly #stalled = new Set<Log>()
  #scheduled = false
  #running = false
  readonly #onError: (error: unknown) => void

  constructor(deps: {
    readonly timers: Env['timers']
    readonly writer: JournalWriter
    readonly slots: JournalSlots
    readonly state: NodeState
    readonly hooks: CommitHooks
    readonly groupBytesMax: number
    readonly directBytesMin: number
    readonly onError: (error: unknown) => void
  }) {
    this.#timers = deps.timers
    this.#writer = deps.writer
    this.#slots = deps.slots
    this.#state = deps.state
    this.#hooks = deps.hooks
    this.#groupBytesMax = deps.groupBytesMax
    this.#directBytesMin = deps.directBytesMin
    this.#onError = deps.onError
  }

  wake(log: Log): void {
    this.#ready.add(log)
    if (this.#running || this.#scheduled) return
    this.#scheduled = true
    this.#timers.soon(() => {
      this.#scheduled = false
      this.#run().catch(this.#onError)
    })
  }

  /** There may be a place for what was stalled. */
  roomChanged(): void {
    const stalled = [...this.#stalled]
    this.#stalled.clear()
    for (const log of stalled) this.wake(log)
  }

  get stalled(): number {
    return this.#stalled.size
  }

  async #run(): Promise<void> {
    if (this.#running) return
    this.#running = true
    try {
      while (this.#ready.size > 0) {
        const group = this.#gather()
        if (group.frame.records > 0) await this.#writer.commit(group.frame)
        else if (group.markers.length === 0) continue
        this.#settle(group)
      }
    } finally {
      this.#running = false
    }
  }

  #gather(): Group {
    const group: Group = { frame: this.#writer.frame(), touched: new Map(), markers: [] }
    const logs = [...this.#ready]
    this.#ready.clear()
    for (const log of logs) {
      this.#takeQueue(group, log)
      this.#takeHardState(group, log)
    }
    return group
  }

  /** False when the log has to wait for its place. */
  #takeQueue(group: Group, log: Log): boolean {
    if (!this.#takeExtents(group, log)) return false
    if (!this.#takeCopies(group, log)) return false
    group.markers.push(...log.moved.splice(0))
    let compound = false
    while (log.queue.length > 0 && !log.direct) {
      const op = log.queue[0]!
      if (op.kind === 'append' && !compound && this.#goesDirect(log)) {
        if (log.filesBusy) return true
        const appends = leadingAppends(log.queue)
        log.queue.splice(0, appends.length)
        this.#hooks.writeDirect(log, appends)
        return true
      }
      if (op.kind === 'append' && !compound && this.#groupIsFull(group, op)) {
        this.#ready.add(log)
        return true
      }
      const filesTaken = log.filesBusy || log.swapping !== undefined
      if (FILES_FOLLOW[op.kind] && filesTaken) return true
      if (op.kind === 'truncate' && !this.#resolved(log)) return true
      if (op.kind === 'create' && !op.isFree()) return true
      const opened: boolean = compound || op.kind === 'truncate'
      if (op.kind === 'truncate' && !this.#compoundFits(group, log)) return this.#stall(log, group)
      if (!opened && !this.#fits(group, log, op)) return this.#stall(log, group, op)
      log.queue.shift()
      if (op.kind === 'replace') this.#takeReplace(group, log, op, compound)
      else this.#take(group, log, op)
      compound = opened
    }
    return true
  }

  #take(group: Group, log: Log, op: Exclude<LogOp, ReplaceOp>): void {
    const { incarnation } = log
    switch (op.kind) {
      case 'create':
        this.#add(group, log, log.createRecord)
        log.created = true
        return
      case 'append':
        this.#takeAppend(group, log, op)
        return
      case 'epoch-start':
        this.#add(group, log, {
          type: 'epoch-start',
          incarnation,
          epoch: op.epoch,
          start: op.start,
        })
        break
      case 'truncate':
        this.#takeTruncate(group, log, op)
        break
      case 'install':
        this.#takeInstall(group, log, op)
        break
      case 'log-start':
        this.#noteRemoved(log, op.offset)
        this.#add(group, log, { type: 'log-start', incarnation, offset: op.offset })
        // What was in the journal only may have gone with it.
        log.tail.markClean(log.cleanBelow)
        this.#filesFollow(group, log)
        break
      case 'drop':
        this.#add(group, log, { type: 'drop', incarnation })
        this.#filesFollow(group, log)
        log.dropJournaled = true
        if (log.successor !== undefined) this.wake(log.successor)
        return
      case 'marker':
        group.markers.push(op.reached)
        return
    }
    this.#mark(group, log, op)
  }

  #takeAppend(group: Group, log: Log, op: AppendOp): void {
    const { piece } = op
    op.crc ??= crc32c(piece.data)
    const record = {
      type: 'append',
      incarnation: log.incarnation,
      ...rangeOf(piece),
      crc: op.crc,
    } as const
    this.#add(group, log, record, { piece, data: piece.data, crc: op.crc })
    this.#mark(group, log, op)
    this.#hooks.unqueued(piece.bytes)
  }

  #takeTruncate(group: Group, log: Log, op: TruncateOp): void {
    const { offset, epoch } = op.to
    const { state } = log
    const keptBytes = op.keptBytes ?? state.keptBytes(offset) ?? 0
    if (offset < state.fileEnd) {
      for (const segment of state.segments) {
        if (segment.baseOffset >= offset) log.cleanup.remove.add(segment.baseOffset)
        else if (segment.endOffset > offset) log.cleanup.cut = segment.baseOffset
      }
      const { cut, remove } = log.cleanup
      if (cut !== undefined && remove.has(cut)) log.cleanup.cut = undefined
      this.#filesFollow(group, log)
    }
    this.#add(group, log, {
      type: 'truncate',
      incarnation: log.incarnation,
      epoch,
      offset,
      keptBytes,
    })
  }

  #takeInstall(group: Group, log: Log, op: InstallOp): void {
    for (const segment of log.state.segments) log.cleanup.remove.add(segment.baseOffset)
    log.cleanup.cut = undefined
    this.#filesFollow(group, log)
    const { logStart, epochs, tombstonesRemovedBelow = asOffset(0) } = op.to
    const { incarnation } = log
    this.#add(group, log, {
      type: 'install',
      incarnation,
      logStart,
      epochs,
      tombstonesRemovedBelow,
    })
  }

  /** Behind a truncation in one frame it is left out: what the truncation's place was found in is the old file. */
  #takeReplace(group: Group, log: Log, op: ReplaceOp, compound: boolean): void {
    const first = op.replaced[0]
    const last = op.replaced.at(-1)
    if (compound || first === undefined || last === undefined || !isAsItWas(log, op)) {
      op.done(false)
      return
    }
    for (const { baseOffset } of op.replaced.slice(1)) log.cleanup.remove.add(baseOffset)
    log.cleanup.swap = op
    const { promise: done, resolve: end } = Promise.withResolvers<void>()
    log.swapping = { base: first.baseOffset, done, end }
    this.#filesFollow(group, log)
    const { revision, bytes, crc, maxTimestampMs, tombstonesRemovedBelow } = op
    this.#add(group, log, {
      type: 'replace',
      incarnation: log.incarnation,
      base: first.baseOffset,
      end: last.endOffset,
      revision,
      bytes,
      crc,
      maxTimestampMs,
      tombstonesRemovedBelow,
    })
  }

  #noteRemoved(log: Log, offset: number): void {
    for (const segment of log.state.segments) {
      if (segment.endOffset <= offset) log.cleanup.remove.add(segment.baseOffset)
    }
  }

  #filesFollow(group: Group, log: Log): void {
    log.filesBarrierLsn = this.#writer.nextLsn
    this.#touch(group, log).files = true
  }

  #takeExtents(group: Group, log: Log): boolean {
    if (log.extents.length === 0) return true
    const bytes = log.extents.length * RECORD_BYTES_MAX
    if (!this.#slots.fits(group.frame.bytesWith(bytes, 0), true)) return this.#stall(log, group)
    for (const extent of log.extents) {
      const epoch = log.state.epochs.last
      this.#add(group, log, { type: 'extent', incarnation: log.incarnation, epoch, ...extent })
    }
    log.extents = []
    const marks = log.extentMarks
    log.extentMarks = []
    for (const mark of marks) this.#mark(group, log, mark)
    log.tail.markClean(log.cleanBelow)
    return true
  }

  /** Copies of pieces so that an older journal file can go; they are control, or a full journal could not be emptied. */
  #takeCopies(group: Group, log: Log): boolean {
    if (log.copyUpTo === 0) return true
    for (const piece of log.state.tail) {
      const { data } = piece
      const { place } = piece.blob
      if (place === undefined || place.sequence > log.copyUpTo || data === undefined) continue
      const fits = this.#slots.fits(group.frame.bytesWith(RECORD_BYTES_MAX, data.length), true)
      if (!fits) return this.#stall(log, group)
      const crc = crc32c(data)
      const record = { type: 'copy', incarnation: log.incarnation, ...rangeOf(piece), crc } as const
      // The frame gives the piece its new place when it is written.
      this.#addCopy(group, log, record, { piece, data, crc })
    }
    log.copyUpTo = 0
    return true
  }

  #takeHardState(group: Group, log: Log): void {
    const hardState = log.pendingHardState
    if (hardState === undefined || !log.created) return
    if (!this.#slots.fits(group.frame.bytesWith(RECORD_BYTES_MAX, 0), true)) {
      this.#stall(log, group)
      return
    }
    log.pendingHardState = undefined
    this.#add(group, log, { type: 'hard-state', incarnation: log.incarnation, hardState })
    this.#touch(group, log).hardState = hardState
  }

  #add(
    group: Group,
    log: Log,
    record: JournalRecord,
    blob?: { readonly piece: Piece; readonly data: Uint8Array; readonly crc: number },
  ): void {
    group.frame.add(record, blob)
    if (record.type === 'create') this.#state.logs.set(log.incarnation, log.state)
    else this.#state.apply(record, blob?.piece)
    this.#touch(group, log)
  }

  #addCopy(
    group: Group,
    log: Log,
    record: JournalRecord,
    blob: { readonly piece: Piece; readonly data: Uint8Array; readonly crc: number },
  ): void {
    group.frame.add(record, blob)
    this.#touch(group, log)
  }

  #touch(group: Group, log: Log): Touched {
    let touched = group.touched.get(log)
    if (touched === undefined) {
      touched = { marks: 0, hardState: undefined, files: false }
      group.touched.set(log, touched)
      log.committing = true
    }
    return touched
  }

  #mark(group: Group, log: Log, mark: Mark): void {
    this.#touch(group, log).marks++
    log.inFlight.push(mark)
  }

  /** Enough new bytes to be written to the segment at once, and nothing in the way. */
  #goesDirect(log: Log): boolean {
    if (log.inlineOnly || log.filesBarrierLsn > this.#writer.durableLsn) return false
    let bytes = 0
    for (const op of log.queue) {
      if (op.kind !== 'append') break
      bytes += op.piece.bytes
      if (bytes >= this.#directBytesMin) return true
    }
    return false
  }

  /** Whether every truncation of the queue knows where it cuts: they go into one frame with what lies between them. */
  #resolved(log: Log): boolean {
    let cutTo: number = log.state.fileEnd
    for (const op of log.queue) {
      // What comes after it cuts nothing that is there now.
      if (op.kind === 'install') return true
      if (op.kind !== 'truncate' || op.to.offset >= cutTo) continue
      cutTo = op.to.offset
      if (op.keptBytes !== undefined || log.state.keptBytes(op.to.offset) !== undefined) continue
      this.#hooks.resolveCut(log, op)
      return false
    }
    return true
  }

  #groupIsFull(group: Group, op: AppendOp): boolean {
    if (group.frame.records === 0) return false
    return group.frame.bytesWith(RECORD_BYTES_MAX, op.piece.bytes) > this.#groupBytesMax
  }

  #fits(group: Group, log: Log, op: LogOp): boolean {
    if (op.kind === 'marker') return true
    const { frame } = group
    return this.#slots.fits(frame.bytesWith(...opBytes(log, op)), op.kind !== 'append')
  }

  #compoundFits(group: Group, log: Log): boolean {
    return this.#slots.fits(group.frame.bytesWith(...compoundBytes(log)), true)
  }

  #stall(log: Log, group: Group, op?: LogOp): false {
    // A frame that has something is written first: what does not fit behind it may fit into the next file.
    if (group.frame.records > 0) {
      this.#ready.add(log)
      return false
    }
    this.#stalled.add(log)
    const [meta, data] = op === undefined ? compoundBytes(log) : opBytes(log, op)
    this.#hooks.journalFull(meta + data + RECORD_BYTES_MAX * (log.queue.length + 8))
    return false
  }

  #settle(group: Group): void {
    for (const log of group.touched.keys()) log.committing = false
    for (const [log, { marks, hardState, files }] of group.touched) {
      log.reachedDurable(marks, hardState)
      if (files) this.#hooks.filesMayFollow(log)
    }
    for (const reached of group.markers) reached()
    this.#hooks.committed(group.touched.keys())
  }
}

function rangeOf(piece: Piece): Pick<Piece, 'base' | 'end' | 'maxTimestampMs' | 'bytes'> {
  const { base, end, maxTimestampMs, bytes } = piece
  return { base, end, maxTimestampMs, bytes }
}
