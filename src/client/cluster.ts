// What the client knows of the cluster: its nodes, its topics and who leads each partition, and the connections to
// them. Kept up to date when someone asks (`refresh`), as callers do when a node says that it does not lead.

import type { Brand } from '../base/brand.ts'
import type { NetAddress } from '../env/network.ts'
import { metadata } from '../protocol/messages/metadata.ts'
import type { ResponseOf } from '../protocol/message.ts'
import { Incarnations } from './incarnations.ts'
import type { ClientEnv } from './client-env.ts'
import { ClientError, RequestError, throwIfError } from './client-error.ts'
import {
  BrokerConnection,
  CONNECTION_DEFAULTS,
  format,
  type ConnectionOptions,
} from './connection.ts'

export interface ClusterOptions extends ConnectionOptions {
  readonly bootstrap: readonly NetAddress[]
}

export interface NodeInfo {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

export interface TopicInfo {
  readonly name: string
  /** Kafka's text form; zero where the broker is too old to tell. */
  readonly topicId: string
  readonly internal: boolean
  /** A Kafka error code; with one, there are no partitions. */
  readonly errorCode: number
  /** By index. */
  readonly partitions: readonly PartitionInfo[]
}

export interface PartitionInfo {
  readonly partition: number
  readonly errorCode: number
  /** -1: none at the moment. */
  readonly leader: number
  /** -1: unknown. */
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly inSyncReplicas: readonly number[]
}

export interface ClusterInfo {
  readonly clusterId: string | null
  /** -1: none at the moment. */
  readonly controllerId: number
  readonly nodes: readonly NodeInfo[]
  readonly topics: readonly TopicInfo[]
}

/**
 * Requests of one lane share a connection per node, and so wait for one another's answers. Whoever waits long (a consumer's
 * fetches, a group member's joins) has a lane of its own.
 */
export type Lane = 'main' | Brand<string, 'Lane'>

export class Cluster {
  readonly env: ClientEnv
  readonly #options: ClusterOptions
  readonly #nodes = new Map<number, NodeInfo>()
  readonly #topics = new Map<string, TopicInfo>()
  readonly #connections = new Map<string, Promise<BrokerConnection>>()
  readonly #incarnations = new Incarnations()
  readonly #refreshes = new Map<string, Promise<ClusterInfo>>()
  #nextLane = 1
  #controllerId = -1
  #closed = false

  constructor(
    env: ClientEnv,
    options: Partial<ClusterOptions> & Pick<ClusterOptions, 'bootstrap'>,
  ) {
    this.env = env
    this.#options = { ...CONNECTION_DEFAULTS, ...options }
  }

  get requestTimeoutMs(): number {
    return this.#options.requestTimeoutMs
  }

  /** As of the last refresh that named it and found it. */
  topic(name: string): TopicInfo | undefined {
    return this.#topics.get(name)
  }

  /** The node that leads the partition, as far as is known. */
  leaderOf(topic: string, partition: number): { node: NodeInfo; epoch: number } | undefined {
    const info = this.#topics.get(topic)?.partitions[partition]
    const node = info === undefined ? undefined : this.#nodes.get(info.leader)
    return info === undefined || node === undefined ? undefined : { node, epoch: info.leaderEpoch }
  }

