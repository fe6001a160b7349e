// What operators see of the cluster and tell it to do, from the node's own parts: its metadata, its view of leaders, its
// replicas. What it knows of other nodes and how leaderships move comes from whoever knows (`PeerFacts`, `LeaderMoves`).

import type {
  SuspectsView,
  AdminResult,
  ClusterAdmin,
  ClusterView as AdminView,
  DrainAccepted,
  NodeView,
  PartitionView,
  TransferDone,
  TransferRequest,
} from '../admin/cluster-admin.ts'
import type { NodeId } from '../base/brand.ts'
import { hostPort } from '../base/hosts.ts'
import type { ClusterView } from '../broker/cluster-view.ts'
import type { Partitions } from '../broker/partitions.ts'
import type { MetadataView } from '../controller/controller.ts'
import type { BrokerImage, PartitionImage, TopicImage } from '../controller/metadata-image.ts'

/** What this node knows of a node beside its registration. */
export type PeerFacts = Pick<NodeView, 'up' | 'bootId' | 'draining' | 'raft' | 'http'>

/** How leaderships move; called only for topics, partitions and nodes that the metadata has. */
export interface LeaderMoves {
  transfer(
    topic: TopicImage,
    partition: PartitionImage,
    to: number | undefined,
  ): Promise<AdminResult<TransferDone>>
  /** Resolves once the intent is committed. */
  setDraining(nodeId: number, draining: boolean): Promise<AdminResult<void>>
}

export interface ClusterAdminParts {
  readonly nodeId: number
  readonly metadata: MetadataView
  readonly cluster: ClusterView
  readonly partitions: Partitions
  readonly controllerEpoch: () => number
  readonly facts: (nodeId: NodeId) => PeerFacts
  readonly moves: LeaderMoves
  readonly suspects: () => SuspectsView | undefined
}

export class NodeClusterAdmin implements ClusterAdmin {
  readonly #parts: ClusterAdminParts

  constructor(parts: ClusterAdminParts) {
    this.#parts = parts
  }

  view(): AdminView {
    const { nodeId, metadata, controllerEpoch, facts } = this.#parts
    const suspects = this.#parts.suspects()
    const { clusterId, brokers } = metadata.image
    return {
      clusterId,
      nodeId,
      controller: { leader: metadata.controllerId ?? null, epoch: controllerEpoch() },
      nodes: [...brokers.values()].map((broker) => ({
        nodeId: broker.nodeId,
        rack: broker.rack,
        kafka: addressesOf(broker),
        ...facts(broker.nodeId),
      })),
      ...(suspects === undefined ? {} : { suspects }),
    }
  }

  topics(): Iterable<string> {
    return this.#parts.metadata.image.topics.keys()
  }

  partitionsOf(name: string): readonly PartitionView[] {
    const { metadata, cluster, partitions } = this.#parts
    const topic = metadata.image.topics.get(name)
    if (topic === undefined) return []
    const minInSync = metadata.topicConfigs(topic)['min.insync.replicas']
    return topic.partitions.map((partition) => {
      const leadership = cluster.leadership(topic, partition.index)
      const log = partitions.getById(topic.id, partition.index)?.log
      return {
        partition: partition.index,
        leader: leadership.leaderId < 0 ? null : leadership.leaderId,
        leaderEpoch: leadership.leaderEpoch,
        replicas: partition.replicas,
        isr: cluster.inSyncReplicas(topic, partition),
        minInSync,
        highWatermark: log?.highWatermark ?? null,
        logEnd: log?.logEnd.offset ?? null,
      }
    })
  }

  transferLeader(request: TransferRequest): Promise<AdminResult<TransferDone>> {
    const { metadata, moves } = this.#parts
    const topic = metadata.image.topics.get(request.topic)
    const partition = topic?.partitions[request.partition]
    if (topic === undefined || partition === undefined) {
      const what =
        topic === undefined
          ? `there is no topic ${request.topic}`
          : `${topic.name} has the partitions 0 to ${topic.partitions.length - 1}`
      return failed('UNKNOWN_TOPIC_OR_PARTITION', what)
    }
    const { to } = request
    if (to === undefined || partition.replicas.some((id) => id === to)) {
      return moves.transfer(topic, partition, to)
    }
    if (!this.#exists(to)) return this.#unknownNode(to)
    return failed(
      'NOT_A_REPLICA',
      `node ${to} holds no replica of ${topic.name}-${partition.index}; nodes ${partition.replicas.join(', ')} do`,
    )
  }

  drain(nodeId: number): Promise<AdminResult<DrainAccepted>> {
    return this.#setDraining(nodeId, true)
  }

  undrain(nodeId: number): Promise<AdminResult<DrainAccepted>> {
    return this.#setDraining(nodeId, false)
  }

  async #setDraining(nodeId: number, draining: boolean): Promise<AdminResult<DrainAccepted>> {
    if (!this.#exists(nodeId)) return this.#unknownNode(nodeId)
    const result = await this.#parts.moves.setDraining(nodeId, draining)
    return result.ok ? { ok: true, value: { leaderships: this.#leaderships(nodeId) } } : result
  }

  #leaderships(nodeId: number): number {
    const { metadata, cluster } = this.#parts
    let count = 0
    for (const topic of metadata.image.topics.values()) {
      for (const { index } of topic.partitions) {
        if (cluster.leadership(topic, index).leaderId === nodeId) count++
      }
    }
    return count
  }

  #exists(nodeId: number): boolean {
    return this.#parts.metadata.image.brokers.has(String(nodeId))
  }

  #unknownNode(nodeId: number): Promise<AdminResult<never>> {
    const ids = [...this.#parts.metadata.image.brokers.values()].map(({ nodeId: id }) => id)
    return failed(
      'UNKNOWN_NODE',
      `there is no node ${nodeId}; the cluster has ${ids.toSorted((a, b) => a - b).join(', ')}`,
    )
  }
}

/** How leaderships move where there is nobody to move them to. */
export const MOVES_ALONE: LeaderMoves = {
  transfer: (topic, partition) =>
    failed(
      'TARGET_UNFIT',
      `${topic.name}-${partition.index} has one replica, so nobody else can lead it`,
    ),
  setDraining: (nodeId, draining) =>
    draining
      ? failed('TARGET_UNFIT', `node ${nodeId} is the only one, so nobody can take its leaderships`)
      : Promise.resolve({ ok: true, value: undefined }),
}

function failed(
  code: 'UNKNOWN_TOPIC_OR_PARTITION' | 'UNKNOWN_NODE' | 'NOT_A_REPLICA' | 'TARGET_UNFIT',
  message: string,
): Promise<AdminResult<never>> {
  return Promise.resolve({ ok: false, error: { code, message } })
}

function addressesOf({ listeners }: BrokerImage): Record<string, string> {
  return Object.fromEntries(listeners.map((listener) => [listener.name, hostPort(listener)]))
}
