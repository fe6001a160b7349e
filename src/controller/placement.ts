// Which nodes hold the replicas of new partitions, chosen by the controller or checked where a client chose.

import { asNodeId, type NodeId } from '../base/brand.ts'
import { type CommandResult, failed } from './commands.ts'
import type { Assignments } from './metadata-records.ts'

export type Placement =
  | { readonly ok: true; readonly assignments: Assignments }
  | { readonly ok: false; readonly error: CommandResult }

/** Spreads partitions over the nodes, one after the other. `nodes` ascend; `from` is the index of the first new partition. */
export function place(
  nodes: readonly NodeId[],
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
  const assignments = Array.from({ length: count }, (_, i) =>
    Array.from(
      { length: replicationFactor },
      (_unused, replica) => nodes[(from + i + replica) % nodes.length]!,
    ),
  )
  return { ok: true, assignments }
}

/** Checks what a client chose. All partitions of a topic have the same number of replicas. */
export function checkAssignments(
  nodes: readonly NodeId[],
  chosen: readonly (readonly number[])[],
  replicationFactor = chosen[0]?.length ?? 0,
): Placement {
  for (const brokerIds of chosen) {
    const problem = assignmentProblem(nodes, brokerIds, replicationFactor)
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
