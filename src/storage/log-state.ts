// What the journal says of one log: the state after the records up to some LSN, a pure function of them (law R3). The
// running store and recovery apply the same records through the same code; a checkpoint is this state written down.
//
// Invariants:
// - `segments` are ascending; the last one's `endOffset` is where the log's bytes in files end. The file of a segment
//   holds at least `bytes` bytes, durable before the extent record was journaled; what lies above them is garbage.
// - `tail` are pieces that are in the journal only: contiguous, from the end of the files to `endOffset`.
// - An extent that covers pieces of the tail takes them over whole.
// - A truncation is applied to files only after its record is durable, and no extent is written before that either.

import { assert } from '../base/assert.ts'
import { asOffset, type LogId, type Offset } from '../base/brand.ts'
import { EpochTable } from '../base/epoch-table.ts'
import type { Position } from '../base/position.ts'
import type {
  BytesRecord,
  CreateRecord,
  ExtentRecord,
  InstallRecord,
  JournalRecord,
  ReplaceRecord,
  TruncateRecord,
} from './journal-record.ts'
import type { BatchSummary, HardState, LogConfig } from './store.ts'

export interface SegmentState {
  readonly baseOffset: Offset
  endOffset: Offset
  /** Of the file, as far as it counts. */
  bytes: number
  /** An upper bound: a truncation leaves it. -1 without timestamps. */
  maxTimestampMs: number
  readonly firstTimestampMs: number
  /** Of the file: 0 as first written; another one, never used before, each time it is replaced as a whole. */
  revision: number
  /** Its index files are whole and synced. Otherwise what a start finds of them is not believed. */
  indexed: boolean
}

/** Where a blob lies in the journal. `bytes` and `crc` are those of the whole blob, also after a truncation cut the piece. */
export interface JournalPlace {
  readonly sequence: number
  readonly position: number
  readonly bytes: number
  readonly crc: number
}

/** Whole batches, appended together. */
export interface Piece {
  readonly base: Offset
  /** Exclusive. */
  readonly end: Offset
  readonly bytes: number
  readonly maxTimestampMs: number
  /** Shared with what a truncation leaves of the piece, so that both learn of a copy. */
  readonly blob: { place: JournalPlace | undefined }
  /** Absent only while recovery has not loaded it yet. */
  readonly data: Uint8Array | undefined
  readonly batches: readonly BatchSummary[] | undefined
}

export class LogState {
  readonly incarnation: number
  readonly id: LogId
  readonly directory: string
  config: LogConfig
  readonly descriptor: Uint8Array
  hardState: HardState = { term: 0, votedFor: undefined, suspect: false }
  logStart = asOffset(0)
  endOffset = asOffset(0)
  epochs = new EpochTable()
  segments: SegmentState[] = []
  tail: Piece[] = []
  tailBytes = 0
  /** Every tombstone and transaction marker below this offset may have been removed by compaction (law R10). */
  tombstonesRemovedBelow = asOffset(0)

  constructor(record: Omit<CreateRecord, 'type'>) {
    this.incarnation = record.incarnation
    this.id = record.id
    this.directory = record.directory
    this.config = record.config
    this.descriptor = record.descriptor
  }

  get end(): Position {
    return { epoch: this.epochs.last, offset: this.endOffset }
  }

  /** The offset where the bytes in files end. */
  get fileEnd(): Offset {
    return this.segments.at(-1)?.endOffset ?? this.tail[0]?.base ?? this.endOffset
  }

  /** `piece` comes with `append` and `copy`: the new one, or the same with its new place. */
  apply(record: Exclude<JournalRecord, { type: 'create' | 'drop' }>, piece?: Piece): void {
    switch (record.type) {
      case 'hard-state':
        this.hardState = record.hardState
        return
      case 'epoch-start':
        assert(record.start === this.endOffset, `epoch starts at ${record.start}, not at the end`)
        this.epochs.add({ epoch: record.epoch, start: record.start })
        return
      case 'append':
        assert(piece !== undefined, 'an append has its piece')
        this.#append(record, piece)
        return
      case 'copy':
        assert(piece?.blob.place !== undefined, 'a copy has a place')
        this.#copy(record, piece.blob.place)
        return
      case 'extent':
        this.#extent(record)
        return
      case 'truncate':
        this.#truncate(record)
        return
      case 'install':
        this.#install(record)
        return
      case 'replace':
        this.#replace(record)
        return
      case 'log-start':
        this.#advanceLogStart(record.offset)
    }
  }

  /** The bytes of the file or the piece that stay when the log is cut inside of it; undefined when only a file can tell. */
  keptBytes(offset: Offset): number | undefined {
    if (offset >= this.endOffset) return 0
    if (offset < this.fileEnd) {
      const inside = this.segments.some((s) => s.baseOffset < offset && s.endOffset > offset)
      return inside ? undefined : 0
    }
    const piece = this.tail.find((p) => p.base < offset && p.end > offset)
    if (piece === undefined) return 0
    assert(piece.batches !== undefined, 'pieces of a running store know their batches')
    let kept = 0
    for (const batch of piece.batches) {
      if (batch.baseOffset >= offset) break
      assert(batch.lastOffset < offset, `cut at ${offset} inside the batch at ${batch.baseOffset}`)
      kept += batch.bytes
    }
    return kept
  }

  #append(record: BytesRecord, piece: Piece): void {
    assert(this.#mayBeginAt(record), `append at ${record.base}, the end is ${this.endOffset}`)
    assert(record.end > record.base, 'an append has records')
    this.tail.push(piece)
    this.tailBytes += piece.bytes
    this.endOffset = record.end
  }

