// The nodes of a development cluster together: started, looked at, told to die or pause, stopped.

import type { NetAddress } from '../../env/network.ts'
import { NetError } from '../../env/network.ts'
import type { HttpAnswer, HttpCall } from '../../env/node/http-client.ts'
import { Failure, usage } from '../failure.ts'
import { DevNode, type DevNodeOptions, type DevNodeStatus, type DevNodeWorld } from './dev-node.ts'
import type { NodeLayout } from './layout.ts'

export interface DevClusterWorld extends DevNodeWorld {
  readonly callHttp: (address: NetAddress, call: HttpCall) => Promise<HttpAnswer>
}

export interface DevClusterOptions {
  readonly nodes: readonly NodeLayout[]
  readonly command: (node: NodeLayout) => DevNodeOptions['command']
  readonly restart: boolean
}

export type DevAction = 'kill' | 'stop' | 'restart' | 'pause' | 'resume'
export const DEV_ACTIONS: readonly DevAction[] = ['kill', 'stop', 'restart', 'pause', 'resume']

export interface DevNodeReport extends DevNodeStatus {
  readonly kafka: NetAddress
  readonly raft: NetAddress
  readonly http: NetAddress
  readonly ready: boolean
  /** Why it is not ready, where it says so. */
  readonly notReady: string | null
  readonly dataDir: string
  readonly log: string
}

const READY_MS_MAX = 500
/** A node stops within 1.8 s by itself; all of them together must be gone within 2 s. */
const KILL_AFTER_MS = 1500

export class DevCluster {
  readonly nodes: readonly DevNode[]
  /** Resolves with the reason when the nodes were asked for wrongly. */
  readonly refused: Promise<Failure>
  readonly #world: DevClusterWorld

  constructor(world: DevClusterWorld, { nodes, command, restart }: DevClusterOptions) {
    const refused = Promise.withResolvers<Failure>()
    const onRefused = (words: string): void =>
      refused.resolve(usage(words.replace(/^chronik: /, '')))
    this.#world = world
    this.refused = refused.promise
    this.nodes = nodes.map(
      (layout) => new DevNode(world, { layout, command: command(layout), restart, onRefused }),
    )
  }

  start(): void {
    for (const node of this.nodes) node.start()
  }

  report(): Promise<DevNodeReport[]> {
    return Promise.all(
      this.nodes.map(async (node) => {
        const { kafka, raft, http, dataDir, logPath } = node.layout
        const status = node.status
        const notReady = status.state === 'up' ? await this.#notReady(http) : status.state
        return {
          ...status,
          ...{ kafka, raft, http, dataDir, log: logPath },
          ready: notReady === null,
          notReady,
        }
      }),
    )
  }

  /** Null when ready. */
  async #notReady(http: NetAddress): Promise<string | null> {
    try {
      const call = { method: 'GET', path: '/readyz', timeoutMs: READY_MS_MAX } as const
      const { status, body } = await this.#world.callHttp(http, call)
      return status === 200 ? null : body.trim().replace(/^not ready: /, '')
    } catch (error) {
      if (!(error instanceof NetError)) throw error
      return error.code === 'ECONNREFUSED' ? 'starting' : 'no answer'
    }
  }

  /** On all of them at once. Fails with Failure, with everything that went wrong, when that is done. */
  async act(action: DevAction, nodeIds: readonly number[]): Promise<DevNodeStatus[]> {
    const nodes = nodeIds.map((id) => this.#node(id))
    const results = await Promise.allSettled(nodes.map(async (node) => node[action]()))
    const failures = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason as unknown] : [],
    )
    const defect = failures.find((failure) => !(failure instanceof Failure))
    if (defect !== undefined) throw defect
    if (failures.length > 0) {
      throw new Failure(failures.map((failure) => (failure as Failure).message).join('\n'))
    }
    return nodes.map(({ status }) => status)
  }

  #node(nodeId: number): DevNode {
    const node = this.nodes.find(({ layout }) => layout.nodeId === nodeId)
    if (node !== undefined) return node
    const known = this.nodes.map(({ layout }) => layout.nodeId).join(', ')
    const are = this.nodes.length === 1 ? 'the only one is' : 'there are'
    throw usage(`there is no node ${nodeId}; ${are} ${known}`)
  }

  /** Ends every node, kindly at first. */
  async stop(): Promise<void> {
    const { timers } = this.#world
    const killing = timers.after(KILL_AFTER_MS, () => this.killAll())
    await Promise.all(this.nodes.map((node) => node.retire()))
    killing.cancel()
  }

  killAll(): void {
    for (const node of this.nodes) node.killNow()
  }
}
