// Test support: the batches of one log in memory, and reads of them as storage answers them.

import { assert } from '../../base/assert.ts'
import { asLeaderEpoch, asOffset, type LeaderEpoch, type Offset } from '../../base/brand.ts'
import { EpochTable, NO_EPOCH } from '../../base/epoch-table.ts'
import type { Position } from '../../base/position.ts'
import type { BatchSummary } from '../../records/batch-header.ts'
import {
  type InstallPoint,
  type ReadRequest,
  type SegmentInfo,
  type Snapshots,
  type StoredBytes,
  StoreError,
} from '../../storage/store.ts'

interface Batch {
  readonly bytes: Uint8Array
  readonly summary: BatchSummary
}

export class MemoryLog {
  readonly epochs = new EpochTable()
  logStart = asOffset(0)
  end: Position = { epoch: asLeaderEpoch(-1), offset: asOffset(0) }
  #batches: Batch[] = []
  #snapshots: { at: Position; bytes: Uint8Array }[] = []

  get bytes(): number {
    return this.#batches.reduce((sum, batch) => sum + batch.bytes.length, 0)
  }

  startEpoch(epoch: LeaderEpoch): void {
    this.epochs.add({ epoch, start: this.end.offset })
    this.end = { epoch, offset: this.end.offset }
  }

  append(bytes: Uint8Array, summaries: readonly BatchSummary[]): void {
    let at = 0
    for (const summary of summaries) {
      assert(summary.baseOffset === this.end.offset, `batch at ${summary.baseOffset}`)
      this.#batches.push({ bytes: bytes.subarray(at, at + summary.bytes), summary })
      at += summary.bytes
      this.end = { epoch: this.end.epoch, offset: asOffset(summary.lastOffset + 1) }
    }
    assert(at === bytes.length, `${bytes.length} bytes for ${at} of batches`)
  }

  /** Puts batches in the place of those that cover the same offsets; returns the offset after them. */
  replace(bytes: Uint8Array, summaries: readonly BatchSummary[]): Offset {
    const from = summaries[0]?.baseOffset ?? this.end.offset
    const next = asOffset((summaries.at(-1)?.lastOffset ?? from - 1) + 1)
    const fresh: Batch[] = []
    let at = 0
    for (const summary of summaries) {
      fresh.push({ bytes: bytes.subarray(at, at + summary.bytes), summary })
      at += summary.bytes
    }
    const below = this.#batches.filter(({ summary }) => summary.lastOffset < from)
    const above = this.#batches.filter(({ summary }) => summary.baseOffset >= next)
    this.#batches = [...below, ...fresh, ...above]
    return next
  }

  truncate(to: Position): void {
    this.#batches = this.#batches.filter(({ summary }) => summary.baseOffset < to.offset)
    this.epochs.truncate(to)
    this.end = { epoch: this.epochs.last, offset: to.offset }
  }

  install(to: InstallPoint): void {
    this.truncate({ epoch: NO_EPOCH, offset: this.logStart })
    for (const entry of to.epochs) this.epochs.add(entry)
    this.logStart = to.logStart
    this.end = { epoch: this.epochs.last, offset: to.logStart }
  }

  /** The same log, which changes by itself from now on. */
  copy(): MemoryLog {
    const copy = new MemoryLog()
    for (const entry of this.epochs.entries) copy.epochs.add(entry)
    copy.logStart = this.logStart
    copy.end = this.end
    copy.#batches = [...this.#batches]
    copy.#snapshots = [...this.#snapshots]
    return copy
  }

  advanceLogStart(offset: Offset): void {
    if (offset <= this.logStart) return
    assert(offset <= this.end.offset, `log start ${offset}`)
    this.logStart = offset
    this.#batches = this.#batches.filter(({ summary }) => summary.lastOffset >= offset)
    this.epochs.advanceLogStart(offset)
  }

  read({ from, below, maxBytes }: ReadRequest): StoredBytes {
    if (from < this.logStart || from > this.end.offset) {
      throw new StoreError('offset-out-of-range', `${from} of ${this.logStart}…${this.end.offset}`)
    }
    const chunks: Uint8Array[] = []
    let bytes = 0
    let next = from
    for (const batch of this.#batches) {
      if (batch.summary.lastOffset < from) continue
      if (batch.summary.baseOffset >= below) break
      if (bytes > 0 && bytes + batch.bytes.length > maxBytes) break
      chunks.push(batch.bytes)
      bytes += batch.bytes.length
      next = asOffset(batch.summary.lastOffset + 1)
    }
    return { chunks, bytes, next }
  }

  seekTimestamp(timestampMs: number, below: Offset): Offset | undefined {
    return this.#batches.find(
      ({ summary }) => summary.baseOffset < below && summary.maxTimestampMs >= timestampMs,
    )?.summary.baseOffset
  }

  segments(): SegmentInfo[] {
    return [
      {
        baseOffset: this.logStart,
        endOffset: this.end.offset,
        bytes: this.bytes,
        maxTimestampMs: Math.max(-1, ...this.#batches.map((batch) => batch.summary.maxTimestampMs)),
      },
    ]
  }

  #holds(at: Position): boolean {
    return this.epochs.holds(at, this.end.offset) && at.offset >= this.logStart
  }

  readonly snapshots: Snapshots = {
    save: (at, bytes) => {
      this.#snapshots.push({ at, bytes: bytes.slice() })
      return Promise.resolve(true)
    },
    latest: (upTo) => {
      const usable = this.#snapshots.filter(({ at }) => at.offset <= upTo && this.#holds(at))
      return Promise.resolve(usable.at(-1))
    },
    adopt: (at, bytes) => this.snapshots.save(at, bytes),
    settled: () => {},
    survey: () => {
      const all = this.#snapshots.map(({ at }) => at)
      return Promise.resolve({
        held: all.filter((at) => this.#holds(at)),
        ahead: all.filter((at) => at.offset > this.end.offset && at.epoch >= this.end.epoch),
        read: (at) => Promise.resolve(this.#snapshots.find((one) => one.at === at)),
      })
    },
  }
}
