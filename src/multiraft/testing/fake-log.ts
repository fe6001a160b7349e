// Test support: a stored log in memory. Nothing is durable before the test says so, reads of the "disk" wait for the test, and
// every change of the log is told in order.

import { assert } from '../../base/assert.ts'
import {
  asLeaderEpoch,
  asLogId,
  asOffset,
  type LeaderEpoch,
  type LogId,
  type Offset,
} from '../../base/brand.ts'
import { EpochTable, type EpochStart } from '../../base/epoch-table.ts'
import { comparePositions, type Position } from '../../base/position.ts'
import {
  batchBytesAt,
  batchesIn,
  leaderEpochAt,
  summarizeBatches,
} from '../../records/batch-header.ts'
import { testBatch } from '../../storage/testing/batches.ts'
import {
  type BatchSummary,
  type Damage,
  type HardState,
  type InstallPoint,
  type ReadRequest,
  type SegmentInfo,
  type SegmentRewriter,
  type Snapshot,
  type Snapshots,
  StoreError,
  type StoredBytes,
  type StoredLog,
} from '../../storage/store.ts'

export const at = (epoch: number, offset: number): Position => ({
  epoch: asLeaderEpoch(epoch),
  offset: asOffset(offset),
})

export const show = ({ epoch, offset }: Position): string => `(${epoch}, ${offset})`

/** A batch of one record, in a log or to be stamped by one. */
export const oneRecord = (epoch: number, offset: number, payloadBytes = 20): Uint8Array =>
  testBatch({ epoch, baseOffset: offset, payloadBytes, seed: offset })

interface Read {
  readonly request: ReadRequest
  readonly resolve: (found: StoredBytes) => void
  readonly reject: (error: unknown) => void
}

export interface FakeLogOptions {
  /** Epoch 1 starts at 0 and ends here; every record is a batch of its own. */
  readonly end?: number
  readonly logStart?: number
  readonly suspect?: boolean
  /** Found before anybody listens. */
  readonly damage?: readonly [from: number, to: number]
}

export class FakeLog implements StoredLog {
  readonly id: LogId = asLogId('fake')
  readonly incarnation = 1
  readonly descriptor = new Uint8Array()
  readonly bytes = 0
  tombstonesRemovedBelow = asOffset(0)
  logStart: Offset
  end: Position
  durable: Position
  epochs: EpochTable
  hardState: HardState
  durableHardState: HardState
  memoryStart: Offset
  damage: Damage | undefined
  /** So many repairs find the log changed meanwhile. */
  changesOnRepair = 0
  /** The next appends fail with it. */
  failure: Error | undefined
  /** Reads below `memoryStart` that wait for the test. */
  readonly reads: Read[] = []
  readonly #tell: (what: string) => void
  #batches: { readonly summary: BatchSummary; readonly bytes: Uint8Array }[] = []
  #onDurable: (durable: Position) => void = () => {}
  #onDamage: (damage: Damage) => void = () => {}

  constructor(
    { end = 6, logStart = 0, suspect = false, damage }: FakeLogOptions,
    tell: (what: string) => void,
  ) {
    this.#tell = tell
    this.epochs = new EpochTable([{ epoch: asLeaderEpoch(1), start: asOffset(0) }])
    this.end = at(1, 0)
    for (let offset = 0; offset < end; offset++) this.#add(oneRecord(1, offset))
    this.logStart = asOffset(logStart)
    this.memoryStart = this.logStart
    this.durable = this.end
    this.hardState = { term: 1, votedFor: undefined, suspect }
    this.durableHardState = this.hardState
    if (damage !== undefined) this.damaged(...damage)
  }

  /** What was accepted is durable, term and vote too. */
  sync(): void {
    this.durable = this.end
    this.durableHardState = this.hardState
    this.#onDurable(this.durable)
  }

  damaged(from: number, to: number): void {
    this.damage = { from: asOffset(from), to: asOffset(to) }
    this.#onDamage(this.damage)
  }

