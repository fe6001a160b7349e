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
  routeOf: () => Route,
  request: OffsetCommitRequest,
  context: GroupRequestContext,
  options: GroupCoordinatorOptions,
): Promise<OffsetCommitResponse> {
  // Clients may have heard of a new topic before this node has, and take its refusal for final.
  if (request.topics.some((topic) => isUnknown(topic, context, options))) {
    await options.metadata.caughtUp()
  }
  const { shard, errorCode } = routeOf()
  const nowMs = options.env.clock.nowMs()
  const { retentionTimeMs } = request
  const times = {
    commitTimestampMs: nowMs,
    expireTimestampMs: retentionTimeMs < 0 ? -1 : nowMs + retentionTimeMs,
  }
  const offsets: NewOffset[] = []
  /** What each partition is told unless the commit itself fails. */
  const answers = request.topics.map((topic) => {
    const name = nameOf(topic, context, options)
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

function nameOf(
  topic: RequestTopic,
  { apiVersion }: GroupRequestContext,
  { metadata }: GroupCoordinatorOptions,
): string | undefined {
  return apiVersion >= TOPIC_IDS_SINCE ? metadata.topicName(topic.topicId) : topic.name
}

/** Or a partition of it. */
function isUnknown(
  topic: RequestTopic,
  context: GroupRequestContext,
  options: GroupCoordinatorOptions,
): boolean {
  const name = nameOf(topic, context, options)
  const count = name === undefined ? 0 : (options.metadata.partitionCount(name) ?? 0)
  return topic.partitions.some(({ partitionIndex }) => partitionIndex >= count)
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
