// ListOffsets: the earliest, latest, largest-timestamp and first-at-or-after offsets of partitions this node leads.
//
// Does: v1-11, the special timestamps from the versions that have them. Nothing is tiered, so the tiered offsets are -1.
// Read-committed latest is the high watermark, as nothing is transactional yet.
// Does not: serve replicas.

import type { ListOffsetAnswer } from '../../partition/list-offsets.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import type { listOffsets } from '../../protocol/messages/list-offsets.ts'
import { ZERO_UUID } from '../../protocol/schema.ts'
import type { ApiHandler } from '../dispatcher.ts'
import type { RequestContext } from '../handler.ts'
import type { Services } from '../services.ts'
import { findPartition } from './find-partition.ts'

type Request = RequestOf<typeof listOffsets>
type Response = ResponseInputOf<typeof listOffsets>
type TopicAsked = Request['topics'][number]
type PartitionAsked = TopicAsked['partitions'][number]
type PartitionAnswer = Response['topics'][number]['partitions'][number]

/** The first version with each special timestamp: -3 (KIP-734), -4 (KIP-405), -5 (KIP-1005), -6 (KIP-1023). */
const SPECIAL_SINCE: ReadonlyMap<number, number> = new Map([
  [-1, 0],
  [-2, 0],
  [-3, 7],
  [-4, 8],
  [-5, 9],
  [-6, 11],
])
const LEADER_EPOCH_SINCE = 4
/** Before v5 clients do not know OFFSET_NOT_AVAILABLE. */
const NOT_AVAILABLE_SINCE = 5

export class ListOffsetsHandler implements ApiHandler<Request, Response> {
  readonly #services: Services

  constructor(services: Services) {
    this.#services = services
  }

  async handle(context: RequestContext, request: Request): Promise<Response> {
    const counts = countPartitions(request)
    const topics = await Promise.all(
      request.topics.map(async (topic) => ({
        name: topic.name,
        partitions: await Promise.all(
          topic.partitions.map((asked) => this.#answer(context, topic.name, asked, counts)),
        ),
      })),
    )
    return { throttleTimeMs: 0, topics }
  }

  failed(request: Request, error: ErrorCode): Response {
    return {
      throttleTimeMs: 0,
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => failed(partitionIndex, error)),
      })),
    }
  }

  async #answer(
    context: RequestContext,
    topic: string,
    asked: PartitionAsked,
    counts: ReadonlyMap<string, number>,
  ): Promise<PartitionAnswer> {
    const { partitionIndex, timestamp, currentLeaderEpoch } = asked
    if (counts.get(`${topic}/${partitionIndex}`) !== 1) {
      return failed(partitionIndex, ErrorCode.INVALID_REQUEST)
    }
    const since = timestamp < 0 ? (SPECIAL_SINCE.get(timestamp) ?? Infinity) : 0
    if (context.version < since) return failed(partitionIndex, ErrorCode.UNSUPPORTED_VERSION)
    const name = { topic, topicId: ZERO_UUID, index: partitionIndex }
    const partition = findPartition(this.#services, name)
    if (typeof partition === 'number') return failed(partitionIndex, partition)
    const found = await partition.listOffset({ timestampMs: timestamp, currentLeaderEpoch })
    const answer = {
      partitionIndex,
      errorCode: errorFor(context.version, found),
      timestamp: found.timestampMs,
      offset: found.offset,
    }
    const withEpoch = context.version >= LEADER_EPOCH_SINCE
    return withEpoch ? { ...answer, leaderEpoch: found.leaderEpoch } : answer
  }
}

function errorFor(version: number, { error }: ListOffsetAnswer): ErrorCode {
  return error === ErrorCode.OFFSET_NOT_AVAILABLE && version < NOT_AVAILABLE_SINCE
    ? ErrorCode.LEADER_NOT_AVAILABLE
    : error
}

function failed(partitionIndex: number, errorCode: ErrorCode): PartitionAnswer {
  return { partitionIndex, errorCode }
}

/** A partition asked for twice is refused, as in Kafka: one could not tell which answer is whose. */
function countPartitions(request: Request): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { name, partitions } of request.topics) {
    for (const { partitionIndex } of partitions) {
      const key = `${name}/${partitionIndex}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
  }
  return counts
}
