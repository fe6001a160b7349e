// DescribeQuorum: how far the voters of the metadata log are. Asked of any node; the leader of that log is asked for it.
//
// Does: v0-2, the Raft addresses of the voters (v2).
// Does not: other logs than the metadata's, as in Kafka; observers, which there are none of.

import { parseHostPort } from '../../base/hosts.ts'
import { METADATA_LOG_ID, METADATA_TOPIC } from '../../controller/metadata-image.ts'
import { ErrorCode, errorMessage } from '../../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import type { describeQuorum } from '../../protocol/messages/describe-quorum.ts'
import type { QuorumDescription } from '../../replicated/replicated-log.ts'
import type { ApiHandler } from '../dispatcher.ts'
import type { RequestContext } from '../handler.ts'
import type { Services } from '../services.ts'

type Request = RequestOf<typeof describeQuorum>
type Response = ResponseInputOf<typeof describeQuorum>
type PartitionAnswer = Response['topics'][number]['partitions'][number]

const LISTENER = 'RAFT'

export class DescribeQuorumHandler implements ApiHandler<Request, Response> {
  readonly #services: Services

  constructor(services: Services) {
    this.#services = services
  }

  async handle(_context: RequestContext, request: Request): Promise<Response> {
    const quorum = await this.#services.host.describeQuorum(METADATA_LOG_ID)
    const topics = request.topics.map(({ topicName, partitions }) => ({
      topicName,
      partitions: partitions.map(({ partitionIndex }) => {
        const known = topicName === METADATA_TOPIC && partitionIndex === 0
        if (!known) return failed(partitionIndex, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        if (quorum !== undefined) return described(quorum)
        // Clients come again: it is unknown who leads.
        return failed(partitionIndex, ErrorCode.NOT_LEADER_OR_FOLLOWER)
      }),
    }))
    return { errorCode: ErrorCode.NONE, topics, nodes: this.#nodes(quorum) }
  }

  failed(_request: Request, errorCode: ErrorCode): Response {
    return { errorCode, errorMessage: errorMessage(errorCode), topics: [] }
  }

  #nodes(quorum: QuorumDescription | undefined): NonNullable<Response['nodes']> {
    const { brokers } = this.#services.controller.image
    return (quorum?.voters ?? []).map(({ nodeId }) => {
      const raft = brokers.get(String(nodeId))?.raft ?? null
      const address = raft === null ? undefined : parseHostPort(raft)
      return { nodeId, listeners: address === undefined ? [] : [{ name: LISTENER, ...address }] }
    })
  }
}

function described(quorum: QuorumDescription): PartitionAnswer {
  return {
    partitionIndex: 0,
    errorCode: ErrorCode.NONE,
    leaderId: quorum.leader,
    leaderEpoch: quorum.leaderEpoch,
    highWatermark: quorum.highWatermark,
    currentVoters: quorum.voters.map((voter) => ({
      replicaId: voter.nodeId,
      replicaDirectoryId: voter.directoryId,
      logEndOffset: voter.logEnd,
      lastFetchTimestamp: voter.lastHeardMs,
      lastCaughtUpTimestamp: voter.caughtUpMs,
    })),
    observers: [],
  }
}

function failed(partitionIndex: number, errorCode: ErrorCode): PartitionAnswer {
  return {
    partitionIndex,
    errorCode,
    errorMessage: errorMessage(errorCode),
    leaderId: -1,
    leaderEpoch: -1,
    highWatermark: -1,
    currentVoters: [],
    observers: [],
  }
}
