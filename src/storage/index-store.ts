// The segment indexes that are in memory, and their files. Indexes are caches: they are written when convenient, never
// synced, rebuilt by a scan where they are missing or short, and a failure to write one harms nobody.

import type { Offset } from '../base/brand.ts'
import type { Logger } from '../env/env.ts'
import { DiskError, type Disk } from '../env/disk.ts'
import { scanBatches } from './batch-scan.ts'
import type { FileCache } from './file-cache.ts'
import { isDiskError, readFileIfThere, unlinkIfThere } from './files.ts'
import { segmentFile } from './segment-files.ts'
import { OFFSET_ENTRY_BYTES, SegmentIndex, TIME_ENTRY_BYTES } from './segment-index.ts'
import { StoreError, type BatchSummary } from './store.ts'

/** All indexes in memory together; about 32 bytes each. */
const ENTRIES_MAX = 512 * 1024
/** So many entries of an active segment wait in memory before they are written. */
const PENDING_ENTRIES = 512

interface Loaded {
  readonly index: SegmentIndex
  readonly directory: string
  /** What the files hold above the written entries was removed. */
  trimmed: boolean
  /** The last operation on the files; the next waits for it. */
  files: Promise<void>
}

export interface IndexedSegment {
  readonly directory: string
  readonly base: Offset
  readonly bytes: number
  readonly intervalBytes: number
}

export class IndexStore {
  readonly #disk: Disk
  readonly #files: FileCache
  readonly #log: Logger
  /** By path of the segment, least recently used first. */
  readonly #loaded = new Map<string, Loaded>()
  #entries = 0

  constructor(disk: Disk, files: FileCache, log: Logger) {
    this.#disk = disk
    this.#files = files
    this.#log = log
  }

