// AlterConfigs: replaces all configs that are set for topics or brokers.
//
// Does: v0-2, validateOnly. (IncrementalAlterConfigs changes single ones.)

import type { ErrorCode } from '../../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import type { alterConfigs } from '../../protocol/messages/alter-configs.ts'
import type { ApiHandler } from '../dispatcher.ts'
import type { RequestContext } from '../handler.ts'
import type { Services } from '../services.ts'

type Request = RequestOf<typeof alterConfigs>
type Response = ResponseInputOf<typeof alterConfigs>

export class AlterConfigsHandler implements ApiHandler<Request, Response> {
  readonly #services: Services

  constructor(services: Services) {
    this.#services = services
  }

  async handle(_context: RequestContext, request: Request): Promise<Response> {
    const { resources, validateOnly } = request
    const results = await this.#services.controller.alterConfigs(resources, { validateOnly })
    return { throttleTimeMs: 0, responses: results }
  }

  failed(request: Request, error: ErrorCode): Response {
    return {
      throttleTimeMs: 0,
      responses: request.resources.map(({ resourceType, resourceName }) => ({
        errorCode: error,
        errorMessage: null,
        resourceType,
        resourceName,
      })),
    }
  }
}
