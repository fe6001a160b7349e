// Fetch: reads record batches below the high watermark, waiting up to maxWaitMs for minBytes of them.
//
// Does: v4-18, incremental sessions (KIP-227), topic ids (v13), epoch fencing and diverging epochs (KIP-320, KIP-595), the
// current leader in error answers (KIP-951). Read-committed reads up to the high watermark, as nothing is transactional yet.
// Does not: serve replicas (replica ids are refused; nodes replicate over their own protocol) or read from followers
// (KIP-392).

import { ErrorCode } from '../../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import type { fetch } from '../../protocol/messages/fetch.ts'
import type { ApiHandler } from '../dispatcher.ts'
import { FetchOperation, type FetchFound } from '../fetch-operation.ts'
import type { FetchContext, FetchTarget, Told } from '../fetch-sessions.ts'
import { Accepted, type Handled, type RequestContext } from '../handler.ts'
import type { Services } from '../services.ts'
import { CurrentLeaders } from './current-leaders.ts'
import { findPartition } from './find-partition.ts'

type Request = RequestOf<typeof fetch>
type Response = ResponseInputOf<typeof fetch>
type TopicData = Response['responses'][number]
type PartitionData = TopicData['partitions'][number]

/** Before v6 clients do not know KAFKA_STORAGE_ERROR. */
const STORAGE_ERROR_SINCE = 6
const READ_COMMITTED = 1

export class FetchHandler implements ApiHandler<Request, Response> {
  readonly #services: Services

  constructor(services: Services) {
    this.#services = services
  }

  handle(context: RequestContext, request: Request): Handled<Response> {
    if (request.replicaId >= 0 || request.replicaState.replicaId >= 0) {
      return this.failed(request, ErrorCode.INVALID_REQUEST)
    }
    const session = this.#services.fetchSessions.begin(request, context.version)
    if (session.kind === 'error') return this.failed(request, session.error)
    const { config } = this.#services
    const maxBytes = Math.max(0, Math.min(request.maxBytes, config['fetch.max.bytes']))
    const operation = new FetchOperation({
      services: this.#services,
      targets: session.targets,
      limits: {
        maxWaitMs: request.maxWaitMs,
        minBytes: Math.min(request.minBytes, maxBytes),
        maxBytes,
      },
      find: (target) => findPartition(this.#services, target),
    })
    const found = operation.run()
    const respond = (settled: readonly FetchFound[]): Response =>
      this.#respond(context, request, session, settled)
    if (!(found instanceof Promise)) return respond(found)
    const forget = context.onConnectionClosed(() => operation.cancel())
    return new Accepted(found.finally(forget).then(respond))
  }

  failed(_request: Request, error: ErrorCode): Response {
    return { errorCode: error, sessionId: 0, throttleTimeMs: 0, responses: [] }
  }

  #respond(
    context: RequestContext,
    request: Request,
    session: Exclude<FetchContext, { readonly kind: 'error' }>,
    found: readonly FetchFound[],
  ): Response {
    const { fetchSessions } = this.#services
    if (session.kind === 'incremental' && !fetchSessions.isCurrent(session)) {
      const error = ErrorCode.INVALID_FETCH_SESSION_EPOCH
      return { ...this.failed(request, error), sessionId: session.session.id }
    }
    const leaders = new CurrentLeaders(this.#services.cluster, context)
    const topics: { topic: string; topicId: string; partitions: PartitionData[] }[] = []
    session.targets.forEach((target, i) => {
      const told = toldOf(found[i]!)
      if (session.kind === 'incremental' && !fetchSessions.mustTell(session, target, told)) return
      const { topic, topicId } = target
      const last = topics.at(-1)
      const data = this.#partitionData(context, request, target, found[i]!, leaders)
      if (last !== undefined && last.topic === topic && last.topicId === topicId) {
        last.partitions.push(data)
      } else {
        topics.push({ topic, topicId, partitions: [data] })
      }
    })
    let sessionId = session.kind === 'incremental' ? session.session.id : 0
    if (session.kind === 'full') sessionId = fetchSessions.create(session, (i) => toldOf(found[i]!))
    return {
      errorCode: ErrorCode.NONE,
      sessionId,
      throttleTimeMs: 0,
      responses: topics,
      nodeEndpoints: context.version >= 16 ? leaders.endpoints : [],
    }
  }

  #partitionData(
    context: RequestContext,
    request: Request,
    target: FetchTarget,
    { answer }: FetchFound,
    leaders: CurrentLeaders,
  ): PartitionData {
    const { version } = context
    const oldClient =
      version < STORAGE_ERROR_SINCE && answer.error === ErrorCode.KAFKA_STORAGE_ERROR
    const errorCode = oldClient ? ErrorCode.NOT_LEADER_OR_FOLLOWER : answer.error
    const data: PartitionData = {
      partitionIndex: target.index,
      errorCode,
      highWatermark: answer.highWatermark,
      lastStableOffset: answer.lastStableOffset,
      logStartOffset: answer.logStart,
      abortedTransactions: request.isolationLevel === READ_COMMITTED ? [] : null,
      records: answer.records?.chunks ?? [],
    }
    if (answer.diverging !== undefined && version >= 12) {
      return { ...data, divergingEpoch: answer.diverging }
    }
    const moved =
      errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER || errorCode === ErrorCode.FENCED_LEADER_EPOCH
    if (!moved || version < 16) return data
    return { ...data, currentLeader: leaders.find(target) }
  }
}

function toldOf({ answer }: FetchFound): Told {
  return {
    errorCode: answer.error,
    highWatermark: answer.highWatermark,
    logStart: answer.logStart,
    recordBytes: answer.records?.bytes ?? 0,
    diverging: answer.diverging !== undefined,
  }
}
