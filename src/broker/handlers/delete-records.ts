// DeleteRecords: moves the log start of partitions forward; what lies below is gone.
//
// Does: v0-2, offset -1 for the high watermark; the answer comes when a majority holds the new log start, or after timeoutMs.

import { ErrorCode } from '../../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import type { deleteRecords } from '../../protocol/messages/delete-records.ts'
import { ZERO_UUID } from '../../protocol/schema.ts'
import type { ApiHandler } from '../dispatcher.ts'
import type { RequestContext } from '../handler.ts'
import type { Services } from '../services.ts'
import { findPartition } from './find-partition.ts'
import { withTimeout } from './with-timeout.ts'

type Request = RequestOf<typeof deleteRecords>
type Response = ResponseInputOf<typeof deleteRecords>
type PartitionAnswer = Response['topics'][number]['partitions'][number]

export class DeleteRecordsHandler implements ApiHandler<Request, Response> {
  readonly #services: Services

  constructor(services: Services) {
    this.#services = services
  }

  async handle(_context: RequestContext, request: Request): Promise<Response> {
    const topics = request.topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(
        partitions.map(({ partitionIndex, offset }) =>
          withTimeout(
            this.#services.deadlines,
            request.timeoutMs,
            this.#delete(name, partitionIndex, offset),
            () => refused(partitionIndex, ErrorCode.REQUEST_TIMED_OUT),
          ),
        ),
      ),
    }))
    return { throttleTimeMs: 0, topics: await Promise.all(topics) }
  }

  failed(request: Request, error: ErrorCode): Response {
    return {
      throttleTimeMs: 0,
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => refused(partitionIndex, error)),
      })),
    }
  }

  async #delete(topic: string, index: number, offset: number): Promise<PartitionAnswer> {
    const partition = findPartition(this.#services, { topic, topicId: ZERO_UUID, index })
    if (typeof partition === 'number') return refused(index, partition)
    const image = this.#services.controller.image.topics.get(topic)
    // The state that an internal topic holds is not a user's to delete.
    if (image?.isInternal === true) return refused(index, ErrorCode.INVALID_TOPIC_EXCEPTION)
    const { error, logStart } = await partition.deleteRecords(offset)
    return { partitionIndex: index, lowWatermark: logStart, errorCode: error }
  }
}

function refused(partitionIndex: number, errorCode: ErrorCode): PartitionAnswer {
  return { partitionIndex, lowWatermark: -1, errorCode }
}
