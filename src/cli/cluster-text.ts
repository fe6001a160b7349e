// The state of a cluster as text.

import type { ClusterStatus, NodeStatus, PartitionRow } from '../admin/cluster-status.ts'
import { plural } from './amounts.ts'
import { type Cell, textTable } from './text-table.ts'

export function clusterText(status: ClusterStatus): string {
  const { leader, epoch } = status.controller
  const head = [
    ['cluster', status.clusterId],
    ['controller', leader === null ? 'none is known' : `node ${leader}, epoch ${epoch}`],
    ['partitions', totalsText(status.partitions)],
    ['seen by', `node ${status.nodeId}`],
    ...(status.suspects === undefined ? [] : [['suspects', suspectsText(status.suspects)]]),
  ]
  return [
    ...head.map(([label = '', value = '']) => `${label.padEnd(12)}${value}`),
    '',
    textTable(NODE_HEAD, status.nodes.map(nodeRow)),
  ].join('\n')
}

function totalsText(totals: ClusterStatus['partitions']): string {
  const troubles = [
    [totals.underReplicated, 'under-replicated'],
    [totals.underMinInSync, 'under min.insync.replicas'],
    [totals.offline, 'offline'],
  ] as const
  const some = troubles.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`)
  const state =
    totals.total === 0 ? '' : some.length === 0 ? ', all in sync' : `: ${some.join(', ')}`
  return `${totals.total} in ${plural(totals.topics, 'topic')}${state}`
}

function suspectsText({ replicas, stuck }: NonNullable<ClusterStatus['suspects']>): string {
  const waiting = `${plural(replicas, 'replica')} of this node not counted until healed`
  if (stuck === 0) return waiting
  return `${waiting}; ${stuck} can't be healed: their groups have fewer than three voters`
}

const NODE_HEAD = ['node', 'state', 'leads', 'replicas', 'rack', 'kafka', 'raft', 'http']

function nodeRow(node: NodeStatus): Cell[] {
  const state = node.up ? (node.draining ? 'draining' : 'up') : 'down'
  const kafka = Object.values(node.kafka).join(' ')
  return [
    node.nodeId,
    node.draining && node.up && node.leaders === 0 ? 'drained' : state,
    node.leaders,
    node.replicas,
    node.rack ?? '-',
    kafka,
    node.raft ?? '-',
    node.http ?? '-',
  ]
}

const PARTITION_HEAD = [
  'topic',
  'partition',
  'leader',
  'epoch',
  'replicas',
  'in sync',
  'high watermark',
  'end',
]

export function partitionsText(rows: readonly PartitionRow[]): string {
  return textTable(
    PARTITION_HEAD,
    rows.map((row) => [
      row.topic,
      row.partition,
      row.leader ?? 'none',
      row.leaderEpoch,
      row.replicas.join(','),
      row.isr.join(','),
      row.highWatermark ?? '-',
      row.logEnd ?? '-',
    ]),
  )
}
