// The epochs of a log and where each starts (law R1). An epoch start M(epoch, start) is a real, zero-width log entry, so
// the table is part of the log: it is never collapsed, even where an epoch got no data. (Kafka's counterpart,
// LeaderEpochFileCache, truncates by offset; here that would lose acknowledged data.)

import { assert } from './assert.ts'
import { asLeaderEpoch, asOffset, type LeaderEpoch, type Offset } from './brand.ts'
import type { Position } from './position.ts'

export interface EpochStart {
  readonly epoch: LeaderEpoch
  readonly start: Offset
}

export const NO_EPOCH = asLeaderEpoch(-1)

export class EpochTable {
  /** Ascending in epoch, non-descending in start. */
  readonly #entries: EpochStart[]

  constructor(entries: readonly EpochStart[] = []) {
    this.#entries = []
    for (const entry of entries) this.add(entry)
  }

  get entries(): readonly EpochStart[] {
    return this.#entries
  }

  /** The last epoch, or -1 in an empty table. */
  get last(): LeaderEpoch {
    return this.#entries.at(-1)?.epoch ?? NO_EPOCH
  }

  add(entry: EpochStart): void {
    const last = this.#entries.at(-1)
    assert(
      last === undefined || entry.epoch > last.epoch,
      `epoch ${entry.epoch} after ${last?.epoch}`,
    )
    assert(
      last === undefined || entry.start >= last.start,
      `epoch start ${entry.start} after ${last?.start}`,
    )
    this.#entries.push(entry)
  }

  /** Removes the starts of epochs above the position's; its own and older ones stay, even those at its offset. */
  truncate(to: Position): void {
    while ((this.#entries.at(-1)?.epoch ?? NO_EPOCH) > to.epoch) this.#entries.pop()
  }

  /** Drops the starts below the log start, keeping the one in force there. */
  advanceLogStart(logStart: Offset): void {
    let keepFrom = 0
    for (let i = 1; i < this.#entries.length && this.#at(i).start < logStart; i++) keepFrom = i
    // Of several that start at or below the log start, the one in force is the last that starts strictly below it, or the
    // first at it: all those at the log start itself are kept.
    this.#entries.splice(0, keepFrom)
  }

  /** Law R1: the table has the epoch and start(e) ≤ o ≤ end(e). `logEnd` closes the last epoch. */
  holds(position: Position, logEnd: Offset): boolean {
    const i = this.#indexOf(position.epoch)
    if (i < 0) return false
    return position.offset >= this.#at(i).start && position.offset <= this.#endAt(i, logEnd)
  }

  /** The epoch of the record at `offset`, i.e. the last epoch that starts at or below it; -1 if none does. */
  epochAt(offset: Offset): LeaderEpoch {
    let low = 0
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#at(middle).start <= offset) low = middle + 1
      else high = middle
    }
    return low === 0 ? NO_EPOCH : this.#at(low - 1).epoch
  }

  /**
   * KIP-320: the largest known epoch ≤ the one asked and where it ends (the next epoch's start, or the log end).
   * Undefined when the epoch is below every known one, or above the last.
   */
  endOf(epoch: LeaderEpoch, logEnd: Offset): { epoch: LeaderEpoch; end: Offset } | undefined {
    if (epoch > this.last) return undefined
    let i = this.#entries.length - 1
    while (i >= 0 && this.#at(i).epoch > epoch) i--
    if (i < 0) return undefined
    return { epoch: this.#at(i).epoch, end: this.#endAt(i, logEnd) }
  }

  #at(i: number): EpochStart {
    const entry = this.#entries[i]
    assert(entry !== undefined, () => `epoch table index ${i}`)
    return entry
  }

  #endAt(i: number, logEnd: Offset): Offset {
    return this.#entries[i + 1]?.start ?? asOffset(logEnd)
  }

  #indexOf(epoch: LeaderEpoch): number {
    return this.#entries.findIndex((entry) => entry.epoch === epoch)
  }
}
