// Test support: a Store in memory whose durability the test drives. It survives the "process" that uses it: `crash` forgets
// what was not durable and gives the logs to the next one.

import { assert } from '../../base/assert.ts'
import { asOffset, type LeaderEpoch, type LogId, type Offset } from '../../base/brand.ts'
import { NO_EPOCH } from '../../base/epoch-table.ts'
import { comparePositions, type Position } from '../../base/position.ts'
import { positionBelow } from '../../storage/position-below.ts'
import {
  type BatchSummary,
  type CreateOptions,
  type Damage,
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

  readonly suspect = false

  trust(): Promise<void> {
    return Promise.resolve()
  }

  logs(): Iterable<StoredLog> {
    return this.#logs.values()
  }

  get(id: LogId): MemoryStoredLog | undefined {
    return this.#logs.get(id)
  }

  create(id: LogId, options: CreateOptions): MemoryStoredLog {
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

/** Of a MemoryStore: `harm` is what the real one has bad disks for. */
export class MemoryStoredLog implements StoredLog {
  readonly id: LogId
  readonly incarnation = 1
  readonly memoryStart = asOffset(0)
  readonly descriptor: Uint8Array
  readonly #store: MemoryStore
  #log = new MemoryLog()
  /** What is durable, where truncations, installs and log starts since have taken from it. */
  #durableLog: MemoryLog | undefined
  #damage: Damage | undefined
  #repairedTo = asOffset(0)
  #damageListeners: ((damage: Damage) => void)[] = []
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
    const { damage } = this
    if (damage !== undefined && damage.to > to.offset) {
      this.#damage = damage.from < to.offset ? { from: damage.from, to: to.offset } : undefined
    }
    const below = positionBelow(this.#log.epochs, this.end)
    if (comparePositions(this.durable, below) > 0) this.durable = below
    this.#store.accepted()
  }

  install(to: InstallPoint): void {
    this.#keepDurable()
    this.#log.install(to)
    this.tombstonesRemovedBelow = to.tombstonesRemovedBelow ?? asOffset(0)
    this.#damage = undefined
    this.durable = { epoch: NO_EPOCH, offset: asOffset(0) }
    this.#store.accepted()
  }

  advanceLogStart(offset: Offset): void {
    this.#keepDurable()
    this.#log.advanceLogStart(offset)
    if (this.#damage !== undefined && this.#damage.to <= offset) this.#damage = undefined
    this.#store.accepted()
  }

  get damage(): Damage | undefined {
    return this.#damage
  }

  onDamage(listener: (damage: Damage) => void): void {
    this.#damageListeners.push(listener)
  }

  /** Makes reads in the range fail until it is repaired, as if its bytes had gone bad. The borders are those of batches. */
  harm(damage: Damage): void {
    this.#damage = damage
    this.#repairedTo = damage.from
    for (const listener of this.#damageListeners) listener(damage)
  }

  async repair(batches: Uint8Array, summary: readonly BatchSummary[]): Promise<Offset> {
    const damage = this.#damage
    assert(damage !== undefined, `nothing to repair in ${this.id}`)
    const from = summary[0]?.baseOffset
    assert(from === this.#repairedTo || from === damage.from, `repair from ${from}`)
    this.#repairedTo = this.#log.replace(batches, summary)
    assert(this.#repairedTo <= damage.to, `repair beyond ${damage.to}`)
    if (this.#repairedTo === damage.to) this.#damage = undefined
    return this.#repairedTo
  }

  tombstonesRemovedBelow = asOffset(0)

  rewriteSegments(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  onDurable(listener: (durable: Position) => void): void {
    this.#listeners.push(listener)
  }

  read(request: ReadRequest): StoredBytes {
    const { damage } = this
    if (damage === undefined || request.from >= damage.to) return this.#log.read(request)
    if (request.from >= damage.from) {
      throw new StoreError('corrupt', `offsets ${damage.from} … ${damage.to} of ${this.id}`)
    }
    const below = request.below < damage.from ? request.below : damage.from
    return this.#log.read({ ...request, below })
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
    this.#damageListeners = []
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
