// DescribeCluster: the nodes under the addresses of the listener that was asked (KIP-700).
//
// Does: v0-2, the operations bit field, nodes that are down as fenced ones (v2).
// Does not: answer for controllers (endpoint type 2, KIP-919): every node is both.

import { ErrorCode } from '../../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import type { describeCluster } from '../../protocol/messages/describe-cluster.ts'
import type { ApiHandler } from '../dispatcher.ts'
import type { RequestContext } from '../handler.ts'
import type { Services } from '../services.ts'
import { ALL_CLUSTER_OPERATIONS, NOT_REQUESTED } from './authorized-operations.ts'

type Request = RequestOf<typeof describeCluster>
type Response = ResponseInputOf<typeof describeCluster>

const BROKERS = 1
const CONTROLLERS = 2

export class DescribeClusterHandler implements ApiHandler<Request, Response> {
  readonly #services: Services

  constructor(services: Services) {
    this.#services = services
  }

  handle(context: RequestContext, request: Request): Response {
    const { endpointType } = request
    if (endpointType !== BROKERS) {
      const known = endpointType === CONTROLLERS
      return this.#refused(
        known ? ErrorCode.MISMATCHED_ENDPOINT_TYPE : ErrorCode.UNSUPPORTED_ENDPOINT_TYPE,
        `endpoint type ${endpointType} was asked for, this listener answers for brokers (${BROKERS})`,
      )
    }
    const { cluster, controller } = this.#services
    const nodes = cluster.nodes(context.listener)
    const shown = request.includeFencedBrokers ? cluster.registered(context.listener) : nodes
    const { controllerId } = cluster
    return {
      throttleTimeMs: 0,
      errorCode: ErrorCode.NONE,
      endpointType: BROKERS,
      clusterId: controller.image.clusterId,
      controllerId: nodes.some(({ nodeId }) => nodeId === controllerId) ? controllerId : -1,
      brokers: shown.map(({ nodeId, host, port, rack }) => ({
        brokerId: nodeId,
        host,
        port,
        rack,
        isFenced: !nodes.some((node) => node.nodeId === nodeId),
      })),
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
        ? ALL_CLUSTER_OPERATIONS
        : NOT_REQUESTED,
    }
  }

  failed(_request: Request, error: ErrorCode): Response {
    return this.#refused(error, null)
  }

  #refused(errorCode: ErrorCode, errorMessage: string | null): Response {
    return { throttleTimeMs: 0, errorCode, errorMessage, clusterId: '', brokers: [] }
  }
}