  /** Answers the oldest read that waits. */
  answerRead(): void {
    const read = this.reads.shift()
    assert(read !== undefined, 'a read waits')
    read.resolve(this.#find(read.request))
  }

  failRead(error: unknown): void {
    const read = this.reads.shift()
    assert(read !== undefined, 'a read waits')
    read.reject(error)
  }

  /** The epoch of each offset. */
  get contents(): string {
    return this.#batches
      .map(({ bytes, summary }) => `${summary.baseOffset}:${leaderEpochAt(bytes, 0)}`)
      .join(' ')
  }

  configure(): void {}

  saveHardState(state: HardState): void {
    this.#tell(`save term ${state.term}, vote ${state.votedFor}${state.suspect ? ', suspect' : ''}`)
    this.hardState = state
  }

  startEpoch(epoch: LeaderEpoch): void {
    this.#tell(`start epoch ${epoch}`)
    this.epochs.add({ epoch, start: this.end.offset })
    this.end = { epoch, offset: this.end.offset }
  }

  append(batches: Uint8Array, summary: readonly BatchSummary[]): void {
    if (this.failure !== undefined) throw this.failure
    this.#tell(`append ${summary.map(({ baseOffset }) => baseOffset).join(' ')}`)
    assert(summary.length === summarizeBatches(batches).length, 'a summary of each batch')
    this.#add(batches)
  }

  truncate(to: Position): void {
    this.#tell(`truncate to ${show(to)}`)
    this.epochs.truncate(to)
    this.end = { epoch: this.epochs.last, offset: to.offset }
    this.#batches = this.#batches.filter(({ summary }) => summary.lastOffset < to.offset)
    if (comparePositions(this.durable, to) > 0) this.durable = to
  }

  install({ logStart, epochs }: InstallPoint): void {
    this.#tell(`install at ${logStart}`)
    this.epochs = new EpochTable(epochs as readonly EpochStart[])
    this.logStart = logStart
    this.end = { epoch: this.epochs.last, offset: logStart }
    this.durable = at(-1, 0)
    this.damage = undefined
    this.#batches = []
  }

  advanceLogStart(offset: Offset): void {
    this.#tell(`store log start ${offset}`)
    this.logStart = offset
    this.epochs.advanceLogStart(offset)
  }

  onDurable(listener: (durable: Position) => void): void {
    this.#onDurable = listener
  }

  onDamage(listener: (damage: Damage) => void): void {
    this.#onDamage = listener
  }

  read(request: ReadRequest): StoredBytes | Promise<StoredBytes> {
    if (request.from < this.logStart)
      throw new StoreError('offset-out-of-range', `${request.from} is below the log start`)
    if (request.from >= this.memoryStart) return this.#find(request)
    return new Promise((resolve, reject) => this.reads.push({ request, resolve, reject }))
  }

  repair(batches: Uint8Array, summary: readonly BatchSummary[]): Promise<Offset> {
    const { damage } = this
    const [first] = summary
    assert(damage !== undefined && first !== undefined && batches.length > 0, 'damage, and batches')
    const next = asOffset(summary.at(-1)!.lastOffset + 1)
    this.#tell(`repair ${first.baseOffset} to ${next}`)
    if (this.changesOnRepair > 0) {
      this.changesOnRepair--
      return Promise.resolve(damage.from)
    }
    if (next === damage.to) this.damage = undefined
    return Promise.resolve(next)
  }

  seekTimestamp(): Promise<Offset | undefined> {
    return otherwise('seekTimestamp')
  }

  rewriteSegments(): Promise<SegmentRewriter | undefined> {
    return otherwise('rewriteSegments')
  }

  segments(): readonly SegmentInfo[] {
    return otherwise('segments')
  }

  /** Of the log, whatever position they are of; one that is taken over waits for `adopted`. */
  readonly saved: Snapshot[] = []
  /** Settles what is being taken over. */
  adopted: ((durable: boolean) => void) | undefined

  get snapshots(): Snapshots {
    const keep = (at: Position, bytes: Uint8Array): void => void this.saved.push({ at, bytes })
    return {
      save: (at, bytes) => Promise.resolve(keep(at, bytes)).then(() => true),
      adopt: (at, bytes) =>
        new Promise((resolve) => {
          this.adopted = (durable) => {
            if (durable) keep(at, bytes)
            resolve(durable)
          }
        }),
      settled: () => {},
      latest: () => otherwise('latest snapshot'),
      survey: () =>
        Promise.resolve({
          held: this.saved.map(({ at }) => at),
          ahead: [],
          read: (at) => Promise.resolve(this.saved.find((one) => one.at === at)),
        }),
    }
  }

  #add(batches: Uint8Array): void {
    for (const start of batchesIn(batches)) {
      const bytes = batches.subarray(start, start + batchBytesAt(batches, start))
      const [summary] = summarizeBatches(bytes)
      assert(summary !== undefined, 'a batch')
      const epoch = leaderEpochAt(bytes, 0)
      assert(epoch === this.end.epoch, `a batch of epoch ${epoch} in ${this.end.epoch}`)
      assert(summary.baseOffset === this.end.offset, `a batch at ${summary.baseOffset}`)
      this.#batches.push({ summary, bytes })
      this.end = { epoch, offset: asOffset(summary.lastOffset + 1) }
    }
  }

  #find({ from, below, maxBytes }: ReadRequest): StoredBytes {
    const chunks: Uint8Array[] = []
    let size = 0
    let next = from
    for (const { summary, bytes } of this.#batches) {
      if (summary.lastOffset < from || summary.baseOffset >= below) continue
      if (chunks.length > 0 && size + bytes.length > maxBytes) break
      chunks.push(bytes)
      size += bytes.length
      next = asOffset(summary.lastOffset + 1)
    }
    return { chunks, bytes: size, next }
  }
}

function otherwise(name: string): never {
  throw new Error(`the log in memory has no ${name}`)
}
