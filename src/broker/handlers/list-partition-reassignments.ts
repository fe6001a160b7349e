// ListPartitionReassignments: what is under way, which is nothing: a partition keeps the replicas that it was created with.
//
// Does: v0.

import { ErrorCode } from '../../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import type { listPartitionReassignments } from '../../protocol/messages/list-partition-reassignments.ts'
import type { ApiHandler } from '../dispatcher.ts'

type Request = RequestOf<typeof listPartitionReassignments>
type Response = ResponseInputOf<typeof listPartitionReassignments>

export class ListPartitionReassignmentsHandler implements ApiHandler<Request, Response> {
  handle(): Response {
    return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, topics: [] }
  }

  failed(_request: Request, errorCode: ErrorCode): Response {
    return { throttleTimeMs: 0, errorCode, topics: [] }
  }
}
