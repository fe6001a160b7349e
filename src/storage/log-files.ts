// Everything that touches the segment files of a running store: direct writes, writeback of journaled tails, the files
// that truncations, log starts and drops leave behind. One task at a time per log (`filesBusy`).

import type { Offset } from '../base/brand.ts'
import { DiskError, type Disk } from '../env/disk.ts'
import type { Host, Logger } from '../env/env.ts'
import { isDiskError, unlinkIfThere } from './files.ts'
import type { FileCache } from './file-cache.ts'
import type { IndexedSegment, IndexStore } from './index-store.ts'
import type { Cleanup, Log } from './log.ts'
import type { AppendOp, ReplaceOp, TruncateOp } from './log-op.ts'
import type { Piece } from './log-state.ts'
import { indexed } from './log-reads.ts'
import type { NodeState } from './node-state.ts'
import { StoreError } from './store.ts'
import { segmentFile, swapFile } from './segment-files.ts'
import type { SegmentReader } from './segment-reader.ts'
import {
  extentOf,
  planParts,
  type SegmentPart,
  type SegmentWriter,
  type WritablePiece,
} from './segment-writer.ts'

export interface LogFilesHooks {
  wake(log: Log): void
  unqueued(bytes: number): void
  /** The file system refused a write for want of space. */
  noteFull(): void
  /** Bytes were written to segments. */
  wrote(bytes: number): void
  durableLsn(): number
}

export class LogFiles {
  readonly #disk: Disk
  readonly #host: Host
  readonly #logger: Logger
  readonly #files: FileCache
  readonly #indexes: IndexStore
  readonly #writer: SegmentWriter
  readonly #reader: SegmentReader
  readonly #state: NodeState
  readonly #logsDirectory: string
  readonly #hooks: LogFilesHooks
  readonly #running = new Set<Promise<void>>()
  syncs = 0

  constructor(deps: {
    readonly disk: Disk
    readonly host: Host
    readonly logger: Logger
    readonly files: FileCache
    readonly indexes: IndexStore
    readonly writer: SegmentWriter
    readonly reader: SegmentReader
    readonly state: NodeState
    readonly logsDirectory: string
    readonly hooks: LogFilesHooks
  }) {
    this.#disk = deps.disk
    this.#host = deps.host
    this.#logger = deps.logger
    this.#files = deps.files
    this.#indexes = deps.indexes
    this.#writer = deps.writer
    this.#reader = deps.reader
    this.#state = deps.state
    this.#logsDirectory = deps.logsDirectory
    this.#hooks = deps.hooks
  }

