// The broker: listeners, the table of APIs, and the partitions of this node, put together. It is given the world (`env`),
// the logs (`host`) and the cluster's metadata (`controller`), and owns none of them.
//
//   new Broker(…) → open() partitions → bind() ports → serve() requests → close()

import { asNodeId, type NodeId } from '../base/brand.ts'
import type { BrokerConfigs } from '../base/config/broker-configs.ts'
import type { MetadataView } from '../controller/controller.ts'
import type { Env } from '../env/env.ts'
import type { NetAddress } from '../env/network.ts'
import { QuietLog } from '../env/quiet-log.ts'
import type { GroupApi, GroupCoordinatorControl } from '../groups/group-api.ts'
import type { LogHost } from '../replicated/replicated-log.ts'
import { servedApis } from './api-table.ts'
import { ClientListener } from './client-listener.ts'
import { ClusterView } from './cluster-view.ts'
import { Deadlines } from './deadlines.ts'
import { Dispatcher } from './dispatcher.ts'
import { FetchSessions } from './fetch-sessions.ts'
import { Housekeeping } from './housekeeping.ts'
import { LeaderBalance } from './leader-balance.ts'
import { Partitions } from './partitions.ts'
import { ProducerIds } from './producer-ids.ts'
import { RequestBudget } from './request-budget.ts'
import type { Services } from './services.ts'

export interface ListenerOptions {
  /** `PLAINTEXT`, or any name that the node is registered with. */
  readonly name: string
  /** Port 0 takes a free one. */
  readonly bind: NetAddress
}

export interface BrokerOptions {
  readonly env: Env
  readonly nodeId: number
  readonly listeners: readonly ListenerOptions[]
  readonly config: BrokerConfigs
  readonly host: LogHost
  readonly controller: MetadataView
  readonly groups: GroupApi & GroupCoordinatorControl
}

export interface BoundListener {
  readonly name: string
  /** With the port that was taken. */
  readonly address: NetAddress
}

/** Answered bytes that wait for the answer to an earlier request of their connection. */
const HELD_BYTES_MAX = 64 * 1024 * 1024
/** Of lines that clients can provoke. */
const LOG_INTERVAL_MS = 1_000

export class Broker {
  readonly partitions: Partitions
  /** Who leads what, as this node sees it. */
  readonly cluster: ClusterView
  readonly #services: Services
  readonly #listeners: readonly ClientListener[]
  readonly #housekeeping: Housekeeping
  readonly #balance: LeaderBalance
  readonly #budget: RequestBudget

  constructor(options: BrokerOptions) {
    const { env, config, host, controller, groups } = options
    const nodeId: NodeId = asNodeId(options.nodeId)
    this.partitions = new Partitions({ env, nodeId, host, metadata: controller, groups })
    this.cluster = new ClusterView({ nodeId, metadata: controller, host })
    this.#services = {
      env,
      config,
      host,
      controller,
      groups,
      partitions: this.partitions,
      cluster: this.cluster,
      deadlines: new Deadlines(env),
      longPolls: new Deadlines(env),
      fetchSessions: new FetchSessions({
        clock: env.clock,
        random: env.random,
        slotsMax: config['max.incremental.fetch.session.cache.slots'],
      }),
      producerIds: new ProducerIds(controller),
    }
    this.#balance = new LeaderBalance({ env, host, metadata: controller })
    this.#housekeeping = new Housekeeping(this.#services)
    this.#budget = new RequestBudget({ bytesMax: config['chronik.inflight.bytes.max'] })
    const dispatcher = new Dispatcher({ apis: servedApis(this.#services), log: env.log })
    const shared = {
      network: env.network,
      clock: env.clock,
      timers: env.timers,
      dispatcher,
      budget: this.#budget,
      quietLog: new QuietLog({ clock: env.clock, log: env.log, intervalMs: LOG_INTERVAL_MS }),
      counts: { total: 0, byHost: new Map<string, number>() },
      connectionsMax: config['max.connections'],
      connectionsPerHostMax: config['max.connections.per.ip'],
      idleMsMax: config['connections.max.idle.ms'],
      limits: {
        requestBytesMax: config['socket.request.max.bytes'],
        inFlightRequestsMax: config['queued.max.requests'],
        inFlightBytesMax: config['chronik.connection.inflight.bytes.max'],
        heldBytesMax: HELD_BYTES_MAX,
      },
    }
    this.#listeners = options.listeners.map(
      ({ name, bind }) => new ClientListener({ ...shared, name, bind }),
    )
  }

  /** Opens the partitions that the metadata gives to this node, and follows its changes from now on. */
  async open(): Promise<void> {
    await this.partitions.start()
    this.#housekeeping.start()
    this.#balance.start()
  }

  /**
   * Takes the listeners' ports. Fails with NetError `EADDRINUSE` and the like; `close` then frees those that were taken.
   * Clients connect from now on, but are not answered before `serve`, so that the node can be registered with its ports.
   */
  async bind(): Promise<BoundListener[]> {
    const bound: BoundListener[] = []
    for (const listener of this.#listeners) {
      bound.push({ name: listener.name, address: await listener.bind() })
    }
    return bound
  }

  serve(): void {
    for (const listener of this.#listeners) listener.serve()
  }

  /** What an operator may want to see. */
  stats(): {
    readonly connections: number
    readonly requestBytes: number
    readonly fetchSessions: number
    readonly waiting: number
  } {
    let connections = 0
    for (const listener of this.#listeners) connections += listener.connectionCount
    return {
      connections,
      requestBytes: this.#budget.bytes,
      fetchSessions: this.#services.fetchSessions.size,
      waiting: this.#services.deadlines.size + this.#services.longPolls.size,
    }
  }

  /**
   * Answers the requests in work, as far as that takes no longer than a second, ends the connections and lets go of the
   * partitions; the log host and the controller are closed after it.
   */
  async close(): Promise<void> {
    const closing = this.#listeners.map((listener) => listener.close())
    // Long polls end with what there is.
    this.#services.longPolls.expire()
    await Promise.all(closing)
    this.#balance.close()
    this.#housekeeping.close()
    this.#services.deadlines.close()
    this.#services.longPolls.close()
    this.partitions.close()
  }
}
