// Many Raft groups on one node: one transport, one liveness, one store for all of them. It routes frames, pumps groups that
// have something to send once a turn, and wakes those whose deadline has come.

import { assert } from '../base/assert.ts'
import type { LeaderEpoch, LogId, NodeId } from '../base/brand.ts'
import type { Clock, Env, Random, Timer } from '../env/env.ts'
import { Limiter } from '../env/limiter.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { Reader } from '../protocol/reader.ts'
import { Writer } from '../protocol/writer.ts'
import type { LogConfig, Store } from '../storage/store.ts'
import { Calls } from './calls.ts'
import { decodeDescriptor, encodeDescriptor, type GroupDescriptor } from './descriptor.ts'
import { DiskReads } from './disk-reads.ts'
import type { Formation } from './formation.ts'
import { Fitness } from './fitness.ts'
import { FrameKind } from './frames.ts'
import { RaftGroup } from './group.ts'
import { decodeGroupMessage } from './group-codec.ts'
import { readGroupId } from './group-id.ts'
import type { GroupListener } from './group-listener.ts'
import type { GroupNode } from './group-node.ts'
import { Healing } from './healing.ts'
import { InSyncView } from './in-sync-view.ts'
import { LeaderTransfers, type TransferOutcome } from './leader-transfers.ts'
import { Liveness } from './liveness/liveness.ts'
import type { GroupObserver } from './observer.ts'
import type { AloneOptions, MultiRaftOptions, MultiRaftTiming } from './options.ts'
import { QuorumDescriptions, type QuorumDescription } from './quorum.ts'
import { Transport, type Lane, type NodeIdentity } from './transport/transport.ts'
import { UnknownGroups } from './unknown-groups.ts'

export interface GroupSpec {
  readonly id: LogId
  readonly directory: string
  readonly config: LogConfig
  readonly descriptor: GroupDescriptor
}

/** How often groups with a deadline are looked at. */
const TICK_MS = 10
/** Groups that may begin an election in one tick: thousands at once would drown the heartbeats. */
const WOKEN_PER_TICK_MAX = 64
/** Snapshots that are sent at a time: to whichever nodes, of whichever groups. */
const INSTALLS_MAX = 2
/** Largest frame: a message of one huge batch and its head. */
const FRAME_BYTES_MAX = 128 * 1024 * 1024

export class MultiRaft implements GroupNode {
  readonly nodeId: NodeId
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly timing: MultiRaftTiming
  readonly diskReads = new DiskReads()
  readonly installs = new Limiter(INSTALLS_MAX)
  readonly calls: Calls
  readonly observer: GroupObserver | undefined
  readonly #env: AloneOptions['env']
  readonly #groups = new Map<LogId, RaftGroup>()
  readonly #dirty = new Set<RaftGroup>()
  readonly #restless = new Set<RaftGroup>()
  readonly #unknown = new UnknownGroups((to, frame) => this.send(to, 'control', frame))
  readonly #transfers: LeaderTransfers
  readonly #quorums: QuorumDescriptions
  readonly #inSync: InSyncView
  #fitness: Fitness | undefined
  readonly #bootId: string
  /** Of the others. */
  readonly #peerIds: readonly NodeId[]
  #transport: Transport | undefined
  #liveness: Liveness | undefined
  #pumping: Timer | undefined
  #ticking: Timer | undefined
  #formation: Formation | undefined
  readonly #healing: Healing
  #closed = false

