// The offset and time index of one segment, in Kafka's formats (`.index`: relative last offset int32, position int32 of
// a batch; `.timeindex`: greatest timestamp so far int64, relative last offset of its batch int32). They are caches that
// a scan of the segment can rebuild: nothing but speed depends on them, and every entry is checked against the batch it
// points to when it is used (law R3).

import type { Offset } from '../base/brand.ts'
import { int32At, int64At, putInt32, putInt64 } from '../records/batch-header.ts'
import type { BatchSummary } from './store.ts'

export const OFFSET_ENTRY_BYTES = 8
export const TIME_ENTRY_BYTES = 12

/** A file position, and what the batch there must be. */
export interface ScanStart {
  readonly position: number
  /** The batch's base offset, where it is known. */
  readonly baseOffset?: number
  /** Its last offset, where an index names it. */
  readonly lastOffset?: number
}

export class SegmentIndex {
  readonly base: Offset
  readonly #intervalBytes: number
  readonly #relative: number[] = []
  readonly #positions: number[] = []
  readonly #times: number[] = []
  readonly #timeRelative: number[] = []
  #bytesSinceEntry = 0
  #maxTimestampMs = -1
  #maxTimestampRelative = 0
  /** The file position up to which batches were taken in. */
  coveredTo = 0
  /** How many entries of each are in the files as they stand here. */
  writtenOffsets = 0
  writtenTimes = 0

  constructor(base: Offset, intervalBytes: number) {
    this.base = base
    this.#intervalBytes = intervalBytes
  }

  get entries(): number {
    return this.#relative.length
  }

  get timeEntries(): number {
    return this.#times.length
  }

  /** Takes in the batch at `position`, which must be `coveredTo`. */
  add(batch: BatchSummary, position: number): void {
    const relative = batch.lastOffset - this.base
    if (batch.maxTimestampMs > this.#maxTimestampMs) {
      this.#maxTimestampMs = batch.maxTimestampMs
      this.#maxTimestampRelative = relative
    }
    if (this.#bytesSinceEntry > this.#intervalBytes) {
      this.#relative.push(relative)
      this.#positions.push(position)
      this.#addTime()
      this.#bytesSinceEntry = 0
    }
    this.#bytesSinceEntry += batch.bytes
    this.coveredTo = position + batch.bytes
  }

  /** The segment takes no more batches: its greatest timestamp gets an entry of its own. */
  seal(): void {
    this.#addTime()
  }

