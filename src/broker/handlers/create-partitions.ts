// CreatePartitions: raises the number of partitions of topics; answers once the new ones can be used here.
//
// Does: v0-3, assignments, validateOnly.

import { ErrorCode } from '../../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import type { createPartitions } from '../../protocol/messages/create-partitions.ts'
import type { ApiHandler } from '../dispatcher.ts'
import type { RequestContext } from '../handler.ts'
import type { Services } from '../services.ts'
import { untilOpen } from './until-open.ts'

type Request = RequestOf<typeof createPartitions>
type Response = ResponseInputOf<typeof createPartitions>

export class CreatePartitionsHandler implements ApiHandler<Request, Response> {
  readonly #services: Services

  constructor(services: Services) {
    this.#services = services
  }

  async handle(_context: RequestContext, request: Request): Promise<Response> {
    const { controller } = this.#services
    const { topics, timeoutMs, validateOnly } = request
    const results = await controller.createPartitions(topics, { validateOnly })
    const grown = results.filter(({ errorCode }) => errorCode === ErrorCode.NONE)
    const names = grown.map(({ name }) => name)
    if (!validateOnly) await untilOpen(this.#services, names, timeoutMs)
    return {
      throttleTimeMs: 0,
      results: results.map(({ name, errorCode, errorMessage }) => ({
        name,
        errorCode,
        errorMessage,
      })),
    }
  }

  failed(request: Request, error: ErrorCode): Response {
    return {
      throttleTimeMs: 0,
      results: request.topics.map(({ name }) => ({ name, errorCode: error })),
    }
  }
}