  private constructor(
    { env, nodeId, store, timing, observer }: AloneOptions,
    peerIds: readonly NodeId[],
  ) {
    this.#env = env
    this.nodeId = nodeId
    this.store = store
    this.clock = env.clock
    this.random = env.random
    this.timing = timing
    this.observer = observer
    this.#bootId = Buffer.from(env.random.bytes(16)).toString('base64url')
    this.calls = new Calls({
      timers: env.timers,
      send: (to, frame) => this.send(to, 'control', frame),
    })
    this.#healing = new Healing({
      env,
      calls: this.calls,
      groupOf: (id) => this.#groups.get(id),
      handOver: (group) => this.#transfers.moveAway(group),
    })
    this.#peerIds = peerIds
    this.#inSync = new InSyncView({
      nodeId,
      timers: env.timers,
      groups: this.#groups,
      peers: peerIds,
      isUp: (peer) => this.isUp(peer),
      leaderOf: (id) => this.leaderOf(id)?.nodeId,
      send: (to, frame) => this.send(to, 'control', frame),
    })
    const { transferMs } = timing
    const shared = { nodeId, clock: env.clock, timers: env.timers, calls: this.calls, transferMs }
    const groups = {
      get: (id: LogId) => this.#groups.get(id),
      groups: () => this.#groups.values(),
      leaderOf: (id: LogId) => this.leaderOf(id),
      isFit: (peer: NodeId) => this.isFit(peer),
    }
    this.#transfers = new LeaderTransfers({ ...shared, ...groups })
    this.#quorums = new QuorumDescriptions({ ...shared, ...groups })
  }

  /** A node by itself: every group has one voter, nothing listens. */
  static alone(options: AloneOptions): MultiRaft {
    return new MultiRaft(options, [])
  }

  /** Listens on the Raft port when it resolves. Fails with NetError or TransportConfigError. */
  static async open(options: MultiRaftOptions): Promise<MultiRaft> {
    const peerIds = options.cluster.peers.map(({ nodeId }) => nodeId)
    const node = new MultiRaft(options, peerIds)
    await node.#join(options)
    return node
  }

  async #join({ env, cluster }: MultiRaftOptions): Promise<void> {
    const { heartbeatMs, electionTimeoutMs } = this.timing
    this.#liveness = new Liveness({
      env,
      self: { nodeId: this.nodeId, bootId: this.#bootId },
      peers: this.#peerIds,
      intervalMs: heartbeatMs,
      electionTimeoutMs,
      send: (to, frame) => this.send(to, 'control', [LIVENESS_HEAD, ...frame]),
      handlers: {
        onPeerUp: (peer) => this.#peerUp(peer),
        onPeerDown: (peer) => this.#peerDown(peer),
        onClaim: (group, leader, epoch) => this.#groups.get(group)?.claimed(leader, epoch),
        onClaimGone: (group, leader) => this.#groups.get(group)?.claimGone(leader),
        onHigherEpoch: (group, epoch, from) => this.#groups.get(group)?.higherEpoch(from, epoch),
        onStatus: (peer, status) => this.#fitness?.onStatus(peer, status),
        epochOf: (group) => this.#groups.get(group)?.vouchedEpoch,
      },
    })
    this.#transport = await Transport.open({
      env,
      self: {
        nodeId: this.nodeId,
        directoryId: this.store.directoryId,
        bootId: this.#bootId,
      },
      listen: cluster.listen,
      peers: cluster.peers,
      ...(cluster.secret === undefined ? {} : { secret: cluster.secret }),
      frameBytesMax: FRAME_BYTES_MAX,
      handlers: {
        onFrame: (from, lane, frame) => this.#onFrame(from, lane, frame),
        onPeerUp: (peer) => this.#liveness?.transportUp(peer),
        onPeerDown: (peer) => {
          this.#formation?.peerDown(peer.nodeId)
          this.calls.sessionEnded(peer.nodeId)
          this.#liveness?.transportDown(peer.nodeId)
        },
        onDrain: (peer) => this.#drained(peer),
      },
    })
    this.#inSync.watch()
    this.#fitness = this.#watchDisk(env)
    this.#liveness.start()
  }

  /** Law R8: unfit, it does not campaign, and hands over as long as it leads anything. */
  #watchDisk({ clock, timers }: Env): Fitness {
    const fitness = new Fitness({
      clock,
      timers,
      flush: () => this.store.flush(),
      onChanged: (fit) => {
        for (const group of this.#groups.values()) group.setFit(fit)
      },
      onUnfit: () => void this.#transfers.handOver({ withinMs: this.timing.transferMs }),
      say: (status) => this.#liveness?.setStatus(status),
    })
    fitness.start()
    return fitness
  }

  // ── Groups ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  get(id: LogId): RaftGroup | undefined {
    return this.#groups.get(id)
  }

  /** What the stored replica was created with; undefined: there is none, or it is of a node by itself. */
  descriptorOf(id: LogId): GroupDescriptor | undefined {
    const stored = this.store.get(id)
    return stored === undefined ? undefined : decodeDescriptor(stored.descriptor)
  }

  /**
   * Creates (durably) or opens this node's replica; it takes part once it is returned. Its voters are those of its creation
   * record (law R7), whatever the spec says. Fails with StoreError `storage-full`.
   */
  async open(spec: GroupSpec, listenerOf: (group: RaftGroup) => GroupListener): Promise<RaftGroup> {
    assert(!this.#closed, `open ${spec.id} on a closed node`)
    assert(!this.#groups.has(spec.id), `${spec.id} is open already`)
    const { id, directory, config } = spec
    const stored =
      this.store.get(id) ??
      this.store.create(id, { directory, config, descriptor: encodeDescriptor(spec.descriptor) })
    // Law R5: it may have been here before the journal was damaged. Where it took part since, its term is above 0.
    const { term, suspect } = stored.hardState
    if (this.store.suspect && term === 0 && !suspect) {
      stored.saveHardState({ term, votedFor: undefined, suspect: true })
    }
    stored.configure(config)
    const descriptor = decodeDescriptor(stored.descriptor) ?? spec.descriptor
    assert(
      descriptor.voters.some(
        ({ nodeId, directoryId }) =>
          nodeId === this.nodeId && directoryId === this.store.directoryId,
      ),
      `${id}: this node's directory is not a voter`,
    )
    const group: RaftGroup = new RaftGroup({ node: this, stored, descriptor, listenerOf })
    this.#groups.set(id, group)
    if (!this.isFit(this.nodeId)) group.setFit(false)
    group.start()
    this.#liveness?.opened(id)
    await this.store.flush()
    this.#unknown.opened(id)
    return group
  }

  /** Stops taking part; the stored replica stays. */
  shut(id: LogId): void {
    const group = this.#groups.get(id)
    if (group === undefined) return
    group.close()
    this.#groups.delete(id)
    this.#dirty.delete(group)
    this.#restless.delete(group)
    this.#liveness?.termChanged(id)
  }

  // ── The node, as groups see it ──────────────────────────────────────────────────────────────────────────────────────

  isUp(node: NodeId): boolean {
    return this.#liveness?.isUp(node) ?? false
  }

  groupFrame(): Writer {
    const writer = new Writer(160)
    writer.int8(FrameKind.GROUP)
    return writer
  }

  send(to: NodeId, lane: Lane, frame: readonly Uint8Array[]): boolean {
    return this.#transport?.send(to, lane, frame) ?? false
  }

  markDirty(group: RaftGroup): void {
    if (this.#transport === undefined) return
    this.#dirty.add(group)
    this.#pumping ??= this.#env.timers.soon(() => {
      this.#pumping = undefined
      const dirty = [...this.#dirty]
      this.#dirty.clear()
      for (const each of dirty) each.pump()
    })
  }

  deadlineMoved(group: RaftGroup): void {
    this.#restless.add(group)
    this.#ticking ??= this.#env.timers.after(TICK_MS, () => this.#tick())
  }

  claim(group: LogId, epoch: LeaderEpoch): void {
    this.#liveness?.claim(group, epoch)
  }

  unclaim(group: LogId): void {
    this.#liveness?.unclaim(group)
  }

  termChanged(group: LogId): void {
    this.#liveness?.termChanged(group)
  }

  confirm(group: LogId, voters: readonly NodeId[], epoch: LeaderEpoch): Promise<boolean> {
    if (voters.length === 1) return Promise.resolve(true)
    return this.#liveness?.confirm(group, voters, epoch) ?? Promise.resolve(false)
  }

  heal(group: RaftGroup): void {
    this.#healing.heal(group)
  }

  failed(what: string, error: unknown): never {
    return this.#env.host.fatal(`${what} failed`, error)
  }

  // ── What is known of groups ─────────────────────────────────────────────────────────────────────────────────────────

  /** From its own replica, or from what the nodes say that they lead; the highest epoch counts. */
  leaderOf(id: LogId): { readonly nodeId: NodeId; readonly epoch: LeaderEpoch } | undefined {
    const raft = this.#groups.get(id)?.raft
    let best: { readonly nodeId: NodeId; readonly epoch: LeaderEpoch } | undefined
    if (raft?.leader !== undefined) best = { nodeId: raft.leader, epoch: raft.term }
    for (const nodeId of this.#peerIds) {
      const claim = this.#liveness?.claimsOf(nodeId).get(id)
      if (claim === undefined || (best !== undefined && best.epoch >= claim.epoch)) continue
      best = { nodeId, epoch: claim.epoch }
    }
    return best !== undefined && raft !== undefined && best.epoch < raft.term ? undefined : best
  }

  inSync(id: LogId, replicas: readonly NodeId[]): readonly NodeId[] {
    return this.#inSync.inSync(id, replicas)
  }

  /** `replica.lag.time.max.ms`. */
  setLagMax(ms: number): void {
    this.#inSync.setLagMax(ms)
  }

  /** As the leader knows it, wherever that is; undefined: it can't be asked. */
  describeQuorum(id: LogId): Promise<QuorumDescription | undefined> {
    return this.#quorums.describe(id)
  }

  // ── Leaderships ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Up, and its disk answers (law R8). */
  isFit(node: NodeId): boolean {
    if (node === this.nodeId) return this.#fitness?.fit ?? true
    return this.isUp(node) && (this.#fitness?.isPeerFit(node) ?? true)
  }

  transferLeadership(group: LogId, to: NodeId): Promise<TransferOutcome> {
    return this.#transfers.transfer(group, to)
  }

  /** Before a stop: others take over what this node leads, as far as they can within the time. */
  async leave(withinMs: number): Promise<void> {
    this.#fitness?.leave()
    await this.#transfers.handOver({ withinMs })
  }

  // ── The cluster ─────────────────────────────────────────────────────────────────────────────────────────────────────

  get bootId(): string {
    return this.#bootId
  }

  /** Of the peer's process, while its connections stand. */
  bootIdOf(peer: NodeId): string | undefined {
    return this.#transport?.identityOf(peer)?.bootId
  }

  setFormation(formation: Formation): void {
    this.#formation = formation
  }

  sendFormation(to: NodeId, body: Uint8Array): boolean {
    return this.send(to, 'control', [FORMATION_HEAD, body])
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#pumping?.cancel()
    this.#ticking?.cancel()
    this.#inSync.close()
    this.#fitness?.close()
    this.#transfers.close()
    for (const id of [...this.#groups.keys()]) this.shut(id)
    this.calls.close()
    this.#healing.close()
    this.#liveness?.close()
    await this.#transport?.close()
  }

  // ── Frames ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #onFrame(from: NodeIdentity, lane: Lane, frame: Uint8Array): void {
    const reader = new Reader(frame)
    const kind = reader.uint8()
    switch (kind) {
      case FrameKind.LIVENESS:
        return this.#liveness?.receive(from, reader.rest())
      case FrameKind.GROUP:
        return this.#onGroupFrame(from, reader)
      case FrameKind.GROUP_HERE:
        return this.#groups.get(readGroupId(reader))?.peerUp(from.nodeId)
      case FrameKind.CALL:
      case FrameKind.ANSWER:
        return this.calls.receive(from.nodeId, kind, reader)
      case FrameKind.LAGGING:
        return this.#inSync.receive(from.nodeId, reader)
      case FrameKind.FORMATION:
        return this.#formation?.receive(from, reader.rest())
      default:
        throw new ProtocolError(`a frame of kind ${kind} on the ${lane} lane`)
    }
  }

  #onGroupFrame(from: NodeIdentity, reader: Reader): void {
    const message = decodeGroupMessage(reader)
    const group = this.#groups.get(message.group)
    if (group === undefined) {
      this.#unknown.onMessage(from.nodeId, message.group, message.message)
      return
    }
    const voter = group.voters.find(({ nodeId }) => nodeId === from.nodeId)
    // Law R6: the node with another directory is another replica.
    if (voter === undefined || voter.directoryId !== from.directoryId) return
    group.receive(from.nodeId, message)
  }

  // ── Peers and time ──────────────────────────────────────────────────────────────────────────────────────────────────

  #peerUp(peer: NodeId): void {
    this.#inSync.peerUp(peer)
    for (const group of this.#groupsWith(peer)) group.peerUp(peer)
  }

  #peerDown(peer: NodeId): void {
    this.calls.peerDown(peer)
    this.#inSync.peerDown(peer)
    this.#fitness?.peerDown(peer)
    for (const group of this.#groupsWith(peer)) group.peerDown(peer)
  }

  #drained(peer: NodeId): void {
    for (const group of this.#groupsWith(peer)) this.markDirty(group)
  }

  *#groupsWith(peer: NodeId): Iterable<RaftGroup> {
    for (const group of [...this.#groups.values()]) {
      if (group.voters.some(({ nodeId }) => nodeId === peer)) yield group
    }
  }

  #tick(): void {
    this.#ticking = undefined
    const now = this.clock.monotonicMs()
    let woken = 0
    for (const group of [...this.#restless]) {
      const { deadlineMs } = group
      if (deadlineMs === Infinity) {
        this.#restless.delete(group)
        continue
      }
      if (deadlineMs > now) continue
      // Behind the others, for its next turn.
      this.#restless.delete(group)
      this.#restless.add(group)
      group.tick()
      if (++woken >= WOKEN_PER_TICK_MAX) break
    }
    if (this.#restless.size > 0) {
      this.#ticking ??= this.#env.timers.after(TICK_MS, () => this.#tick())
    }
  }
}

const LIVENESS_HEAD = Uint8Array.of(FrameKind.LIVENESS)
const FORMATION_HEAD = Uint8Array.of(FrameKind.FORMATION)
