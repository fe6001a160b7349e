// What the cluster's state comes to: how many partitions are in which trouble, who leads how many; and the list of
// partitions, page by page.

import type { ClusterAdmin, ClusterView, NodeView, PartitionView } from './cluster-admin.ts'

export interface ClusterStatus extends Omit<ClusterView, 'nodes'> {
  readonly nodes: readonly NodeStatus[]
  readonly partitions: PartitionTotals
}

export interface NodeStatus extends NodeView {
  /** Partitions that it leads, and of which it holds a replica. */
  readonly leaders: number
  readonly replicas: number
}

export interface PartitionTotals {
  readonly topics: number
  readonly total: number
  /** Some replica is not in sync. */
  readonly underReplicated: number
  /** Fewer are in sync than `acks=all` asks for. */
  readonly underMinInSync: number
  /** Nobody leads: neither reads nor writes. */
  readonly offline: number
}

export interface PartitionRow extends PartitionView {
  readonly topic: string
}

export interface PartitionPage {
  readonly partitions: readonly PartitionRow[]
  /** What to ask for next, as `after`; null at the end. */
  readonly next: string | null
}

export interface PageRequest {
  readonly topic: string | undefined
  /** `topic/partition`, the last one seen; undefined: from the beginning. */
  readonly after: { readonly topic: string; readonly partition: number } | undefined
  readonly limit: number
}

export function statusOf(admin: ClusterAdmin): ClusterStatus {
  const leaders = new Map<number, number>()
  const replicas = new Map<number, number>()
  const counts = { topics: 0, total: 0, underReplicated: 0, underMinInSync: 0, offline: 0 }
  const add = (to: Map<number, number>, nodeId: number): void => {
    to.set(nodeId, (to.get(nodeId) ?? 0) + 1)
  }
  for (const topic of admin.topics()) {
    counts.topics++
    for (const partition of admin.partitionsOf(topic)) {
      counts.total++
      if (partition.isr.length < partition.replicas.length) counts.underReplicated++
      if (partition.isr.length < partition.minInSync) counts.underMinInSync++
      if (partition.leader === null) counts.offline++
      else add(leaders, partition.leader)
      for (const nodeId of partition.replicas) add(replicas, nodeId)
    }
  }
  const view = admin.view()
  const nodes = view.nodes
    .toSorted((a, b) => a.nodeId - b.nodeId)
    .map((node) => ({
      ...node,
      leaders: leaders.get(node.nodeId) ?? 0,
      replicas: replicas.get(node.nodeId) ?? 0,
    }))
  return { ...view, nodes, partitions: counts }
}

/** In the order of topic names (by code unit), then of partitions. */
export function pageOf(admin: ClusterAdmin, { topic, after, limit }: PageRequest): PartitionPage {
  const names = topic === undefined ? [...admin.topics()].toSorted(byCodeUnit) : [topic]
  const rows: PartitionRow[] = []
  for (const name of names) {
    if (after !== undefined && byCodeUnit(name, after.topic) < 0) continue
    for (const partition of admin.partitionsOf(name)) {
      if (name === after?.topic && partition.partition <= after.partition) continue
      const last = rows.at(-1)
      if (last !== undefined && rows.length === limit) {
        return { partitions: rows, next: `${last.topic}/${last.partition}` }
      }
      rows.push({ topic: name, ...partition })
    }
  }
  return { partitions: rows, next: null }
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
