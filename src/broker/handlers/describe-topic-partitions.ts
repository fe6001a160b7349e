// DescribeTopicPartitions: topics in the order of their names, in pages (KIP-966).
//
// Does: v0, the cursor, the limit of 1 to 2000 partitions.
// Does not: eligible leader replicas, which this cluster does not have.

import { topicNameProblem } from '../../controller/topic-names.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import type { describeTopicPartitions } from '../../protocol/messages/describe-topic-partitions.ts'
import { ZERO_UUID } from '../../protocol/schema.ts'
import type { ApiHandler } from '../dispatcher.ts'
import type { RequestContext } from '../handler.ts'
import type { Services } from '../services.ts'
import { ALL_TOPIC_OPERATIONS } from './authorized-operations.ts'
import { describePartition } from './topic-description.ts'

type Request = RequestOf<typeof describeTopicPartitions>
type Response = ResponseInputOf<typeof describeTopicPartitions>
type TopicAnswer = Response['topics'][number]

/** Kafka's `max.request.partition.size.limit`. */
const PARTITIONS_MAX = 2000

export class DescribeTopicPartitionsHandler implements ApiHandler<Request, Response> {
  readonly #services: Services

  constructor(services: Services) {
    this.#services = services
  }

  handle(context: RequestContext, request: Request): Response {
    const { cursor } = request
    const all = request.topics.length === 0
    const names = this.#names(request)
    if (cursor !== null) {
      const listed = all || names.includes(cursor.topicName)
      if (!listed || cursor.partitionIndex < 0) {
        return this.failed(request, ErrorCode.INVALID_REQUEST)
      }
    }
    const limit = Math.max(1, Math.min(PARTITIONS_MAX, request.responsePartitionLimit))
    const topics: TopicAnswer[] = []
    let left = limit
    for (const name of names) {
      const from = name === cursor?.topicName ? cursor.partitionIndex : 0
      if (left === 0) return page(topics, { topicName: name, partitionIndex: 0 })
      const topic = this.#topic(context, name, { from, count: left })
      topics.push(topic)
      left -= topic.partitions.length
      const next = from + topic.partitions.length
      const total = this.#services.controller.image.topics.get(name)?.partitions.length ?? 0
      if (next < total) return page(topics, { topicName: name, partitionIndex: next })
    }
    return page(topics, null)
  }

  failed(request: Request, error: ErrorCode): Response {
    return page(
      request.topics.map(({ name }) => refused(name, error)),
      null,
    )
  }

  /** From the cursor on, in order; all topics where none is named. */
  #names(request: Request): string[] {
    const { topics } = this.#services.controller.image
    const asked =
      request.topics.length === 0 ? topics.keys() : request.topics.map(({ name }) => name)
    const from = request.cursor?.topicName ?? ''
    return [...new Set(asked)].filter((name) => name >= from).toSorted(byCodeUnit)
  }

  #topic(
    context: RequestContext,
    name: string,
    part: { readonly from: number; readonly count: number },
  ): TopicAnswer {
    const { controller, cluster } = this.#services
    const topic = controller.image.topics.get(name)
    if (topic === undefined) {
      const impossible = topicNameProblem(name) !== undefined
      return refused(
        name,
        impossible ? ErrorCode.INVALID_TOPIC_EXCEPTION : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      )
    }
    const partitions = topic.partitions
      .slice(part.from, part.from + part.count)
      .map(({ index }) => ({
        ...describePartition(cluster, context, topic, index),
        eligibleLeaderReplicas: [],
        lastKnownElr: [],
      }))
    return {
      errorCode: ErrorCode.NONE,
      name,
      topicId: topic.id,
      isInternal: topic.isInternal,
      partitions,
      topicAuthorizedOperations: ALL_TOPIC_OPERATIONS,
    }
  }
}

function refused(name: string, errorCode: ErrorCode): TopicAnswer {
  return { errorCode, name, topicId: ZERO_UUID, partitions: [] }
}

function page(topics: TopicAnswer[], nextCursor: Response['nextCursor']): Response {
  return { throttleTimeMs: 0, topics, nextCursor: nextCursor ?? null }
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
