// A group of replicas in one place, each step of it scripted: what is delivered, what is synced, who crashes. Around each
// core stands the least driver there can be, in the order that `Effects` asks for. The invariants are checked throughout.

import { assert } from '../../base/assert.ts'
import {
  asLeaderEpoch,
  asNodeId,
  asOffset,
  type LeaderEpoch,
  type NodeId,
  type Offset,
} from '../../base/brand.ts'
import type { HardState } from '../durability.ts'
import type { Effects, RaftEvent } from '../events.ts'
import type { Message } from '../messages.ts'
import { Raft, type RaftTiming } from '../raft.ts'
import { DiskModel, type JournalOp, type StoredReplica, type TestBatch } from './disk-model.ts'
import { Invariants } from './invariants.ts'
import { type Envelope, NetworkModel } from './network-model.ts'
import type { Focus } from './schedule.ts'
import type { LastAck } from './variants.ts'
import { showMessage, showOperation } from './trace.ts'

export const TIMING: RaftTiming = {
  rankStepMs: 10,
  claimMs: 150,
  retryMs: 100,
  quorumMs: 300,
  deferMs: 50,
  transferMs: 200,
}

/** More steps than any test takes until its group rests. */
const ROUNDS_MAX = 10_000
/** More messages than any follower is sent at once. */
const MESSAGES_MAX = 1_000

/** What a broken core, or a broken driver of it, would do otherwise. */
export interface Variant {
  readonly name: string
  /** Promises are not checked as they leave: what comes of them must show. */
  readonly blind?: boolean
  /** Makes random schedules likely to meet it. */
  readonly focus?: Focus
  readonly voters?: number
  readonly incoming?: (node: TestNode, message: Message<TestBatch>) => Message<TestBatch>
  readonly outgoing?: (
    node: TestNode,
    to: NodeId,
    message: Message<TestBatch>,
  ) => Message<TestBatch>
  /** Before it is saved. */
  readonly hardState?: (node: TestNode, state: HardState) => void
  readonly operation?: (node: TestNode, op: JournalOp) => JournalOp
  /** What the core is told to be durable. */
  readonly durable?: (node: TestNode) => StoredReplica
  readonly damaged?: (state: HardState) => HardState
  /** The core is never told of removed tombstones. */
  readonly ignoresTombstones?: boolean
  readonly after?: (node: TestNode, cluster: Cluster, event: RaftEvent<TestBatch>) => void
}

/** Batches are of so many keys, each written and ended in turn. */
const KEYS = 6

export class TestNode {
  readonly id: NodeId
  readonly disk: DiskModel
  /** Undefined: it is down. */
  core: Raft<TestBatch> | undefined
  boot = 0
  damaged = false
  /** Refuses what has bytes: its disk is full. */
  full = false
  wantsPump = false
  /** For variants. */
  readonly claimedVotes = new Map<LeaderEpoch, NodeId>()
  lastAck: LastAck | undefined
  candidacy = 0

  constructor(id: NodeId) {
    this.id = id
    this.disk = new DiskModel(NO_VOTE)
  }

  get accepted(): StoredReplica {
    return this.disk.accepted
  }

  get durable(): StoredReplica {
    return this.disk.durable
  }

  get raft(): Raft<TestBatch> {
    assert(this.core !== undefined, `node ${this.id} is down`)
    return this.core
  }
}

export interface ClusterOptions {
  readonly voters: number
  readonly random?: () => number
  readonly variant?: Variant
  /** Keeps a trace. */
  readonly traced?: boolean
  readonly timing?: Partial<RaftTiming>
}

export class Cluster {
  readonly nodes: readonly TestNode[]
  readonly network = new NetworkModel()
  readonly invariants: Invariants
  readonly trace: string[] = []
  /** Batches that some replica has compacted away. */
  readonly compacted = new Set<Offset>()
  readonly #voters: readonly NodeId[]
  readonly #random: () => number
  readonly #variant: Variant
  readonly #traced: boolean
  readonly #timing: RaftTiming
  nowMs = 0
  #values = 0

  constructor(options: ClusterOptions) {
    this.#random = options.random ?? (() => 0.5)
    this.#variant = options.variant ?? { name: 'none' }
    this.#traced = options.traced ?? true
    this.#timing = { ...TIMING, ...options.timing }
    this.nodes = Array.from({ length: options.voters }, (_, i) => new TestNode(asNodeId(i + 1)))
    this.#voters = this.nodes.map(({ id }) => id)
    this.invariants = new Invariants(() => this.nodes)
    for (const { id } of this.nodes) this.start(id)
  }

