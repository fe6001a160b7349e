// The cluster as one listener's clients are told of it: nodes under that listener's addresses, and who leads a partition.

import type { NodeId } from '../base/brand.ts'
import type { MetadataView } from '../controller/controller.ts'
import type { PartitionImage, TopicImage } from '../controller/metadata-image.ts'
import type { Partition } from '../partition/partition.ts'
import type { Partitions } from './partitions.ts'

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
  readonly #partitions: Partitions

  constructor(options: {
    readonly nodeId: NodeId
    readonly metadata: MetadataView
    readonly partitions: Partitions
  }) {
    this.nodeId = options.nodeId
    this.metadata = options.metadata
    this.#partitions = options.partitions
  }

  /** The nodes that have a listener of that name, by id. */
  nodes(listener: string): NodeAddress[] {
    const nodes: NodeAddress[] = []
    for (const broker of this.metadata.image.brokers.values()) {
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
    return { nodeId, host: endpoint.host, port: endpoint.port, rack: broker.rack }
  }

  get controllerId(): number {
    return this.metadata.controllerId ?? -1
  }

  /** As this node's replica sees it. */
  leadership(topic: TopicImage, index: number): Leadership {
    const partition = this.#partitions.getById(topic.id, index)
    if (partition === undefined) return NO_LEADER
    const { role } = partition
    if (role.kind === 'leader') return { leaderId: this.nodeId, leaderEpoch: role.epoch }
    return role.leader === undefined
      ? NO_LEADER
      : { leaderId: role.leader, leaderEpoch: role.epoch }
  }

  /** A group has one voter until nodes form clusters, and that is in sync with itself. */
  inSyncReplicas(partition: PartitionImage, leadership: Leadership): readonly NodeId[] {
    return leadership.leaderId < 0 ? [] : partition.replicas
  }

  /** How many replicas of a partition that this node leads are in sync, for min.insync.replicas. */
  inSyncCount(partition: Partition): number {
    const topic = this.metadata.image.topicsById.get(partition.topicId)
    return topic?.partitions[partition.index]?.replicas.length ?? 1
  }
}
