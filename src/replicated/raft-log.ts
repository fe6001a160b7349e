// The seam to replication over Raft: what state machines and partitions see of one group's replica on this node.

import { assert } from '../base/assert.ts'
import type { LeaderEpoch, LogId, NodeId, Offset } from '../base/brand.ts'
import type { EpochTable } from '../base/epoch-table.ts'
import { comparePositions, type Position } from '../base/position.ts'
import type { Host } from '../env/env.ts'
import type { RaftGroup } from '../multiraft/group.ts'
import type { GroupListener } from '../multiraft/group-listener.ts'
import { tombstonesKeptFrom } from '../multiraft/spare.ts'
import type {
  ReadRequest,
  SegmentInfo,
  SegmentRange,
  SegmentRewriter,
  Snapshots,
  StoredBytes,
} from '../storage/store.ts'
import { COMMITTED, CommitWaiters } from './commit-waiters.ts'
import { Observers } from './observers.ts'
import type {
  AppendResult,
  CommitOutcome,
  LogObserver,
  ReplicatedLog,
  Role,
} from './replicated-log.ts'

export class RaftLog implements ReplicatedLog, GroupListener {
  readonly id: LogId
  readonly #group: RaftGroup
  readonly #waiters = new CommitWaiters()
  readonly #observers: Observers
  #holding: Holding[] = []
  #role: Role
  #highWatermark: Offset
  /** Somebody follows the log. */
  readonly #observed = Promise.withResolvers<void>()
  #state: 'open' | 'closing' | 'ended' = 'open'

  constructor(group: RaftGroup, host: Pick<Host, 'fatal'>) {
    this.id = group.id
    this.#group = group
    this.#observers = new Observers(host)
    this.#role = roleOf(group)
    this.#highWatermark = group.raft.commit.offset
  }

  get role(): Role {
    return this.#role
  }

  get voters(): readonly NodeId[] {
    return this.#group.voters.map(({ nodeId }) => nodeId)
  }

  get logStart(): Offset {
    return this.#group.stored.logStart
  }

  get logEnd(): Position {
    return this.#group.stored.end
  }

  get highWatermark(): Offset {
    return this.#highWatermark
  }

  get epochs(): EpochTable {
    return this.#group.stored.epochs
  }

  get bytes(): number {
    return this.#group.stored.bytes
  }

  get snapshots(): Snapshots {
    return this.#group.stored.snapshots
  }

  needSnapshot(): boolean {
    return this.#group.needSnapshot()
  }

  segments(): readonly SegmentInfo[] {
    return this.#group.stored.segments()
  }

