// ElectLeaders: hands partitions over to their preferred replicas.
//
// Does: v0-2, chosen partitions or all of them (then without those that need no election, as Kafka answers).
// Does not: unclean elections (KIP-460): a replica without what was acknowledged never leads here.

import type { TopicImage } from '../../controller/metadata-image.ts'
import { logIdOf } from '../../controller/metadata-image.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import type { electLeaders } from '../../protocol/messages/elect-leaders.ts'
import type { TransferOutcome } from '../../replicated/replicated-log.ts'
import type { ApiHandler } from '../dispatcher.ts'
import type { RequestContext } from '../handler.ts'
import type { Services } from '../services.ts'

type Request = RequestOf<typeof electLeaders>
type Response = ResponseInputOf<typeof electLeaders>
type TopicAnswer = Response['replicaElectionResults'][number]
type PartitionAnswer = TopicAnswer['partitionResult'][number]
type TopicAsked = { readonly topic: string; readonly partitions: readonly number[] }

const PREFERRED = 0
const UNCLEAN = 1
/** Before, only partitions carry errors. */
const ERROR_FOR_ALL_SINCE = 1
const AT_ONCE_MAX = 16

export class ElectLeadersHandler implements ApiHandler<Request, Response> {
  readonly #services: Services

  constructor(services: Services) {
    this.#services = services
  }

  async handle(context: RequestContext, request: Request): Promise<Response> {
    const { electionType, topicPartitions } = request
    if (electionType !== PREFERRED && electionType !== UNCLEAN) {
      return this.failed(request, ErrorCode.INVALID_REQUEST, context)
    }
    const answers = await this.#elect(request, topicPartitions ?? this.#all())
    const replicaElectionResults =
      topicPartitions === null
        ? answers.map(({ topic, partitionResult }) => ({
            topic,
            partitionResult: partitionResult.filter(
              ({ errorCode }) => errorCode !== ErrorCode.ELECTION_NOT_NEEDED,
            ),
          }))
        : answers
    return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, replicaElectionResults }
  }

  failed({ topicPartitions }: Request, errorCode: ErrorCode, context: RequestContext): Response {
    const replicaElectionResults = (topicPartitions ?? []).map(({ topic, partitions }) => ({
      topic,
      partitionResult: partitions.map((partitionId) => ({ partitionId, errorCode })),
    }))
    const forAll = context.version >= ERROR_FOR_ALL_SINCE ? errorCode : ErrorCode.NONE
    return { throttleTimeMs: 0, errorCode: forAll, replicaElectionResults }
  }

  #all(): TopicAsked[] {
    const { topics } = this.#services.controller.image
    return [...topics.values()].map(({ name, partitions }) => ({
      topic: name,
      partitions: partitions.map(({ index }) => index),
    }))
  }

  async #elect(
    { electionType, timeoutMs }: Request,
    asked: readonly TopicAsked[],
  ): Promise<TopicAnswer[]> {
    const { env, controller } = this.#services
    const untilMs = env.clock.monotonicMs() + timeoutMs
    const answers = asked.map(({ topic, partitions }) => ({
      topic,
      partitionResult: partitions.map((): PartitionAnswer => ({ partitionId: -1, errorCode: -1 })),
    }))
    const work = asked
      .flatMap(({ topic, partitions }, at) =>
        partitions.map((partition, i) => ({ topic, partition, results: answers[at]!, i })),
      )
      .values()
    const electEach = async (): Promise<void> => {
      for (const { topic, partition, results, i } of work) {
        const late = env.clock.monotonicMs() >= untilMs
        const image = controller.image.topics.get(topic)
        const answer = late
          ? { errorCode: ErrorCode.REQUEST_TIMED_OUT }
          : await this.#electOne(image, partition, electionType)
        results.partitionResult[i] = { partitionId: partition, ...answer }
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE_MAX }, electEach))
    return answers
  }

  async #electOne(
    topic: TopicImage | undefined,
    index: number,
    electionType: number,
  ): Promise<{ readonly errorCode: ErrorCode; readonly errorMessage?: string }> {
    const preferred = topic?.partitions[index]?.replicas[0]
    if (topic === undefined || preferred === undefined) {
      return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION }
    }
    const { cluster, host } = this.#services
    const { leaderId } = cluster.leadership(topic, index)
    if (electionType === UNCLEAN) {
      if (leaderId >= 0) return { errorCode: ErrorCode.ELECTION_NOT_NEEDED }
      const errorMessage = 'A replica that may lack acknowledged records never leads.'
      return { errorCode: ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE, errorMessage }
    }
    if (leaderId === preferred) return { errorCode: ErrorCode.ELECTION_NOT_NEEDED }
    return { errorCode: errorOf(await host.transferLeadership(logIdOf(topic, index), preferred)) }
  }
}

function errorOf(outcome: TransferOutcome): ErrorCode {
  switch (outcome) {
    case 'done':
      return ErrorCode.NONE
    case 'timed-out':
      return ErrorCode.REQUEST_TIMED_OUT
    case 'target-unfit':
    case 'not-leader':
      return ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE
  }
}
