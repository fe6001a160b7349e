// The simulated network: hosts by name, listeners, connects, and what is wrong with the links between them. The streams
// are in `sim-connection.ts`.

import {
  NetError,
  type Connection,
  type NetAddress,
  type NetListener,
  type Network,
} from '../network.ts'
import type { Prng } from './prng.ts'
import { EVENT, type Scheduler } from './scheduler.ts'
import { SimConnection } from './sim-connection.ts'
import type { SimProcess } from './sim-process.ts'

const CONNECT_TIMEOUT_MS = 30_000
const SYN_RETRY_MS = 250
const SLAB_BYTES = 64 << 10
const FIRST_FREE_PORT = 32_768
const LOCAL_NAMES: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '0.0.0.0', '::', '::1'])

export interface LinkQuality {
  /** Typical one-way delay; some are many times as long. */
  readonly latencyMs: number
  readonly bytesPerMs: number
}

const LINK: LinkQuality = { latencyMs: 0.2, bytesPerMs: 1_000_000 }

/** A host as the network sees it. */
export interface NetHost {
  readonly name: string
  /** False while its power is off: nothing answers, not even with a reset. */
  powered: boolean
  readonly listeners: Map<number, Listening>
  nextPort: number
}

interface Listening {
  readonly process: SimProcess
  readonly port: SimNetworkPort
  readonly onConnection: (connection: Connection) => void
}

/** The wires between all hosts. */
export class SimNetwork {
  readonly scheduler: Scheduler
  readonly chance: Prng
  readonly #hosts = new Map<string, NetHost>()
  readonly #blocked = new Set<string>()
  readonly #qualities = new Map<string, LinkQuality>()
  readonly #connections = new Set<SimConnection>()
  #slab = new ArrayBuffer(SLAB_BYTES)
  #slabUsed = 0

  constructor(scheduler: Scheduler, chance: Prng) {
    this.scheduler = scheduler
    this.chance = chance
  }

  addHost(name: string): NetHost {
    const host = { name, powered: true, listeners: new Map(), nextPort: FIRST_FREE_PORT }
    this.#hosts.set(name, host)
    return host
  }

  host(name: string): NetHost | undefined {
    return this.#hosts.get(name)
  }

  /** Nothing passes from one host to the other (the way back stays open); what is under way waits. */
  block(from: string, to: string): void {
    this.#blocked.add(`${from}>${to}`)
  }

  unblock(from: string, to: string): void {
    this.#blocked.delete(`${from}>${to}`)
    this.#resumeAll()
  }

  /** Hosts of different groups no longer reach each other; hosts in no group reach all. */
  partition(groups: readonly (readonly string[])[]): void {
    for (const group of groups) {
      for (const other of groups) {
        if (group === other) continue
        for (const from of group) for (const to of other) this.block(from, to)
      }
    }
  }

  /** Ends all blocks and slow links. */
  heal(): void {
    this.#blocked.clear()
    this.#qualities.clear()
    this.#resumeAll()
  }

  setLink(from: string, to: string, quality: Partial<LinkQuality>): void {
    this.#qualities.set(`${from}>${to}`, { ...LINK, ...quality })
  }

  isBlocked(from: string, to: string): boolean {
    return this.#blocked.size > 0 && this.#blocked.has(`${from}>${to}`)
  }

  /** Resets connections between two hosts, each with the probability, wherever in a frame they are. */
  reset(a: string, b: string, probability = 1): void {
    for (const connection of this.#connections) {
      const [near, far] = [connection.hostName, connection.peerHostName]
      if ((near === a && far === b) || (near === b && far === a)) {
        if (this.chance.chance(probability)) connection.fail('ECONNRESET', 'connection reset')
      }
    }
  }

  delayMs(from: string, to: string, bytes: number): number {
    const special = this.#qualities.size > 0 ? this.#qualities.get(`${from}>${to}`) : undefined
    const quality = special ?? LINK
    const typical = from === to ? quality.latencyMs / 4 : quality.latencyMs
    return this.chance.latencyMs(typical) + bytes / quality.bytesPerMs
  }

