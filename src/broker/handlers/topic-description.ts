// One topic as Metadata and DescribeTopicPartitions tell of it.

import type { TopicImage } from '../../controller/metadata-image.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { ClusterView } from '../cluster-view.ts'

export interface PartitionDescription {
  readonly errorCode: number
  readonly partitionIndex: number
  readonly leaderId: number
  readonly leaderEpoch: number
  readonly replicaNodes: readonly number[]
  readonly isrNodes: readonly number[]
  /** Replicas on nodes that have no listener of the name asked on. */
  readonly offlineReplicas: readonly number[]
}

export interface DescribedOn {
  readonly listener: string
  /** What is said of a leader that has no such listener: Metadata before v6 does not know LISTENER_NOT_FOUND. */
  readonly unreachable?: ErrorCode
}

export function describePartition(
  cluster: ClusterView,
  { listener, unreachable = ErrorCode.LISTENER_NOT_FOUND }: DescribedOn,
  topic: TopicImage,
  index: number,
): PartitionDescription {
  const partition = topic.partitions[index]
  const replicas = partition?.replicas ?? []
  const leadership = cluster.leadership(topic, index)
  const reachable = cluster.node(leadership.leaderId, listener) !== undefined
  let errorCode: number = ErrorCode.NONE
  if (leadership.leaderId < 0) errorCode = ErrorCode.LEADER_NOT_AVAILABLE
  else if (!reachable) errorCode = unreachable
  return {
    errorCode,
    partitionIndex: index,
    leaderId: reachable ? leadership.leaderId : -1,
    leaderEpoch: leadership.leaderEpoch,
    replicaNodes: replicas,
    isrNodes: partition === undefined ? [] : cluster.inSyncReplicas(topic, partition),
    offlineReplicas: replicas.filter((nodeId) => cluster.node(nodeId, listener) === undefined),
  }
}

export function describePartitions(
  cluster: ClusterView,
  on: DescribedOn,
  topic: TopicImage,
): PartitionDescription[] {
  return topic.partitions.map((_, index) => describePartition(cluster, on, topic, index))
}
