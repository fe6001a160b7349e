// A node of a simulated cluster that has nothing but a transport, and remembers what it heard.

import { assert } from '../../../base/assert.ts'
import { asNodeId, type NodeId } from '../../../base/brand.ts'
import type { Env } from '../../../env/env.ts'
import type { SimHost } from '../../../env/sim/sim-host.ts'
import type { Simulation } from '../../../env/sim/simulation.ts'
import { Transport, type Lane, type NodeIdentity, type TransportOptions } from '../transport.ts'

export const RAFT_PORT = 9192
export const SECRET: Uint8Array = new TextEncoder().encode('of the simulated cluster')

export interface Received {
  readonly from: NodeIdentity
  readonly lane: Lane
  readonly bytes: Uint8Array
}

export const hostName = (nodeId: number): string => `n${nodeId}`

export class SimNode {
  readonly nodeId: NodeId
  readonly host: SimHost
  /** `up 2 boot`, `down 2 boot`, `room 2 lane`, in the order of the calls. */
  readonly heard: string[] = []
  readonly reasons: string[] = []
  readonly received: Received[] = []
  readonly #simulation: Simulation
  readonly #peers: readonly number[]
  #transport: Transport | undefined
  #boots = 0

  constructor(simulation: Simulation, nodeId: number, peers: readonly number[]) {
    this.#simulation = simulation
    this.nodeId = asNodeId(nodeId)
    this.#peers = peers.filter((peer) => peer !== nodeId)
    this.host = simulation.host(hostName(nodeId))
  }

  get transport(): Transport {
    assert(this.#transport !== undefined, 'the node was started')
    return this.#transport
  }

  get boot(): string {
    return `b${this.nodeId}.${this.#boots}`
  }

  /** A new process. */
  async start(changes: Partial<TransportOptions> = {}): Promise<void> {
    this.#boots += 1
    this.heard.length = 0
    this.reasons.length = 0
    this.received.length = 0
    const env = this.host.boot()
    this.#transport = await this.#simulation.settle(
      Transport.open({ ...this.options(env), ...changes }),
    )
  }

  options(env: Env): TransportOptions {
    const hear = (what: string, peer: NodeIdentity): number =>
      this.heard.push(`${what} ${peer.nodeId} ${peer.bootId}`)
    return {
      env,
      self: { nodeId: this.nodeId, directoryId: `d${this.nodeId}`, bootId: this.boot },
      listen: { host: this.host.name, port: RAFT_PORT },
      peers: this.#peers.map((peer) => ({
        nodeId: asNodeId(peer),
        host: hostName(peer),
        port: RAFT_PORT,
      })),
      secret: SECRET,
      frameBytesMax: 1 << 20,
      handlers: {
        onFrame: (from, lane, bytes) => {
          const { bootId } = this.transport.identityOf(from.nodeId) ?? {}
          assert(bootId === from.bootId, `a frame of ${from.bootId}, which is not up`)
          this.received.push({ from, lane, bytes })
        },
        onPeerUp: (peer) => {
          const last = this.heard.findLast((line) => line.split(' ')[1] === `${peer.nodeId}`)
          assert(last === undefined || !last.startsWith('up'), `up after ${last}`)
          hear('up', peer)
        },
        onPeerDown: (peer, reason) => {
          hear('down', peer)
          this.reasons.push(reason)
        },
        onDrain: (peer, lane) => this.heard.push(`room ${peer} ${lane}`),
      },
    }
  }

  isUp(peer: number): boolean {
    return this.transport.identityOf(asNodeId(peer)) !== undefined
  }

  send(to: number, lane: Lane, ...bytes: number[]): boolean {
    return this.transport.send(asNodeId(to), lane, [Uint8Array.from(bytes)])
  }

  /** First bytes of what came on a lane. */
  heads(lane: Lane): number[] {
    return this.received.filter((frame) => frame.lane === lane).map(({ bytes }) => bytes[0] ?? -1)
  }
}

/** Nodes 1 to `count`, started, and all up to each other with both lanes. */
export async function startCluster(simulation: Simulation, count: number): Promise<SimNode[]> {
  const ids = Array.from({ length: count }, (_, i) => i + 1)
  const nodes = ids.map((id) => new SimNode(simulation, id, ids))
  for (const node of nodes) await node.start()
  await simulation.run({ until: () => allUp(nodes), untilMs: simulation.nowMs + 30_000 })
  assert(allUp(nodes), 'the cluster is up')
  // The data lanes follow within a few round trips.
  await simulation.run({ untilMs: simulation.nowMs + 50 })
  return nodes
}

export function allUp(nodes: readonly SimNode[]): boolean {
  return nodes.every((node) =>
    nodes.every((other) => node === other || (other.host.alive && node.isUp(other.nodeId))),
  )
}