  append(
    batches: Uint8Array,
    { expectedEpoch }: { readonly expectedEpoch?: LeaderEpoch } = {},
  ): AppendResult {
    if (this.#state !== 'open') return { kind: 'rejected', reason: 'closed' }
    const result = this.#group.append(batches, expectedEpoch)
    if (result.kind === 'rejected') return result
    return { ...result, committed: this.whenCommitted(result.end) }
  }

  whenCommitted(position: Position): Promise<CommitOutcome> {
    if (comparePositions(position, this.#group.raft.commit) <= 0) return Promise.resolve(COMMITTED)
    if (this.#state === 'ended') return Promise.resolve(CLOSED)
    if (this.#role.kind !== 'leader') return Promise.resolve(LOST)
    return this.#waiters.wait(position)
  }

  async whenHeld(position: Position, voters: number): Promise<CommitOutcome> {
    const outcome = await this.whenCommitted(position)
    if (outcome.kind !== 'committed' || this.#group.holders(position) >= voters) return outcome
    if (this.#state === 'ended') return CLOSED
    if (this.#role.kind !== 'leader') return LOST
    return new Promise((settle) => this.#holding.push({ position, voters, settle }))
  }

  /** A leader that is not established yet first commits its epoch start: before, its commit may be stale. */
  async readBarrier(): Promise<CommitOutcome> {
    const { role } = this
    if (this.#state === 'ended') return CLOSED
    if (role.kind !== 'leader') return LOST
    if (!role.established) {
      const start = this.epochs.entries.at(-1)
      assert(start?.epoch === role.epoch, `${this.id}: leads in ${role.epoch} without its start`)
      const outcome = await this.whenCommitted({ epoch: start.epoch, offset: start.start })
      if (outcome.kind !== 'committed') return outcome
    }
    if (await this.#group.confirm()) return COMMITTED
    return this.#state === 'open' ? LOST : CLOSED
  }

  read(request: ReadRequest): StoredBytes | Promise<StoredBytes> {
    return this.#group.stored.read(request)
  }

  seekTimestamp(timestampMs: number, below: Offset): Promise<Offset | undefined> {
    return this.#group.stored.seekTimestamp(timestampMs, below)
  }

  async rewriteSegments(range: SegmentRange): Promise<SegmentRewriter | undefined> {
    if (this.#state !== 'open') return undefined
    assert(range.to <= this.highWatermark, `${this.id}: rewrite to ${range.to} above the commit`)
    return this.#group.stored.rewriteSegments(range)
  }

  get tombstonesRemovedBelow(): Offset {
    return this.#group.stored.tombstonesRemovedBelow
  }

  get tombstonesKeptFrom(): Offset {
    return tombstonesKeptFrom(this.#group)
  }

  async advanceLogStart(offset: Offset): Promise<CommitOutcome> {
    if (this.#state !== 'open') return CLOSED
    assert(offset <= this.highWatermark, `${this.id}: log start ${offset} above the commit`)
    return (await this.#group.advanceLogStart(offset)) ? COMMITTED : LOST
  }

  observe(observer: LogObserver): () => void {
    const stop = this.#observers.add(observer)
    this.#observed.resolve()
    return stop
  }

  refuseAppends(): void {
    if (this.#state === 'open') this.#state = 'closing'
  }

  /** Whoever still waits learns that the outcome is unknown. */
  end(): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#role = { kind: 'follower', epoch: this.#role.epoch, leader: undefined }
    this.#waiters.fail('closed')
    this.#failHolding(CLOSED)
    this.#observers.notify((observer) => observer.onClosed?.())
  }

  // ── As the group's listener ─────────────────────────────────────────────────────────────────────────────────────────

  onAppended(batches: Uint8Array, baseOffset: Offset): void {
    this.#observers.notify((observer) => observer.onAppended?.(batches, baseOffset))
  }

  onTruncated(to: Position): void {
    // The log begins anew (law R10).
    if (to.offset < this.#highWatermark) this.#highWatermark = to.offset
    this.#observers.notify((observer) => observer.onTruncated?.(to))
  }

  /** A replica that has just opened waits for those who will follow it. */
  beforeLogStart(logStart: Offset): Promise<void> | undefined {
    const ask = () => this.#observers.ask((observer) => observer.beforeLogStart?.(logStart))
    return this.#observers.empty ? this.#observed.promise.then(ask) : ask()
  }

  onLogStart(logStart: Offset): void {
    if (this.#highWatermark < logStart) this.#highWatermark = logStart
    this.#observers.notify((observer) => observer.onLogStartChanged?.(logStart))
  }

  snapshotWanted(): boolean {
    let wanted = false
    this.#observers.notify((observer) => {
      if (observer.snapshotWanted?.() === true) wanted = true
    })
    return wanted
  }

  onSnapshot(): void {
    this.#observers.notify((observer) => observer.onSnapshot?.())
  }

  onCommitted(commit: Position): void {
    if (this.#state === 'ended') return
    const moved = commit.offset > this.#highWatermark
    if (moved) {
      this.#highWatermark = commit.offset
      this.#observers.notify((observer) => observer.onCommitted?.(commit.offset))
    }
    this.#waiters.advance(commit)
  }

  onAcknowledged(): void {
    if (this.#holding.length === 0) return
    const holding = this.#holding
    const isHeld = ({ position, voters }: Holding): boolean =>
      this.#group.holders(position) >= voters
    this.#holding = holding.filter((each) => !isHeld(each))
    for (const each of holding) if (isHeld(each)) each.settle(COMMITTED)
  }

  #failHolding(outcome: CommitOutcome): void {
    const holding = this.#holding
    this.#holding = []
    for (const { settle } of holding) settle(outcome)
  }

  onRole(): void {
    if (this.#state === 'ended') return
    const before = this.#role
    const now = roleOf(this.#group)
    if (sameRole(before, now)) return
    this.#role = now
    if (before.kind === 'leader' && (now.kind !== 'leader' || now.epoch !== before.epoch)) {
      const reason = now.epoch === before.epoch ? 'quorum-lost' : 'leadership-lost'
      this.#waiters.fail(reason)
      this.#failHolding({ kind: 'unknown', reason })
    }
    this.#observers.notify((observer) => observer.onRoleChanged?.(now))
  }
}

/** Someone who waits for more voters than a majority. */
interface Holding {
  readonly position: Position
  readonly voters: number
  readonly settle: (outcome: CommitOutcome) => void
}

const CLOSED: CommitOutcome = { kind: 'unknown', reason: 'closed' }
const LOST: CommitOutcome = { kind: 'unknown', reason: 'leadership-lost' }

function roleOf({ raft }: RaftGroup): Role {
  const epoch = raft.term
  if (raft.role === 'leader') return { kind: 'leader', epoch, established: raft.established }
  return { kind: 'follower', epoch, leader: raft.leader }
}

function sameRole(a: Role, b: Role): boolean {
  if (a.epoch !== b.epoch) return false
  if (a.kind === 'leader') return b.kind === 'leader' && a.established === b.established
  return b.kind === 'follower' && a.leader === b.leader
}