  /** Zeros. Small pieces share memory: what a segment takes of its own costs more than all the rest of it. */
  room(bytes: number): Uint8Array {
    if (bytes > SLAB_BYTES / 8) return new Uint8Array(bytes)
    if (this.#slabUsed + bytes > SLAB_BYTES) {
      this.#slab = new ArrayBuffer(SLAB_BYTES)
      this.#slabUsed = 0
    }
    const room = new Uint8Array(this.#slab, this.#slabUsed, bytes)
    this.#slabUsed += bytes
    return room
  }

  add(connection: SimConnection): void {
    this.#connections.add(connection)
  }

  remove(connection: SimConnection): void {
    this.#connections.delete(connection)
  }

  /** The process died but its host's kernel lives: it ends the connections and gives the ports back. */
  killProcess(host: NetHost, process: SimProcess): void {
    for (const [port, listening] of host.listeners) {
      if (listening.process === process) host.listeners.delete(port)
    }
    for (const connection of this.#connections) {
      if (connection.process === process) connection.killOwner()
    }
  }

  /** The process goes on: it is handed what its kernel has taken meanwhile. */
  processReleased(process: SimProcess): void {
    for (const connection of this.#connections) {
      if (connection.process === process) connection.ownerReleased()
    }
  }

  /** The host is gone without a word; who sends to it hears a reset once it is back, nothing before. */
  cutPower(host: NetHost): void {
    host.powered = false
    host.listeners.clear()
    for (const connection of this.#connections) {
      if (connection.hostName === host.name) connection.vanish()
    }
  }

  restorePower(host: NetHost): void {
    if (host.powered) return
    host.powered = true
    this.#resumeAll()
  }

  #resumeAll(): void {
    for (const connection of this.#connections) connection.linkChanged()
  }
}

/** The network port of one process. */
export class SimNetworkPort implements Network {
  readonly #network: SimNetwork
  readonly #host: NetHost
  readonly #process: SimProcess

  constructor(network: SimNetwork, host: NetHost, process: SimProcess) {
    this.#network = network
    this.#host = host
    this.#process = process
  }

  listen(
    address: NetAddress,
    onConnection: (connection: Connection) => void,
  ): Promise<NetListener> {
    return this.#later((resolve, reject) => {
      if (!LOCAL_NAMES.has(address.host) && address.host !== this.#host.name) {
        reject(
          new NetError('EADDRNOTAVAIL', `listen on ${address.host}: not an address of this host`),
        )
        return
      }
      const port = address.port === 0 ? this.#freePort() : address.port
      const { listeners } = this.#host
      if (listeners.has(port)) {
        reject(new NetError('EADDRINUSE', `listen on ${address.host}:${port}: already in use`))
        return
      }
      const listening = { process: this.#process, port: this, onConnection }
      listeners.set(port, listening)
      const close = (): Promise<void> =>
        this.#later((done) => {
          if (listeners.get(port) === listening) listeners.delete(port)
          done()
        })
      resolve({ address: { host: address.host, port }, close })
    })
  }

  connect(address: NetAddress, options: { readonly timeoutMs?: number } = {}): Promise<Connection> {
    const where = `connect to ${address.host}:${address.port}`
    const name = LOCAL_NAMES.has(address.host) ? this.#host.name : address.host
    const deadlineMs = this.#network.scheduler.nowMs + (options.timeoutMs ?? CONNECT_TIMEOUT_MS)
    return this.#later((resolve, reject) => {
      const target = this.#network.host(name)
      if (target === undefined) {
        reject(new NetError('ENOTFOUND', `${where}: no such host`))
        return
      }
      const attempt = (): void => {
        const there = !this.#network.isBlocked(this.#host.name, name)
        const back = !this.#network.isBlocked(name, this.#host.name)
        if (target.powered && there && back) {
          this.#handshake(target, address, resolve, reject)
        } else if (this.#network.scheduler.nowMs + SYN_RETRY_MS >= deadlineMs) {
          const leftMs = Math.max(0, deadlineMs - this.#network.scheduler.nowMs)
          const giveUp = (): void => reject(new NetError('ETIMEDOUT', `${where}: no answer`))
          this.#after(leftMs, giveUp)
        } else {
          this.#after(SYN_RETRY_MS, attempt)
        }
      }
      attempt()
    })
  }

  #handshake(
    target: NetHost,
    address: NetAddress,
    resolve: (connection: Connection) => void,
    reject: (error: NetError) => void,
  ): void {
    const network = this.#network
    const listening = target.listeners.get(address.port)
    if (listening === undefined || !listening.process.alive) {
      const refused = `connect to ${address.host}:${address.port}: connection refused`
      this.#after(network.delayMs(target.name, this.#host.name, 0), () =>
        reject(new NetError('ECONNREFUSED', refused)),
      )
      return
    }
    const near = { host: this.#host.name, port: this.#freePort() }
    const far = { host: target.name, port: address.port }
    const client = new SimConnection(network, this.#process, near, far)
    const server = new SimConnection(network, listening.process, far, near)
    client.join(server)
    // The kernel takes the connection; a process that is held finds it later.
    listening.process.enter(() => listening.onConnection(server))
    this.#after(network.delayMs(target.name, this.#host.name, 0), () => resolve(client))
  }

  #freePort(): number {
    const { listeners } = this.#host
    do {
      this.#host.nextPort =
        this.#host.nextPort >= 60_999 ? FIRST_FREE_PORT : this.#host.nextPort + 1
    } while (listeners.has(this.#host.nextPort))
    return this.#host.nextPort
  }

  #later<T>(
    body: (resolve: (value: T) => void, reject: (error: NetError) => void) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.#process.alive) return
      const delayMs = this.#network.delayMs(this.#host.name, this.#host.name, 0)
      this.#after(delayMs, () => body(resolve, reject))
    })
  }

  #after(delayMs: number, run: () => void): void {
    this.#network.scheduler.after(delayMs, EVENT.network, () => this.#process.enter(run))
  }
}
