// The node's HTTP port, open from the first moment of its start: it is alive long before it is ready, and says what it
// waits for.

import type { ClusterAdmin, Readiness } from '../admin/cluster-admin.ts'
import { httpApi } from '../admin/http-api.ts'
import type { Logger } from '../env/env.ts'
import type { NetAddress, NetListener } from '../env/network.ts'
import type { ChronikOptions } from './options.ts'

/** Where HTTP is off, there is nothing behind it. */
export class AdminHttp {
  readonly address: NetAddress | undefined
  readonly #state: State
  readonly #listener: NetListener | undefined

  private constructor(listener: NetListener | undefined, state: State) {
    this.address = listener?.address
    this.#listener = listener
    this.#state = state
  }

  /** Fails with NetError. */
  static async open(options: ChronikOptions, log: Logger): Promise<AdminHttp> {
    const state: State = { readiness: () => ({ ready: false, reason: 'it reads its data' }) }
    const { http } = options
    if (http === undefined) return new AdminHttp(undefined, state)
    const { NodeHttp } = await import('../env/node/node-http.ts')
    const answer = httpApi({
      readiness: () => state.readiness(),
      cluster: () => state.cluster,
      guard: { access: options.httpApi ?? 'loopback', names: namesOf(options, http.host) },
      log,
    })
    return new AdminHttp(await new NodeHttp().listen(http, answer), state)
  }

  /** Not yet, or no longer; the reason is asked for whenever somebody wants to know. */
  notReady(reason: () => string): void {
    this.#state.readiness = () => ({ ready: false, reason: reason() })
  }

  /** The node serves, as long as `readiness` says so, and operators may look at its cluster. */
  serve(cluster: ClusterAdmin, readiness: () => Readiness): void {
    this.#state.cluster = cluster
    this.#state.readiness = readiness
  }

  async close(): Promise<void> {
    await this.#listener?.close()
  }
}

interface State {
  readiness: () => Readiness
  cluster?: ClusterAdmin
}

/** Names under which the node may be asked: those that it listens on, or gives to others. */
function namesOf(options: ChronikOptions, httpHost: string): ReadonlySet<string> {
  const { nodeId = 1, listeners = [], cluster } = options
  const names = [
    httpHost,
    ...listeners.map(({ host, advertisedHost }) => advertisedHost ?? host),
    ...(cluster?.peers ?? []).filter((peer) => peer.nodeId === nodeId).map(({ host }) => host),
  ]
  return new Set(names.map((name) => name.toLowerCase()))
}
