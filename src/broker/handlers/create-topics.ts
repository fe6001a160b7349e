// CreateTopics: creates topics through the controller and answers once they can be used here.
//
// Does: v2-7, counts or assignments, configs, validateOnly, the topic's configs in the answer (v5), its id (v7).
// Does not: give up waiting before the change is decided; a timeout is answered when its outcome is unknown.

import { describeTopicConfigs } from '../../base/config/resolve.ts'
import type { CreateTopicResult } from '../../controller/commands.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import type { createTopics } from '../../protocol/messages/create-topics.ts'
import { ZERO_UUID } from '../../protocol/schema.ts'
import type { ApiHandler } from '../dispatcher.ts'
import type { RequestContext } from '../handler.ts'
import type { Services } from '../services.ts'
import { untilOpen } from './until-open.ts'

type Request = RequestOf<typeof createTopics>
type Response = ResponseInputOf<typeof createTopics>
type TopicAnswer = Response['topics'][number]

export class CreateTopicsHandler implements ApiHandler<Request, Response> {
  readonly #services: Services

  constructor(services: Services) {
    this.#services = services
  }

  async handle(_context: RequestContext, request: Request): Promise<Response> {
    const { controller } = this.#services
    const { topics, timeoutMs, validateOnly } = request
    const results = await controller.createTopics(topics, { validateOnly })
    const created = results.filter(({ errorCode }) => errorCode === ErrorCode.NONE)
    const names = created.map(({ name }) => name)
    if (!validateOnly) await untilOpen(this.#services, names, timeoutMs)
    return { throttleTimeMs: 0, topics: results.map((result) => this.#answer(result)) }
  }

  failed(request: Request, error: ErrorCode): Response {
    return {
      throttleTimeMs: 0,
      topics: request.topics.map(({ name }) => ({
        name,
        topicId: ZERO_UUID,
        errorCode: error,
        errorMessage: null,
        configs: [],
      })),
    }
  }

  #answer(result: CreateTopicResult): TopicAnswer {
    const { controller } = this.#services
    const ok = result.errorCode === ErrorCode.NONE
    const layers = { ...controller.brokerConfigLayers(), topic: result.configs }
    return {
      name: result.name,
      topicId: result.topicId,
      errorCode: result.errorCode,
      errorMessage: result.errorMessage,
      numPartitions: result.numPartitions,
      replicationFactor: result.replicationFactor,
      configs: ok
        ? describeTopicConfigs(layers).map(({ name, value, readOnly, source }) => ({
            name,
            value,
            readOnly,
            configSource: source,
            isSensitive: false,
          }))
        : [],
    }
  }
}
