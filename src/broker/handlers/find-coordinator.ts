// FindCoordinator: the node that leads the partition of `__consumer_offsets` in which a group lives.
//
// Does: v0-6, one key or (v4) several, groups; creates the topic at the first question.
// Does not: transaction and share coordinators, which are not there yet; they are refused.

import { OFFSETS_TOPIC } from '../../controller/metadata-image.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import type { findCoordinator } from '../../protocol/messages/find-coordinator.ts'
import type { ApiHandler } from '../dispatcher.ts'
import type { RequestContext } from '../handler.ts'
import type { Services } from '../services.ts'
import { untilOpen } from './until-open.ts'

type Request = RequestOf<typeof findCoordinator>
type Response = ResponseInputOf<typeof findCoordinator>
type Coordinator = NonNullable<Response['coordinators']>[number]

const GROUP = 0
const BATCHED_SINCE = 4

export class FindCoordinatorHandler implements ApiHandler<Request, Response> {
  readonly #services: Services

  constructor(services: Services) {
    this.#services = services
  }

  async handle(context: RequestContext, request: Request): Promise<Response> {
    const keys = keysOf(context, request)
    const found = keys.map((key) => this.#find(context, request.keyType, key))
    return answer(context, await Promise.all(found))
  }

  failed(request: Request, error: ErrorCode, context: RequestContext): Response {
    return answer(
      context,
      keysOf(context, request).map((key) => refused(key, error, null)),
    )
  }

  async #find(context: RequestContext, keyType: number, key: string): Promise<Coordinator> {
    if (keyType !== GROUP) {
      return refused(
        key,
        ErrorCode.INVALID_REQUEST,
        `coordinators of type ${keyType} are not available yet; groups (0) are`,
      )
    }
    const { groups, controller, cluster } = this.#services
    const { errorCode, errorMessage, partition } = await groups.findCoordinator(key)
    if (errorCode !== ErrorCode.NONE) return refused(key, errorCode, errorMessage)
    await untilOpen(this.#services, [OFFSETS_TOPIC])
    const topic = controller.image.topics.get(OFFSETS_TOPIC)
    const leader = topic === undefined ? -1 : cluster.leadership(topic, partition).leaderId
    const node = cluster.node(leader, context.listener)
    if (node === undefined) return refused(key, ErrorCode.COORDINATOR_NOT_AVAILABLE, null)
    const { nodeId, host, port } = node
    return { key, nodeId, host, port, errorCode: ErrorCode.NONE, errorMessage: null }
  }
}

function keysOf(context: RequestContext, request: Request): readonly string[] {
  return context.version >= BATCHED_SINCE ? request.coordinatorKeys : [request.key]
}

function answer(context: RequestContext, coordinators: readonly Coordinator[]): Response {
  const [first] = coordinators
  if (context.version >= BATCHED_SINCE || first === undefined) {
    return { throttleTimeMs: 0, coordinators }
  }
  const { nodeId, host, port, errorCode, errorMessage } = first
  return { throttleTimeMs: 0, nodeId, host, port, errorCode, errorMessage }
}

function refused(key: string, errorCode: ErrorCode, errorMessage: string | null): Coordinator {
  return { key, nodeId: -1, host: '', port: -1, errorCode, errorMessage }
}
