// A cluster that does what operators tell it, in memory: for tests of what stands before it.

import type {
  AdminError,
  AdminResult,
  ClusterAdmin,
  ClusterView,
  DrainAccepted,
  NodeView,
  PartitionView,
  TransferDone,
  TransferRequest,
} from '../cluster-admin.ts'

export class FakeCluster implements ClusterAdmin {
  readonly asked: string[] = []
  /** What the next call that changes something fails with. */
  failure: AdminError | undefined
  readonly nodes: NodeView[] = [1, 2, 3].map(fakeNode)
  readonly #topics = new Map<string, PartitionView[]>()

  addTopic(name: string, ...partitions: readonly Partial<PartitionView>[]): this {
    this.#topics.set(
      name,
      partitions.map((some, partition) => ({
        partition,
        leader: 1,
        leaderEpoch: 1,
        replicas: [1, 2, 3],
        isr: [1, 2, 3],
        minInSync: 2,
        highWatermark: 10,
        logEnd: 12,
        ...some,
      })),
    )
    return this
  }

  view(): ClusterView {
    const controller = { leader: 2, epoch: 7 }
    return { clusterId: 'fake', nodeId: 1, controller, nodes: this.nodes }
  }

  topics(): Iterable<string> {
    return this.#topics.keys()
  }

  partitionsOf(topic: string): readonly PartitionView[] {
    return this.#topics.get(topic) ?? []
  }

  transferLeader({
    topic,
    partition,
    to = 2,
  }: TransferRequest): Promise<AdminResult<TransferDone>> {
    this.asked.push(`transfer ${topic}-${partition} to ${to}`)
    return this.#answer(() => {
      const partitions = this.#topics.get(topic) ?? []
      const before = partitions[partition]
      if (before === undefined) throw new Error('the test asks for a partition that is not there')
      const after = { ...before, leader: to, leaderEpoch: before.leaderEpoch + 1 }
      partitions[partition] = after
      return { leader: after.leader, leaderEpoch: after.leaderEpoch }
    })
  }

  drain(nodeId: number): Promise<AdminResult<DrainAccepted>> {
    this.asked.push(`drain ${nodeId}`)
    return this.#answer(() => this.#setDraining(nodeId, true))
  }

  undrain(nodeId: number): Promise<AdminResult<DrainAccepted>> {
    this.asked.push(`undrain ${nodeId}`)
    return this.#answer(() => this.#setDraining(nodeId, false))
  }

  #setDraining(nodeId: number, draining: boolean): DrainAccepted {
    const at = this.nodes.findIndex((node) => node.nodeId === nodeId)
    const node = this.nodes[at]
    if (node === undefined) throw new Error('the test asks for a node that is not there')
    this.nodes[at] = { ...node, draining }
    const all = [...this.#topics.values()].flat()
    const leaderships = all.filter(({ leader }) => leader === nodeId).length
    if (draining) this.#moveLeaderships(nodeId)
    return { leaderships }
  }

  #moveLeaderships(from: number): void {
    for (const partitions of this.#topics.values()) {
      for (const [at, partition] of partitions.entries()) {
        const to = partition.isr.find((id) => id !== from)
        if (partition.leader !== from || to === undefined) continue
        partitions[at] = { ...partition, leader: to, leaderEpoch: partition.leaderEpoch + 1 }
      }
    }
  }

  #answer<T>(act: () => T): Promise<AdminResult<T>> {
    const { failure } = this
    this.failure = undefined
    return Promise.resolve(
      failure === undefined ? { ok: true, value: act() } : { ok: false, error: failure },
    )
  }
}

function fakeNode(nodeId: number): NodeView {
  return {
    nodeId,
    rack: null,
    up: true,
    bootId: `boot-${nodeId}`,
    draining: false,
    kafka: { PLAINTEXT: `127.0.0.1:${9091 + nodeId}` },
    raft: `127.0.0.1:${9191 + nodeId}`,
    http: `127.0.0.1:${6091 + nodeId}`,
  }
}
