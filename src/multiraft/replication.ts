// A leader's sending side for one group: asks the core what each follower wants next, reads the bytes, keeps a bounded
// window of them on the way. Live batches come from memory in the same turn; a follower that is behind is fed from disk.

import type { LogId, NodeId } from '../base/brand.ts'
import { comparePositions, type Position } from '../base/position.ts'
import type { InstallPlan, SendPlan } from '../raft/events.ts'
import type { Raft } from '../raft/raft.ts'
import type { StoredBytes, StoredLog } from '../storage/store.ts'
import { StoreError } from '../storage/store.ts'
import { encodeGroupMessage, type WireBatch } from './group-codec.ts'
import type { GroupNode } from './group-node.ts'
import { OutgoingInstalls } from './outgoing-installs.ts'

/** Bytes of one message's batches; at least one batch goes, whatever its size. */
const MESSAGE_BYTES_MAX = 1 << 20
/** Bytes that one follower of one group may have on the way: sent, not yet durable there. */
const WINDOW_BYTES_MAX = 8 << 20

type AppendPlan = Extract<SendPlan, { kind: 'append' }>

interface Peer {
  reading: boolean
  inFlightBytes: number
  inFlight: { readonly upTo: Position; readonly bytes: number }[]
  /** It asked for what its state machine must know of the records below the log start. */
  snapshotAsked: boolean
}

export class Replication {
  readonly #node: GroupNode
  readonly #group: LogId
  readonly #stored: StoredLog
  readonly #raft: Raft<WireBatch>
  readonly #again: () => void
  readonly #installs: OutgoingInstalls
  readonly #peers = new Map<NodeId, Peer>()

  constructor(options: {
    readonly node: GroupNode
    readonly group: LogId
    readonly stored: StoredLog
    readonly raft: Raft<WireBatch>
    /** Has `pump` called again, in a later turn. */
    readonly again: () => void
    readonly defer: (to: NodeId) => void
    readonly snapshotWanted: () => boolean
  }) {
    this.#node = options.node
    this.#group = options.group
    this.#stored = options.stored
    this.#raft = options.raft
    this.#again = options.again
    this.#installs = new OutgoingInstalls({ ...options, ready: options.again })
  }

  pump(): void {
    for (const node of this.#raft.followers.keys()) this.#pumpTo(node)
  }

  acknowledged(node: NodeId, durable: Position): void {
    const peer = this.#peers.get(node)
    if (peer === undefined) return
    for (;;) {
      const [oldest] = peer.inFlight
      if (oldest === undefined || comparePositions(oldest.upTo, durable) > 0) return
      peer.inFlightBytes -= oldest.bytes
      peer.inFlight.shift()
    }
  }

  /** What is on its way to the node is lost. */
  forget(node: NodeId): void {
    this.#peers.delete(node)
    this.#installs.forget(node)
  }

  forgetAll(): void {
    this.#peers.clear()
    this.#installs.forgetAll()
  }

  /** The follower lost its snapshot: it gets this replica's, and keeps its log. */
  sendSnapshot(node: NodeId): void {
    this.#peer(node).snapshotAsked = true
    this.#again()
  }

  #pumpTo(node: NodeId): void {
    const peer = this.#peer(node)
    if (peer.snapshotAsked) {
      if (!this.#installs.send(node, this.#startPlan)) return
      peer.snapshotAsked = false
    }
    while (!peer.reading && peer.inFlightBytes < WINDOW_BYTES_MAX) {
      const plan = this.#next(node)
      if (plan === undefined) return
      if (plan.kind === 'install') {
        if (!this.#sendInstall(node, plan)) return
      } else if (plan.below === plan.from) {
        if (!this.#sendAppend(node, plan, undefined)) return
      } else if (!this.#readAndSend(node, peer, plan)) {
        return
      }
    }
  }

  /** False: stop pumping for now. */
  #readAndSend(node: NodeId, peer: Peer, plan: AppendPlan): boolean {
    const { from, below } = plan
    const read = () => this.#stored.read({ from, below, maxBytes: MESSAGE_BYTES_MAX })
    let bytes: StoredBytes | Promise<StoredBytes>
    try {
      // From disk, it begins when its turn comes.
      bytes =
        from >= this.#stored.memoryStart
          ? read()
          : this.#node.diskReads.run(this.#raft.end.offset - from, async () => read())
    } catch (error) {
      this.#readFailed(peer, error)
      return false
    }
    if (!(bytes instanceof Promise)) return this.#sendAppend(node, plan, bytes)
    peer.reading = true
    const sent = bytes.then((found) => this.#readDone(node, peer, plan, found))
    sent.catch((error: unknown) => this.#readFailed(peer, error))
    return false
  }

  #readDone(node: NodeId, peer: Peer, plan: AppendPlan, bytes: StoredBytes): void {
    peer.reading = false
    if (this.#peers.get(node) !== peer) return
    // What was read while tombstones went is not whole (law R10).
    const now = this.#next(node)
    const same = now?.kind === 'append' && comparePositions(now.prev, plan.prev) === 0
    if (same && !this.#sendAppend(node, { ...plan, probe: now.probe }, bytes)) return
    this.#pumpTo(node)
  }

  /** A log that is being closed, or whose start moved away, is no concern of replication; its damage is told elsewhere. */
  #readFailed(peer: Peer, error: unknown): void {
    peer.reading = false
    if (!(error instanceof StoreError)) this.#node.failed(`a read of ${this.#group}`, error)
    // The follower's place went below the log start meanwhile: the core knows what to do then.
    if (error.code === 'offset-out-of-range') this.#again()
  }

  #sendAppend(node: NodeId, plan: AppendPlan, read: StoredBytes | undefined): boolean {
    const { prev, starts, probe } = plan
    const epoch = starts.at(-1)?.epoch ?? prev.epoch
    const writer = this.#node.groupFrame()
    encodeGroupMessage(
      writer,
      this.#group,
      { kind: 'append', ...this.#raft.appendFields, prev, starts, probe, batches: [] },
      read?.chunks,
    )
    if (!this.#node.send(node, 'data', writer.finish())) return false
    const upTo: Position = { epoch, offset: read?.next ?? plan.from }
    this.#raft.sent(node, upTo)
    const peer = this.#peer(node)
    const bytes = read?.bytes ?? 0
    if (bytes > 0) {
      peer.inFlight.push({ upTo, bytes })
      peer.inFlightBytes += bytes
    }
    return true
  }

  #sendInstall(node: NodeId, plan: InstallPlan): boolean {
    if (!this.#installs.send(node, plan)) return false
    const epoch = plan.epochs.at(-1)?.epoch ?? this.#raft.term
    this.#raft.sent(node, { epoch, offset: plan.logStart })
    return true
  }

  #next(node: NodeId): SendPlan | undefined {
    return this.#raft.nextFor(node, this.#stored.tombstonesRemovedBelow)
  }

  get #startPlan(): InstallPlan {
    return this.#raft.startPlan(this.#stored.tombstonesRemovedBelow)
  }

  #peer(node: NodeId): Peer {
    let peer = this.#peers.get(node)
    if (peer === undefined) {
      peer = { reading: false, inFlightBytes: 0, inFlight: [], snapshotAsked: false }
      this.#peers.set(node, peer)
    }
    return peer
  }
}
