// Test support: a replicated log in memory that a test drives. It can lag its high watermark behind the log end, lose
// leadership, answer unknown, be cut back by a later leader, and refuse appends: whatever a real group may do to the state
// machine above it.

import { assert } from '../../base/assert.ts'
import {
  asLeaderEpoch,
  asLogId,
  asNodeId,
  asOffset,
  type LeaderEpoch,
  type LogId,
  type NodeId,
  type Offset,
} from '../../base/brand.ts'
import type { EpochTable } from '../../base/epoch-table.ts'
import { comparePositions, type Position } from '../../base/position.ts'
import { stampBatches, summarizeBatches } from '../../records/batch-header.ts'
import type { ReadRequest, SegmentInfo, Snapshots, StoredBytes } from '../../storage/store.ts'
import { COMMITTED, CommitWaiters } from '../commit-waiters.ts'
import { Observers } from '../observers.ts'
import type {
  AppendRejection,
  AppendResult,
  CommitOutcome,
  Leader,
  LogHost,
  LogObserver,
  LogSpec,
  QuorumDescription,
  ReplicatedLog,
  Role,
  TransferOutcome,
} from '../replicated-log.ts'
import { MemoryLog } from './memory-log.ts'

/** Throws what went wrong, so that the test sees it. */
const throwing = {
  fatal(message: string, cause?: unknown): never {
    throw new Error(message, { cause })
  },
}

export class ReplicatedLogDouble implements ReplicatedLog {
  readonly id: LogId
  voters: readonly NodeId[] = [asNodeId(1)]
  /** True: every append commits in a later microtask. False: the test calls `commit`. */
  autoCommit = true
  /** While set, appends are refused so. */
  refuseWith: AppendRejection | undefined
  tombstonesRemovedBelow = asOffset(0)
  tombstonesKeptFrom = asOffset(0)
  /** What read barriers answer while leading. */
  barrier: CommitOutcome = COMMITTED
  readonly #log = new MemoryLog()
  readonly #waiters = new CommitWaiters()
  readonly #observers = new Observers(throwing)
  #role: Role = { kind: 'follower', epoch: asLeaderEpoch(-1), leader: undefined }
  #committed: Position = this.#log.end

  /** Starts as the established leader of epoch 1, unless `follower`. */
  constructor(options: { readonly id?: LogId; readonly follower?: boolean } = {}) {
    this.id = options.id ?? asLogId('double-0')
    if (options.follower !== true) this.lead()
  }

  // What the test does to the log.

