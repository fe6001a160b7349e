// The connections between the nodes of a cluster, on the Raft port. Each node dials each peer, once per lane, and a
// connection carries the dialler's frames only: catch-up on the data lane never stands before a heartbeat or a vote, and
// a network that fails in one direction shows as that.
//
// What holds for its users: `onPeerUp` and `onPeerDown` alternate for a peer; between them, the frames of one lane arrive
// in order and without gaps, up to where the session ends. What was sent shortly before the end may be lost.

import type { NodeId } from '../../base/brand.ts'
import { assert } from '../../base/assert.ts'
import type { Env, Timer } from '../../env/env.ts'
import type { Connection, NetAddress, NetListener } from '../../env/network.ts'
import { QuietLog } from '../../env/quiet-log.ts'
import type { HandshakeFailure } from './handshake.ts'
import { IncomingLink } from './incoming-link.ts'
import { Peer } from './peer.ts'
import { checkConfig } from './transport-config.ts'
import type { TransportContext } from './transport-context.ts'

/** control: heartbeats, votes, acknowledgements, requests; data: log entries, live and catch-up. */
export type Lane = 'control' | 'data'

/** One process of a node. */
export interface NodeIdentity {
  readonly nodeId: NodeId
  /** Random and durable before the first hello (law R6). 1 to 64 bytes, as is `bootId`. */
  readonly directoryId: string
  /** Random for each process start (law R8). */
  readonly bootId: string
}

export interface PeerAddress {
  readonly nodeId: NodeId
  readonly host: string
  readonly port: number
}

export interface TransportOptions {
  readonly env: Pick<Env, 'clock' | 'timers' | 'random' | 'network' | 'log'>
  readonly self: NodeIdentity
  readonly listen: NetAddress
  /** The others, without this node. */
  readonly peers: readonly PeerAddress[]
  /** The cluster secret; required unless every address, the own one included, is a loopback address. */
  readonly secret?: Uint8Array
  /** The largest frame that is sent or accepted. */
  readonly frameBytesMax: number
  readonly handlers: TransportHandlers
}

/** None is called before `open` resolved, nor after `close` was called. */
export interface TransportHandlers {
  /**
   * Called from the event-loop turn in which the bytes arrived, frames of one lane in order, never before the peer is up
   * or after it is down. The bytes are the callee's to keep; a small frame may be a view of a larger buffer.
   */
  onFrame(from: NodeIdentity, lane: Lane, frame: Uint8Array): void
  /** The peer's process is reachable: both directions of the control lane stand, both sides are verified. */
  onPeerUp(peer: NodeIdentity): void
  /**
   * Once per up: a connection with the peer ended, or it was silent for some seconds. `lost: …` is the end of a
   * connection, as of a killed process: suspicion at once.
   */
  onPeerDown(peer: NodeIdentity, reason: string): void
  /** Room again after `send` returned false to a peer that is up. */
  onDrain(peer: NodeId, lane: Lane): void
}

/** For status pages. */
export interface PeerState {
  readonly nodeId: NodeId
  readonly address: NetAddress
  /** Up. */
  readonly connected: boolean
  /** While up. */
  readonly identity: NodeIdentity | undefined
  /** Of both lanes. */
  readonly pendingBytes: number
  /** Why it is not connected, or what was last wrong. */
  readonly lastError: string | undefined
}

/** Since the start. */
export interface TransportCounters {
  /** Frames with a wrong checksum or a forbidden length. */
  readonly badFrames: number
  /** Incoming connections whose handshake was refused or failed. */
  readonly handshakesFailed: number
  /** Incoming connections that there was no room for. */
  readonly connectionsDropped: number
}

const TICK_MS = 1_000
/** How long what is queued may take to leave when the transport closes. */
const FINISH_MS_MAX = 300
/** Of lines about connections that fail or are refused, for each cause. */
const LOG_INTERVAL_MS = 60_000
const LANES = 2

export class Transport {
  readonly #context: TransportContext
  readonly #peers: ReadonlyMap<NodeId, Peer>
  readonly #connections = new Set<Connection>()
  readonly #incoming = new Set<IncomingLink>()
  readonly #incomingMax: number
  readonly #counters = { badFrames: 0, handshakesFailed: 0, connectionsDropped: 0 }
  #listener: NetListener | undefined
  #accepted = 0
  #tick: Timer | undefined
  #closed = false
  /** Called when the last connection of a closing transport is gone. */
  #onEmpty: (() => void) | undefined

