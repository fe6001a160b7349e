// DescribeConfigs: the configs in force of topics and of this broker, and where each value comes from.
//
// Does: v1-4, synonyms, documentation (v3), topics, this broker by its id, the defaults of all brokers by ''.
// Does not: loggers, client metrics and groups, which have no configs here.

import {
  configTypeIds,
  describeBrokerConfigs,
  describeTopicConfigs,
  ConfigSource,
  type DescribedConfig,
} from '../../base/config/resolve.ts'
import { ResourceType } from '../../controller/commands.ts'
import { topicNameProblem } from '../../controller/topic-names.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import type { describeConfigs } from '../../protocol/messages/describe-configs.ts'
import type { ApiHandler } from '../dispatcher.ts'
import type { RequestContext } from '../handler.ts'
import type { Services } from '../services.ts'

type Request = RequestOf<typeof describeConfigs>
type Response = ResponseInputOf<typeof describeConfigs>
type Asked = Request['resources'][number]
type Result = Response['results'][number]

interface Refusal {
  readonly error: ErrorCode
  readonly message: string
}

export class DescribeConfigsHandler implements ApiHandler<Request, Response> {
  readonly #services: Services

  constructor(services: Services) {
    this.#services = services
  }

  handle(_context: RequestContext, request: Request): Response {
    return {
      throttleTimeMs: 0,
      results: request.resources.map((resource) => {
        const described = this.#describe(resource)
        if (!Array.isArray(described)) return refused(resource, described)
        return {
          ...refused(resource, { error: ErrorCode.NONE, message: '' }),
          errorMessage: null,
          configs: described.map((config) => entryOf(request, config)),
        }
      }),
    }
  }

  failed(request: Request, error: ErrorCode): Response {
    return {
      throttleTimeMs: 0,
      results: request.resources.map((resource) => refused(resource, { error, message: '' })),
    }
  }

  #describe(resource: Asked): DescribedConfig[] | Refusal {
    const { resourceType, resourceName, configurationKeys } = resource
    const names =
      configurationKeys === null || configurationKeys.length === 0 ? undefined : configurationKeys
    if (resourceType === ResourceType.topic) return this.#describeTopic(resourceName, names)
    if (resourceType === ResourceType.broker) return this.#describeBroker(resourceName, names)
    return {
      error: ErrorCode.INVALID_REQUEST,
      message: `Resource type ${resourceType} has no configs here; topics (2) and brokers (4) have.`,
    }
  }

  #describeTopic(name: string, names: readonly string[] | undefined): DescribedConfig[] | Refusal {
    const { controller } = this.#services
    const problem = topicNameProblem(name)
    if (problem !== undefined) return { error: ErrorCode.INVALID_TOPIC_EXCEPTION, message: problem }
    const topic = controller.image.topics.get(name)
    if (topic === undefined) {
      return { error: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message: `There is no topic ${name}.` }
    }
    return describeTopicConfigs(controller.topicConfigLayers(topic), names)
  }

  #describeBroker(id: string, names: readonly string[] | undefined): DescribedConfig[] | Refusal {
    const { controller, cluster } = this.#services
    const described = describeBrokerConfigs(controller.brokerConfigLayers(), names)
    // '' stands for what was set for all brokers at once.
    if (id === '') {
      return described.flatMap((config) => {
        const forAll = config.synonyms.filter(
          ({ source }) => source === ConfigSource.dynamicDefaultBroker,
        )
        const [first] = forAll
        return first === undefined
          ? []
          : [{ ...config, value: first.value, source: first.source, synonyms: forAll }]
      })
    }
    if (id === String(cluster.nodeId)) return described
    return {
      error: ErrorCode.INVALID_REQUEST,
      message: `Broker ${id} was asked for, but this is broker ${cluster.nodeId}; ask that broker itself.`,
    }
  }
}

function entryOf(request: Request, config: DescribedConfig): Result['configs'][number] {
  const { name, value, readOnly, source, synonyms, definition } = config
  return {
    name,
    value,
    readOnly,
    configSource: source,
    isSensitive: false,
    synonyms: request.includeSynonyms ? synonyms : [],
    configType: configTypeIds[definition.type],
    documentation: request.includeDocumentation ? definition.documentation : null,
  }
}

function refused({ resourceType, resourceName }: Asked, { error, message }: Refusal): Result {
  return { errorCode: error, errorMessage: message, resourceType, resourceName, configs: [] }
}
