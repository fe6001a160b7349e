// A replica's storage as the tests see it: what was accepted, what of it is synced, and what a crash leaves. One journal is
// the only order (law R3): a crash keeps some prefix of what was accepted, at least what was synced.

import { assert } from '../../base/assert.ts'
import { asOffset, type LeaderEpoch, type Offset } from '../../base/brand.ts'
import { EpochTable, NO_EPOCH } from '../../base/epoch-table.ts'
import type { Position } from '../../base/position.ts'
import type { HardState } from '../durability.ts'
import type { LogOp } from '../events.ts'
import type { BatchRef } from '../messages.ts'

export interface TestBatch extends BatchRef {
  readonly epoch: LeaderEpoch
  readonly value: string
  /** For compaction: of each key the newest counts. */
  readonly key: number
  /** It ends the key. */
  readonly tombstone: boolean
}

export type JournalOp =
  | LogOp<TestBatch>
  | { readonly kind: 'hard-state'; readonly state: HardState }

export class StoredReplica {
  hardState: HardState
  logStart: Offset = asOffset(0)
  end: Position = { epoch: NO_EPOCH, offset: asOffset(0) }
  epochs = new EpochTable()
  batches: TestBatch[] = []
  tombstonesRemovedBelow: Offset = asOffset(0)

  constructor(hardState: HardState) {
    this.hardState = hardState
  }

  clone(): StoredReplica {
    const copy = new StoredReplica(this.hardState)
    copy.logStart = this.logStart
    copy.end = this.end
    copy.epochs = new EpochTable(this.epochs.entries)
    copy.batches = [...this.batches]
    copy.tombstonesRemovedBelow = this.tombstonesRemovedBelow
    return copy
  }

  holds(position: Position): boolean {
    if (position.epoch === NO_EPOCH) return position.offset === 0 && this.logStart === 0
    return this.epochs.holds(position, this.end.offset)
  }

  apply(op: JournalOp): void {
    switch (op.kind) {
      case 'hard-state':
        this.hardState = op.state
        break
      case 'start-epoch':
        this.epochs.add({ epoch: op.epoch, start: this.end.offset })
        this.end = { epoch: op.epoch, offset: this.end.offset }
        break
      case 'append':
        for (const batch of op.batches) {
          assert(batch.epoch === this.end.epoch, `a batch of ${batch.epoch} in ${this.end.epoch}`)
          assert(batch.baseOffset >= this.end.offset, 'a batch below the end')
          this.batches.push(batch)
          this.end = { epoch: batch.epoch, offset: batch.nextOffset }
        }
        break
      case 'truncate':
        this.epochs.truncate(op.to)
        this.end = { epoch: this.epochs.last, offset: op.to.offset }
        while ((this.batches.at(-1)?.nextOffset ?? 0) > op.to.offset) this.batches.pop()
        break
      case 'install':
        this.epochs = new EpochTable(op.epochs)
        this.logStart = op.logStart
        this.end = { epoch: this.epochs.last, offset: op.logStart }
        this.batches = []
        this.tombstonesRemovedBelow = op.tombstonesRemovedBelow
        break
      case 'advance-log-start':
        this.logStart = op.offset
        this.epochs.advanceLogStart(op.offset)
        this.batches = this.batches.filter(({ nextOffset }) => nextOffset > op.offset)
        break
    }
  }

  /** Whole batches from `from` up to `below`, at most `count`. */
  read(from: Offset, below: Offset, count: number): readonly TestBatch[] {
    let first = this.batches.length
    while (first > 0 && this.batches[first - 1]!.nextOffset > from) first--
    const found: TestBatch[] = []
    for (let i = first; i < this.batches.length && found.length < count; i++) {
      const batch = this.batches[i]!
      if (batch.nextOffset > below) break
      found.push(batch)
    }
    return found
  }

  /** Compaction: takes one batch out, leaving a gap. The last batch of an epoch stays. */
  removeBatch(baseOffset: Offset): boolean {
    const i = this.batches.findIndex((batch) => batch.baseOffset === baseOffset)
    const next = this.batches[i + 1]
    if (i < 0 || next === undefined || next.epoch !== this.batches[i]!.epoch) return false
    const [gone] = this.batches.splice(i, 1)
    if (gone?.tombstone === true && gone.nextOffset > this.tombstonesRemovedBelow) {
      this.tombstonesRemovedBelow = gone.nextOffset
    }
    return true
  }
}

export class DiskModel {
  accepted: StoredReplica
  durable: StoredReplica
  #pending: JournalOp[] = []

  constructor(hardState: HardState) {
    this.accepted = new StoredReplica(hardState)
    this.durable = new StoredReplica(hardState)
  }

  /** Accepted and not synced. */
  get pending(): readonly JournalOp[] {
    return this.#pending
  }

  accept(op: JournalOp): void {
    this.accepted.apply(op)
    this.#pending.push(op)
  }

  /** The oldest `count`; a truncation and what caused it are one record (law R1). False: there was nothing to sync. */
  sync(count: number): boolean {
    let done = 0
    while (
      done < this.#pending.length &&
      (done < count || this.#pending[done - 1]?.kind === 'truncate')
    ) {
      this.durable.apply(this.#pending[done]!)
      done++
    }
    this.#pending.splice(0, done)
    return done > 0
  }

  /** A crash; of what was not synced the oldest `kept` survive by luck. */
  crash(kept: number): void {
    this.sync(kept)
    this.#pending = []
    this.accepted = this.durable.clone()
  }

  /** Damage: nothing is left (law R5). */
  wipe(hardState: HardState): void {
    this.#pending = []
    this.durable = new StoredReplica(hardState)
    this.accepted = new StoredReplica(hardState)
  }
}