  /** Wins an election: a new epoch begins. `established: false` leaves its epoch start uncommitted until `commit`. */
  lead(options: { readonly established?: boolean } = {}): void {
    const epoch = asLeaderEpoch(Math.max(this.#log.end.epoch, this.#role.epoch, 0) + 1)
    this.#log.startEpoch(epoch)
    this.#setRole({ kind: 'leader', epoch, established: false })
    if (options.established !== false) this.commit()
  }

  /** Loses an election: waiting appends end as unknown. The log stays as it is until `truncate` or `replicate`. */
  loseLeadership(to: { readonly leader?: NodeId } = {}): void {
    const epoch = asLeaderEpoch(this.#role.epoch + 1)
    this.#setRole({ kind: 'follower', epoch, leader: to.leader })
    this.#waiters.fail('leadership-lost')
  }

  /** The group lost its majority for too long: the waiting appends fail, the node stays in its role. */
  failWaiting(reason: 'quorum-lost' | 'leadership-lost' = 'quorum-lost'): void {
    this.#waiters.fail(reason)
  }

  /** As a follower: a leader of the current epoch replaces what lies above the position. */
  truncate(to: Position): void {
    assert(this.#role.kind === 'follower', 'a leader never truncates its log')
    assert(comparePositions(to, this.#committed) >= 0, 'committed entries are never truncated')
    this.#log.truncate(to)
    this.#observers.notify((observer) => observer.onTruncated?.(to))
  }

  /** As a follower: the leader has no tombstones below, and has this log begin anew (law R10). Nothing is committed any more. */
  beginAnew(tombstonesRemovedBelow: Offset): void {
    assert(this.#role.kind === 'follower', 'a leader never begins its log anew')
    const { logStart, epochs } = this.#log
    const before = epochs.entries.filter(({ start }) => start <= logStart)
    this.#log.install({ logStart, epochs: before })
    this.#committed = this.#log.end
    this.tombstonesRemovedBelow = tombstonesRemovedBelow
    const to = { epoch: asLeaderEpoch(-1), offset: asOffset(0) }
    this.#observers.notify((observer) => observer.onTruncated?.(to))
    this.#observers.notify((observer) => observer.onLogStartChanged?.(logStart))
  }

  /** As a follower: takes batches from a leader, offsets and epoch already stamped. Not committed. */
  replicate(batches: Uint8Array, epoch: LeaderEpoch): void {
    assert(this.#role.kind === 'follower', 'a leader takes no entries')
    if (epoch > this.#log.end.epoch) this.#log.startEpoch(epoch)
    const baseOffset = this.#log.end.offset
    this.#log.append(batches, summarizeBatches(batches))
    this.#observers.notify((observer) => observer.onAppended?.(batches, baseOffset))
  }

  /** Moves the commit to the offset (the log end by default) and tells everyone. */
  commit(upTo: Offset = this.#log.end.offset): void {
    const position = { epoch: this.#log.epochs.last, offset: upTo }
    assert(this.#log.epochs.holds(position, this.#log.end.offset), `commit of ${upTo} not held`)
    if (comparePositions(position, this.#committed) <= 0) return
    const moved = position.offset > this.#committed.offset
    this.#committed = position
    const { role } = this
    if (role.kind === 'leader' && !role.established) {
      this.#setRole({ ...role, established: true })
    }
    if (moved) this.#observers.notify((observer) => observer.onCommitted?.(upTo))
    this.#waiters.advance(position)
  }

  /** As before a leader's log start moves here. */
  beforeLogStart(logStart: Offset): Promise<void> | undefined {
    return this.#observers.ask((observer) => observer.beforeLogStart?.(logStart))
  }

  close(): void {
    this.refuseWith = 'closed'
    this.#setRole({ kind: 'follower', epoch: this.#role.epoch, leader: undefined })
    this.#waiters.fail('closed')
    this.#observers.notify((observer) => observer.onClosed?.())
  }

  #setRole(role: Role): void {
    this.#role = role
    this.#observers.notify((observer) => observer.onRoleChanged?.(role))
  }

  // The replicated log.

  get role(): Role {
    return this.#role
  }

  get logStart(): Offset {
    return this.#log.logStart
  }

  get logEnd(): Position {
    return this.#log.end
  }

  get highWatermark(): Offset {
    return this.#committed.offset
  }

  get epochs(): EpochTable {
    return this.#log.epochs
  }

  get bytes(): number {
    return this.#log.bytes
  }

  get snapshots(): Snapshots {
    return this.#log.snapshots
  }

  /** It is the only replica. */
  needSnapshot(): boolean {
    return false
  }

  segments(): readonly SegmentInfo[] {
    return this.#log.segments()
  }

  append(
    batches: Uint8Array,
    { expectedEpoch }: { readonly expectedEpoch?: LeaderEpoch } = {},
  ): AppendResult {
    if (this.refuseWith !== undefined) return { kind: 'rejected', reason: this.refuseWith }
    if (this.#role.kind !== 'leader') return { kind: 'rejected', reason: 'not-leader' }
    const { epoch } = this.#role
    if (expectedEpoch !== undefined && expectedEpoch !== epoch) {
      return { kind: 'rejected', reason: 'fenced-epoch' }
    }
    const baseOffset = this.#log.end.offset
    this.#log.append(batches, stampBatches(batches, baseOffset, epoch))
    const end = this.#log.end
    this.#observers.notify((observer) => observer.onAppended?.(batches, baseOffset))
    const committed = this.#waiters.wait(end)
    if (this.autoCommit) void Promise.resolve().then(() => this.#commitIfLeading(end))
    return { kind: 'accepted', baseOffset, end, committed }
  }

  #commitIfLeading(end: Position): void {
    if (this.autoCommit && this.#role.kind === 'leader' && this.#role.epoch === end.epoch) {
      this.commit(end.offset)
    }
  }

  whenHeld(position: Position): Promise<CommitOutcome> {
    return this.whenCommitted(position)
  }

  whenCommitted(position: Position): Promise<CommitOutcome> {
    if (comparePositions(position, this.#committed) <= 0) return Promise.resolve(COMMITTED)
    return this.#waiters.wait(position)
  }

  readBarrier(): Promise<CommitOutcome> {
    const leading = this.#role.kind === 'leader'
    return Promise.resolve(leading ? this.barrier : { kind: 'unknown', reason: 'leadership-lost' })
  }

  read(request: ReadRequest): StoredBytes {
    return this.#log.read(request)
  }

  /** It has no sealed segments. */
  rewriteSegments(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  seekTimestamp(timestampMs: number, below: Offset): Promise<Offset | undefined> {
    return Promise.resolve(this.#log.seekTimestamp(timestampMs, below))
  }

  advanceLogStart(offset: Offset): Promise<CommitOutcome> {
    assert(this.#role.kind === 'leader' && offset <= this.highWatermark, `log start ${offset}`)
    this.#log.advanceLogStart(offset)
    this.#observers.notify((observer) => observer.onLogStartChanged?.(offset))
    return Promise.resolve(COMMITTED)
  }

  observe(observer: LogObserver): () => void {
    return this.#observers.add(observer)
  }
}

/** A host of doubles: every log leads at once, and the test reaches it by id. */
export class LogHostDouble implements LogHost {
  readonly nodeId: NodeId
  /** As of a node that was not registered when the topics were created. */
  directoryId = ''
  storageFull = false
  /** Given to each log that is opened. */
  autoCommit = true
  /** What each open waits for: a disk that does not answer. */
  opening: Promise<void> = Promise.resolve()
  readonly doubles = new Map<LogId, ReplicatedLogDouble>()
  readonly configured = new Map<LogId, LogSpec['config']>()
  readonly specs: LogSpec[] = []

  constructor(nodeId: NodeId = asNodeId(1)) {
    this.nodeId = nodeId
  }

  isUp(): boolean {
    return true
  }

  leaderOf(id: LogId): Leader | undefined {
    const role = this.doubles.get(id)?.role
    if (role === undefined) return undefined
    const nodeId = role.kind === 'leader' ? this.nodeId : role.leader
    return nodeId === undefined ? undefined : { nodeId, epoch: role.epoch }
  }

  isFit(): boolean {
    return true
  }

  transferLeadership(): Promise<TransferOutcome> {
    return Promise.resolve('target-unfit')
  }

  describeQuorum(): Promise<QuorumDescription | undefined> {
    return Promise.resolve(undefined)
  }

  inSync(_id: LogId, replicas: readonly NodeId[]): readonly NodeId[] {
    return replicas
  }

  logs(): Iterable<ReplicatedLog> {
    return this.doubles.values()
  }

  get(id: LogId): ReplicatedLogDouble | undefined {
    return this.doubles.get(id)
  }

  async open(spec: LogSpec): Promise<ReplicatedLogDouble> {
    await this.opening
    let log = this.doubles.get(spec.id)
    if (log === undefined) {
      log = new ReplicatedLogDouble({ id: spec.id })
      log.autoCommit = this.autoCommit
      this.doubles.set(spec.id, log)
      this.specs.push(spec)
    }
    this.configured.set(spec.id, spec.config)
    return log
  }

  configure(id: LogId, config: LogSpec['config']): void {
    this.configured.set(id, config)
  }

  drop(id: LogId): Promise<void> {
    this.doubles.get(id)?.close()
    this.doubles.delete(id)
    return Promise.resolve()
  }

  close(): Promise<void> {
    for (const log of this.doubles.values()) log.close()
    return Promise.resolve()
  }
}