  /** Large appends: to the segment first, with what of the log is only in the journal; then their extents are journaled. */
  writeDirect(log: Log, appends: readonly AppendOp[]): void {
    log.direct = true
    log.extentMarks = [...appends]
    const pieces = [...log.state.tail.map(writable), ...appends.map((op) => op.piece)]
    void this.#task(log, async () => {
      const written = await this.#write(log, pieces)
      log.direct = false
      if (!written) {
        log.inlineOnly = true
        log.extentMarks = []
        if (!log.dropped) log.queue.unshift(...appends)
        else for (const { piece } of appends) this.#hooks.unqueued(piece.bytes)
        return
      }
      for (const { piece } of appends) this.#hooks.unqueued(piece.bytes)
    })
  }

  /** Whether `writeBack` may start now. */
  canWriteBack(log: Log): boolean {
    if (log.filesBusy || log.direct || log.dropped) return false
    // What was written last is still in the tail until its extents are journaled.
    if (log.extents.length > 0) return false
    return log.state.tail.length > 0 && log.filesBarrierLsn <= this.#hooks.durableLsn()
  }

  /** Writes what is in the journal only to the log's segments. Resolves when the extents wait for the journal. */
  async writeBack(log: Log): Promise<void> {
    const pieces = log.state.tail.map(writable)
    await this.#task(log, async () => {
      await this.#write(log, pieces)
    })
  }

  /** Looks up where in its segment file a truncation cuts. */
  resolveCut(log: Log, op: TruncateOp): void {
    const { offset } = op.to
    const segment = log.state.segments.find((s) => s.baseOffset < offset && s.endOffset > offset)
    if (segment === undefined || log.resolving) return
    log.resolving = true
    void this.#run(async () => {
      const end = segment.endOffset
      const found = await this.#reader.positionOf(indexed(log, segment), { offset, end })
      op.keptBytes = found.position
      // The truncation is accepted, so what it takes of the damage is gone; and so are those behind it.
      if (found.damage !== undefined) {
        log.damages.note(found.damage)
        for (const next of log.queue)
          if (next.kind === 'truncate') log.damages.truncate(next.to.offset)
      }
      log.resolving = false
      this.#hooks.wake(log)
    })
  }

  /** A truncation, log start or drop is durable: the files follow. */
  mayFollow(log: Log): void {
    if (!this.#state.logs.has(log.incarnation)) {
      void this.#run(() => this.#removeFolder(log.state.directory))
      return
    }
    const { cleanup } = log
    const { remove, cut, swap } = cleanup
    if (remove.size === 0 && cut === undefined && swap === undefined) return
    log.cleanup = { remove: new Set(), cut: undefined, swap: undefined }
    void this.#task(log, () => this.#cleanUp(log, cleanup))
  }

  /** Resolves when no task is running. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  /** Of a dropped incarnation. What is left of it after a crash goes at the next start. */
  async #removeFolder(directory: string): Promise<void> {
    const path = `${this.#logsDirectory}/${directory}`
    this.#writer.forgetDirectory(path)
    const names = await listIfThere(this.#disk, path)
    if (names === undefined) return
    for (const name of names) {
      await this.#files.forget(`${path}/${name}`)
      await unlinkIfThere(this.#disk, `${path}/${name}`)
    }
    try {
      await this.#disk.removeDirectory(path)
    } catch (error) {
      if (!isDiskError(error, 'ENOTEMPTY')) throw error
      this.#logger.info('an index or snapshot outlived its dropped log', { directory })
    }
  }

  async #write(log: Log, pieces: readonly WritablePiece[]): Promise<boolean> {
    const last = log.state.segments.at(-1)
    // A damaged segment gets no more: it is to be written anew as it is.
    const open = last !== undefined && log.damages.ofSegment(last.baseOffset) === undefined
    const parts = planParts(open ? last : undefined, pieces, log.config)
    try {
      await this.#writer.write(log.path, parts)
    } catch (error) {
      if (!isDiskError(error, 'ENOSPC')) throw error
      this.#hooks.noteFull()
      return false
    }
    this.syncs += parts.length
    for (const part of parts) {
      this.#hooks.wrote(part.bytes)
      log.extents.push(extentOf(part))
      this.#indexes.onWritten(
        { directory: log.path, base: part.segment, intervalBytes: log.config.indexIntervalBytes },
        part.position,
        part.pieces.flatMap((piece) => piece.batches),
      )
    }
    this.#sealRolled(log, parts)
    return true
  }

  #sealRolled(log: Log, parts: readonly SegmentPart[]): void {
    const last = log.state.segments.at(-1)
    const ends = new Map<Offset, number>()
    if (last !== undefined) ends.set(last.baseOffset, last.bytes)
    for (const part of parts) ends.set(part.segment, part.position + part.bytes)
    const active = parts.at(-1)?.segment
    for (const [base, bytes] of ends) {
      if (base === active) continue
      void this.#run(() => this.sealIndex(log, { base, bytes, scan: true }))
    }
  }

  /** Makes the index files of a segment that ends at `bytes` durable, so that the next start may believe them. */
  async sealIndex(
    log: Log,
    seal: { readonly base: Offset; readonly bytes: number; readonly scan: boolean },
  ): Promise<void> {
    const { truncations } = log
    const { base, bytes, scan } = seal
    const intervalBytes = log.config.indexIntervalBytes
    const wanted = { directory: log.path, base, bytes, intervalBytes }
    const sealed = await this.#sealed(wanted, scan)
    const segment = log.state.segments.find((s) => s.baseOffset === base)
    if (!sealed || segment === undefined || segment.bytes !== bytes) return
    if (truncations === log.truncations) segment.indexed = true
  }

  /** The segment may be cut or gone before a scan is through; then it needs no seal. */
  async #sealed(segment: IndexedSegment, scan: boolean): Promise<boolean> {
    try {
      return await this.#indexes.seal(segment, { scan })
    } catch (error) {
      if (!(error instanceof StoreError) && !(error instanceof DiskError)) throw error
      this.#logger.debug('an index was not sealed', {
        directory: segment.directory,
        base: segment.base,
      })
      return false
    }
  }

  async #cleanUp(log: Log, { remove, cut, swap }: Cleanup): Promise<void> {
    if (swap !== undefined) await this.#swap(log, swap)
    for (const base of remove) {
      await this.#indexes.remove(log.path, base)
      const path = segmentFile(log.path, base, 'log')
      await this.#files.forget(path)
      await unlinkIfThere(this.#disk, path)
    }
    const segment = log.state.segments.find((s) => s.baseOffset === cut)
    if (segment === undefined) return
    const { bytes, baseOffset } = segment
    try {
      const path = segmentFile(log.path, baseOffset, 'log')
      await this.#files.use(path, (file) => file.truncate(bytes))
    } catch (error) {
      if (!isDiskError(error, 'ENOENT')) throw error
      // What is missing is known as damage, and need not be cut.
    }
    await this.#indexes.cut(log.path, baseOffset, bytes)
  }

  /** The record is durable: the new file takes its place. Whoever read the old one meanwhile reads again. */
  async #swap(log: Log, op: ReplaceOp): Promise<void> {
    const base = op.replaced[0]!.baseOffset
    const path = segmentFile(log.path, base, 'log')
    await this.#disk.rename(swapFile(log.path, base, op.revision), path)
    await this.#disk.syncDirectory(log.path)
    await this.#files.forget(path)
    await this.#indexes.remove(log.path, base)
    for (const { baseOffset } of op.replaced) log.damages.healed(baseOffset)
    log.tail.forget(op.replaced.at(-1)!.endOffset)
    log.truncations++
    log.swapping?.end()
    log.swapping = undefined
    op.done(true)
  }

  /** Runs alone on the log's files; the log is woken afterwards. */
  #task(log: Log, body: () => Promise<void>): Promise<void> {
    log.filesBusy = true
    return this.#run(async () => {
      await body()
      log.filesBusy = false
      this.#hooks.wake(log)
    })
  }

  /** Whatever fails here is neither a full disk nor an index: the files can't be trusted any more. */
  #run(body: () => Promise<void>): Promise<void> {
    const running = body()
      .catch((error: unknown) => this.#host.fatal('a segment file could not be written', error))
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
    return running
  }
}

export async function listIfThere(disk: Disk, path: string): Promise<string[] | undefined> {
  try {
    return (await disk.list(path)).map((entry) => entry.name)
  } catch (error) {
    if (isDiskError(error, 'ENOENT')) return undefined
    throw error
  }
}

function writable(piece: Piece): WritablePiece {
  const { data, batches } = piece
  if (data === undefined || batches === undefined)
    throw new Error('a tail of a running store is loaded')
  return { ...piece, data, batches }
}
