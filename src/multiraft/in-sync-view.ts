// Who is in sync, as one node sees it: of the groups that it leads by its own followers, of the others by what their leaders
// say (`in-sync.ts`). Looks at its own groups twice a second and tells the other nodes what has changed.

import type { LogId, NodeId } from '../base/brand.ts'
import type { Timer, Timers } from '../env/env.ts'
import type { Reader } from '../protocol/reader.ts'
import { Writer } from '../protocol/writer.ts'
import { FrameKind } from './frames.ts'
import type { RaftGroup } from './group.ts'
import { decodeLagging, encodeLagging, type LaggingByGroup, sameLagging } from './in-sync.ts'

const WATCH_MS = 500

export interface InSyncOptions {
  readonly nodeId: NodeId
  readonly timers: Timers
  readonly groups: ReadonlyMap<LogId, RaftGroup>
  readonly peers: readonly NodeId[]
  readonly isUp: (node: NodeId) => boolean
  readonly leaderOf: (id: LogId) => NodeId | undefined
  readonly send: (to: NodeId, frame: readonly Uint8Array[]) => void
}

export class InSyncView {
  readonly #options: InSyncOptions
  /** By the node that said so. */
  readonly #laggingAt = new Map<NodeId, LaggingByGroup>()
  #lagging: LaggingByGroup = new Map()
  #watching: Timer | undefined
  #lagMsMax = 30_000

  constructor(options: InSyncOptions) {
    this.#options = options
  }

  /** `replica.lag.time.max.ms`. */
  setLagMax(ms: number): void {
    this.#lagMsMax = ms
  }

  inSync(id: LogId, replicas: readonly NodeId[]): readonly NodeId[] {
    const { nodeId, groups, isUp, leaderOf } = this.#options
    const group = groups.get(id)
    const leader = leaderOf(id)
    const lagging =
      group?.raft.role === 'leader'
        ? group.lagging(this.#lagMsMax)
        : ((leader === undefined ? undefined : this.#laggingAt.get(leader)?.get(id)) ?? [])
    return replicas.filter((node) => (node === nodeId || isUp(node)) && !lagging.includes(node))
  }

  watch(): void {
    const { timers, groups, peers } = this.#options
    this.#watching = timers.after(WATCH_MS, () => this.watch())
    const lagging = new Map<LogId, readonly NodeId[]>()
    for (const group of groups.values()) {
      const nodes = group.lagging(this.#lagMsMax)
      if (nodes.length > 0) lagging.set(group.id, nodes)
    }
    if (sameLagging(lagging, this.#lagging)) return
    this.#lagging = lagging
    for (const node of peers) this.#say(node)
  }

  peerUp(peer: NodeId): void {
    this.#say(peer)
  }

  peerDown(peer: NodeId): void {
    this.#laggingAt.delete(peer)
  }

  /** Throws ProtocolError. */
  receive(from: NodeId, reader: Reader): void {
    this.#laggingAt.set(from, decodeLagging(reader))
  }

  close(): void {
    this.#watching?.cancel()
  }

  #say(to: NodeId): void {
    const writer = new Writer(64)
    writer.int8(FrameKind.LAGGING)
    encodeLagging(writer, this.#lagging)
    this.#options.send(to, writer.finish())
  }
}