  /** Batches were written one after the other from `position` of the segment. */
  onWritten(
    segment: Omit<IndexedSegment, 'bytes'>,
    position: number,
    batches: readonly BatchSummary[],
  ): void {
    const path = segmentFile(segment.directory, segment.base, 'log')
    if (position === 0) {
      this.#forget(path)
      this.#remember(path, {
        index: new SegmentIndex(segment.base, segment.intervalBytes),
        directory: segment.directory,
        trimmed: false,
        files: Promise.resolve(),
      })
    }
    const loaded = this.#loaded.get(path)
    // An index that a scan has yet to catch up is left to the scan.
    if (loaded === undefined || loaded.index.coveredTo !== position) return
    const before = loaded.index.entries
    let at = position
    for (const batch of batches) {
      loaded.index.add(batch, at)
      at += batch.bytes
    }
    this.#entries += loaded.index.entries - before
    if (loaded.index.entries - loaded.index.writtenOffsets >= PENDING_ENTRIES) {
      void this.#persist(loaded)
    }
  }

  /**
   * The segment takes no more batches for now: its index files are made whole and durable; `scan` says whether what is
   * missing may be read from the segment. False when they could not be.
   */
  async seal(segment: IndexedSegment, options: { readonly scan: boolean }): Promise<boolean> {
    const { directory, base } = segment
    if (options.scan) await this.ensure(segment)
    const loaded = this.#loaded.get(segmentFile(directory, base, 'log'))
    if (loaded === undefined || loaded.index.coveredTo !== segment.bytes) return false
    loaded.index.seal()
    await this.#persist(loaded)
    const { index } = loaded
    if (index.coveredTo !== segment.bytes || !loaded.trimmed) return false
    if (index.writtenOffsets < index.entries || index.writtenTimes < index.timeEntries) return false
    try {
      for (const kind of ['index', 'timeindex'] as const) {
        await this.#files.use(segmentFile(directory, base, kind), (file) => file.sync())
      }
      await this.#disk.syncDirectory(directory)
      return true
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#log.debug('an index was not synced', { directory, base, why: error.code })
      return false
    }
  }

  /** The index, covering at least what the segment held at the call. */
  async ensure(segment: IndexedSegment): Promise<SegmentIndex> {
    const path = segmentFile(segment.directory, segment.base, 'log')
    let loaded = this.#loaded.get(path)
    if (loaded === undefined) loaded = await this.#load(path, segment)
    else this.#touch(path, loaded)
    const { index } = loaded
    if (index.coveredTo >= segment.bytes) return index
    const from = index.coveredTo
    try {
      await this.#catchUp(path, segment, index)
      return index
    } catch (error) {
      if (!(error instanceof StoreError) || from === 0) throw error
    }
    // The place that the file named to go on from was none: only the segment itself decides whether it is damaged.
    await this.distrust(segment.directory, segment.base)
    return this.ensure(segment)
  }

  async #catchUp(path: string, segment: IndexedSegment, index: SegmentIndex): Promise<void> {
    const before = index.entries
    await this.#files.use(path, (file) =>
      scanBatches(
        file,
        { from: { position: index.coveredTo }, end: segment.bytes, base: segment.base },
        (batch, position) => {
          if (index.coveredTo === position) index.add(batch, position)
          return true
        },
      ),
    )
    this.#entries += index.entries - before
  }

  /** The segment was cut to `bytes`; its file still holds them. */
  async cut(directory: string, base: Offset, bytes: number): Promise<void> {
    const path = segmentFile(directory, base, 'log')
    const loaded = this.#loaded.get(path)
    if (loaded === undefined) {
      await this.#unlinkFiles(directory, base)
      return
    }
    const before = loaded.index.entries
    loaded.index.cut(bytes)
    this.#entries -= before - loaded.index.entries
    loaded.trimmed = false
    await this.#persist(loaded)
  }

  /** The segment goes: its index files too. */
  async remove(directory: string, base: Offset): Promise<void> {
    const path = segmentFile(directory, base, 'log')
    const loaded = this.#loaded.get(path)
    this.#forget(path)
    await loaded?.files
    await this.#unlinkFiles(directory, base)
  }

  /** The index turned out to be wrong: the next use scans the segment. */
  async distrust(directory: string, base: Offset): Promise<void> {
    this.#log.warn('an index does not match its segment and is rebuilt', { directory, base })
    await this.remove(directory, base)
  }

  async #load(path: string, segment: IndexedSegment): Promise<Loaded> {
    const { directory, base } = segment
    const offsets = await readFileIfThere(this.#disk, segmentFile(directory, base, 'index'))
    const times = await readFileIfThere(this.#disk, segmentFile(directory, base, 'timeindex'))
    const existing = this.#loaded.get(path)
    if (existing !== undefined) return existing
    const index = new SegmentIndex(base, segment.intervalBytes)
    index.load(offsets ?? new Uint8Array(), times ?? new Uint8Array(), segment.bytes)
    const loaded: Loaded = { index, directory, trimmed: false, files: Promise.resolve() }
    this.#remember(path, loaded)
    return loaded
  }

  #persist(loaded: Loaded): Promise<void> {
    loaded.files = loaded.files.then(() => this.#write(loaded))
    return loaded.files
  }

  async #write(loaded: Loaded): Promise<void> {
    const { index, directory } = loaded
    if (this.#loaded.get(segmentFile(directory, index.base, 'log')) !== loaded) return
    const offsets = { bytes: index.pendingOffsets(), at: index.writtenOffsets * OFFSET_ENTRY_BYTES }
    const times = { bytes: index.pendingTimes(), at: index.writtenTimes * TIME_ENTRY_BYTES }
    const entries = index.entries
    const timeEntries = index.timeEntries
    const trim = !loaded.trimmed
    try {
      await this.#writeFile(segmentFile(directory, index.base, 'index'), offsets, trim)
      await this.#writeFile(segmentFile(directory, index.base, 'timeindex'), times, trim)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#log.debug('an index was not written', { directory, base: index.base, why: error.code })
      return
    }
    loaded.trimmed = true
    // A cut meanwhile made fewer of them right.
    index.writtenOffsets = Math.max(index.writtenOffsets, Math.min(entries, index.entries))
    index.writtenTimes = Math.max(index.writtenTimes, Math.min(timeEntries, index.timeEntries))
  }

  async #writeFile(
    path: string,
    part: { readonly bytes: Uint8Array; readonly at: number },
    trim: boolean,
  ): Promise<void> {
    if (part.bytes.length === 0 && !trim) return
    const write = async (file: {
      truncate(bytes: number): Promise<void>
      write(chunks: readonly Uint8Array[], position: number): Promise<void>
    }): Promise<void> => {
      if (trim) await file.truncate(part.at)
      if (part.bytes.length > 0) await file.write([part.bytes], part.at)
    }
    try {
      await this.#files.use(path, write)
    } catch (error) {
      if (!isDiskError(error, 'ENOENT')) throw error
      await this.#files.create(path, write)
    }
  }

  async #unlinkFiles(directory: string, base: Offset): Promise<void> {
    for (const kind of ['index', 'timeindex'] as const) {
      const path = segmentFile(directory, base, kind)
      await this.#files.forget(path)
      await unlinkIfThere(this.#disk, path)
    }
  }

  #remember(path: string, loaded: Loaded): void {
    this.#loaded.set(path, loaded)
    this.#entries += loaded.index.entries
    for (const [oldest] of this.#loaded) {
      if (this.#entries <= ENTRIES_MAX || oldest === path) return
      this.#forget(oldest)
    }
  }

  #touch(path: string, loaded: Loaded): void {
    this.#loaded.delete(path)
    this.#loaded.set(path, loaded)
  }

  #forget(path: string): void {
    const loaded = this.#loaded.get(path)
    if (loaded === undefined) return
    this.#loaded.delete(path)
    this.#entries -= loaded.index.entries
  }
}
