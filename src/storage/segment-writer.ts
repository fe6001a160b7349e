// Writes batches to segment files: past the end of what counts, synced before it returns. The extent records that make
// them count are the caller's to journal (law R3). Nothing here changes the log's state.

import { crc32c } from '../base/crc32c.ts'
import type { Offset } from '../base/brand.ts'
import type { Disk } from '../env/disk.ts'
import type { FileCache } from './file-cache.ts'
import { isDiskError } from './files.ts'
import type { ExtentRecord } from './journal-record.ts'
import type { Piece, SegmentState } from './log-state.ts'
import { segmentFile } from './segment-files.ts'
import type { BatchSummary, LogConfig } from './store.ts'

const RELATIVE_OFFSET_MAX = 0x7fff_ffff
const FILE_BYTES_MAX = 0x7fff_ffff

export interface WritablePiece extends Piece {
  readonly data: Uint8Array
  readonly batches: readonly BatchSummary[]
}

export type Extent = Omit<ExtentRecord, 'type' | 'incarnation' | 'epoch'>

/** Some pieces for one segment, from one file position on. */
export interface SegmentPart {
  readonly segment: Offset
  readonly position: number
  readonly pieces: readonly WritablePiece[]
  readonly bytes: number
}

/** Which segment each piece goes to, rolling as Kafka does: by size, by age of the first batch, by relative offset. */
export function planParts(
  last: SegmentState | undefined,
  pieces: readonly WritablePiece[],
  config: LogConfig,
): SegmentPart[] {
  const parts: { segment: Offset; position: number; pieces: WritablePiece[]; bytes: number }[] = []
  let current =
    last === undefined
      ? undefined
      : { base: last.baseOffset, bytes: last.bytes, firstMs: last.firstTimestampMs }
  let open = false
  for (const piece of pieces) {
    const firstMs = piece.batches[0]!.maxTimestampMs
    const roll =
      current === undefined ||
      current.bytes + piece.bytes > Math.min(config.segmentBytes, FILE_BYTES_MAX) ||
      piece.end - 1 - current.base > RELATIVE_OFFSET_MAX ||
      (current.firstMs >= 0 && firstMs - current.firstMs > config.segmentMs)
    if (current === undefined || roll) {
      current = { base: piece.base, bytes: 0, firstMs }
      open = false
    }
    if (!open) {
      parts.push({ segment: current.base, position: current.bytes, pieces: [], bytes: 0 })
      open = true
    }
    const part = parts.at(-1)!
    part.pieces.push(piece)
    part.bytes += piece.bytes
    current.bytes += piece.bytes
  }
  return parts
}

export class SegmentWriter {
  readonly #disk: Disk
  readonly #files: FileCache
  readonly #logsDirectory: string
  /** Log directories known to exist, durably. */
  readonly #directories = new Set<string>()

  constructor(disk: Disk, files: FileCache, logsDirectory: string) {
    this.#disk = disk
    this.#files = files
    this.#logsDirectory = logsDirectory
  }

  /** Durable when it returns. Fails with DiskError; then any part of it may be on disk, above what counts. */
  async write(directory: string, parts: readonly SegmentPart[]): Promise<void> {
    await this.ensureDirectory(directory)
    let created = false
    for (const part of parts) {
      const path = segmentFile(directory, part.segment, 'log')
      const chunks = part.pieces.map((piece) => piece.data)
      if (part.position > 0) {
        await this.#files.use(path, async (file) => {
          await file.write(chunks, part.position)
          await file.sync()
        })
        continue
      }
      await this.#createSegment(path, chunks)
      created = true
    }
    if (created) await this.#disk.syncDirectory(directory)
  }

  forgetDirectory(directory: string): void {
    this.#directories.delete(directory)
  }

  async #createSegment(path: string, chunks: readonly Uint8Array[]): Promise<void> {
    const write = async (file: {
      truncate(bytes: number): Promise<void>
      write(chunks: readonly Uint8Array[], position: number): Promise<void>
      sync(): Promise<void>
    }): Promise<void> => {
      await file.write(chunks, 0)
      await file.sync()
    }
    try {
      await this.#files.create(path, write)
    } catch (error) {
      if (!isDiskError(error, 'EEXIST')) throw error
      // Left by an attempt that did not come to count: nothing in it does.
      await this.#files.use(path, async (file) => {
        await file.truncate(0)
        await write(file)
      })
    }
  }

  /** The folder is there, durably. */
  async ensureDirectory(directory: string): Promise<void> {
    if (this.#directories.has(directory)) return
    await this.#disk.makeDirectory(directory)
    await this.#disk.syncDirectory(this.#logsDirectory)
    this.#directories.add(directory)
  }
}

export function extentOf(part: SegmentPart): Extent {
  let crc = 0
  let maxTimestampMs = -1
  for (const piece of part.pieces) {
    crc = crc32c(piece.data, crc)
    maxTimestampMs = Math.max(maxTimestampMs, piece.maxTimestampMs)
  }
  return {
    base: part.pieces[0]!.base,
    end: part.pieces.at(-1)!.end,
    segment: part.segment,
    position: part.position,
    bytes: part.bytes,
    crc,
    maxTimestampMs,
    firstTimestampMs: part.pieces[0]!.batches[0]!.maxTimestampMs,
  }
}
