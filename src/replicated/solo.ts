// Replication for a node by itself: every log is a group of one voter. It keeps the laws that a larger group keeps: no
// process resumes an epoch (R2), only the own epoch commits, and commit means durable.

import { assert } from '../base/assert.ts'
import {
  asLeaderEpoch,
  type LeaderEpoch,
  type LogId,
  type NodeId,
  type Offset,
} from '../base/brand.ts'
import type { EpochTable } from '../base/epoch-table.ts'
import { comparePositions, type Position } from '../base/position.ts'
import type { Host } from '../env/env.ts'
import { stampBatches } from '../records/batch-header.ts'
import {
  type ReadRequest,
  type SegmentInfo,
  type Snapshots,
  type Store,
  type StoredBytes,
  type StoredLog,
  StoreError,
} from '../storage/store.ts'
import { COMMITTED, CommitWaiters } from './commit-waiters.ts'
import { Observers } from './observers.ts'
import type {
  AppendRejection,
  AppendResult,
  CommitOutcome,
  LogHost,
  LogObserver,
  LogSpec,
  ReplicatedLog,
  Role,
} from './replicated-log.ts'

export interface SoloOptions {
  /** Opened before and closed after the host by its owner. */
  readonly store: Store
  readonly nodeId: NodeId
  readonly host: Pick<Host, 'fatal'>
}

/** The logs of a node without peers. */
export class SoloLogHost implements LogHost {
  readonly nodeId: NodeId
  readonly #store: Store
  readonly #host: Pick<Host, 'fatal'>
  readonly #logs = new Map<LogId, SoloLog>()
  readonly #opening = new Map<LogId, Promise<ReplicatedLog>>()
  #closed = false

  constructor({ store, nodeId, host }: SoloOptions) {
    this.#store = store
    this.nodeId = nodeId
    this.#host = host
  }

  get storageFull(): boolean {
    return this.#store.full
  }

  logs(): Iterable<ReplicatedLog> {
    return this.#logs.values()
  }

  get(id: LogId): ReplicatedLog | undefined {
    return this.#logs.get(id)
  }

