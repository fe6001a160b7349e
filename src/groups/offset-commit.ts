// OffsetCommit: checks each offset, commits those that may be, and answers for all. Since version 10 topics go by id.

import { ErrorCode } from '../protocol/error-codes.ts'
import type {
  GroupCoordinatorOptions,
  GroupRequestContext,
  OffsetCommitRequest,
  OffsetCommitResponse,
} from './group-api.ts'
import type { Route } from './group-coordinator.ts'
import type { NewOffset } from './group-shard.ts'

const TOPIC_IDS_SINCE = 10

type RequestTopic = OffsetCommitRequest['topics'][number]
type RequestPartition = RequestTopic['partitions'][number]

export async function commitOffsets(
  { shard, errorCode }: Route,
  request: OffsetCommitRequest,
  context: GroupRequestContext,
  options: GroupCoordinatorOptions,
): Promise<OffsetCommitResponse> {
  const nowMs = options.env.clock.nowMs()
  const { retentionTimeMs } = request
  const times = {
    commitTimestampMs: nowMs,
    expireTimestampMs: retentionTimeMs < 0 ? -1 : nowMs + retentionTimeMs,
  }
  const offsets: NewOffset[] = []
  /** What each partition is told unless the commit itself fails. */
  const answers = request.topics.map((topic) => {
    const name =
      context.apiVersion >= TOPIC_IDS_SINCE ? options.metadata.topicName(topic.topicId) : topic.name
    const partitions = topic.partitions.map((partition) => {
      const refused = refusal(name, partition, context, options)
      if (refused === ErrorCode.NONE && name !== undefined) {
        const { partitionIndex, committedOffset, committedLeaderEpoch } = partition
        const entry = {
          offset: committedOffset,
          leaderEpoch: committedLeaderEpoch,
          metadata: partition.committedMetadata ?? '',
          topicId: options.metadata.topicId(name),
          ...times,
        }
        offsets.push({ topic: name, partition: partitionIndex, entry })
      }
      return { partitionIndex: partition.partitionIndex, errorCode: refused }
    })
    return { name: topic.name, topicId: topic.topicId, partitions }
  })
  const outcome = shard === undefined ? errorCode : await shard.commit(request, offsets, context)
  if (outcome === ErrorCode.NONE) return { topics: answers }
  const topics = answers.map((topic) => ({
    ...topic,
    partitions: topic.partitions.map((partition) =>
      partition.errorCode === ErrorCode.NONE ? { ...partition, errorCode: outcome } : partition,
    ),
  }))
  return { topics }
}

function refusal(
  topic: string | undefined,
  { partitionIndex, committedMetadata }: RequestPartition,
  { apiVersion }: GroupRequestContext,
  { metadata, configs }: GroupCoordinatorOptions,
): ErrorCode {
  const count = topic === undefined ? undefined : metadata.partitionCount(topic)
  if (topic === undefined && apiVersion >= TOPIC_IDS_SINCE) return ErrorCode.UNKNOWN_TOPIC_ID
  if (count === undefined || partitionIndex < 0 || partitionIndex >= count) {
    return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  }
  // Kafka compares the length of the text with a limit of bytes.
  if ((committedMetadata?.length ?? 0) > configs()['offset.metadata.max.bytes']) {
    return ErrorCode.OFFSET_METADATA_TOO_LARGE
  }
  return ErrorCode.NONE
}
