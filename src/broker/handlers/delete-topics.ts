// DeleteTopics: by name, or by id (v6).
//
// Does: v1-6. The answer comes when the deletion is committed; the files go after that.

import type { TopicKey } from '../../controller/commands.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import type { deleteTopics } from '../../protocol/messages/delete-topics.ts'
import { ZERO_UUID } from '../../protocol/schema.ts'
import type { ApiHandler } from '../dispatcher.ts'
import type { RequestContext } from '../handler.ts'
import type { Services } from '../services.ts'

type Request = RequestOf<typeof deleteTopics>
type Response = ResponseInputOf<typeof deleteTopics>

export class DeleteTopicsHandler implements ApiHandler<Request, Response> {
  readonly #services: Services

  constructor(services: Services) {
    this.#services = services
  }

  async handle(context: RequestContext, request: Request): Promise<Response> {
    const ambiguous = request.topics.some(
      ({ name, topicId }) => (name === null) === (topicId === ZERO_UUID),
    )
    if (context.version >= 6 && ambiguous) return this.failed(request, ErrorCode.INVALID_REQUEST)
    const results = await this.#services.controller.deleteTopics(keysOf(context, request))
    return {
      throttleTimeMs: 0,
      responses: results.map(({ name, topicId, errorCode, errorMessage }) => ({
        name,
        topicId,
        errorCode,
        errorMessage,
      })),
    }
  }

  failed(request: Request, error: ErrorCode): Response {
    const byName = request.topicNames.map((name) => ({ name, topicId: ZERO_UUID }))
    return {
      throttleTimeMs: 0,
      responses: [...byName, ...request.topics].map(({ name, topicId }) => ({
        name,
        topicId,
        errorCode: error,
      })),
    }
  }
}

function keysOf(context: RequestContext, request: Request): TopicKey[] {
  if (context.version < 6) return request.topicNames.map((name) => ({ name }))
  return request.topics.map(({ name, topicId }) => (name === null ? { id: topicId } : { name }))
}
