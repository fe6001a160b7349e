// OffsetForLeaderEpoch: where an epoch ends in the log, so that a client finds out whether its own log split off (KIP-320).
//
// Does: v2-4 for consumers.
// Does not: serve replicas, which have their own protocol.

import type { ErrorCode } from '../../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import type { offsetForLeaderEpoch } from '../../protocol/messages/offset-for-leader-epoch.ts'
import { ZERO_UUID } from '../../protocol/schema.ts'
import type { ApiHandler } from '../dispatcher.ts'
import type { RequestContext } from '../handler.ts'
import type { Services } from '../services.ts'
import { findPartition } from './find-partition.ts'

type Request = RequestOf<typeof offsetForLeaderEpoch>
type Response = ResponseInputOf<typeof offsetForLeaderEpoch>
type Asked = Request['topics'][number]['partitions'][number]
type PartitionAnswer = Response['topics'][number]['partitions'][number]

export class OffsetForLeaderEpochHandler implements ApiHandler<Request, Response> {
  readonly #services: Services

  constructor(services: Services) {
    this.#services = services
  }

  handle(_context: RequestContext, request: Request): Response {
    return {
      throttleTimeMs: 0,
      topics: request.topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map((asked) => this.#answer(topic, asked)),
      })),
    }
  }

  failed(request: Request, error: ErrorCode): Response {
    return {
      throttleTimeMs: 0,
      topics: request.topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(({ partition }) => ({ partition, errorCode: error })),
      })),
    }
  }

  #answer(topic: string, asked: Asked): PartitionAnswer {
    const index = asked.partition
    const partition = findPartition(this.#services, { topic, topicId: ZERO_UUID, index })
    if (typeof partition === 'number') return { partition: index, errorCode: partition }
    const { error, leaderEpoch, endOffset } = partition.endOfEpoch(asked)
    return { partition: index, errorCode: error, leaderEpoch, endOffset }
  }
}
