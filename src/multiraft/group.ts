// One replica of one group: carries out what its Raft core asks for, against storage and towards the other replicas. The
// order within a step is law R2's: term and vote, then the log, then what may be said, then what others are told.

import { assert } from '../base/assert.ts'
import { asOffset, type LeaderEpoch, type LogId, type NodeId, type Offset } from '../base/brand.ts'
import { comparePositions, type Position } from '../base/position.ts'
import { Raft } from '../raft/raft.ts'
import type { Effects, LogOp, RaftEvent } from '../raft/events.ts'
import type { AppendRequest, InstallRequest } from '../raft/messages.ts'
import { stampBatches } from '../records/batch-header.ts'
import { type StoredLog, StoreError } from '../storage/store.ts'
import type { GroupDescriptor } from './descriptor.ts'
import { type GroupAppend, rejected } from './group-append.ts'
import { encodeGroupMessage, type GroupMessage, type WireBatch } from './group-codec.ts'
import type { GroupListener } from './group-listener.ts'
import type { GroupNode } from './group-node.ts'
import { soundEnd } from './healing.ts'
import { IncomingInstall } from './incoming-install.ts'
import { FollowerLags } from './in-sync.ts'
import { LogStartWaiters } from './log-start-waiters.ts'
import { Replication } from './replication.ts'

export interface GroupOptions {
  readonly node: GroupNode
  readonly stored: StoredLog
  readonly descriptor: GroupDescriptor
  readonly listenerOf: (group: RaftGroup) => GroupListener
}

export class RaftGroup {
  readonly id: LogId
  readonly stored: StoredLog
  readonly voters: GroupDescriptor['voters']
  readonly #node: GroupNode
  readonly #listener: GroupListener
  readonly #raft: Raft<WireBatch>
  readonly #replication: Replication
  /** Law R10: what the log start is after a restart. */
  #durableLogStart: Offset
  readonly #logStartWaiters = new LogStartWaiters()
  /** The leadership that is claimed on this node's list. */
  #claimed: LeaderEpoch | undefined
  /** What liveness was told last. */
  #vouched: LeaderEpoch | undefined
  #lags: FollowerLags
  /** The bytes of the append that is being taken. */
  #receiving: Uint8Array | undefined
  readonly #incoming: IncomingInstall
  /** This replica lost what it must know of the records below its log start. */
  #needsSnapshot = false
  #nodeFit = true
  #closed = false