  /** At the end; in a log that was installed and is empty, with the batch inside of which it starts. */
  #mayBeginAt({ base, end }: Pick<BytesRecord, 'base' | 'end'>): boolean {
    if (base === this.endOffset) return true
    const isEmpty = this.segments.length === 0 && this.tail.length === 0
    return (
      isEmpty && this.endOffset === this.logStart && base < this.logStart && end > this.logStart
    )
  }

  #copy(record: BytesRecord, place: JournalPlace): void {
    const piece = this.tail.find((p) => p.base === record.base)
    assert(
      piece !== undefined && piece.end === record.end,
      `copy of ${record.base}, which is no tail`,
    )
    piece.blob.place = place
  }

  #extent(record: ExtentRecord): void {
    const inPlace =
      record.base === this.fileEnd || (this.tail.length === 0 && this.#mayBeginAt(record))
    assert(inPlace, `extent at ${record.base}, files end at ${this.fileEnd}`)
    let covered = 0
    while (covered < this.tail.length && this.tail[covered]!.end <= record.end) {
      this.tailBytes -= this.tail[covered]!.bytes
      covered++
    }
    this.tail.splice(0, covered)
    const next = this.tail[0]?.base ?? Math.max(this.endOffset, record.end)
    assert(next === record.end, `extent to ${record.end} cuts a piece`)
    if (record.end > this.endOffset) this.endOffset = record.end
    const last = this.segments.at(-1)
    if (record.position === 0) {
      assert(record.segment === record.base, 'a segment starts with its base offset')
      this.segments.push({
        baseOffset: record.base,
        endOffset: record.end,
        bytes: record.bytes,
        maxTimestampMs: record.maxTimestampMs,
        firstTimestampMs: record.firstTimestampMs,
        revision: 0,
        indexed: false,
      })
      return
    }
    assert(
      last?.baseOffset === record.segment && last.bytes === record.position,
      `extent at ${record.position} of ${record.segment}, not at the end of the files`,
    )
    last.endOffset = record.end
    last.indexed = false
    last.bytes += record.bytes
    last.maxTimestampMs = Math.max(last.maxTimestampMs, record.maxTimestampMs)
  }

  #truncate(record: TruncateRecord): void {
    const { offset } = record
    assert(offset <= this.endOffset, `truncation to ${offset} above the end`)
    this.epochs.truncate({ epoch: record.epoch, offset })
    if (offset === this.endOffset) return
    const filesCut = offset < this.fileEnd
    while ((this.tail.at(-1)?.end ?? 0) > offset) this.#cutTail(offset, record.keptBytes)
    if (filesCut) {
      while ((this.segments.at(-1)?.baseOffset ?? -1) >= offset) this.segments.pop()
      const last = this.segments.at(-1)
      if (last !== undefined && last.endOffset > offset) {
        assert(record.keptBytes > 0 && record.keptBytes <= last.bytes, 'a cut keeps whole batches')
        last.endOffset = offset
        last.indexed = false
        last.bytes = record.keptBytes
      }
    }
    this.endOffset = offset
  }

  #cutTail(offset: Offset, keptBytes: number): void {
    const piece = this.tail.pop()
    assert(piece !== undefined, 'a tail to cut')
    this.tailBytes -= piece.bytes
    if (piece.base >= offset) return
    assert(keptBytes > 0 && keptBytes < piece.bytes, 'a cut piece keeps whole batches')
    const batches = piece.batches?.filter((batch) => batch.baseOffset < offset)
    this.tail.push({
      base: piece.base,
      end: offset,
      bytes: keptBytes,
      maxTimestampMs: piece.maxTimestampMs,
      blob: piece.blob,
      data: piece.data?.subarray(0, keptBytes),
      batches,
    })
    this.tailBytes += keptBytes
  }

  #install(record: InstallRecord): void {
    this.segments = []
    this.tail = []
    this.tailBytes = 0
    this.logStart = record.logStart
    this.endOffset = record.logStart
    this.epochs = new EpochTable(record.epochs)
    this.tombstonesRemovedBelow = record.tombstonesRemovedBelow
  }

  #replace(record: ReplaceRecord): void {
    const from = this.segments.findIndex((segment) => segment.baseOffset === record.base)
    const to = this.segments.findIndex((segment) => segment.endOffset === record.end)
    const first = this.segments[from]
    assert(first !== undefined && to >= from, `no segments ${record.base} … ${record.end}`)
    assert(record.bytes > 0, 'a segment has bytes')
    this.segments.splice(from, to - from + 1, {
      baseOffset: record.base,
      endOffset: record.end,
      bytes: record.bytes,
      maxTimestampMs: record.maxTimestampMs,
      firstTimestampMs: first.firstTimestampMs,
      revision: record.revision,
      indexed: false,
    })
    if (record.tombstonesRemovedBelow > this.tombstonesRemovedBelow) {
      this.tombstonesRemovedBelow = record.tombstonesRemovedBelow
    }
  }

  #advanceLogStart(offset: Offset): void {
    assert(offset <= this.endOffset, `log start ${offset} above the end`)
    if (offset <= this.logStart) return
    this.logStart = offset
    this.epochs.advanceLogStart(offset)
    while ((this.segments[0]?.endOffset ?? Infinity) <= offset) this.segments.shift()
    if (this.segments.length > 0) return
    while ((this.tail[0]?.end ?? Infinity) <= offset) {
      this.tailBytes -= this.tail.shift()!.bytes
    }
  }
}

/** A copy of an epoch table: the accepted one runs ahead of the journaled one. */
export function copyEpochs(table: EpochTable): EpochTable {
  return new EpochTable(table.entries)
}
