// OffsetFetch: one group before version 8, several since; chosen partitions, or all; since version 10 topics go by id.
// Nothing is unstable, since there are no transactions that could have offsets pending.

import { ErrorCode } from '../protocol/error-codes.ts'
import type {
  GroupMetadataPort,
  GroupRequestContext,
  OffsetFetchRequest,
  OffsetFetchResponse,
} from './group-api.ts'
import type { Route } from './group-coordinator.ts'
import type { OffsetEntry } from './group-records.ts'
import type { GroupShard } from './group-shard.ts'

const TOP_LEVEL_ERROR_SINCE = 2
const SEVERAL_GROUPS_SINCE = 8
const TOPIC_IDS_SINCE = 10

interface AskedTopic {
  readonly name: string | undefined
  readonly topicId: string
  readonly partitionIndexes: readonly number[]
}

interface FetchedGroup {
  readonly groupId: string
  readonly errorCode: ErrorCode
  readonly topics: readonly FetchedTopic[]
}

interface FetchedTopic {
  readonly name: string
  readonly topicId: string
  readonly partitions: readonly FetchedPartition[]
}

interface FetchedPartition {
  readonly partitionIndex: number
  readonly committedOffset: number
  readonly committedLeaderEpoch: number
  readonly metadata: string
  readonly errorCode: ErrorCode
}

export async function fetchOffsets(
  routeOf: (groupId: string) => Route,
  request: OffsetFetchRequest,
  { apiVersion }: GroupRequestContext,
  metadata: GroupMetadataPort,
): Promise<OffsetFetchResponse> {
  const byId = apiVersion >= TOPIC_IDS_SINCE
  if (apiVersion >= SEVERAL_GROUPS_SINCE) {
    const groups = request.groups.map(({ groupId, topics }) => {
      const asked = topics?.map((topic) => ({
        ...topic,
        name: byId ? metadata.topicName(topic.topicId) : topic.name,
      }))
      return fetchGroup(routeOf(groupId), groupId, asked, byId ? metadata : undefined)
    })
    return { groups: await Promise.all(groups) }
  }
  const asked = request.topics?.map((topic) => ({ ...topic, topicId: '' }))
  const { groupId } = request
  const { errorCode, topics } = await fetchGroup(routeOf(groupId), groupId, asked, undefined)
  if (errorCode === ErrorCode.NONE) return { errorCode, topics: topics.map(withoutId) }
  if (apiVersion >= TOP_LEVEL_ERROR_SINCE) return { errorCode, topics: [] }
  // Version 1 has room for errors only beside partitions.
  const failed = (asked ?? []).map((topic) => withoutId(fetchTopic(topic, () => absent(errorCode))))
  return { topics: failed }
}

async function fetchGroup(
  { shard, errorCode }: Route,
  groupId: string,
  asked: readonly AskedTopic[] | undefined,
  ids: GroupMetadataPort | undefined,
): Promise<FetchedGroup> {
  const error = (await shard?.confirm()) ?? errorCode
  if (shard === undefined || error !== ErrorCode.NONE) {
    return { groupId, errorCode: error, topics: [] }
  }
  const topics =
    asked === undefined
      ? allTopics(shard, groupId, ids)
      : asked.map((topic) =>
          fetchTopic(topic, (name, partition) => {
            if (name === undefined) return absent(ErrorCode.UNKNOWN_TOPIC_ID)
            return present(shard.committed(groupId, name, partition))
          }),
        )
  return { groupId, errorCode: ErrorCode.NONE, topics }
}

function allTopics(
  shard: GroupShard,
  groupId: string,
  ids: GroupMetadataPort | undefined,
): FetchedTopic[] {
  const partitions = new Map<string, FetchedPartition[]>()
  for (const { topic, partition, entry } of shard.allCommitted(groupId)) {
    const fetched = { partitionIndex: partition, ...present(entry) }
    const others = partitions.get(topic)
    if (others === undefined) partitions.set(topic, [fetched])
    else others.push(fetched)
  }
  return (
    [...partitions]
      // By id, a topic that is gone can't be named.
      .filter(([name]) => ids === undefined || ids.partitionCount(name) !== undefined)
      .map(([name, fetched]) => ({ name, topicId: ids?.topicId(name) ?? '', partitions: fetched }))
  )
}

function fetchTopic(
  { name, topicId, partitionIndexes }: AskedTopic,
  answer: (name: string | undefined, partition: number) => Omit<FetchedPartition, 'partitionIndex'>,
): FetchedTopic {
  const partitions = partitionIndexes.map((partitionIndex) => ({
    partitionIndex,
    ...answer(name, partitionIndex),
  }))
  return { name: name ?? '', topicId, partitions }
}

function present(entry: OffsetEntry | undefined): Omit<FetchedPartition, 'partitionIndex'> {
  if (entry === undefined) return absent(ErrorCode.NONE)
  return {
    committedOffset: entry.offset,
    committedLeaderEpoch: entry.leaderEpoch,
    metadata: entry.metadata,
    errorCode: ErrorCode.NONE,
  }
}

function absent(errorCode: ErrorCode): Omit<FetchedPartition, 'partitionIndex'> {
  return { committedOffset: -1, committedLeaderEpoch: -1, metadata: '', errorCode }
}

function withoutId({ name, partitions }: FetchedTopic): Omit<FetchedTopic, 'topicId'> {
  return { name, partitions }
}
