// The nodes of one cluster as real processes on this machine: started, killed, paused, each by its id. With `proxied`, every
// node reaches each other node's Raft port through a link of its own, which can be cut in one direction or both.

import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { ChronikServer } from '../../test/compat/server.ts'
import { ended } from './ended.ts'
import { Links } from './links.ts'

export interface ClusterOptions {
  readonly directory: string
  readonly nodes: number
  /** The cluster uses the 120 ports from here on. */
  readonly portBase: number
  readonly proxied?: boolean
  /** Further flags of every node. */
  readonly settings?: readonly string[]
}

const RAFT_AT = 10
const HTTP_AT = 20
const LINKS_AT = 40
const NODES_MAX = 7

export class ClusterProcesses {
  readonly ids: readonly number[]
  readonly #options: ClusterOptions
  readonly #servers = new Map<number, ChronikServer>()
  readonly #starting = new Map<number, Promise<number>>()
  readonly #paused = new Set<number>()
  readonly links: Links | undefined

  constructor(options: ClusterOptions) {
    if (options.nodes < 1 || options.nodes > NODES_MAX) throw new Error('1 to 7 nodes')
    this.#options = options
    this.ids = Array.from({ length: options.nodes }, (_, i) => i + 1)
    mkdirSync(options.directory, { recursive: true })
    process.once('exit', this.#killAll)
    if (options.proxied === true) {
      this.links = new Links(this.ids, {
        raftPort: (id) => this.raftPort(id),
        linkPort: (from, to) => options.portBase + LINKS_AT + (from - 1) * NODES_MAX + to,
      })
    }
  }

  kafkaPort(id: number): number {
    return this.#options.portBase + id
  }

  raftPort(id: number): number {
    return this.#options.portBase + RAFT_AT + id
  }

  /** Where the node keeps its data. */
  dataOf(id: number): string {
    return path.join(this.#directoryOf(id), 'data')
  }

  #directoryOf(id: number): string {
    return path.join(this.#options.directory, `node-${id}`)
  }

  /** The Kafka addresses of these nodes, or of all. */
  bootstrap(ids: readonly number[] = this.ids): string {
    return ids.map((id) => `127.0.0.1:${this.kafkaPort(id)}`).join(',')
  }

  get up(): number[] {
    return this.ids.filter((id) => this.#servers.get(id)?.pid !== undefined)
  }

  /** Of those that are up, the ones that are not paused. */
  get running(): number[] {
    return this.up.filter((id) => !this.#paused.has(id))
  }

  /** All nodes, formed into a cluster; resolves when each of them answers. */
  async open(): Promise<void> {
    if (this.links !== undefined) {
      // All nodes must be started with one list to form a cluster; later the addresses in it may differ.
      await Promise.all(this.ids.map((id) => this.start(id, { direct: true })))
      await Promise.all(this.ids.map((id) => this.stop(id)))
      await this.links.open()
    }
    await Promise.all(this.ids.map((id) => this.start(id)))
  }

  /** Resolves with the milliseconds until it answered; fails when it ends before, unless `kill` ended it. */
  start(id: number, options: { readonly direct?: boolean } = {}): Promise<number> {
    const server = this.#makeServer(id, options.direct === true)
    this.#servers.set(id, server)
    const starting = server.start()
    this.#starting.set(id, starting)
    void ended(starting) // who kills it while it starts does not wait for its start
    return starting
  }

  #makeServer(id: number, direct: boolean): ChronikServer {
    const { settings = [], portBase } = this.#options
    const peers = this.ids.map((to) => {
      const port = direct ? this.raftPort(to) : (this.links?.portOf(id, to) ?? this.raftPort(to))
      return `${to}@127.0.0.1:${port}`
    })
    return new ChronikServer({
      directory: this.#directoryOf(id),
      port: this.kafkaPort(id),
      nodeId: id,
      httpPort: portBase + HTTP_AT + id,
      settings: [
        '--raft',
        `127.0.0.1:${this.raftPort(id)}`,
        '--peers',
        peers.join(','),
        ...settings,
      ],
    })
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(id: number): Promise<void> {
    this.#paused.delete(id)
    await this.#servers.get(id)?.kill()
    await ended(this.#starting.get(id))
  }

  async stop(id: number): Promise<void> {
    await this.#servers.get(id)?.stop()
    await ended(this.#starting.get(id))
  }

  pause(id: number): void {
    this.#paused.add(id)
    this.#servers.get(id)?.signal('SIGSTOP')
  }

  resume(id: number): void {
    this.#paused.delete(id)
    this.#servers.get(id)?.signal('SIGCONT')
  }

  /** Who ends the harness does not want its nodes to stay. */
  readonly #killAll = (): void => {
    for (const server of this.#servers.values()) server.signal('SIGKILL')
  }

  tail(id: number): string {
    return this.#servers.get(id)?.tail() ?? ''
  }

  async close(): Promise<void> {
    process.off('exit', this.#killAll)
    await Promise.all(this.up.map((id) => this.kill(id)))
    await this.links?.close()
  }
}
