// Produce: appends one record batch per partition and answers when it is committed.
//
// Does: v3-13 with acks -1, 0 and 1 (1 waits for a majority like -1, without the min.insync.replicas gate), idempotent
// producers, topic ids (v13), record errors (v8), the current leader in error answers (KIP-951). v0-2 are advertised, since
// old librdkafka compresses only then, and refused.
// Does not: transactional batches, until there are transactions.

import type { Partition } from '../../partition/partition.ts'
import type { ProduceAccepted } from '../../partition/produce.ts'
import { errorMessage, ErrorCode } from '../../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import type { produce } from '../../protocol/messages/produce.ts'
import type { ApiHandler } from '../dispatcher.ts'
import {
  Accepted,
  CLOSE_CONNECTION,
  NO_REPLY,
  type Handled,
  type Outcome,
  type RequestContext,
} from '../handler.ts'
import type { Services } from '../services.ts'
import { CurrentLeaders } from './current-leaders.ts'
import { findPartition, type PartitionName } from './find-partition.ts'
import { withTimeout } from './with-timeout.ts'

type Request = RequestOf<typeof produce>
type Response = ResponseInputOf<typeof produce>
type TopicAnswer = Response['responses'][number]

interface PartitionAnswer {
  readonly index: number
  errorCode: number
  baseOffset: number
  logAppendTimeMs: number
  logStartOffset: number
  recordErrors: { readonly batchIndex: number; readonly batchIndexErrorMessage: string | null }[]
  errorMessage: string | null
  currentLeader?: { readonly leaderId: number; readonly leaderEpoch: number }
}

const ZSTD_SINCE = 7
const WAIT_MS_MAX = 30_000
const ADMIN_CLIENT_ID = '__admin_client'

export class ProduceHandler implements ApiHandler<Request, Response> {
  readonly #services: Services

  constructor(services: Services) {
    this.#services = services
  }

  handle(context: RequestContext, request: Request): Handled<Response> {
    const { acks } = request
    if (acks !== -1 && acks !== 0 && acks !== 1) {
      return this.failed(request, ErrorCode.INVALID_REQUIRED_ACKS)
    }
    const notReady = this.#notReady(request)
    if (notReady.length === 0) return this.#produce(context, request)
    // Not accepted: the connection's next request waits too. Were one of several pipelined batches of a producer refused and
    // the next one taken, its sequence would be broken for good.
    const { deadlines } = this.#services
    const ready = Promise.all(notReady).then(() => undefined)
    return withTimeout(deadlines, patienceMs(request), ready, () => undefined).then(() => {
      const handled = this.#produce(context, request)
      return handled instanceof Accepted ? handled.completed : handled
    })
  }

  /** What must be waited for: partitions that are being opened, or whose producer state is being loaded, as after a start. */
  #notReady(request: Request): Promise<void>[] {
    const waits: Promise<void>[] = []
    for (const { name, topicId, partitionData } of request.topicData) {
      for (const { index } of partitionData) {
        const partition = findPartition(this.#services, { topic: name, topicId, index })
        if (partition === ErrorCode.NOT_LEADER_OR_FOLLOWER) {
          const { topicsById } = this.#services.controller.image
          waits.push(this.#services.partitions.whenOpen([topicsById.get(topicId)?.name ?? name]))
        } else if (typeof partition !== 'number' && !partition.producers.inStep) {
          waits.push(partition.producers.settled())
        }
      }
    }
    return waits
  }

  #produce(context: RequestContext, request: Request): Handled<Response> {
    const { acks } = request
    const operation = new ProduceOperation(this.#services, context, request)
    operation.append()
    // The producer of acks=0 learns of an error by losing its connection.
    if (acks === 0 && operation.anyError) return CLOSE_CONNECTION
    if (operation.settled) return acks === 0 ? NO_REPLY : operation.response()
    return new Accepted(operation.completed())
  }

  failed(request: Request, error: ErrorCode): Response {
    return {
      responses: request.topicData.map(({ name, topicId, partitionData }) => ({
        name,
        topicId,
        partitionResponses: partitionData.map(({ index }) => refusal(index, error, null)),
      })),
    }
  }
}

class ProduceOperation {
  readonly #services: Services
  readonly #context: RequestContext
  readonly #request: Request
  readonly #topics: { name: string; topicId: string; partitionResponses: PartitionAnswer[] }[] = []
  readonly #waiting = new Map<PartitionAnswer, ProduceAccepted>()
  #leaders: CurrentLeaders | undefined
  anyError = false

