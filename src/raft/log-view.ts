// The shape of the local log as consensus sees it: epochs, start and end, no bytes. It moves together with the operations
// that it hands to the driver, so that the log and this view never differ.

import { assert } from '../base/assert.ts'
import { asOffset, type LeaderEpoch, type Offset } from '../base/brand.ts'
import { EpochTable, NO_EPOCH, type EpochStart } from '../base/epoch-table.ts'
import { comparePositions, type Position } from '../base/position.ts'
import type { InstallPoint, LogOp } from './events.ts'
import type { BatchRef } from './messages.ts'

export interface LogShape {
  readonly logStart: Offset
  readonly end: Position
  readonly epochs: EpochTable
}

export class LogView<B extends BatchRef> {
  #epochs: EpochTable
  #end: Position
  #logStart: Offset
  #ops: LogOp<B>[] = []

  constructor({ logStart, end, epochs }: LogShape) {
    this.#epochs = new EpochTable(epochs.entries)
    this.#end = end
    this.#logStart = logStart
    assert(end.epoch === this.#epochs.last, `the log ends in ${end.epoch}, its epochs do not`)
  }

  get end(): Position {
    return this.#end
  }

  get logStart(): Offset {
    return this.#logStart
  }

  get epochs(): EpochTable {
    return this.#epochs
  }

  /** The first position that this log still has: nothing before it can be named any more. */
  get first(): Position {
    return this.before(this.#logStart)
  }

  /** The least position at the offset: before every epoch start that lies there. */
  before(offset: Offset): Position {
    const epoch = this.#epochs.entries.findLast(({ start }) => start < offset)?.epoch ?? NO_EPOCH
    return { epoch, offset }
  }

  /** Law R1. The position before everything is in every log that still begins at 0. */
  holds(position: Position): boolean {
    if (position.epoch === this.#end.epoch) {
      const start = this.#epochs.entries.at(-1)?.start ?? 0
      return position.offset >= start && position.offset <= this.#end.offset
    }
    if (position.epoch === NO_EPOCH) return position.offset === 0 && this.#logStart === 0
    return this.#epochs.holds(position, this.#end.offset)
  }

  hasEpoch(epoch: LeaderEpoch): boolean {
    if (epoch === this.#end.epoch) return true
    return this.#epochs.entries.findLast((entry) => entry.epoch <= epoch)?.epoch === epoch
  }

  /** Where the epoch ends here; where its successor starts, or the log end. For NO_EPOCH: where the first epoch starts. */
  endOf(epoch: LeaderEpoch): Offset {
    if (epoch === this.#end.epoch) return this.#end.offset
    return this.#epochs.entries.find((entry) => entry.epoch > epoch)?.start ?? this.#end.offset
  }

  /** The starts that follow the position without a byte between. */
  startsAfter({ epoch, offset }: Position): readonly EpochStart[] {
    if (epoch === this.#end.epoch) return NO_STARTS
    return this.#epochs.entries.filter((entry) => entry.epoch > epoch && entry.start === offset)
  }

  /** The greatest position that both logs hold (by log matching, an epoch that both have starts at the same offset). */
  commonWith(other: {
    readonly end: Position
    readonly epochs: readonly EpochStart[]
    readonly logStart: Offset
  }): Position | undefined {
    const theirs = other.epochs
    for (let i = theirs.length - 1; i >= 0; i--) {
      const { epoch } = theirs[i]!
      if (!this.hasEpoch(epoch)) continue
      const theirEnd = theirs[i + 1]?.start ?? other.end.offset
      return { epoch, offset: asOffset(Math.min(theirEnd, this.endOf(epoch))) }
    }
    if (this.#logStart > 0 || other.logStart > 0) return undefined
    return { epoch: NO_EPOCH, offset: asOffset(0) }
  }

  startEpoch(epoch: LeaderEpoch): void {
    this.#epochs.add({ epoch, start: this.#end.offset })
    this.#end = { epoch, offset: this.#end.offset }
    this.#ops.push({ kind: 'start-epoch', epoch })
  }

  /** Batches of the last epoch, from a leader of that epoch. */
  append(batches: readonly B[]): void {
    const [first] = batches
    const last = batches.at(-1)
    assert(first !== undefined && last !== undefined, 'an append without a batch')
    // The first batch after an install may be the one inside of which the log starts.
    assert(
      first.baseOffset >= this.#end.offset ||
        (this.#end.offset === this.#logStart && first.nextOffset > this.#logStart),
      `append ${first.baseOffset} below the end`,
    )
    this.#end = { epoch: this.#end.epoch, offset: last.nextOffset }
    this.#ops.push({ kind: 'append', batches })
  }

  /** The driver's own append, already in the log. */
  appended(end: Position): void {
    assert(end.epoch === this.#end.epoch, `an append of ${end.epoch} in ${this.#end.epoch}`)
    assert(end.offset > this.#end.offset, `an append that ends at ${end.offset}`)
    this.#end = end
  }

  truncate(to: Position): void {
    assert(this.holds(to), `truncation to (${to.epoch}, ${to.offset}), which the log does not hold`)
    assert(comparePositions(to, this.#end) < 0, 'a truncation that removes nothing')
    this.#epochs.truncate(to)
    this.#end = { epoch: this.#epochs.last, offset: to.offset }
    this.#ops.push({ kind: 'truncate', to })
  }

  install(point: InstallPoint): void {
    const { logStart, epochs } = point
    this.#epochs = new EpochTable(epochs)
    this.#logStart = logStart
    this.#end = { epoch: this.#epochs.last, offset: logStart }
    this.#ops.push({ kind: 'install', ...point })
  }

  advanceLogStart(offset: Offset): void {
    assert(offset > this.#logStart && offset <= this.#end.offset, `log start to ${offset}`)
    this.#logStart = offset
    this.#epochs.advanceLogStart(offset)
    this.#ops.push({ kind: 'advance-log-start', offset })
  }

  takeOps(): readonly LogOp<B>[] {
    const ops = this.#ops
    if (ops.length === 0) return NO_OPS
    this.#ops = []
    return ops
  }
}

const NO_OPS: readonly never[] = []
const NO_STARTS: readonly EpochStart[] = []
