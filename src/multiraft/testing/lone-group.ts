// Test support: one replica of a group on a node that is made of nothing, event by event. The test plays the other replicas, the
// disk and the time; what the replica asks of its log, its node and its listener is kept as short texts in one order.

import { assert } from '../../base/assert.ts'
import { asLeaderEpoch, asNodeId, asOffset, type NodeId } from '../../base/brand.ts'
import { Limiter } from '../../env/limiter.ts'
import { Reader } from '../../protocol/reader.ts'
import { Writer } from '../../protocol/writer.ts'
import type { AppendAck, AppendRequest, Message } from '../../raft/messages.ts'
import { DiskReads } from '../disk-reads.ts'
import { FrameKind } from '../frames.ts'
import { RaftGroup } from '../group.ts'
import { decodeGroupMessage, encodeGroupMessage, type WireBatch } from '../group-codec.ts'
import type { GroupListener } from '../group-listener.ts'
import type { GroupNode } from '../group-node.ts'
import { DEFAULT_TIMING } from '../options.ts'
import type { Lane } from '../transport/transport.ts'
import { at, FakeLog, type FakeLogOptions, oneRecord, show } from './fake-log.ts'

export interface LoneGroupOptions extends FakeLogOptions {
  readonly voters?: number
  /** Others that can be reached when the group starts. */
  readonly up?: readonly number[]
  /** Named by the test where it starts the group itself. */
  readonly started?: boolean
}

export interface Sent {
  readonly to: number
  readonly lane: Lane
  readonly message: Message<WireBatch>
  readonly bytes: Uint8Array
}

/** Replica 1. Its log holds epoch 1 from 0 on, all of it durable. */
export class LoneGroup {
  readonly log: FakeLog
  readonly group: RaftGroup
  /** What was asked of the log, the node and the listener, in order. */
  readonly trace: string[] = []
  /** Since `takeSent`. */
  sent: Sent[] = []
  nowMs = 1_000
  /** As the node knows it. */
  deadlineMs = Infinity
  /** What the node answers. */
  readonly up = new Set<number>()
  admits: (bytes: number) => boolean = () => true
  takes: (lane: Lane) => boolean = () => true
  confirms: () => Promise<boolean> = () => Promise.resolve(true)
  /** What a listener wants to keep before a log start moves on. */
  keeps: Promise<void> | undefined
  /** Snapshots that are sent at a time. */
  readonly installs = new Limiter(1)
  #flushes: (() => void)[] = []

  constructor(options: LoneGroupOptions = {}) {
    const tell = (what: string): void => void this.trace.push(what)
    const { voters = 3, up = [2, 3], started = true } = options
    for (const peer of up) this.up.add(peer)
    this.log = new FakeLog(options, tell)
    this.group = new RaftGroup({
      node: this.#node(tell),
      stored: this.log,
      descriptor: {
        voters: Array.from({ length: voters }, (_, i) => ({
          nodeId: asNodeId(i + 1),
          directoryId: `d${i + 1}`,
        })),
      },
      listenerOf: (group) => this.#listener(group, tell),
    })
    if (started) this.group.start()
  }

  get raft(): RaftGroup['raft'] {
    return this.group.raft
  }

  /** What was told since the last call. */
  takeTrace(): string[] {
    return this.trace.splice(0)
  }

  takeSent(): Sent[] {
    const sent = this.sent
    this.sent = []
    return sent
  }

  /** `kind to node`, of what was sent since the last call. */
  takeKinds(): string[] {
    return this.takeSent().map(({ to, message }) => `${message.kind} to ${to}`)
  }

  /** What was accepted is durable. */
  sync(): void {
    this.log.sync()
  }

