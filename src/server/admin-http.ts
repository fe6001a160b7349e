// The node's HTTP port, open from the first moment of its start: it is alive long before it is ready, and says what it
// waits for.

import type { ClusterAdmin, Readiness } from '../admin/cluster-admin.ts'
import { httpApi } from '../admin/http-api.ts'
import type { Logger } from '../env/env.ts'
import type { NetAddress, NetListener } from '../env/network.ts'
import type { ChronikOptions } from './options.ts'

export class AdminHttp {
  readonly address: NetAddress
  readonly #state: State
  readonly #listener: NetListener

  private constructor(listener: NetListener, state: State) {
    this.address = listener.address
    this.#listener = listener
    this.#state = state
  }

  /** Undefined where HTTP is off. Fails with NetError. */
  static async open(options: ChronikOptions, log: Logger): Promise<AdminHttp | undefined> {
    const { http, nodeId = 1 } = options
    if (http === undefined) return undefined
    const { NodeHttp } = await import('../env/node/node-http.ts')
    const state: State = { readiness: () => ({ ready: false, reason: 'starting' }) }
    const names = [
      http.host,
      ...(options.listeners ?? []).map(({ host, advertisedHost }) => advertisedHost ?? host),
      ...(options.cluster?.peers ?? []).filter((peer) => peer.nodeId === nodeId).map((p) => p.host),
    ]
    const answer = httpApi({
      readiness: () => state.readiness(),
      cluster: () => state.cluster,
      guard: {
        access: options.httpApi ?? 'loopback',
        names: new Set(names.map((name) => name.toLowerCase())),
      },
      log,
    })
    return new AdminHttp(await new NodeHttp().listen(http, answer), state)
  }

  /** From now on `readiness` is asked. */
  setReadiness(readiness: () => Readiness): void {
    this.#state.readiness = readiness
  }

  /** The node knows its cluster; before it is ready, operators may already look. */
  setCluster(cluster: ClusterAdmin): void {
    this.#state.cluster = cluster
  }

  close(): Promise<void> {
    return this.#listener.close()
  }
}

interface State {
  readiness: () => Readiness
  cluster?: ClusterAdmin
}
