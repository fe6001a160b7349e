// The cluster as one listener's clients are told of it: nodes under that listener's addresses, and who leads a partition.

import type { NodeId } from '../base/brand.ts'
import type { MetadataView } from '../controller/controller.ts'
import {
  type BrokerImage,
  logIdOf,
  type PartitionImage,
  type TopicImage,
} from '../controller/metadata-image.ts'
import type { Partition } from '../partition/partition.ts'
import type { LogHost } from '../replicated/replicated-log.ts'

export interface NodeAddress {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

export interface Leadership {
  /** -1: none is known. */
  readonly leaderId: number
  readonly leaderEpoch: number
}

const NO_LEADER: Leadership = { leaderId: -1, leaderEpoch: -1 }

export class ClusterView {
  readonly nodeId: NodeId
  readonly metadata: MetadataView
  readonly #host: LogHost

  constructor(options: {
    readonly nodeId: NodeId
    readonly metadata: MetadataView
    readonly host: LogHost
  }) {
    this.nodeId = options.nodeId
    this.metadata = options.metadata
    this.#host = options.host
  }

  /** The nodes that a client may turn to and that have a listener of that name, by id. */
  nodes(listener: string): NodeAddress[] {
    const brokers = [...this.metadata.image.brokers.values()]
    return this.#addresses(
      worthTrying(brokers, (nodeId) => this.#host.isUp(nodeId)),
      listener,
    )
  }

  /** All nodes that have a listener of that name, also those that are down, by id. */
  registered(listener: string): NodeAddress[] {
    return this.#addresses(this.metadata.image.brokers.values(), listener)
  }

  #addresses(brokers: Iterable<BrokerImage>, listener: string): NodeAddress[] {
    const nodes: NodeAddress[] = []
    for (const broker of brokers) {
      const endpoint = broker.listeners.find(({ name }) => name === listener)
      if (endpoint === undefined) continue
      const { host, port } = endpoint
      nodes.push({ nodeId: broker.nodeId, host, port, rack: broker.rack })
    }
    return nodes.toSorted((a, b) => a.nodeId - b.nodeId)
  }

  node(nodeId: number, listener: string): NodeAddress | undefined {
    const broker = this.metadata.image.brokers.get(String(nodeId))
    const endpoint = broker?.listeners.find(({ name }) => name === listener)
    if (broker === undefined || endpoint === undefined) return undefined
    if (!this.#host.isUp(broker.nodeId)) return undefined
    return { nodeId, host: endpoint.host, port: endpoint.port, rack: broker.rack }
  }

  get controllerId(): number {
    return this.metadata.controllerId ?? -1
  }

  /** As far as this node knows. */
  leadership(topic: TopicImage, index: number): Leadership {
    const leader = this.#host.leaderOf(logIdOf(topic, index))
    if (leader === undefined || !this.#host.isUp(leader.nodeId)) return NO_LEADER
    return { leaderId: leader.nodeId, leaderEpoch: leader.epoch }
  }

  isUp(nodeId: NodeId): boolean {
    return this.#host.isUp(nodeId)
  }

  inSyncReplicas(topic: TopicImage, partition: PartitionImage): readonly NodeId[] {
    return this.#host.inSync(logIdOf(topic, partition.index), partition.replicas)
  }

  /** How many replicas of a partition that this node leads are in sync, for min.insync.replicas. */
  inSyncCount(partition: Partition): number {
    const topic = this.metadata.image.topicsById.get(partition.topicId)
    const replicas = topic?.partitions[partition.index]?.replicas
    return replicas === undefined ? 1 : this.#host.inSync(partition.log.id, replicas).length
  }
}

/**
 * Those that are up, while most of the nodes are. A node that misses the majority can't tell whether they are dead or it is cut
 * off: a client that asked it, and was told of it alone, would ask it for ever and never find the others.
 */
export function worthTrying<Broker extends { readonly nodeId: NodeId }>(
  brokers: readonly Broker[],
  isUp: (nodeId: NodeId) => boolean,
): readonly Broker[] {
  const up = brokers.filter(({ nodeId }) => isUp(nodeId))
  return up.length > brokers.length / 2 ? up : brokers
}
