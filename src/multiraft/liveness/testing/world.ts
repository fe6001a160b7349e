// Test support: nodes that have liveness and nothing else, over links that delay, lose and cut, in virtual time. What a
// node's handlers were told is kept as short texts.

import { deepEqual } from 'node:assert/strict'
import { assert } from '../../../base/assert.ts'
import {
  asLeaderEpoch,
  asLogId,
  asNodeId,
  type LeaderEpoch,
  type LogId,
  type NodeId,
} from '../../../base/brand.ts'
import type { Timer, Timers } from '../../../env/env.ts'
import { Simulation } from '../../../env/sim/simulation.ts'
import { Liveness } from '../liveness.ts'

/** The one that a test needs no name of its own for. */
export const GROUP = asLogId('orders-0')

/** From one node to another. */
export interface Link {
  delayMsMin: number
  delayMsMax: number
  /** Of a frame to vanish. */
  loss: number
  /** Everything vanishes. */
  cut: boolean
  /** `send` takes nothing. */
  full: boolean
  /** Frames overtake one another. */
  reorders: boolean
  /** Frames and bytes taken. */
  frames: number
  bytes: number
  bytesMax: number
  lastAtMs: number
}

export interface WorldOptions {
  readonly seed?: number
  readonly nodes?: number
  readonly intervalMs?: number
  readonly electionTimeoutMs?: number
  readonly confirmTimeoutMs?: number
}

export class World {
  readonly sim: Simulation
  readonly options: WorldOptions
  readonly nodes: readonly TestNode[]
  readonly #links = new Map<string, Link>()
  /** Per pair: grows with each connection; odd while it stands. */
  readonly #connections = new Map<string, number>()

  constructor(options: WorldOptions = {}) {
    this.options = options
    this.sim = new Simulation(options.seed ?? 1)
    const ids = Array.from({ length: options.nodes ?? 3 }, (_, i) => asNodeId(i + 1))
    this.nodes = ids.map((id) => new TestNode(this, id, ids))
  }

  node(id: number): TestNode {
    const node = this.nodes[id - 1]
    assert(node !== undefined, `node ${id}`)
    return node
  }

  link(from: number, to: number): Link {
    const key = `${from}>${to}`
    let link = this.#links.get(key)
    if (link === undefined) {
      link = {
        delayMsMin: 0.2,
        delayMsMax: 0.6,
        loss: 0,
        cut: false,
        full: false,
        reorders: false,
        frames: 0,
        bytes: 0,
        bytesMax: 0,
        lastAtMs: 0,
      }
      this.#links.set(key, link)
    }
    return link
  }

  get links(): Link[] {
    return this.nodes.flatMap((a) =>
      this.nodes.filter((b) => a !== b).map((b) => this.link(a.id, b.id)),
    )
  }

  connection(a: number, b: number): number {
    return this.#connections.get(pairOf(a, b)) ?? 0
  }

  isConnected(a: number, b: number): boolean {
    return this.connection(a, b) % 2 === 1
  }

  connect(a: number, b: number): void {
    if (this.isConnected(a, b) || !this.node(a).alive || !this.node(b).alive) return
    const connection = this.connection(a, b) + 1
    this.#connections.set(pairOf(a, b), connection)
    for (const [self, peer] of [
      [a, b],
      [b, a],
    ] as const) {
      this.#at(self, () => {
        if (this.connection(a, b) !== connection) return
        this.node(self).liveness.transportUp(this.node(peer).process)
      })
    }
  }

  disconnect(a: number, b: number): void {
    if (!this.isConnected(a, b)) return
    const connection = this.connection(a, b) + 1
    this.#connections.set(pairOf(a, b), connection)
    for (const [self, peer] of [
      [a, b],
      [b, a],
    ] as const) {
      this.#at(self, () => {
        // After a reconnection it is that which ends the old one.
        if (this.connection(a, b) !== connection) return
        this.node(self).liveness.transportDown(asNodeId(peer))
      })
    }
  }

  connectAll(): void {
    for (const { id: a } of this.nodes)
      for (const { id: b } of this.nodes) if (a < b) this.connect(a, b)
  }

  send(from: TestNode, to: NodeId, chunks: readonly Uint8Array[]): boolean {
    const link = this.link(from.id, to)
    const connection = this.connection(from.id, to)
    if (connection % 2 === 0 || link.full) return false
    const frame = new Uint8Array(Buffer.concat(chunks))
    link.frames += 1
    link.bytes += frame.length
    link.bytesMax = Math.max(link.bytesMax, frame.length)
    const { chance } = this.sim
    if (link.cut || chance.chance(link.loss)) return true
    const { delayMsMin, delayMsMax } = link
    let atMs = this.sim.nowMs + delayMsMin + chance.float() * (delayMsMax - delayMsMin)
    if (!link.reorders) atMs = Math.max(atMs, link.lastAtMs)
    link.lastAtMs = atMs
    const sender = from.process
    const receiver = this.node(to)
    const { boot } = receiver
    this.sim.after(atMs - this.sim.nowMs, () => {
      if (!receiver.alive || receiver.boot !== boot) return
      receiver.run(() => {
        if (this.connection(from.id, to) !== connection) return
        receiver.liveness.receive(sender, frame)
      })
    })
    return true
  }

  async runFor(ms: number): Promise<void> {
    await this.sim.run({ untilMs: this.sim.nowMs + ms })
  }

  /** Each side learns it at a moment of its own. */
  #at(self: number, run: () => void): void {
    const node = this.node(self)
    this.sim.after(this.sim.chance.float(), () => {
      if (node.alive) node.run(run)
    })
  }
}

