// IncrementalAlterConfigs: sets, deletes, appends to and subtracts from single configs of topics or brokers (KIP-339).
//
// Does: v0-1, validateOnly.

import type { ErrorCode } from '../../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import type { incrementalAlterConfigs } from '../../protocol/messages/incremental-alter-configs.ts'
import type { ApiHandler } from '../dispatcher.ts'
import type { RequestContext } from '../handler.ts'
import type { Services } from '../services.ts'

type Request = RequestOf<typeof incrementalAlterConfigs>
type Response = ResponseInputOf<typeof incrementalAlterConfigs>

export class IncrementalAlterConfigsHandler implements ApiHandler<Request, Response> {
  readonly #services: Services

  constructor(services: Services) {
    this.#services = services
  }

  async handle(_context: RequestContext, request: Request): Promise<Response> {
    const { resources, validateOnly } = request
    const { controller } = this.#services
    const results = await controller.incrementalAlterConfigs(resources, { validateOnly })
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