  constructor({ node, stored, descriptor, listenerOf }: GroupOptions) {
    this.id = stored.id
    this.stored = stored
    this.voters = descriptor.voters
    this.#node = node
    this.#durableLogStart = stored.logStart
    this.#raft = new Raft({
      self: node.nodeId,
      voters: descriptor.voters.map(({ nodeId }) => nodeId),
      hardState: { ...stored.hardState, term: stored.hardState.term as LeaderEpoch },
      log: { logStart: stored.logStart, end: stored.end, epochs: stored.epochs },
      timing: node.timing,
      random: () => node.random.float(),
      nowMs: node.clock.monotonicMs(),
    })
    this.#vouched = this.vouchedEpoch
    this.#lags = new FollowerLags(this.#now())
    this.#replication = new Replication({
      node,
      group: this.id,
      stored,
      raft: this.#raft,
      again: () => node.markDirty(this),
      defer: (to) => this.#deferred(to),
      snapshotWanted: () => this.#listener.snapshotWanted(),
    })
    this.#incoming = new IncomingInstall({
      node,
      stored,
      install: (from, message) => this.#install(from, message),
      refuse: (from, term) => this.#send(from, { kind: 'deferred', term }),
    })
    this.#listener = listenerOf(this)
    stored.onDurable(() => this.#onDurable())
    stored.onDamage(() => this.#damaged())
  }

  /** Begins to take part. Separate, so that its owner knows it before the first callback. */
  start(): void {
    // Found as the log was opened, when nobody listened.
    if (this.stored.damage !== undefined) this.#damaged()
    for (const { nodeId } of this.voters) if (this.#node.isUp(nodeId)) this.peerUp(nodeId)
    if (this.voters.length === 1) this.tick()
    this.#node.deadlineMoved(this)
    this.#node.observer?.stepped(this)
  }

  get raft(): Raft<WireBatch> {
    return this.#raft
  }

  get deadlineMs(): number {
    return this.#raft.deadlineMs
  }

  // ── Events ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  tick(): void {
    this.#step({ kind: 'tick', nowMs: this.#now() })
  }

  peerUp(peer: NodeId): void {
    this.#step({ kind: 'peer-up', peer, nowMs: this.#now() })
  }

  peerDown(peer: NodeId): void {
    this.#replication.forget(peer)
    this.#incoming.forget(peer)
    this.#lags.down(peer)
    this.#step({ kind: 'peer-down', peer, nowMs: this.#now() })
  }

  claimed(leader: NodeId, epoch: LeaderEpoch): void {
    this.#step({ kind: 'leader-claim', leader, epoch, nowMs: this.#now() })
  }

  claimGone(leader: NodeId): void {
    if (this.#raft.leader !== leader) return
    this.#step({ kind: 'leader-unsupported', nowMs: this.#now() })
  }

  /** A node knows a higher epoch than the one that is claimed here (law R8). */
  higherEpoch(from: NodeId, epoch: LeaderEpoch): void {
    const message = { kind: 'higher-term', term: epoch } as const
    this.#step({ kind: 'message', from, message, nowMs: this.#now() })
  }

  /** The term, where this replica can vouch that it did nothing in a higher one. */
  get vouchedEpoch(): LeaderEpoch | undefined {
    return this.#raft.suspect ? undefined : this.#raft.term
  }

  /** Of the node's disk (law R8). */
  setFit(fit: boolean): void {
    this.#nodeFit = fit
    this.#fitness()
  }

  /** Law R5: what was damaged is as the leader has it. */
  healed(): void {
    this.#fitness()
    this.#onDurable()
    this.#node.markDirty(this)
  }

  /**
   * Law R5: its bytes can be healed only as a whole. It forgets its log and is suspect until it has the leader's. Between fewer
   * than three voters it would stay so.
   */
  distrust(): void {
    assert(
      this.voters.length > 2,
      `${this.id}: a suspect of ${this.voters.length} voters stays one`,
    )
    if (this.#raft.role === 'leader') return
    this.#step({ kind: 'distrust' })
  }

  transfer(to: NodeId): void {
    this.#step({ kind: 'transfer', to, nowMs: this.#now() })
  }

  /** A message of a voter whose identity was checked. */
  receive(from: NodeId, { message, bytes }: GroupMessage): void {
    if (this.#closed) return
    if (message.kind === 'append' && bytes.length > 0 && !this.#node.store.admits(bytes.length)) {
      this.#defer(from, message)
      return
    }
    if (message.kind === 'install' && message.snapshot !== undefined) {
      return this.#incoming.receive(from, message, bytes)
    }
    this.#receiving = bytes
    this.#step({ kind: 'message', from, message, nowMs: this.#now() })
    this.#receiving = undefined
    if (message.kind === 'ack') {
      this.#replication.acknowledged(from, message.durable)
      this.#lags.acknowledged(from, message.durable, this.#raft.end, this.#now())
      this.#settleLogStarts()
      this.#listener.onAcknowledged()
    } else if (message.kind === 'mismatch' || message.kind === 'deferred') {
      this.#replication.forget(from)
    }
  }

  /** Its snapshot is durable here. */
  #install(from: NodeId, message: InstallRequest): void {
    this.#step({ kind: 'message', from, message, nowMs: this.#now() })
    this.#needsSnapshot = false
    this.#fitness()
    if (!this.#closed) this.#listener.onSnapshot()
  }

  /** As leader: as if the follower had asked for it. */
  #deferred(to: NodeId): void {
    const message = { kind: 'deferred', term: this.#raft.term } as const
    this.#step({ kind: 'message', from: to, message, nowMs: this.#now() })
  }

  /** Law R5: it neither campaigns nor leads until it has the leader's. False: there is no other replica. */
  needSnapshot(): boolean {
    if (this.voters.length === 1) return false
    this.#needsSnapshot = true
    this.#fitness()
    this.#node.heal(this)
    return true
  }

  get needsSnapshot(): boolean {
    return this.#needsSnapshot
  }

  /** As leader: the follower asked for it. */
  sendSnapshot(to: NodeId): void {
    if (!this.#closed && this.#raft.role === 'leader') this.#replication.sendSnapshot(to)
  }

  /** The disk is full: the leader hears so, and who leads is learnt all the same. */
  #defer(from: NodeId, append: AppendRequest<WireBatch>): void {
    const message = { ...append, starts: [], batches: [] }
    this.#step({ kind: 'message', from, message, nowMs: this.#now() })
    if (append.term === this.#raft.term) this.#send(from, { kind: 'deferred', term: append.term })
  }

  // ── Leading ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes whole, validated batches into the log and stamps them. */
  append(batches: Uint8Array, expectedEpoch: LeaderEpoch | undefined): GroupAppend {
    if (this.#closed || !this.#raft.acceptsAppends) return rejected('not-leader')
    const epoch = this.#raft.term
    if (expectedEpoch !== undefined && expectedEpoch !== epoch) return rejected('fenced-epoch')
    const baseOffset = this.stored.end.offset
    const summary = stampBatches(batches, baseOffset, epoch)
    assert(summary.length > 0, `${this.id}: an append without a batch`)
    try {
      this.stored.append(batches, summary)
    } catch (error) {
      if (error instanceof StoreError && error.code === 'storage-full')
        return rejected('storage-full')
      throw error
    }
    const { end } = this.stored
    this.#listener.onAppended(batches, baseOffset)
    this.#step({ kind: 'appended', end })
    return { kind: 'accepted', baseOffset, end }
  }

  /** Resolves to true once this replica has moved its log start, and a majority durably; false when this leadership ended before. */
  advanceLogStart(offset: Offset): Promise<boolean> {
    if (this.#closed || this.#raft.role !== 'leader') return Promise.resolve(false)
    this.#step({ kind: 'advance-log-start', offset })
    const reached = this.#logStartWaiters.wait(offset)
    this.#settleLogStarts()
    return reached
  }

  /** Sends the followers what there is for them. Called once a turn, after `markDirty`. */
  pump(): void {
    if (!this.#closed) this.#replication.pump()
  }

  /** Leader only: voters that can be reached and are not in sync. */
  lagging(lagMsMax: number): NodeId[] {
    const nowMs = this.#now()
    const lagging: NodeId[] = []
    for (const [node, { match }] of this.#raft.followers) {
      if (!this.#node.isUp(node)) continue
      const caughtUp = comparePositions(match, this.#raft.end) >= 0
      if (!this.#lags.inSync(node, { caughtUp, nowMs, lagMsMax })) lagging.push(node)
    }
    return lagging
  }

  /** Leader only: the voter acknowledged in this epoch, and holds all, or did no longer ago than that. */
  isCaughtUp(node: NodeId, lagMsMax: number): boolean {
    const progress = this.#raft.followers.get(node)
    if (progress === undefined || !progress.answered || progress.suspect) return false
    const caughtUpMs = this.caughtUpMs(node)
    return caughtUpMs !== undefined && this.#now() - caughtUpMs <= lagMsMax
  }

  /** Leader only: how many voters hold the position durably, this one included; the suspect don't count. */
  holders(position: Position): number {
    let count = comparePositions(this.stored.durable, position) >= 0 ? 1 : 0
    for (const { match } of this.#raft.followers.values()) {
      if (comparePositions(match, position) >= 0) count++
    }
    return count
  }

  /** Leader only: when the voter last held everything, by the monotonic clock; undefined where that is not known. */
  caughtUpMs(node: NodeId): number | undefined {
    const progress = this.#raft.followers.get(node)
    if (progress === undefined || !this.#node.isUp(node)) return undefined
    const caughtUp = comparePositions(progress.match, this.#raft.end) >= 0
    return caughtUp ? this.#now() : this.#lags.caughtUpMs(node)
  }

  /** Law R9: this leadership stood at some moment after the call. */
  async confirm(): Promise<boolean> {
    const raft = this.#raft
    if (this.#closed || raft.role !== 'leader') return false
    const epoch = raft.term
    const confirmed = await this.#node.confirm(
      this.id,
      this.voters.map(({ nodeId }) => nodeId),
      epoch,
    )
    return confirmed && !this.#closed && raft.role === 'leader' && raft.term === epoch
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#unclaim()
    this.#replication.forgetAll()
    this.#logStartWaiters.fail()
    this.#node.observer?.closed(this)
  }

  // ── Carrying out ────────────────────────────────────────────────────────────────────────────────────────────────────

  #now(): number {
    return this.#node.clock.monotonicMs()
  }

  #onDurable(): void {
    const { durable, durableHardState } = this.stored
    const log = this.#isDamaged ? soundEnd(this.stored) : durable
    const hardState = { ...durableHardState, term: durableHardState.term as LeaderEpoch }
    this.#step({
      kind: 'durable',
      log,
      logStart: this.#durableLogStart,
      hardState,
      nowMs: this.#now(),
    })
  }

  #step(event: RaftEvent<WireBatch>): void {
    if (this.#closed) return
    const before = this.#raft.deadlineMs
    this.#carryOut(this.#raft.step(event))
    if (this.#raft.deadlineMs !== before) this.#node.deadlineMoved(this)
    this.#node.observer?.stepped(this)
  }

  #carryOut(effects: Effects<WireBatch>): void {
    if (effects.hardState !== undefined) {
      this.stored.saveHardState(effects.hardState)
      this.#vouch()
    }
    for (const op of effects.log) this.#apply(op)
    assert(
      comparePositions(this.stored.end, this.#raft.end) === 0,
      () =>
        `${this.id}: storage ends at ${this.stored.end.offset}, consensus at ${this.#raft.end.offset}`,
    )
    for (const { to, message } of effects.send) this.#send(to, message)
    if (effects.roleChanged) this.#roleChanged()
    if (effects.committed !== undefined) {
      this.stored.snapshots.settled(effects.committed)
      this.#listener.onCommitted(effects.committed)
    }
    if (effects.replicate) this.#node.markDirty(this)
  }

  #apply(op: LogOp<WireBatch>): void {
    switch (op.kind) {
      case 'start-epoch':
        return this.stored.startEpoch(op.epoch)
      case 'truncate':
        this.stored.truncate(op.to)
        return this.#listener.onTruncated(op.to)
      case 'append':
        return this.#applyAppend(op.batches)
      case 'install': {
        this.stored.install(op)
        this.#logStartMoved()
        this.#listener.onTruncated({ epoch: -1 as LeaderEpoch, offset: asOffset(0) })
        return this.#listener.onLogStart(op.logStart)
      }
      case 'advance-log-start': {
        const kept = this.#listener.beforeLogStart(op.offset)
        if (kept === undefined) return this.#moveLogStart(op.offset)
        const moved = kept.then(() => this.#moveLogStart(op.offset))
        moved.catch((error: unknown) => this.#node.failed(`the log start of ${this.id}`, error))
        return undefined
      }
    }
  }

  #applyAppend(batches: readonly WireBatch[]): void {
    const [first] = batches
    const last = batches.at(-1)
    assert(first !== undefined && last !== undefined, 'an append without a batch')
    assert(this.#receiving !== undefined, `${this.id}: an append outside a message`)
    const bytes = this.#receiving.subarray(first.at, last.at + last.summary.bytes)
    this.stored.append(
      bytes,
      batches.map(({ summary }) => summary),
    )
    this.#listener.onAppended(bytes, first.baseOffset)
  }

  /** A later one, or an install, may have overtaken it. */
  #moveLogStart(offset: Offset): void {
    if (this.#closed || offset <= this.stored.logStart) return
    this.stored.advanceLogStart(offset)
    this.#logStartMoved()
    this.#listener.onLogStart(offset)
  }

  #logStartMoved(): void {
    const { logStart } = this.stored
    const durable = this.#node.store.flush().then(() => {
      this.#durableLogStart = logStart
      this.#onDurable()
      this.#settleLogStarts()
    })
    durable.catch((error: unknown) => this.#node.failed(`the log start of ${this.id}`, error))
  }

  #settleLogStarts(): void {
    this.#logStartWaiters.reached(() => {
      const most = this.#raft.logStartOnMajority(this.#durableLogStart)
      // The followers may be ahead of this replica, which still serves what is to go.
      return most < this.stored.logStart ? most : this.stored.logStart
    })
  }

  /** Law R5. A sole voter has nobody to heal from: it goes on with what it has. */
  get #isDamaged(): boolean {
    return this.stored.damage !== undefined && this.voters.length > 1
  }

  #damaged(): void {
    if (this.#closed) return
    this.#fitness()
    this.#onDurable()
    this.#node.heal(this)
  }

  #fitness(): void {
    // Nobody else could lead for a sole voter, be its node stopping or its disk slow.
    const nodeFit = this.#nodeFit || this.voters.length === 1
    this.#step({ kind: 'fitness', fit: nodeFit && !this.#isDamaged && !this.#needsSnapshot })
  }

  /** Law R9: a read that counts on this replica must hear of it before the replica does anything in a higher term. */
  #vouch(): void {
    const vouched = this.vouchedEpoch
    if (vouched === this.#vouched) return
    this.#vouched = vouched
    this.#node.termChanged(this.id)
  }

  #roleChanged(): void {
    const raft = this.#raft
    const leads = raft.role === 'leader' ? raft.term : undefined
    if (this.#claimed !== leads) {
      this.#unclaim()
      if (leads !== undefined) {
        this.#claimed = leads
        this.#lags = new FollowerLags(this.#now())
        this.#node.claim(this.id, leads)
      } else {
        this.#replication.forgetAll()
        this.#logStartWaiters.fail()
      }
    }
    this.#listener.onRole()
  }

  #unclaim(): void {
    if (this.#claimed === undefined) return
    this.#claimed = undefined
    this.#node.unclaim(this.id)
  }

  #send(to: NodeId, message: GroupMessage['message']): void {
    this.#node.observer?.sent?.(this, to, message)
    const writer = this.#node.groupFrame()
    encodeGroupMessage(writer, this.id, message)
    this.#node.send(to, 'control', writer.finish())
  }
}