  /** Fails with StoreError `storage-full` when a new log can't be created. */
  open(spec: LogSpec): Promise<ReplicatedLog> {
    assert(!this.#closed, `open ${spec.id} on a closed host`)
    assert(
      spec.voters.length === 1 && spec.voters[0] === this.nodeId,
      `${spec.id} has voters ${spec.voters.join(',')}, this node is ${this.nodeId}`,
    )
    const open = this.#logs.get(spec.id)
    if (open !== undefined) return Promise.resolve(open)
    const opening = this.#opening.get(spec.id) ?? this.#lead(spec)
    this.#opening.set(spec.id, opening)
    return opening
  }

  /** An election with one voter: vote for itself, then start the epoch, each durable before the next. */
  async #lead(spec: LogSpec): Promise<ReplicatedLog> {
    try {
      const { directory, config } = spec
      const stored = this.#store.get(spec.id) ?? this.#store.create(spec.id, { directory, config })
      stored.configure(config)
      const term = Math.max(stored.hardState.term, stored.epochs.last, 0) + 1
      stored.saveHardState({ term, votedFor: this.nodeId, suspect: false })
      await this.#store.flush()
      assert(
        stored.durableHardState.term === term,
        `${spec.id}: the vote of ${term} is not durable`,
      )
      const epoch = asLeaderEpoch(term)
      stored.startEpoch(epoch)
      await this.#store.flush()
      assert(!this.#closed, `${spec.id} opened while its host closed`)
      const log = new SoloLog({ stored, epoch, store: this.#store, host: this.#host })
      this.#logs.set(spec.id, log)
      return log
    } finally {
      this.#opening.delete(spec.id)
    }
  }

  configure(id: LogId, config: LogSpec['config']): void {
    this.#store.get(id)?.configure(config)
  }

  async drop(id: LogId): Promise<void> {
    const opening = this.#opening.get(id)
    if (opening !== undefined) await Promise.allSettled([opening])
    this.#logs.get(id)?.end()
    this.#logs.delete(id)
    if (this.#store.get(id) !== undefined) this.#store.drop(id)
    await this.#store.flush()
  }

  /** What was accepted becomes durable and is answered; the store stays open. */
  async close(): Promise<void> {
    if (this.#closed) return
    await Promise.allSettled(this.#opening.values())
    this.#closed = true
    for (const log of this.#logs.values()) log.refuseAppends()
    await this.#store.flush()
    for (const log of this.#logs.values()) log.end()
    this.#logs.clear()
  }
}

interface SoloLogOptions {
  readonly stored: StoredLog
  readonly epoch: LeaderEpoch
  readonly store: Store
  readonly host: Pick<Host, 'fatal'>
}

class SoloLog implements ReplicatedLog {
  readonly id: LogId
  readonly #stored: StoredLog
  readonly #store: Store
  readonly #epoch: LeaderEpoch
  readonly #waiters = new CommitWaiters()
  readonly #observers: Observers
  #role: Role
  /** Never moves back; of the own epoch, since that is started before anyone holds this log. */
  #committed: Position
  #state: 'open' | 'closing' | 'ended' = 'open'

  constructor({ stored, epoch, store, host }: SoloLogOptions) {
    assert(stored.durable.epoch === epoch, `${stored.id}: epoch ${epoch} is not durable`)
    this.id = stored.id
    this.#stored = stored
    this.#store = store
    this.#epoch = epoch
    this.#observers = new Observers(host)
    this.#role = { kind: 'leader', epoch, established: true }
    this.#committed = stored.durable
    stored.onDurable((durable) => this.#onDurable(durable))
  }

  get role(): Role {
    return this.#role
  }

  get logStart(): Offset {
    return this.#stored.logStart
  }

  get logEnd(): Position {
    return this.#stored.end
  }

  get highWatermark(): Offset {
    return this.#committed.offset
  }

  get epochs(): EpochTable {
    return this.#stored.epochs
  }

  get bytes(): number {
    return this.#stored.bytes
  }

  get snapshots(): Snapshots {
    return this.#stored.snapshots
  }

  segments(): readonly SegmentInfo[] {
    return this.#stored.segments()
  }

  append(
    batches: Uint8Array,
    { expectedEpoch }: { readonly expectedEpoch?: LeaderEpoch } = {},
  ): AppendResult {
    if (this.#state !== 'open') return rejected('closed')
    if (expectedEpoch !== undefined && expectedEpoch !== this.#epoch)
      return rejected('fenced-epoch')
    const baseOffset = this.#stored.end.offset
    const summary = stampBatches(batches, baseOffset, this.#epoch)
    assert(summary.length > 0, `${this.id}: an append without a batch`)
    try {
      this.#stored.append(batches, summary)
    } catch (error) {
      if (error instanceof StoreError && error.code === 'storage-full') {
        return rejected('storage-full')
      }
      throw error
    }
    const end = this.#stored.end
    this.#observers.notify((observer) => observer.onAppended?.(batches, baseOffset))
    return { kind: 'accepted', baseOffset, end, committed: this.#waiters.wait(end) }
  }

  whenCommitted(position: Position): Promise<CommitOutcome> {
    if (comparePositions(position, this.#committed) <= 0) return Promise.resolve(COMMITTED)
    if (this.#state === 'ended') return Promise.resolve({ kind: 'unknown', reason: 'closed' })
    return this.#waiters.wait(position)
  }

  /** The sole voter is its own majority. */
  readBarrier(): Promise<CommitOutcome> {
    return Promise.resolve(this.#state === 'ended' ? CLOSED : COMMITTED)
  }

  read(request: ReadRequest): StoredBytes | Promise<StoredBytes> {
    return this.#stored.read(request)
  }

  seekTimestamp(timestampMs: number, below: Offset): Promise<Offset | undefined> {
    return this.#stored.seekTimestamp(timestampMs, below)
  }

  async advanceLogStart(offset: Offset): Promise<CommitOutcome> {
    if (this.#state !== 'open') return CLOSED
    assert(offset <= this.highWatermark, `${this.id}: log start ${offset} above the commit`)
    if (offset > this.#stored.logStart) {
      this.#stored.advanceLogStart(offset)
      this.#observers.notify((observer) => observer.onLogStartChanged?.(offset))
    }
    await this.#store.flush()
    return COMMITTED
  }

  observe(observer: LogObserver): () => void {
    return this.#observers.add(observer)
  }

  refuseAppends(): void {
    if (this.#state === 'open') this.#state = 'closing'
  }

  /** Whoever still waits learns that the outcome is unknown. */
  end(): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#role = { kind: 'follower', epoch: this.#epoch, leader: undefined }
    this.#waiters.fail('closed')
    this.#observers.notify((observer) => observer.onClosed?.())
  }

  #onDurable(durable: Position): void {
    if (this.#state === 'ended' || comparePositions(durable, this.#committed) <= 0) return
    assert(durable.epoch === this.#epoch, `${this.id}: durable in epoch ${durable.epoch}`)
    this.#committed = durable
    this.#observers.notify((observer) => observer.onCommitted?.(durable.offset))
    this.#waiters.advance(durable)
  }
}

const CLOSED: CommitOutcome = { kind: 'unknown', reason: 'closed' }

function rejected(reason: AppendRejection): AppendResult {
  return { kind: 'rejected', reason }
}
