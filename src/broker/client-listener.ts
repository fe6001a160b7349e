// One named listener: accepts clients within the bounds on connections, and closes those that stay idle or stall.

import type { Clock, Timer, Timers } from '../env/env.ts'
import type { Connection, NetAddress, NetListener, Network } from '../env/network.ts'
import type { QuietLog } from '../env/quiet-log.ts'
import { ClientConnection, type ConnectionLimits } from './client-connection.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { RequestBudget } from './request-budget.ts'

/** How often idle and stalled connections are looked for, at least. */
const WATCH_MS_MAX = 5_000
/** How long requests in work may take to be answered when the listener closes. */
const FINISH_MS_MAX = 1_000
/** How long a large request may stand still while the node has no room for others. */
const STALL_MS_MAX = 5_000

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
  #watchTimer: Timer | undefined
  #serving = false
  #closed = false
  /** Called when the last connection of a closing listener is gone. */
  #onEmpty: (() => void) | undefined

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
    this.#watch()
  }

  /** Stops accepting, lets the requests in work be answered for a moment, and ends the connections. */
  async close(): Promise<void> {
    this.#closed = true
    this.#watchTimer?.cancel()
    for (const connection of [...this.#connections]) connection.finish()
    await this.#listener?.close()
    if (this.#connections.size === 0) return
    await new Promise<void>((resolve) => {
      const timer = this.#options.timers.after(FINISH_MS_MAX, resolve)
      this.#onEmpty = () => {
        timer.cancel()
        resolve()
      }
    })
    for (const connection of this.#connections) connection.close()
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
    if (this.#connections.size === 0) this.#onEmpty?.()
    const { counts } = this.#options
    const { remoteHost } = connection
    const left = (counts.byHost.get(remoteHost) ?? 1) - 1
    counts.total--
    if (left === 0) counts.byHost.delete(remoteHost)
    else counts.byHost.set(remoteHost, left)
  }

  #watch(): void {
    const { idleMsMax, timers } = this.#options
    if (this.#closed) return
    const quarterMs = idleMsMax < 0 ? WATCH_MS_MAX : Math.ceil(idleMsMax / 4)
    this.#watchTimer = timers.after(Math.max(1, Math.min(WATCH_MS_MAX, quarterMs)), () => {
      this.#closeIdle()
      this.#watch()
    })
  }

  #closeIdle(): void {
    const { idleMsMax, clock, budget, quietLog } = this.#options
    const nowMs = clock.monotonicMs()
    for (const connection of this.#connections) {
      const idleSinceMs = connection.idleSinceMs
      if (idleMsMax >= 0 && idleSinceMs !== undefined && nowMs - idleSinceMs > idleMsMax) {
        connection.close()
        continue
      }
      // Where others wait for room, nobody may hold it with a request that does not come.
      const arrivingSinceMs = connection.arrivingSinceMs
      if (arrivingSinceMs === undefined) continue
      if (!budget.exhausted && !budget.hugeShareTaken) continue
      if (nowMs - arrivingSinceMs <= STALL_MS_MAX) continue
      quietLog.warn('a connection was closed: its request stopped arriving while others wait', {
        client: connection.remoteHost,
        listener: this.name,
      })
      connection.close()
    }
  }
}
