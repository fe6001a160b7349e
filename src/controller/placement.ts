// Which nodes hold the replicas of new partitions, chosen by the controller or checked where a client chose.

import { asNodeId, type NodeId } from '../base/brand.ts'
import { type CommandResult, failed } from './commands.ts'
import type { Assignments } from './metadata-records.ts'

export type Placement =
  | { readonly ok: true; readonly assignments: Assignments }
  | { readonly ok: false; readonly error: CommandResult }

export interface PlacementNode {
  readonly nodeId: NodeId
  readonly rack: string | null
  /** Reachable for the controller: only such nodes lead first, and they are taken first where there is a choice. */
  readonly up: boolean
}

/**
 * Spreads partitions over the nodes: leaders in turn, the other replicas shifted, so that a node's partitions are shared by all
 * others when it fails; no two replicas of a partition in one rack while there are racks enough (as Kafka's
 * StripedReplicaPlacer). `from` tells how many partitions were placed before.
 */
export function place(
  nodes: readonly PlacementNode[],
  { from, count, replicationFactor }: { from: number; count: number; replicationFactor: number },
): Placement {
  if (replicationFactor > nodes.length) {
    const error = failed(
      'INVALID_REPLICATION_FACTOR',
      `Unable to replicate the partition ${replicationFactor} time(s): ` +
        `the cluster has ${nodes.length === 1 ? 'one node' : `${nodes.length} nodes`}.`,
    )
    return { ok: false, error }
  }
  const up = nodes.filter((node) => node.up)
  const leaders = interleaveRacks(up.length > 0 ? up : nodes)
  const pool = up.length >= replicationFactor ? leaders : interleaveRacks(nodes)
  const assignments = Array.from({ length: count }, (_, i) => {
    const turn = from + i
    const leader = leaders[turn % leaders.length]!
    return replicasAfter(leader, { pool, turn, replicationFactor })
  })
  return { ok: true, assignments }
}

function replicasAfter(
  leader: PlacementNode,
  options: { pool: readonly PlacementNode[]; turn: number; replicationFactor: number },
): NodeId[] {
  const { pool, turn, replicationFactor } = options
  const others = pool.filter((node) => node !== leader)
  const shift = Math.floor(turn / pool.length) + pool.indexOf(leader)
  const ordered = others.map((_, i) => others[(shift + i) % others.length]!)
  const chosen = [leader]
  const rackOf = (node: PlacementNode): string => node.rack ?? `node ${node.nodeId}`
  while (chosen.length < replicationFactor) {
    const racks = new Set(chosen.map(rackOf))
    const left = ordered.filter((node) => !chosen.includes(node))
    chosen.push(left.find((node) => !racks.has(rackOf(node))) ?? left[0]!)
  }
  return chosen.map(({ nodeId }) => nodeId)
}

/** One of each rack in turn. */
function interleaveRacks(nodes: readonly PlacementNode[]): PlacementNode[] {
  const byRack = new Map<string | null, PlacementNode[]>()
  for (const node of nodes) {
    const rack = byRack.get(node.rack)
    if (rack === undefined) byRack.set(node.rack, [node])
    else rack.push(node)
  }
  const racks = [...byRack.values()]
  const longest = Math.max(...racks.map(({ length }) => length))
  return Array.from({ length: longest }, (_, i) => racks.flatMap((rack) => rack[i] ?? [])).flat()
}

/** Checks what a client chose. All partitions of a topic have the same number of replicas. */
export function checkAssignments(
  nodes: readonly PlacementNode[],
  chosen: readonly (readonly number[])[],
  replicationFactor = chosen[0]?.length ?? 0,
): Placement {
  for (const brokerIds of chosen) {
    const known = nodes.map(({ nodeId }) => nodeId)
    const problem = assignmentProblem(known, brokerIds, replicationFactor)
    if (problem !== undefined) {
      return { ok: false, error: failed('INVALID_REPLICA_ASSIGNMENT', problem) }
    }
  }
  return { ok: true, assignments: chosen.map((brokerIds) => brokerIds.map(asNodeId)) }
}

function assignmentProblem(
  nodes: readonly NodeId[],
  brokerIds: readonly number[],
  replicationFactor: number,
): string | undefined {
  if (brokerIds.length === 0)
    return 'The manual partition assignment includes an empty replica list.'
  if (new Set(brokerIds).size !== brokerIds.length) {
    return `The manual partition assignment includes a broker twice: ${brokerIds.join(',')}.`
  }
  const unknown = brokerIds.find((id) => !nodes.includes(asNodeId(id)))
  if (unknown !== undefined) {
    return `The manual partition assignment includes broker ${unknown}, which is not registered.`
  }
  if (brokerIds.length !== replicationFactor) {
    return (
      `The manual partition assignment includes a partition with ${brokerIds.length} replica(s), ` +
      `but an earlier one has ${replicationFactor}.`
    )
  }
  return undefined
}