  constructor(services: Services, context: RequestContext, request: Request) {
    this.#services = services
    this.#context = context
    this.#request = request
  }

  get settled(): boolean {
    return this.#waiting.size === 0
  }

  append(): void {
    for (const { name, topicId, partitionData } of this.#request.topicData) {
      const partitionResponses: PartitionAnswer[] = []
      this.#topics.push({ name, topicId, partitionResponses })
      for (const { index, records } of partitionData) {
        const of = { topic: name, topicId, index }
        const partition = this.#find(of)
        partitionResponses.push(
          typeof partition === 'number'
            ? this.#refused(of, partition, null)
            : this.#appendTo(partition, of, records),
        )
      }
    }
  }

  #find(name: PartitionName): Partition | ErrorCode {
    const partition = findPartition(this.#services, name)
    if (typeof partition === 'number') return partition
    const topic = this.#services.controller.image.topicsById.get(partition.topicId)
    const refused = topic?.isInternal === true && this.#context.clientId !== ADMIN_CLIENT_ID
    return refused ? ErrorCode.INVALID_TOPIC_EXCEPTION : partition
  }

  #appendTo(partition: Partition, of: PartitionName, records: Uint8Array | null): PartitionAnswer {
    const result = partition.produce({
      records,
      acks: this.#request.acks,
      inSyncReplicas: this.#services.cluster.inSyncCount(partition),
      zstdAllowed: this.#context.version >= ZSTD_SINCE,
    })
    if (result.kind === 'refused') {
      const answer = this.#refused(of, result.error, result.message)
      answer.recordErrors = result.recordErrors.map(({ index, message }) => ({
        batchIndex: index,
        batchIndexErrorMessage: message,
      }))
      return answer
    }
    const answer: PartitionAnswer = {
      index: of.index,
      errorCode: ErrorCode.NONE,
      baseOffset: result.baseOffset,
      logAppendTimeMs: result.logAppendTimeMs,
      logStartOffset: partition.log.logStart,
      recordErrors: [],
      errorMessage: null,
    }
    this.#waiting.set(answer, result)
    return answer
  }

  #refused(of: PartitionName, error: ErrorCode, message: string | null): PartitionAnswer {
    this.anyError = true
    const answer = refusal(of.index, error, message)
    if (error === ErrorCode.NOT_LEADER_OR_FOLLOWER && this.#context.version >= 10) {
      this.#leaders ??= new CurrentLeaders(this.#services.cluster, this.#context)
      answer.currentLeader = this.#leaders.find(of)
    }
    return answer
  }

  /** Resolves when every append is settled or the client's patience is over. */
  completed(): Promise<Outcome<Response>> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        resolve(this.#request.acks === 0 ? NO_REPLY : this.response())
      }
      // Without a response nobody waits; the request counts as in work until its bytes are safe.
      const deadline =
        this.#request.acks === 0
          ? undefined
          : this.#services.deadlines.after(patienceMs(this.#request), () => {
              for (const answer of this.#waiting.keys()) fail(answer, ErrorCode.REQUEST_TIMED_OUT)
              this.#waiting.clear()
              finish()
            })
      for (const [answer, accepted] of this.#waiting) {
        accepted.completed.then((error) => {
          if (!this.#waiting.delete(answer)) return
          if (error !== ErrorCode.NONE) fail(answer, error)
          if (this.#waiting.size > 0) return
          if (deadline !== undefined) this.#services.deadlines.cancel(deadline)
          finish()
        }, reject)
      }
    })
  }

  response(): Response {
    const responses: readonly TopicAnswer[] = this.#topics
    return { responses, throttleTimeMs: 0, nodeEndpoints: this.#leaders?.endpoints ?? [] }
  }
}

/** How long the request may wait: as long as the client does, but no longer than Kafka's clients do by default. */
function patienceMs({ timeoutMs }: Request): number {
  return Math.min(Math.max(0, timeoutMs), WAIT_MS_MAX)
}

function fail(answer: PartitionAnswer, error: ErrorCode): void {
  answer.errorCode = error
  answer.baseOffset = -1
  answer.logAppendTimeMs = -1
  answer.logStartOffset = -1
  answer.errorMessage = errorMessage(error)
}

function refusal(index: number, error: ErrorCode, message: string | null): PartitionAnswer {
  return {
    index,
    errorCode: error,
    baseOffset: -1,
    logAppendTimeMs: -1,
    logStartOffset: -1,
    recordErrors: [],
    errorMessage: message ?? errorMessage(error),
  }
}