  /** Forgets everything from file position `bytes` on; the timestamps are the caller's to scan again. */
  cut(bytes: number): void {
    let keep = this.#positions.length
    while (keep > 0 && this.#positions[keep - 1]! >= bytes) keep--
    const lastRelative = keep === 0 ? -1 : this.#relative[keep - 1]!
    this.#relative.length = keep
    this.#positions.length = keep
    let times = this.#times.length
    while (times > 0 && this.#timeRelative[times - 1]! > lastRelative) times--
    this.#times.length = times
    this.#timeRelative.length = times
    this.writtenOffsets = Math.min(this.writtenOffsets, keep)
    this.writtenTimes = Math.min(this.writtenTimes, times)
    this.coveredTo = keep === 0 ? 0 : this.#positions[keep - 1]!
    this.#bytesSinceEntry = 0
    this.#maxTimestampMs = this.#times.at(-1) ?? -1
    this.#maxTimestampRelative = this.#timeRelative.at(-1) ?? 0
    if (keep > 0) this.#dropLastEntry()
  }

  /** Where to scan from for the batch that holds `offset`. */
  lookup(offset: Offset): ScanStart {
    return this.#startAt(lastAtMost(this.#relative, offset - this.base))
  }

  /** Where to scan from for the first batch with a timestamp of at least `timestampMs`. */
  lookupTimestamp(timestampMs: number): ScanStart {
    const i = lastAtMost(this.#times, timestampMs - 1)
    return this.#startAt(i < 0 ? -1 : lastAtMost(this.#relative, this.#timeRelative[i]!))
  }

  #startAt(entry: number): ScanStart {
    if (entry < 0) return { position: 0 }
    return { position: this.#positions[entry]!, lastOffset: this.base + this.#relative[entry]! }
  }

  /** The entries of the offset index not yet in its file, encoded. */
  pendingOffsets(): Uint8Array {
    const bytes = new Uint8Array((this.entries - this.writtenOffsets) * OFFSET_ENTRY_BYTES)
    for (let i = this.writtenOffsets, at = 0; i < this.entries; i++, at += OFFSET_ENTRY_BYTES) {
      putInt32(bytes, at, this.#relative[i]!)
      putInt32(bytes, at + 4, this.#positions[i]!)
    }
    return bytes
  }

  pendingTimes(): Uint8Array {
    const bytes = new Uint8Array((this.timeEntries - this.writtenTimes) * TIME_ENTRY_BYTES)
    for (let i = this.writtenTimes, at = 0; i < this.timeEntries; i++, at += TIME_ENTRY_BYTES) {
      putInt64(bytes, at, this.#times[i]!)
      putInt32(bytes, at + 8, this.#timeRelative[i]!)
    }
    return bytes
  }

  /**
   * Takes over what index files say, as far as it is plausible for a segment of `segmentBytes`; entries above the first
   * implausible one are dropped. So are those above the last timestamp (of two files that were never synced either may
   * have lost its end) and the last entry of each: a scan from there tells what followed.
   */
  load(offsets: Uint8Array, times: Uint8Array, segmentBytes: number): void {
    let relative = -1
    let position = 0
    for (let at = 0; at + OFFSET_ENTRY_BYTES <= offsets.length; at += OFFSET_ENTRY_BYTES) {
      const nextRelative = int32At(offsets, at)
      const nextPosition = int32At(offsets, at + 4)
      if (nextRelative <= relative || nextPosition <= position) break
      if (nextPosition >= segmentBytes) break
      relative = nextRelative
      position = nextPosition
      this.#relative.push(relative)
      this.#positions.push(position)
    }
    let time = -1
    let timeRelative = -1
    for (let at = 0; at + TIME_ENTRY_BYTES <= times.length; at += TIME_ENTRY_BYTES) {
      const nextTime = int64At(times, at)
      const nextRelative = int32At(times, at + 8)
      if (nextTime <= time || nextRelative <= timeRelative || nextRelative > relative) break
      time = nextTime
      timeRelative = nextRelative
      this.#times.push(time)
      this.#timeRelative.push(timeRelative)
    }
    const kept = lastAtMost(this.#relative, timeRelative) + 1
    this.#relative.length = kept
    this.#positions.length = kept
    if (kept > 0) this.#dropLastEntry()
    this.writtenOffsets = this.entries
    this.writtenTimes = this.timeEntries
  }

  /** The last entry goes, and the scan resumes at its batch: how many bytes came before it since the entry is then known. */
  #dropLastEntry(): void {
    const relative = this.#relative.pop()!
    this.coveredTo = this.#positions.pop()!
    while (this.timeEntries > 0 && this.#timeRelative.at(-1)! >= relative) {
      this.#times.pop()
      this.#timeRelative.pop()
    }
    this.#bytesSinceEntry = this.#intervalBytes + 1
    this.#maxTimestampMs = this.#times.at(-1) ?? -1
    this.#maxTimestampRelative = this.#timeRelative.at(-1) ?? 0
    this.writtenOffsets = Math.min(this.writtenOffsets, this.entries)
    this.writtenTimes = Math.min(this.writtenTimes, this.timeEntries)
  }

  #addTime(): void {
    if (this.#maxTimestampMs <= (this.#times.at(-1) ?? -1)) return
    this.#times.push(this.#maxTimestampMs)
    this.#timeRelative.push(this.#maxTimestampRelative)
  }
}

/** Index of the last element ≤ `value` of an ascending array, or -1. */
function lastAtMost(values: readonly number[], value: number): number {
  let low = 0
  let high = values.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (values[middle]! <= value) low = middle + 1
    else high = middle
  }
  return low - 1
}