  node(id: number): TestNode {
    const node = this.nodes[id - 1]
    assert(node !== undefined, `no node ${id}`)
    return node
  }

  core(id: number): Raft<TestBatch> {
    return this.node(id).raft
  }

  note(line: string): void {
    if (this.#traced) this.trace.push(line)
  }

  // Processes

  start(id: number): void {
    const node = this.node(id)
    assert(node.core === undefined, `node ${id} runs`)
    node.boot++
    node.wantsPump = false
    const { hardState, logStart, end, epochs } = node.durable
    node.core = new Raft<TestBatch>({
      self: node.id,
      voters: this.#voters,
      hardState,
      log: { logStart, end, epochs },
      timing: this.#timing,
      random: this.#random,
      nowMs: this.nowMs,
    })
    this.invariants.restarted(node.id)
  }

  /** `kept`: how many of the operations that were not synced survive. */
  crash(id: number, { kept = 0 }: { readonly kept?: number } = {}): void {
    const node = this.node(id)
    this.note(`${id} crashes${kept > 0 ? `, ${kept} operations survive unsynced` : ''}`)
    node.core = undefined
    node.disk.crash(kept)
    for (const peer of this.#peers(node.id)) {
      this.network.cut(node.id, peer, (envelope) => envelope.to === node.id || this.#lost())
      this.network.forget(node.id, peer)
    }
  }

  /** Law R5: all that it knew is lost, and it knows that. */
  damage(id: number): void {
    const node = this.node(id)
    assert(node.core === undefined, 'damage is found at a start')
    this.note(`${id} is damaged`)
    const state = { ...NO_VOTE, suspect: true }
    node.disk.wipe(this.#variant.damaged?.(state) ?? state)
    node.damaged = true
  }

  /** Law R5: it can't rely on its log any more, while it runs. */
  distrust(id: number): void {
    const node = this.node(id)
    this.note(`${id} distrusts its log`)
    node.damaged = true
    this.step(node, { kind: 'distrust' })
  }

  #lost(): boolean {
    return this.#random() < 0.5
  }

  // Connections

  #peers(id: NodeId): readonly NodeId[] {
    return this.#voters.filter((voter) => voter !== id)
  }

  connectAll(): void {
    for (const { id } of this.nodes) for (const peer of this.#peers(id)) this.connect(id, peer)
  }

  /** Both sides learn of it at once. */
  connect(a: number, b: number): void {
    if (this.node(a).core === undefined || this.node(b).core === undefined) return
    this.network.connect(this.node(a).id, this.node(b).id)
    this.tell(a, b)
    this.tell(b, a)
  }

  /** Both sides learn of it at once; what was on its way is lost. */
  cut(a: number, b: number): void {
    this.network.cut(this.node(a).id, this.node(b).id, () => true)
    this.tell(a, b)
    this.tell(b, a)
  }

  isolate(id: number): void {
    for (const peer of this.#peers(this.node(id).id)) this.cut(id, peer)
  }

  /** All that there is to say of the connection. */
  tell(id: number, peer: number): void {
    const node = this.node(id)
    if (node.core === undefined) return
    for (;;) {
      const kind = this.network.tell(node.id, this.node(peer).id)
      if (kind === undefined) return
      this.step(node, { kind, peer: this.node(peer).id, nowMs: this.nowMs })
    }
  }

  /** The peer's list of the groups that it leads arrives (law R8). */
  heartbeat(from: number, to: number): boolean {
    const [sender, node] = [this.node(from), this.node(to)]
    if (sender.core === undefined || node.core === undefined) return false
    const { network } = this
    if (!network.knowsUp(node.id, sender.id) || !network.connected(sender.id, node.id)) return false
    const { role, term } = sender.core
    if (role === 'leader') {
      this.step(node, { kind: 'leader-claim', leader: sender.id, epoch: term, nowMs: this.nowMs })
    } else if (node.core.leader === sender.id) {
      this.step(node, { kind: 'leader-unsupported', nowMs: this.nowMs })
    }
    return true
  }

  heartbeats(): void {
    for (const { id } of this.nodes) for (const peer of this.#peers(id)) this.heartbeat(id, peer)
  }

  // Messages

  deliver(envelope: Envelope, { again = false } = {}): void {
    const at = this.network.inFlight.indexOf(envelope)
    assert(at >= 0, 'not in flight')
    if (!again) this.network.inFlight.splice(at, 1)
    const node = this.node(envelope.to)
    if (node.core === undefined || node.boot !== envelope.toBoot) return
    if (this.network.outdated(node.id, envelope)) this.tell(node.id, envelope.from)
    const sender = this.node(envelope.from)
    if (sender.boot !== envelope.fromBoot && this.network.superseded(node.id, envelope)) return
    const { from } = envelope
    const message = this.#variant.incoming?.(node, envelope.message) ?? envelope.message
    this.note(`${from}→${node.id} ${showMessage(message)}`)
    if (
      node.full &&
      message.kind === 'append' &&
      message.batches.length > 0 &&
      message.term >= node.raft.term
    ) {
      this.#post(node, from, { kind: 'deferred', term: message.term })
      return
    }
    this.step(node, { kind: 'message', from, message, nowMs: this.nowMs })
  }

  inFlight(
    wanted: { readonly from?: number; readonly to?: number; readonly kind?: string } = {},
  ): Envelope[] {
    const { from, to, kind } = wanted
    return this.network.inFlight.filter(
      (envelope) =>
        (from === undefined || envelope.from === from) &&
        (to === undefined || envelope.to === to) &&
        (kind === undefined || envelope.message.kind === kind),
    )
  }

  #post(node: TestNode, to: NodeId, original: Message<TestBatch>): void {
    const message = this.#variant.outgoing?.(node, to, original) ?? original
    if (this.#variant.blind !== true) this.invariants.sent(node, to, message)
    const session = this.network.sessionFrom(node.id, to)
    if (session === undefined) return
    const toBoot = this.node(to).boot
    this.network.inFlight.push({ from: node.id, to, message, fromBoot: node.boot, toBoot, session })
  }

  post(node: TestNode, to: NodeId, message: Message<TestBatch>): void {
    this.#post(node, to, message)
  }

  // Events

  /** Waits until the node has something to do by time alone. */
  tick(id: number): void {
    const node = this.node(id)
    if (node.core === undefined || node.core.deadlineMs === Infinity) return
    this.nowMs = Math.max(this.nowMs, node.core.deadlineMs)
    this.note(`${id} at ${this.nowMs} ms`)
    this.step(node, { kind: 'tick', nowMs: this.nowMs })
  }

  append(id: number, values = 1): void {
    const node = this.node(id)
    assert(node.raft.acceptsAppends, `node ${id} takes no appends`)
    for (let i = 0; i < values; i++) {
      const { epoch, offset } = node.accepted.end
      const nextOffset = asOffset(offset + 1 + (this.#values % 3))
      const value = ++this.#values
      const key = value % KEYS
      const tombstone = Math.floor(value / KEYS) % 2 === 1
      const batch = { epoch, baseOffset: offset, nextOffset, value: `v${value}`, key, tombstone }
      this.invariants.ownAppend(batch)
      this.#accept(node, { kind: 'append', batches: [batch] })
    }
    this.step(node, { kind: 'appended', end: node.accepted.end })
  }

  sync(id: number, count = Infinity): void {
    const node = this.node(id)
    if (node.core === undefined || !node.disk.sync(count)) return
    this.note(`${id} syncs`)
    this.durable(node)
  }

  durable(node: TestNode): void {
    const { end: log, logStart, hardState } = this.#variant.durable?.(node) ?? node.durable
    this.step(node, { kind: 'durable', log, logStart, hardState, nowMs: this.nowMs })
  }

  step(node: TestNode, event: RaftEvent<TestBatch>): void {
    const { core } = node
    assert(core !== undefined, `node ${node.id} is down`)
    const before = { role: core.role, end: core.end, commit: core.commit }
    const effects = core.step(event)
    if (core.role === 'leader' && before.role !== 'leader') {
      this.note(`${node.id} leads ${core.term}`)
      this.invariants.leaderElected(node, asLeaderEpoch(core.term), before.end)
    }
    this.#carryOut(node, effects)
    this.#variant.after?.(node, this, event)
  }

  #carryOut(node: TestNode, effects: Effects<TestBatch>): void {
    const core = node.raft
    if (effects.hardState !== undefined) {
      this.#variant.hardState?.(node, effects.hardState)
      this.#accept(node, { kind: 'hard-state', state: effects.hardState })
    }
    for (const op of effects.log) this.#accept(node, op)
    for (const { to, message } of effects.send) this.#post(node, to, message)
    if (effects.committed !== undefined) {
      this.note(`${node.id} commits (${effects.committed.epoch}, ${effects.committed.offset})`)
      this.invariants.commitKnown(node, effects.committed, core.role === 'leader')
    }
    if (effects.replicate) node.wantsPump = true
  }

  #accept(node: TestNode, original: JournalOp): void {
    const op = this.#variant.operation?.(node, original) ?? original
    this.note(`${node.id} ${showOperation(op)}`)
    this.invariants.operation(node, op)
    node.disk.accept(op)
  }

  /** Sends what there is for the followers: of each at most `messages`, of at most `batches`. */
  pump(id: number, { messages = Infinity, batches = Infinity } = {}): void {
    const node = this.node(id)
    node.wantsPump = false
    for (const [follower] of node.raft.followers) {
      for (let sent = 0; sent < messages; sent++) {
        assert(sent < MESSAGES_MAX, 'there is always more to send')
        if (!this.#sendNext(node, follower, batches)) break
        if (sent + 1 === messages) node.wantsPump = true
      }
    }
  }

  #sendNext(node: TestNode, to: NodeId, count: number): boolean {
    const core = node.raft
    const { tombstonesRemovedBelow } = node.accepted
    const below = this.#variant.ignoresTombstones === true ? asOffset(0) : tombstonesRemovedBelow
    const plan = core.nextFor(to, below)
    if (plan === undefined) return false
    const { term } = core
    if (plan.kind === 'install') {
      const { logStart, epochs } = plan
      this.#post(node, to, { ...plan, term, snapshot: undefined })
      core.sent(to, { epoch: epochs.at(-1)!.epoch, offset: logStart })
      return true
    }
    const { prev, starts, from, probe } = plan
    const batches = node.accepted.read(from, plan.below, count)
    this.#post(node, to, { kind: 'append', ...core.appendFields, prev, starts, batches, probe })
    const epoch = starts.at(-1)?.epoch ?? prev.epoch
    core.sent(to, { epoch, offset: batches.at(-1)?.nextOffset ?? from })
    return true
  }

  /** For variants: changes the log behind the core's back; the core takes it from there. */
  rewrite(node: TestNode, op: JournalOp): void {
    node.disk.accept(op)
    node.disk.sync(Infinity)
    this.crash(node.id)
    this.start(node.id)
    for (const peer of this.#peers(node.id)) this.connect(node.id, peer)
  }

  compact(id: number, baseOffset: Offset): void {
    const node = this.node(id)
    if (node.disk.pending.length > 0) return
    if (!node.accepted.removeBatch(baseOffset)) return
    node.durable.removeBatch(baseOffset)
    this.compacted.add(baseOffset)
  }

  // Shortcuts for scripts

  /** Pumps, syncs and delivers until nothing is left to do. */
  settle({ except = [] as readonly number[] } = {}): void {
    for (let rounds = 0; rounds < ROUNDS_MAX; rounds++) {
      let busy = false
      for (const node of this.nodes) {
        if (node.core === undefined || except.includes(node.id)) continue
        if (node.disk.pending.length > 0) {
          this.sync(node.id)
          busy = true
        }
        if (node.wantsPump) {
          this.pump(node.id)
          busy = true
        }
      }
      const [next] = this.network.inFlight.filter(
        ({ from, to }) => !except.includes(to) && !except.includes(from),
      )
      if (next !== undefined) {
        this.deliver(next)
        busy = true
      }
      if (!busy) return
    }
    assert(false, 'it never comes to rest')
  }

  /** Makes the node leader: its turn comes, and everything goes through. */
  elect(id: number): void {
    this.tick(id)
    this.settle()
    assert(this.core(id).role === 'leader', `node ${id} does not lead`)
    this.heartbeats()
  }

  leaders(): TestNode[] {
    return this.nodes.filter(({ core }) => core?.role === 'leader')
  }
}

const NO_VOTE: HardState = { term: asLeaderEpoch(0), votedFor: undefined, suspect: false }