export class TestNode {
  readonly id: NodeId
  /** What the handlers were told since the last `takeEvents`. */
  events: string[] = []
  /** Durable: what a restart keeps. */
  readonly epochs = new Map<LogId, LeaderEpoch>()
  /** Groups that it can't vouch for. */
  readonly unknown = new Set<LogId>()
  boot = 0
  alive = false
  onHigherEpoch: ((group: LogId, epoch: LeaderEpoch) => void) | undefined
  onClaim: ((group: LogId, leader: NodeId, epoch: LeaderEpoch) => void) | undefined
  readonly #world: World
  readonly #ids: readonly NodeId[]
  #liveness: Liveness | undefined
  #paused = false
  #waiting: (() => void)[] = []

  constructor(world: World, id: NodeId, ids: readonly NodeId[]) {
    this.#world = world
    this.id = id
    this.#ids = ids
  }

  get liveness(): Liveness {
    assert(this.#liveness !== undefined, `node ${this.id} does not run`)
    return this.#liveness
  }

  get process(): { readonly nodeId: NodeId; readonly bootId: string } {
    return { nodeId: this.id, bootId: `boot ${this.boot} of ${this.id}` }
  }

  start(): void {
    const env = this.#world.sim.host(`node-${this.id}`).boot()
    this.boot += 1
    this.alive = true
    const { intervalMs, electionTimeoutMs, confirmTimeoutMs } = this.#world.options
    const tell = (event: string): void => void this.events.push(event)
    this.#liveness = new Liveness({
      env: { ...env, timers: this.#pausable(env.timers) },
      self: this.process,
      peers: this.#ids.filter((id) => id !== this.id),
      ...(intervalMs === undefined ? {} : { intervalMs }),
      ...(electionTimeoutMs === undefined ? {} : { electionTimeoutMs }),
      ...(confirmTimeoutMs === undefined ? {} : { confirmTimeoutMs }),
      send: (to, frame) => this.#world.send(this, to, frame),
      handlers: {
        onPeerUp: (node) => tell(`up ${node}`),
        onPeerDown: (node, reason) => tell(`down ${node} ${reason}`),
        onClaim: (group, leader, epoch) => {
          tell(`claim ${group} ${leader} ${epoch}`)
          this.onClaim?.(group, leader, epoch)
        },
        onClaimGone: (group, leader) => tell(`gone ${group} ${leader}`),
        onHigherEpoch: (group, epoch, from) => {
          tell(`higher ${group} ${epoch} from ${from}`)
          this.onHigherEpoch?.(group, epoch)
        },
        epochOf: (group) => (this.unknown.has(group) ? undefined : this.epochs.get(group)),
        onStatus: (node, status) => tell(`status ${node} ${new TextDecoder().decode(status)}`),
      },
    })
    this.#liveness.start()
  }

  /** SIGKILL: the peers' connections end. */
  kill(): void {
    this.alive = false
    this.#paused = false
    this.#waiting = []
    this.#world.sim.host(`node-${this.id}`).kill()
    for (const { id } of this.#world.nodes) if (id !== this.id) this.#world.disconnect(this.id, id)
  }

  setEpoch(group: LogId, epoch: LeaderEpoch): void {
    this.epochs.set(group, epoch)
    this.liveness.termChanged(group)
  }

  takeEvents(): string[] {
    const events = this.events
    this.events = []
    return events
  }

  get isPaused(): boolean {
    return this.#paused
  }

  /** SIGSTOP: what should happen happens at SIGCONT. */
  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    const waiting = this.#waiting
    this.#waiting = []
    for (const run of waiting) if (this.alive) run()
  }

  run(callback: () => void): void {
    if (this.#paused) this.#waiting.push(callback)
    else callback()
  }

  #pausable(timers: Timers): Timers {
    const guarded = (start: (callback: () => void) => Timer, callback: () => void): Timer => {
      let cancelled = false
      const timer = start(() =>
        this.run(() => {
          if (!cancelled) callback()
        }),
      )
      return {
        cancel: () => {
          cancelled = true
          timer.cancel()
        },
      }
    }
    return {
      after: (delayMs, callback) => guarded((run) => timers.after(delayMs, run), callback),
      soon: (callback) => guarded((run) => timers.soon(run), callback),
    }
  }
}

function pairOf(a: number, b: number): string {
  return `${Math.min(a, b)}-${Math.max(a, b)}`
}

/** All nodes up for each other, nothing told yet. */
export async function started(options: WorldOptions = {}): Promise<World> {
  const world = new World(options)
  for (const node of world.nodes) node.start()
  world.connectAll()
  await world.runFor(50)
  for (const node of world.nodes) {
    const others = world.nodes.filter((other) => other !== node)
    deepEqual(
      node.takeEvents().toSorted(),
      others.map(({ id }) => `up ${id}`),
    )
  }
  return world
}

/** Every node knows the group in this epoch, and node 1 leads it. */
export function lead(world: World, at: number, one: LogId = GROUP): void {
  for (const node of world.nodes) node.setEpoch(one, asLeaderEpoch(at))
  world.node(1).liveness.claim(one, asLeaderEpoch(at))
}