  /**
   * Before a topic is deleted, or created. Call what it returns once that has succeeded, with the id of what was created: what
   * was known under the name before is gone for good, whatever a node that is behind may still say.
   */
  replacingTopic(name: string): (created?: string) => void {
    const replaced = this.#incarnations.replacing(name, this.#topics.get(name)?.topicId)
    return (created) => {
      replaced(created)
      const known = this.#topics.get(name)
      if (known !== undefined && this.#incarnations.isGone(known.topicId)) this.#topics.delete(name)
    }
  }

  /** A produce or fetch answer named a new leader (KIP-951): taken over if it is newer. */
  learnLeader(topic: string, partition: number, leader: { node: NodeInfo; epoch: number }): void {
    const info = this.#topics.get(topic)
    const known = info?.partitions[partition]
    if (info === undefined || known === undefined || known.leaderEpoch >= leader.epoch) return
    this.#nodes.set(leader.node.id, leader.node)
    const partitions = [...info.partitions]
    partitions[partition] = { ...known, leader: leader.node.id, leaderEpoch: leader.epoch }
    this.#topics.set(topic, { ...info, partitions })
  }

  /**
   * Asks any node for the state of the cluster and of the topics named, or of all. Topics that do not exist come with
   * an error code. Equal requests under way at the same time are one. Throws RequestError when no node answers.
   */
  refresh(
    topics: readonly string[] | 'all',
    options: { readonly autoCreate?: boolean } = {},
  ): Promise<ClusterInfo> {
    const autoCreate = options.autoCreate === true
    const key = JSON.stringify([topics === 'all' ? null : topics.toSorted(), autoCreate])
    const underWay = this.#refreshes.get(key)
    if (underWay !== undefined) return underWay
    const refresh = this.#refresh(topics, autoCreate).finally(() => this.#refreshes.delete(key))
    this.#refreshes.set(key, refresh)
    return refresh
  }

  /** A connection to the node, opened if need be. Throws RequestError, ClientError `closed`. */
  async connectionTo(node: NetAddress, lane: Lane = 'main'): Promise<BrokerConnection> {
    if (this.#closed) throw new ClientError('closed', 'the client is closed')
    const key = `${lane} ${format(node)}`
    const existing = this.#connections.get(key)
    if (existing !== undefined) return existing
    const opening = this.#open(node, key)
    this.#connections.set(key, opening)
    return opening
  }

  /** A connection to any node that answers: known ones first, then the bootstrap addresses. Throws RequestError. */
  async anyConnection(): Promise<BrokerConnection> {
    const tried = new Set<string>()
    let failure: unknown
    for (const address of [...this.#shuffled(), ...this.#options.bootstrap]) {
      if (tried.has(format(address))) continue
      tried.add(format(address))
      try {
        return await this.connectionTo(address)
      } catch (error) {
        if (error instanceof ClientError) throw error
        failure = error
      }
    }
    const why = failure instanceof Error ? failure.message : 'no bootstrap address'
    throw new RequestError('not-sent', `no broker answers: ${why}`, { cause: failure })
  }

  /** A connection to the controller, or to any node where none is known. Throws RequestError. */
  async controllerConnection(): Promise<BrokerConnection> {
    if (this.#controllerId < 0) await this.refresh([])
    const controller = this.#nodes.get(this.#controllerId)
    return controller === undefined ? this.anyConnection() : this.connectionTo(controller)
  }

  /** A lane of the caller's own, until it is given back. */
  openLane(): Lane {
    return `lane-${this.#nextLane++}` as Lane
  }

  /** Ends the lane's connections; requests in flight on it fail. */
  closeLane(lane: Lane): void {
    for (const [key, opening] of this.#connections) {
      if (key.startsWith(`${lane} `)) this.#end(key, opening)
    }
  }

  /** Forgets who the controller is, after a node said that it is not. */
  forgetController(): void {
    this.#controllerId = -1
  }

  /** Ends every connection; requests in flight fail. */
  close(): void {
    this.#closed = true
    for (const [key, opening] of this.#connections) this.#end(key, opening)
  }

  #end(key: string, opening: Promise<BrokerConnection>): void {
    this.#connections.delete(key)
    opening.then(
      (connection) => connection.close(),
      () => undefined,
    )
  }

  async #open(node: NetAddress, key: string): Promise<BrokerConnection> {
    try {
      const connection = await BrokerConnection.open(this.env, node, this.#options)
      if (this.#closed) connection.close()
      connection.onClosed(() => this.#forget(key, connection))
      return connection
    } catch (error) {
      this.#connections.delete(key)
      this.#unreachable(node)
      throw error
    }
  }

  /** Whoever it was said to lead is asked for again; where it still leads, the answer says so. */
  #unreachable(address: NetAddress): void {
    const node = [...this.#nodes.values()].find((one) => format(one) === format(address))
    if (node === undefined) return
    if (this.#controllerId === node.id) this.#controllerId = -1
    for (const [name, topic] of this.#topics) {
      if (!topic.partitions.some(({ leader }) => leader === node.id)) continue
      const partitions = topic.partitions.map((one) =>
        one.leader === node.id ? { ...one, leader: -1 } : one,
      )
      this.#topics.set(name, { ...topic, partitions })
    }
  }

  /** A closed connection makes room for the next one, unless that is there already. */
  #forget(key: string, connection: BrokerConnection): void {
    const current = this.#connections.get(key)
    if (current === undefined) return
    current.then(
      (other) => {
        if (other === connection && this.#connections.get(key) === current)
          this.#connections.delete(key)
      },
      () => undefined,
    )
  }

  async #refresh(topics: readonly string[] | 'all', autoCreate: boolean): Promise<ClusterInfo> {
    const connection = await this.anyConnection()
    const names = topics === 'all' ? null : topics.map((name) => ({ name }))
    const answer = await connection.request(metadata, () => ({
      topics: names,
      allowAutoTopicCreation: autoCreate,
    }))
    throwIfError(answer.errorCode, 'metadata')
    return this.#take(answer, topics)
  }

  #take(answer: ResponseOf<typeof metadata>, asked: readonly string[] | 'all'): ClusterInfo {
    const nodes = answer.brokers.map(({ nodeId, host, port, rack }) => ({
      id: nodeId,
      host,
      port,
      rack,
    }))
    this.#nodes.clear()
    for (const node of nodes) this.#nodes.set(node.id, node)
    this.#controllerId = answer.controllerId
    const topics = answer.topics.map(topicInfo)
    if (asked === 'all') this.#topics.clear()
    for (const topic of topics) {
      const there = topic.errorCode === 0 && !this.#incarnations.isGone(topic.topicId)
      if (there) this.#topics.set(topic.name, this.#newer(topic))
      else this.#topics.delete(topic.name)
    }
    return { clusterId: answer.clusterId, controllerId: answer.controllerId, nodes, topics }
  }

  /** A node may answer with older leaders than another one told before; of the same topic, the newer epoch stays. */
  #newer(topic: TopicInfo): TopicInfo {
    const known = this.#topics.get(topic.name)
    if (known === undefined || known.topicId !== topic.topicId) return topic
    const partitions = topic.partitions.map((partition, i) => {
      const before = known.partitions[i]
      return before !== undefined &&
        before.leaderEpoch > partition.leaderEpoch &&
        this.#nodes.has(before.leader)
        ? before
        : partition
    })
    return { ...topic, partitions }
  }

  #shuffled(): NodeInfo[] {
    const nodes = [...this.#nodes.values()]
    for (let i = nodes.length - 1; i > 0; i--) {
      const j = this.env.random.below(i + 1)
      const [a, b] = [nodes[i], nodes[j]]
      if (a !== undefined && b !== undefined) [nodes[i], nodes[j]] = [b, a]
    }
    return nodes
  }
}

type MetadataTopic = ResponseOf<typeof metadata>['topics'][number]

function topicInfo(topic: MetadataTopic): TopicInfo {
  const partitions = topic.partitions
    .map((partition) => ({
      partition: partition.partitionIndex,
      errorCode: partition.errorCode,
      leader: partition.leaderId,
      leaderEpoch: partition.leaderEpoch,
      replicas: partition.replicaNodes,
      inSyncReplicas: partition.isrNodes,
    }))
    .toSorted((a, b) => a.partition - b.partition)
  return {
    name: topic.name ?? '',
    topicId: topic.topicId,
    internal: topic.isInternal,
    errorCode: topic.errorCode,
    partitions,
  }
}