  /** Whoever asked the store for a flush hears of it, in the next turn. */
  flush(): void {
    for (const resolve of this.#flushes.splice(0)) resolve()
  }

  comesUp(peer: number): void {
    this.up.add(peer)
    this.group.peerUp(asNodeId(peer))
  }

  goesDown(peer: number): void {
    this.up.delete(peer)
    this.group.peerDown(asNodeId(peer))
  }

  tick(): void {
    this.nowMs = this.deadlineMs
    this.group.tick()
  }

  /** From another replica, as it comes off the wire. */
  receive(from: number, message: Message, batches: readonly Uint8Array[] = []): void {
    const writer = new Writer(160)
    encodeGroupMessage(writer, this.group.id, message, batches)
    this.group.receive(
      asNodeId(from),
      decodeGroupMessage(new Reader(Buffer.concat(writer.finish()))),
    )
  }

  /** An append of the leader 2 in epoch 2, which starts at 6. */
  append(changes: Partial<AppendRequest<never>> = {}, batches: readonly Uint8Array[] = []): void {
    this.receive(2, { ...APPEND, ...changes }, batches)
  }

  ack(from: number, changes: Partial<AppendAck> = {}): void {
    const position = changes.durable ?? this.raft.end
    const round = this.raft.appendFields.round
    const ack = {
      kind: 'ack',
      term: this.raft.term,
      durable: position,
      accepted: position,
    } as const
    this.receive(from, {
      ...ack,
      logStart: asOffset(0),
      round,
      suspect: false,
      begunBelow: asOffset(0),
      ...changes,
    })
  }

  /** Stands for epoch 2, its vote is not durable yet. */
  campaign(): void {
    this.tick()
    const reply = { kind: 'pre-vote-reply', term: asLeaderEpoch(this.raft.term) } as const
    const forTerm = asLeaderEpoch(this.raft.term + 1)
    for (const peer of this.up) this.receive(peer, { ...reply, forTerm, granted: true })
    assert(this.raft.role === 'candidate', `a ${this.raft.role}`)
  }

  /** Leads the next epoch; its start is durable nowhere. */
  lead(): this {
    this.campaign()
    this.sync()
    const request = this.takeSent().find(({ message }) => message.kind === 'vote')?.message
    assert(request?.kind === 'vote', 'it asked for votes')
    const { term, candidacy } = request
    const grant = { kind: 'vote-grant', term, candidacy, logStart: asOffset(0) } as const
    for (const peer of this.up) this.receive(peer, grant)
    assert(this.raft.role === 'leader', `a ${this.raft.role}`)
    return this
  }

  /** Leads, and every follower that can be reached holds everything, as it has said. */
  established(): this {
    this.lead()
    this.sync()
    this.group.pump()
    for (const peer of this.up) this.ack(peer)
    this.group.pump()
    assert(this.raft.established, 'established')
    this.takeTrace()
    this.takeSent()
    return this
  }

  /** One batch of one record, as leader. */
  write(payloadBytes = 20): ReturnType<RaftGroup['append']> {
    return this.group.append(oneRecord(-1, 0, payloadBytes), undefined)
  }

  /** What the listener says when a follower needs a snapshot that is not there. */
  snapshotComes = false

  #listener(group: RaftGroup, tell: (what: string) => void): GroupListener {
    return {
      onAppended: (_, baseOffset) => tell(`appended ${baseOffset}`),
      onTruncated: (to) => tell(`truncated to ${show(to)}`),
      beforeLogStart: () => this.keeps,
      onLogStart: (logStart) => tell(`log start ${logStart}`),
      snapshotWanted: () => {
        tell('snapshot wanted')
        return this.snapshotComes
      },
      onSnapshot: () => tell('snapshot'),
      onCommitted: (commit) => tell(`committed ${show(commit)}`),
      onAcknowledged: () => tell('acknowledged'),
      onRole: () => tell(`${group.raft.role} in ${group.raft.term}`),
    }
  }

  #node(tell: (what: string) => void): GroupNode {
    return {
      nodeId: asNodeId(1),
      store: {
        admits: (bytes) => this.admits(bytes),
        flush: () => new Promise<void>((resolve) => this.#flushes.push(resolve)),
      },
      clock: { nowMs: () => this.nowMs, monotonicMs: () => this.nowMs },
      random: { float: () => 0.5, below: () => 0, bytes: (count) => new Uint8Array(count) },
      timing: DEFAULT_TIMING,
      diskReads: new DiskReads(),
      installs: this.installs,
      observer: { stepped: () => {}, closed: () => tell('closed') },
      isUp: (node) => node === 1 || this.up.has(node),
      groupFrame: () => {
        const writer = new Writer(160)
        writer.int8(FrameKind.GROUP)
        return writer
      },
      send: (to, lane, frame) => this.#send(to, lane, frame, tell),
      markDirty: () => tell('dirty'),
      deadlineMoved: ({ deadlineMs }) => {
        this.deadlineMs = deadlineMs
      },
      claim: (_, epoch) => tell(`claim ${epoch}`),
      unclaim: () => tell('unclaim'),
      termChanged: () => tell(`term changed to ${this.group.vouchedEpoch}`),
      confirm: (_, voters, epoch) => {
        tell(`confirm ${epoch} with ${voters.join(' ')}`)
        return this.confirms()
      },
      heal: () => tell('heal'),
      failed: (what, error) => {
        tell(`${what} failed: ${String(error)}`)
        // The process has ended; here it would be a rejection that nobody handles.
        return undefined as never
      },
    }
  }

  #send(
    to: NodeId,
    lane: Lane,
    frame: readonly Uint8Array[],
    tell: (what: string) => void,
  ): boolean {
    const reader = new Reader(Buffer.concat(frame))
    assert(reader.uint8() === FrameKind.GROUP, 'a frame of the groups')
    const { message, bytes } = decodeGroupMessage(reader)
    if (!this.takes(lane)) return false
    tell(`send ${message.kind} to ${to}`)
    this.sent.push({ to, lane, message, bytes })
    return true
  }
}

export const APPEND: AppendRequest<never> = {
  kind: 'append',
  term: asLeaderEpoch(2),
  prev: at(1, 6),
  starts: [{ epoch: asLeaderEpoch(2), start: asOffset(6) }],
  batches: [],
  commit: at(1, 0),
  logStart: asOffset(0),
  probe: true,
  round: 0,
}
