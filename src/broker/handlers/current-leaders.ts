// Who leads instead, for the answers that send a client away (KIP-951), and under which address of the client's listener.

import { ZERO_UUID } from '../../protocol/schema.ts'
import type { ClusterView, Leadership, NodeAddress } from '../cluster-view.ts'
import type { RequestContext } from '../handler.ts'
import type { PartitionName } from './find-partition.ts'

export class CurrentLeaders {
  readonly #cluster: ClusterView
  readonly #listener: string
  readonly #endpoints = new Map<number, NodeAddress>()

  constructor(cluster: ClusterView, context: RequestContext) {
    this.#cluster = cluster
    this.#listener = context.listener
  }

  /** By id where it is not zero, else by name. -1 and -1 where no leader is known. */
  find(of: PartitionName): Leadership {
    const { image } = this.#cluster.metadata
    const topic =
      of.topicId === ZERO_UUID ? image.topics.get(of.topic) : image.topicsById.get(of.topicId)
    if (topic === undefined) return { leaderId: -1, leaderEpoch: -1 }
    const leadership = this.#cluster.leadership(topic, of.index)
    const node = this.#cluster.node(leadership.leaderId, this.#listener)
    if (node !== undefined) this.#endpoints.set(node.nodeId, node)
    return leadership
  }

  /** Of the leaders found. */
  get endpoints(): NodeAddress[] {
    return [...this.#endpoints.values()]
  }
}