  private constructor(options: TransportOptions) {
    const { env, self, peers, secret, frameBytesMax, handlers } = options
    this.#context = {
      env,
      self,
      secret,
      frameBytesMax,
      handlers,
      quietLog: new QuietLog({ clock: env.clock, log: env.log, intervalMs: LOG_INTERVAL_MS }),
      counters: this.#counters,
      opened: (connection) => void this.#connections.add(connection),
      gone: (connection) => this.#gone(connection),
    }
    this.#peers = new Map(peers.map((peer) => [peer.nodeId, new Peer(this.#context, peer)]))
    this.#incomingMax = peers.length * LANES * 4 + 16
  }

  /** Listening when it resolves. TransportConfigError for settings that can't work, NetError when the port is taken. */
  static async open(options: TransportOptions): Promise<Transport> {
    checkConfig(options)
    const transport = new Transport(options)
    transport.#listener = await options.env.network.listen(options.listen, (connection) =>
      transport.#accept(connection),
    )
    transport.#watch()
    // In the next turn, so that the caller has the transport before its handlers are called.
    options.env.timers.soon(() => {
      if (transport.#closed) return
      for (const peer of transport.#peers.values()) peer.start()
    })
    return transport
  }

  /** With the port that was taken. */
  get address(): NetAddress {
    assert(this.#listener !== undefined, 'open has resolved')
    return this.#listener.address
  }

  get counters(): TransportCounters {
    return { ...this.#counters }
  }

  peers(): readonly PeerState[] {
    return [...this.#peers.values()].map((peer) => peer.state)
  }

  /** Of the peer's process, while it is up. */
  identityOf(peer: NodeId): NodeIdentity | undefined {
    return this.#peers.get(peer)?.identity
  }

  /**
   * Queues one frame (1 to `frameBytesMax` bytes, in any number of chunks, which must not change afterwards); it is
   * written together with the others of this event-loop turn. False: nothing was queued, since the peer is not up or the
   * lane is over its high mark; `onPeerUp` or `onDrain` tells when to try again.
   */
  send(to: NodeId, lane: Lane, frame: readonly Uint8Array[]): boolean {
    const bytes = frame.reduce((sum, chunk) => sum + chunk.byteLength, 0)
    assert(bytes > 0 && bytes <= this.#context.frameBytesMax, () => `a frame of ${bytes} bytes`)
    const peer = this.#peers.get(to)
    assert(peer !== undefined, () => `node ${to} is not a peer`)
    return !this.#closed && peer.send(lane, frame)
  }

  pendingBytes(to: NodeId, lane: Lane): number {
    return this.#peers.get(to)?.pendingBytes(lane) ?? 0
  }

  /** Sends what is queued, for a moment, and ends all connections. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#tick?.cancel()
    for (const peer of this.#peers.values()) peer.finish()
    for (const link of this.#incoming) if (!link.isStanding) link.destroy()
    await this.#listener?.close()
    if (this.#connections.size > 0) await this.#emptied()
    for (const link of this.#incoming) link.destroy()
    for (const connection of this.#connections) connection.destroy()
  }

  #emptied(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#context.env.timers.after(FINISH_MS_MAX, resolve)
      this.#onEmpty = () => {
        timer.cancel()
        resolve()
      }
    })
  }

  #watch(): void {
    this.#tick = this.#context.env.timers.after(TICK_MS, () => {
      this.#watch()
      for (const peer of this.#peers.values()) peer.tick()
    })
  }

  #accept(connection: Connection): void {
    if (this.#closed || !this.#hasRoom()) {
      this.#counters.connectionsDropped += 1
      return connection.destroy()
    }
    this.#accepted += 1
    const link = new IncomingLink({
      context: this.#context,
      connection,
      sequence: this.#accepted,
      ownerOf: (nodeId) => this.#peers.get(nodeId),
      onFailed: (failure, remote) => this.#handshakeFailed(failure, remote),
      onGone: (gone) => void this.#incoming.delete(gone),
    })
    this.#incoming.add(link)
  }

  /** Those that stand are bounded by the peers' lanes. Of the others the oldest makes room. */
  #hasRoom(): boolean {
    if (this.#incoming.size < this.#incomingMax) return true
    for (const link of this.#incoming) {
      if (link.isStanding) continue
      this.#counters.connectionsDropped += 1
      link.destroy()
      this.#incoming.delete(link)
      return true
    }
    return false
  }

  #handshakeFailed({ fault, detail, claimed }: HandshakeFailure, remote: string): void {
    const known = claimed !== undefined && this.#peers.has(claimed)
    const cause = `accept ${known ? claimed : 'stranger'} ${fault}`
    const fields = { remote, peer: claimed, reason: detail }
    this.#context.quietLog.write('warn', cause, 'a connection to the Raft port was refused', fields)
  }

  #gone(connection: Connection): void {
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#onEmpty?.()
  }
}
