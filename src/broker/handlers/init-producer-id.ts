// InitProducerId: a producer id for an idempotent producer (KIP-98).
//
// Does: v0-5 without a transactional id: a fresh id with epoch 0, never given before, also when the producer names the one it
// had (KIP-360): its sequences start over under the new one.
// Does not: transactional ids, until there are transactions; they are refused.

import { ErrorCode } from '../../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import type { initProducerId } from '../../protocol/messages/init-producer-id.ts'
import type { ApiHandler } from '../dispatcher.ts'
import type { RequestContext } from '../handler.ts'
import type { Services } from '../services.ts'

type Request = RequestOf<typeof initProducerId>
type Response = ResponseInputOf<typeof initProducerId>

export class InitProducerIdHandler implements ApiHandler<Request, Response> {
  readonly #services: Pick<Services, 'producerIds'>

  constructor(services: Pick<Services, 'producerIds'>) {
    this.#services = services
  }

  async handle(_context: RequestContext, request: Request): Promise<Response> {
    // INVALID_REQUEST is fatal to a transactional producer, so that it fails at once instead of trying for ever.
    if (request.transactionalId !== null) return this.failed(request, ErrorCode.INVALID_REQUEST)
    const { producerId, producerEpoch } = request
    if ((producerId === -1) !== (producerEpoch === -1)) {
      return this.failed(request, ErrorCode.INVALID_REQUEST)
    }
    const next = await this.#services.producerIds.next()
    if (next.kind === 'failed') return this.failed(request, next.error)
    return {
      throttleTimeMs: 0,
      errorCode: ErrorCode.NONE,
      producerId: next.producerId,
      producerEpoch: 0,
    }
  }

  failed(_request: Request, error: ErrorCode): Response {
    return { throttleTimeMs: 0, errorCode: error, producerId: -1, producerEpoch: -1 }
  }
}
