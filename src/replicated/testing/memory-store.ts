// Test support: a Store in memory whose durability the test drives. It survives the "process" that uses it: `crash` forgets
// what was not durable and gives the logs to the next one.

import { assert } from '../../base/assert.ts'
import { asOffset, type LeaderEpoch, type LogId, type Offset } from '../../base/brand.ts'
import { NO_EPOCH } from '../../base/epoch-table.ts'
import { comparePositions, type Position } from '../../base/position.ts'
import { positionBelow } from '../../storage/log.ts'
import {
  type BatchSummary,
  type CreateOptions,
  DESCRIPTOR_BYTES_MAX,
  type HardState,
  type InstallPoint,
  type LogConfig,
  type ReadRequest,
  type SegmentInfo,
  type Store,
  type StoredBytes,
  type StoredLog,
  StoreError,
} from '../../storage/store.ts'
import { MemoryLog } from './memory-log.ts'

export class MemoryStore implements Store {
  readonly directoryId = 'memory'
  generation = 1
  full = false

  admits(): boolean {
    return !this.full
  }

  /** False: nothing becomes durable, and `flush` waits, until `sync` is called. */
  autoSync = true
  readonly #logs = new Map<LogId, MemoryStoredLog>()
  #flushes: (() => void)[] = []
  #syncs = 0

  logs(): Iterable<StoredLog> {
    return this.#logs.values()
  }

  get(id: LogId): StoredLog | undefined {
    return this.#logs.get(id)
  }

  create(id: LogId, options: CreateOptions): StoredLog {
    if (this.#logs.has(id)) throw new StoreError('exists', id)
    if (this.full) throw new StoreError('storage-full', options.directory)
    const log = new MemoryStoredLog(id, this, options.descriptor)
    this.#logs.set(id, log)
    return log
  }

  drop(id: LogId): void {
    assert(this.#logs.delete(id), `drop of unknown log ${id}`)
  }

  flush(): Promise<void> {
    const flushed = new Promise<void>((resolve) => this.#flushes.push(resolve))
    if (this.autoSync) void Promise.resolve().then(() => this.sync())
    return flushed
  }

  /** Makes everything accepted so far durable. */
  sync(): void {
    this.#syncs++
    for (const log of this.#logs.values()) log.sync()
    const flushes = this.#flushes
    this.#flushes = []
    for (const resolve of flushes) resolve()
  }

  /** As a power cut: what was not durable is gone; listeners and waiting flushes are forgotten. */
  crash(): void {
    this.generation++
    this.#flushes = []
    for (const log of this.#logs.values()) log.crash()
  }

  accepted(): void {
    if (this.autoSync) void Promise.resolve().then(() => this.sync())
  }

  stats(): ReturnType<Store['stats']> {
    return {
      journalBytes: 0,
      tailCacheBytes: 0,
      openFiles: 0,
      syncs: this.#syncs,
      freeBytes: Number.MAX_SAFE_INTEGER,
    }
  }

  async close(): Promise<void> {
    await this.flush()
  }
}

class MemoryStoredLog implements StoredLog {
  readonly id: LogId
  readonly incarnation = 1
  readonly descriptor: Uint8Array
  readonly #store: MemoryStore
  #log = new MemoryLog()
  /** What is durable, where truncations, installs and log starts since have taken from it. */
  #durableLog: MemoryLog | undefined
  #listeners: ((durable: Position) => void)[] = []
  durable: Position = this.#log.end
  hardState: HardState = { term: 0, votedFor: undefined, suspect: false }
  durableHardState: HardState = this.hardState

  constructor(id: LogId, store: MemoryStore, descriptor: Uint8Array = new Uint8Array(0)) {
    assert(descriptor.length <= DESCRIPTOR_BYTES_MAX, `descriptor of ${descriptor.length} bytes`)
    this.id = id
    this.#store = store
    this.descriptor = descriptor.slice()
  }

  get logStart(): Offset {
    return this.#log.logStart
  }

  get end(): Position {
    return this.#log.end
  }

  get epochs(): MemoryLog['epochs'] {
    return this.#log.epochs
  }

  get bytes(): number {
    return this.#log.bytes
  }

  get snapshots(): MemoryLog['snapshots'] {
    return this.#log.snapshots
  }

  /** What it was last configured with. */
  config: LogConfig | undefined

  configure(config: LogConfig): void {
    this.config = config
  }

  saveHardState(state: HardState): void {
    this.hardState = state
    this.#store.accepted()
  }

  startEpoch(epoch: LeaderEpoch): void {
    this.#log.startEpoch(epoch)
    this.#store.accepted()
  }

  append(batches: Uint8Array, summary: readonly BatchSummary[]): void {
    if (this.#store.full) throw new StoreError('storage-full', this.id)
    this.#log.append(batches, summary)
    this.#store.accepted()
  }

  truncate(to: Position): void {
    this.#keepDurable()
    this.#log.truncate(to)
    const below = positionBelow(this.#log.epochs, this.end)
    if (comparePositions(this.durable, below) > 0) this.durable = below
    this.#store.accepted()
  }

  install(to: InstallPoint): void {
    this.#keepDurable()
    this.#log.install(to)
    this.durable = { epoch: NO_EPOCH, offset: asOffset(0) }
    this.#store.accepted()
  }

  advanceLogStart(offset: Offset): void {
    this.#keepDurable()
    this.#log.advanceLogStart(offset)
    this.#store.accepted()
  }

  onDurable(listener: (durable: Position) => void): void {
    this.#listeners.push(listener)
  }

  read(request: ReadRequest): StoredBytes {
    return this.#log.read(request)
  }

  seekTimestamp(timestampMs: number, below: Offset): Promise<Offset | undefined> {
    return Promise.resolve(this.#log.seekTimestamp(timestampMs, below))
  }

  segments(): readonly SegmentInfo[] {
    return this.#log.segments()
  }

  sync(): void {
    const voted = this.durableHardState !== this.hardState
    this.durableHardState = this.hardState
    this.#durableLog = undefined
    if (!voted && this.durable.epoch === this.end.epoch && this.durable.offset === this.end.offset)
      return
    this.durable = this.end
    for (const listener of this.#listeners) listener(this.durable)
  }

  crash(): void {
    this.#listeners = []
    this.hardState = this.durableHardState
    if (this.#durableLog === undefined) {
      this.#log.truncate(this.durable)
      return
    }
    this.#log = this.#durableLog
    this.#durableLog = undefined
    this.durable = this.#log.end
  }

  /** Before the first change since the last sync that takes something away. */
  #keepDurable(): void {
    if (this.#durableLog !== undefined) return
    this.#durableLog = this.#log.copy()
    this.#durableLog.truncate(this.durable)
  }
}
