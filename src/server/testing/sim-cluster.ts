// Test support: a cluster of whole nodes in the simulated world, and clients beside it.

import assert from 'node:assert/strict'
import type { PartitionView } from '../../admin/cluster-admin.ts'
import { RawClient } from '../../broker/testing/raw-client.ts'
import { Simulation } from '../../env/sim/simulation.ts'
import { createTopics } from '../../protocol/messages/create-topics.ts'
import { Chronik } from '../chronik.ts'

const KAFKA_PORT = 9092
const RAFT_PORT = 9192

export interface SimClusterOptions {
  readonly seed?: number
  readonly nodes?: number
  readonly config?: Readonly<Record<string, string>>
  /** Told each line that a node logs. */
  readonly log?: (line: string) => void
}

export class SimCluster {
  readonly simulation: Simulation
  readonly ids: readonly number[]
  readonly #config: Readonly<Record<string, string>>
  readonly #nodes = new Map<number, Chronik>()
  readonly #network

  private constructor({ seed = 1, nodes = 3, config = {}, log }: SimClusterOptions) {
    this.simulation = new Simulation(seed, log === undefined ? {} : { log })
    this.ids = Array.from({ length: nodes }, (_, i) => i + 1)
    this.#config = config
    this.#network = this.simulation.host('client').boot().network
  }

  /** Resolves when all nodes serve. */
  static async start(options: SimClusterOptions = {}): Promise<SimCluster> {
    const cluster = SimCluster.off(options)
    await cluster.boot(...cluster.ids)
    return cluster
  }

  /** No node runs yet. */
  static off(options: SimClusterOptions = {}): SimCluster {
    return new SimCluster(options)
  }

  async boot(...ids: readonly number[]): Promise<void> {
    await this.settle(this.begin(...ids), 20_000)
  }

  /** As `boot`, but the caller lets the time pass; a node that is killed before it serves stays unsettled. */
  async begin(...ids: readonly number[]): Promise<void> {
    await Promise.all(ids.map(async (id) => this.#nodes.set(id, await this.#start(id))))
  }

  #start(id: number): Promise<Chronik> {
    const name = nameOf(id)
    return Chronik.start({
      nodeId: id,
      dataDir: '/data',
      listeners: [{ name: 'PLAINTEXT', host: name, port: KAFKA_PORT }],
      cluster: {
        raft: { host: name, port: RAFT_PORT },
        peers: this.ids.map((peer) => ({ nodeId: peer, host: nameOf(peer), port: RAFT_PORT })),
        secret: 'known to all nodes of this test',
      },
      config: {
        'offsets.topic.num.partitions': '3',
        'group.initial.rebalance.delay.ms': '50',
        ...this.#config,
      },
      env: this.host(id).boot(),
    })
  }

  host(id: number) {
    return this.simulation.host(nameOf(id))
  }

  node(id: number): Chronik {
    const node = this.#nodes.get(id)
    assert.ok(node !== undefined, `node ${id} does not run`)
    return node
  }

  get up(): readonly number[] {
    return [...this.#nodes.keys()].toSorted()
  }

  kill(id: number): void {
    this.#nodes.delete(id)
    this.host(id).kill()
  }

  async stop(id: number): Promise<void> {
    const node = this.node(id)
    this.#nodes.delete(id)
    await this.settle(node.stop(), 10_000)
    this.host(id).kill()
  }

  settle<T>(promise: Promise<T>, withinMs = 10_000): Promise<T> {
    return this.simulation.settle(promise, { withinMs })
  }

  /** Lets the time pass. */
  async pass(ms: number): Promise<void> {
    await this.simulation.run({ untilMs: this.simulation.nowMs + ms })
  }

  /** Lets the time pass until it holds; returns how long that took, in ms. */
  async until(what: string, holds: () => boolean, withinMs = 10_000): Promise<number> {
    const sinceMs = this.simulation.nowMs
    const end = await this.simulation.run({ untilMs: sinceMs + withinMs, until: holds })
    assert.equal(end, 'until', `not within ${withinMs} ms: ${what}`)
    return this.simulation.nowMs - sinceMs
  }

  /** A client of one node. */
  connect(id: number): Promise<RawClient> {
    return this.settle(RawClient.connect(this.#network, KAFKA_PORT, { host: nameOf(id) }))
  }

  /** Resolves when the partitions have leaders that all running nodes know. */
  async create(name: string, options: CreateOptions = {}): Promise<void> {
    const { partitions = 1, replicas, assignments = [], configs = {} } = options
    const client = await this.connect(this.up[0]!)
    const { topics } = await this.settle(
      client.send(createTopics, 7, {
        topics: [
          {
            name,
            numPartitions: assignments.length > 0 ? -1 : partitions,
            replicationFactor: assignments.length > 0 ? -1 : (replicas ?? -1),
            assignments: assignments.map((brokerIds, partitionIndex) => ({
              partitionIndex,
              brokerIds,
            })),
            configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
          },
        ],
        timeoutMs: 10_000,
        validateOnly: false,
      }),
    )
    client.close()
    assert.equal(topics[0]?.errorCode, 0, topics[0]?.errorMessage ?? '')
    await this.until(`${name} is led`, () =>
      this.up.every((id) => {
        const views = this.node(id).admin.partitionsOf(name)
        return views.length > 0 && views.every(({ leader }) => leader !== null)
      }),
    )
  }

  /** As the node sees it. */
  partition(id: number, topic: string, index = 0): PartitionView {
    const view = this.node(id).admin.partitionsOf(topic)[index]
    assert.ok(view !== undefined, `node ${id} knows no ${topic}-${index}`)
    return view
  }

  /** What all running nodes say of who leads; undefined: they differ, or nobody does. */
  leaderOf(topic: string, index = 0): number | undefined {
    const said = new Set(this.up.map((id) => this.partition(id, topic, index).leader))
    const [leader] = said
    return said.size === 1 && leader !== null ? leader : undefined
  }
}

export interface CreateOptions {
  readonly partitions?: number
  readonly replicas?: number
  /** Brokers by partition. */
  readonly assignments?: readonly (readonly number[])[]
  readonly configs?: Readonly<Record<string, string>>
}

const nameOf = (id: number): string => `node-${id}`
