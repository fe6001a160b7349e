// Metadata: the nodes, under the addresses of the listener that was asked, and topics with their partitions' leaders.
//
// Does: v0-13, topics by name or (v12) by id, auto-creation of missing topics (it waits for the creation and answers with the
// topic, or UNKNOWN_TOPIC_OR_PARTITION where that takes too long), the operations bit fields.
// Does not: hide anything, as there is no access control yet.

import type { TopicImage } from '../../controller/metadata-image.ts'
import { topicNameProblem } from '../../controller/topic-names.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import type { metadata } from '../../protocol/messages/metadata.ts'
import { ZERO_UUID } from '../../protocol/schema.ts'
import type { ApiHandler } from '../dispatcher.ts'
import type { Handled, RequestContext } from '../handler.ts'
import type { Services } from '../services.ts'
import { untilOpen } from './until-open.ts'
import {
  ALL_CLUSTER_OPERATIONS,
  ALL_TOPIC_OPERATIONS,
  NOT_REQUESTED,
} from './authorized-operations.ts'
import { describePartitions } from './topic-description.ts'

type Request = RequestOf<typeof metadata>
type Response = ResponseInputOf<typeof metadata>
type TopicAnswer = Response['topics'][number]
type TopicAsked = NonNullable<Request['topics']>[number]

export class MetadataHandler implements ApiHandler<Request, Response> {
  readonly #services: Services

  constructor(services: Services) {
    this.#services = services
  }

  handle(context: RequestContext, request: Request): Handled<Response> {
    const { topics } = request
    const all = topics === null || (context.version === 0 && topics.length === 0)
    if (all) return this.#respond(context, request, this.#allTopics(context, request))
    if (
      context.version < 12 &&
      topics.some(({ topicId, name }) => topicId !== ZERO_UUID || name === null)
    ) {
      return this.failed(request, ErrorCode.INVALID_REQUEST, context)
    }
    const missing = this.#missing(request, topics)
    if (missing.length === 0) return this.#named(context, request, topics, new Map())
    return this.#create(missing).then((errors) => this.#named(context, request, topics, errors))
  }

  failed(request: Request, error: ErrorCode, context: RequestContext): Response {
    const topics = (request.topics ?? []).map(({ name, topicId }) =>
      refused(name ?? (context.version < 12 ? '' : null), topicId, error),
    )
    return { ...this.#respond(context, request, topics), errorCode: error }
  }

  /** Names that do not exist and are to be created. */
  #missing(request: Request, topics: readonly TopicAsked[]): string[] {
    const { config, controller } = this.#services
    if (!request.allowAutoTopicCreation || !config['auto.create.topics.enable']) return []
    const { image } = controller
    const names = new Set<string>()
    for (const { name, topicId } of topics) {
      if (name !== null && topicId === ZERO_UUID && !image.topics.has(name)) names.add(name)
    }
    return [...names]
  }

  /** Resolves with the errors by name once the topics exist and can be led, or cannot be created. */
  async #create(names: readonly string[]): Promise<Map<string, ErrorCode>> {
    const { controller } = this.#services
    const errors = new Map<string, ErrorCode>()
    for (const { name, errorCode } of await controller.autoCreateTopics(names)) {
      if (errorCode === ErrorCode.INVALID_TOPIC_EXCEPTION) errors.set(name, errorCode)
      // Whatever else kept it from being created now may not next time; clients ask again on this.
      else if (errorCode !== ErrorCode.NONE) errors.set(name, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    }
    await untilOpen(this.#services, names)
    return errors
  }

  #allTopics(context: RequestContext, request: Request): TopicAnswer[] {
    const topics = this.#services.controller.image.topics.values()
    return [...topics].map((topic) => this.#describe(context, request, topic))
  }

  #named(
    context: RequestContext,
    request: Request,
    asked: readonly TopicAsked[],
    errors: ReadonlyMap<string, ErrorCode>,
  ): Response {
    const { image } = this.#services.controller
    const answered = new Set<string>()
    const topics: TopicAnswer[] = []
    for (const { name, topicId } of asked) {
      const byId = topicId !== ZERO_UUID
      const key = byId ? topicId : (name ?? '')
      if (answered.has(key)) continue
      answered.add(key)
      const topic = byId ? image.topicsById.get(topicId) : image.topics.get(key)
      if (topic !== undefined) topics.push(this.#describe(context, request, topic))
      else if (byId) topics.push(refused(null, topicId, ErrorCode.UNKNOWN_TOPIC_ID))
      else topics.push(refused(key, ZERO_UUID, errors.get(key) ?? unknownName(key)))
    }
    return this.#respond(context, request, topics)
  }

  #describe(context: RequestContext, request: Request, topic: TopicImage): TopicAnswer {
    const operations = request.includeTopicAuthorizedOperations
    const { listener, version } = context
    const on =
      version < 6 ? { listener, unreachable: ErrorCode.LEADER_NOT_AVAILABLE } : { listener }
    return {
      errorCode: ErrorCode.NONE,
      name: topic.name,
      topicId: topic.id,
      isInternal: topic.isInternal,
      partitions: describePartitions(this.#services.cluster, on, topic),
      topicAuthorizedOperations: operations ? ALL_TOPIC_OPERATIONS : NOT_REQUESTED,
    }
  }

  #respond(context: RequestContext, request: Request, topics: readonly TopicAnswer[]): Response {
    const { cluster, controller } = this.#services
    const operations = request.includeClusterAuthorizedOperations
    return {
      throttleTimeMs: 0,
      brokers: cluster.nodes(context.listener),
      clusterId: controller.image.clusterId,
      controllerId: cluster.controllerId,
      topics,
      clusterAuthorizedOperations: operations ? ALL_CLUSTER_OPERATIONS : NOT_REQUESTED,
      errorCode: ErrorCode.NONE,
    }
  }
}

function refused(name: string | null, topicId: string, errorCode: ErrorCode): TopicAnswer {
  return { errorCode, name, topicId, isInternal: false, partitions: [] }
}

/** As Kafka: a name that no topic can have is told apart from one that does not exist. */
function unknownName(name: string): ErrorCode {
  return topicNameProblem(name) === undefined
    ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    : ErrorCode.INVALID_TOPIC_EXCEPTION
}
