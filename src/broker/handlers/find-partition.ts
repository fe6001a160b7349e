// The partition that a request names, by name or by topic id, or the error that says why it is not here.

import type { Partition } from '../../partition/partition.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import { ZERO_UUID } from '../../protocol/schema.ts'
import type { Services } from '../services.ts'

export interface PartitionName {
  /** Not read where the id is given. */
  readonly topic: string
  /** Zero in versions that go by name. */
  readonly topicId: string
  readonly index: number
}

/** It does not exist; or it is another node's, or still being opened: then clients refresh their metadata and come again. */
export function findPartition(
  services: Pick<Services, 'partitions' | 'controller'>,
  { topic, topicId, index }: PartitionName,
): Partition | ErrorCode {
  const { partitions, controller } = services
  const byId = topicId !== ZERO_UUID
  const partition = byId ? partitions.getById(topicId, index) : partitions.get(topic, index)
  if (partition !== undefined) return partition
  const { image } = controller
  const known = byId ? image.topicsById.get(topicId) : image.topics.get(topic)
  if (known === undefined && byId) return ErrorCode.UNKNOWN_TOPIC_ID
  return known?.partitions[index] === undefined
    ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    : ErrorCode.NOT_LEADER_OR_FOLLOWER
}
