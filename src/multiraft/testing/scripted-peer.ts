// Test support: a node of a simulated cluster that has a transport and liveness and no groups. It says what the test has it say;
// left to itself it votes for whoever asks, and holds what it is sent.

import { assert } from '../../base/assert.ts'
import {
  asLeaderEpoch,
  asNodeId,
  asOffset,
  type LeaderEpoch,
  type LogId,
} from '../../base/brand.ts'
import type { SimHost } from '../../env/sim/sim-host.ts'
import type { Simulation } from '../../env/sim/simulation.ts'
import { Reader } from '../../protocol/reader.ts'
import { Writer } from '../../protocol/writer.ts'
import type { Message } from '../../raft/messages.ts'
import { FrameKind } from '../frames.ts'
import { decodeGroupMessage, encodeGroupMessage, type GroupMessage } from '../group-codec.ts'
import { Liveness } from '../liveness/liveness.ts'
import { hostName, RAFT_PORT, SECRET } from '../transport/testing/sim-node.ts'
import { type Lane, Transport } from '../transport/transport.ts'

export class ScriptedPeer {
  readonly nodeId: number
  readonly host: SimHost
  /** What it heard of node 1, in order: `up`, `down`, `claims 2`, `claims nothing`, `knows 3`. */
  readonly heard: string[] = []
  /** Messages of groups, as `kind` with the time at which they came. */
  readonly messages: { readonly kind: string; readonly group: LogId; readonly atMs: number }[] = []
  /** First bytes of the other frames. */
  readonly frames: number[] = []
  /** Whether it answers by itself. */
  obliging = true
  /** What it vouches for. */
  epoch: LeaderEpoch | undefined = asLeaderEpoch(0)
  readonly #simulation: Simulation
  readonly #ids: readonly number[]
  #transport: Transport | undefined
  #liveness: Liveness | undefined
  #boots = 0

  constructor(simulation: Simulation, nodeId: number, ids: readonly number[]) {
    this.nodeId = nodeId
    this.host = simulation.host(hostName(nodeId))
    this.#simulation = simulation
    this.#ids = ids.filter((id) => id !== nodeId)
  }

  get liveness(): Liveness {
    assert(this.#liveness !== undefined, `node ${this.nodeId} was started`)
    return this.#liveness
  }

  /** A new process. */
  async start(directoryId = `d${this.nodeId}`): Promise<void> {
    const env = this.host.boot()
    const self = { nodeId: asNodeId(this.nodeId), bootId: `b${this.nodeId}.${++this.#boots}` }
    const liveness = new Liveness({
      env,
      self,
      peers: this.#ids.map(asNodeId),
      send: (to, frame) => this.#send(to, 'control', [Uint8Array.of(FrameKind.LIVENESS), ...frame]),
      handlers: {
        onPeerUp: (node) => this.#hear(node, 'up'),
        onPeerDown: (node) => this.#hear(node, 'down'),
        onClaim: (_, node, epoch) => this.#hear(node, `claims ${epoch}`),
        onClaimGone: (_, node) => this.#hear(node, 'claims nothing'),
        onHigherEpoch: (_, epoch, node) => this.#hear(node, `knows ${epoch}`),
        onStatus: () => {},
        epochOf: () => this.epoch,
      },
    })
    this.#liveness = liveness
    this.#transport = await this.#simulation.settle(
      Transport.open({
        env,
        self: { ...self, directoryId },
        listen: { host: this.host.name, port: RAFT_PORT },
        peers: this.#ids.map((id) => ({
          nodeId: asNodeId(id),
          host: hostName(id),
          port: RAFT_PORT,
        })),
        secret: SECRET,
        frameBytesMax: 1 << 24,
        handlers: {
          onPeerUp: (peer) => liveness.transportUp(peer),
          onPeerDown: (peer) => liveness.transportDown(peer.nodeId),
          onDrain: () => {},
          onFrame: (from, _, frame) => {
            const reader = new Reader(frame)
            const kind = reader.uint8()
            if (kind === FrameKind.LIVENESS) liveness.receive(from, reader.rest())
            else if (kind === FrameKind.GROUP) this.#take(decodeGroupMessage(reader))
            else this.frames.push(kind)
          },
        },
      }),
    )
    liveness.start()
  }

  say(group: LogId, message: Message): void {
    const writer = new Writer(160)
    writer.int8(FrameKind.GROUP)
    encodeGroupMessage(writer, group, message)
    this.#send(1, 'control', writer.finish())
  }

  send(...bytes: number[]): void {
    this.#send(1, 'control', [Uint8Array.from(bytes)])
  }

  count(kind: string): number {
    return this.messages.filter((message) => message.kind === kind).length
  }

  #send(to: number, lane: Lane, frame: readonly Uint8Array[]): boolean {
    return this.#transport?.send(asNodeId(to), lane, frame) ?? false
  }

  #hear(node: number, what: string): void {
    if (node === 1) this.heard.push(what)
  }

  #take({ group, message }: GroupMessage): void {
    this.messages.push({ kind: message.kind, group, atMs: this.#simulation.nowMs })
    if (!this.obliging) return
    const { term } = message
    switch (message.kind) {
      case 'pre-vote':
        this.say(group, {
          kind: 'pre-vote-reply',
          term: asLeaderEpoch(term - 1),
          forTerm: term,
          granted: true,
        })
        break
      case 'vote': {
        const { candidacy } = message
        this.say(group, { kind: 'vote-grant', term, candidacy, logStart: asOffset(0) })
        break
      }
      case 'append': {
        const { prev, starts, batches, round, logStart } = message
        const epoch = starts.at(-1)?.epoch ?? prev.epoch
        const durable = { epoch, offset: batches.at(-1)?.nextOffset ?? prev.offset }
        const none = { suspect: false, begunBelow: asOffset(0) }
        this.say(group, { kind: 'ack', term, durable, accepted: durable, logStart, round, ...none })
        break
      }
      default:
        break
    }
  }
}
