// One named listener: accepts clients within the bounds on connections, and closes those that stay idle.

import type { Clock, Timer, Timers } from '../env/env.ts'
import type { Connection, NetAddress, NetListener, Network } from '../env/network.ts'
import { ClientConnection, type ConnectionLimits } from './client-connection.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { QuietLog } from './quiet-log.ts'
import type { RequestBudget } from './request-budget.ts'

/** How often idle connections are looked for, at most. */
const IDLE_CHECK_MS_MAX = 10_000

export interface ConnectionCounts {
  /** Over all listeners. */
  total: number
  readonly byHost: Map<string, number>
}

export interface ClientListenerOptions {
  readonly name: string
  readonly bind: NetAddress
  readonly network: Network
  readonly clock: Clock
  readonly timers: Timers
  readonly dispatcher: Dispatcher
  readonly limits: ConnectionLimits
  readonly budget: RequestBudget
  readonly quietLog: QuietLog
  /** Shared by the listeners of a node. */
  readonly counts: ConnectionCounts
  readonly connectionsMax: number
  readonly connectionsPerHostMax: number
  /** connections.max.idle.ms; negative: never. */
  readonly idleMsMax: number
}

export class ClientListener {
  readonly name: string
  readonly #options: ClientListenerOptions
  readonly #connections = new Set<ClientConnection>()
  #listener: NetListener | undefined
  #idleTimer: Timer | undefined
  #serving = false
  #closed = false

  constructor(options: ClientListenerOptions) {
    this.name = options.name
    this.#options = options
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** Takes the port. Connections are accepted from now on, their requests wait for `serve`. */
  async bind(): Promise<NetAddress> {
    const { network, bind } = this.#options
    this.#listener = await network.listen(bind, (connection) => this.#accept(connection))
    return this.#listener.address
  }

  /** Starts with the requests. */
  serve(): void {
    this.#serving = true
    for (const connection of this.#connections) connection.serve()
    this.#watchIdle()
  }

  /** Stops accepting, sends what is answered, and ends the connections. */
  async close(): Promise<void> {
    this.#closed = true
    this.#idleTimer?.cancel()
    for (const connection of this.#connections) connection.close()
    await this.#listener?.close()
  }

  #accept(connection: Connection): void {
    const { counts, connectionsMax, connectionsPerHostMax, quietLog } = this.#options
    const { host } = connection.remote
    const ofHost = counts.byHost.get(host) ?? 0
    if (this.#closed || counts.total >= connectionsMax || ofHost >= connectionsPerHostMax) {
      if (!this.#closed) {
        quietLog.warn('a connection was refused: there are too many', {
          client: host,
          listener: this.name,
          connections: counts.total,
          ofThisClient: ofHost,
        })
      }
      connection.destroy()
      return
    }
    counts.total++
    counts.byHost.set(host, ofHost + 1)
    const client = new ClientConnection({
      ...this.#options,
      connection,
      listener: this.name,
      onClosed: (closed) => this.#forget(closed),
    })
    this.#connections.add(client)
    if (this.#serving) client.serve()
  }

  #forget(connection: ClientConnection): void {
    if (!this.#connections.delete(connection)) return
    const { counts } = this.#options
    const { remoteHost } = connection
    const left = (counts.byHost.get(remoteHost) ?? 1) - 1
    counts.total--
    if (left === 0) counts.byHost.delete(remoteHost)
    else counts.byHost.set(remoteHost, left)
  }

  #watchIdle(): void {
    const { idleMsMax, timers, clock } = this.#options
    if (idleMsMax < 0 || this.#closed) return
    const everyMs = Math.max(1, Math.min(IDLE_CHECK_MS_MAX, Math.ceil(idleMsMax / 4)))
    this.#idleTimer = timers.after(everyMs, () => {
      const idleBeforeMs = clock.monotonicMs() - idleMsMax
      for (const connection of this.#connections) {
        const sinceMs = connection.idleSinceMs
        if (sinceMs !== undefined && sinceMs < idleBeforeMs) connection.close()
      }
      this.#watchIdle()
    })
  }
}
