// Administration of consumer groups: list, describe, how far each came, delete.

import { ErrorCode } from '../protocol/error-codes.ts'
import { decodeVersioned } from '../protocol/message.ts'
import { deleteGroups } from '../protocol/messages/delete-groups.ts'
import { describeGroups } from '../protocol/messages/describe-groups.ts'
import { listGroups } from '../protocol/messages/list-groups.ts'
import { consumerProtocolAssignment } from '../protocol/persisted/consumer-protocol.ts'
import { KafkaError, throwIfError } from './client-error.ts'
import type { Cluster } from './cluster.ts'
import { Coordinator } from './coordinator.ts'
import { fetchCommitted } from './group-offsets.ts'
import { findOffsets, keyOf, type TopicPartition } from './partition-offsets.ts'
import { retrying } from './retrying.ts'

export interface ListedGroup {
  readonly groupId: string
  readonly protocolType: string
  /** Empty where the broker is too old to tell. */
  readonly state: string
}

export interface DescribedGroup {
  readonly groupId: string
  readonly state: string
  readonly protocolType: string
  /** The assignor, where the group has one. */
  readonly protocol: string
  readonly members: readonly DescribedMember[]
}

export interface DescribedMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly assignment: readonly TopicPartition[]
}

export interface GroupProgress extends TopicPartition {
  readonly committed: number
  /** The partition's high watermark; -1 where the partition is gone. */
  readonly end: number
}

/** Of every node, sorted by id. */
export async function listAllGroups(cluster: Cluster): Promise<ListedGroup[]> {
  const timeoutMs = cluster.requestTimeoutMs
  return retrying(cluster, { timeoutMs }, async () => {
    const groups = new Map<string, ListedGroup>()
    const { nodes } = await cluster.refresh([])
    for (const node of nodes) {
      const connection = await cluster.connectionTo(node)
      const answer = await connection.request(listGroups, () => ({}))
      throwIfError(answer.errorCode, `groups of node ${node.id}`)
      for (const { groupId, protocolType, groupState } of answer.groups) {
        groups.set(groupId, { groupId, protocolType, state: groupState })
      }
    }
    return [...groups.values()].toSorted((a, b) => (a.groupId < b.groupId ? -1 : 1))
  })
}

/**
 * A group that does not exist has the state `Dead`, or is a KafkaError `GROUP_ID_NOT_FOUND`, as the broker's version
 * has it.
 */
export async function describeGroup(cluster: Cluster, groupId: string): Promise<DescribedGroup> {
  const coordinator = new Coordinator(cluster, groupId)
  const timeoutMs = cluster.requestTimeoutMs
  return coordinator.call({ timeoutMs }, async (connection) => {
    const answer = await connection.request(describeGroups, () => ({ groups: [groupId] }))
    const group = answer.groups[0]
    if (group === undefined) throw new KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, `group ${groupId}`)
    throwIfError(group.errorCode, `group ${groupId}`, group.errorMessage)
    return {
      groupId,
      state: group.groupState,
      protocolType: group.protocolType,
      protocol: group.protocolData,
      members: group.members.map((member) => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        assignment: group.protocolType === 'consumer' ? assignedTo(member.memberAssignment) : [],
      })),
    }
  })
}

/** Where the group stands in each partition that it committed for, sorted. */
export async function groupProgress(cluster: Cluster, groupId: string): Promise<GroupProgress[]> {
  const coordinator = new Coordinator(cluster, groupId)
  const timeoutMs = cluster.requestTimeoutMs
  const committed = await fetchCommitted(coordinator, groupId, null, timeoutMs)
  await cluster.refresh([...new Set(committed.map(({ topic }) => topic))])
  const existing = committed.filter(
    ({ topic, partition }) => partition < (cluster.topic(topic)?.partitions.length ?? 0),
  )
  const ends = await findOffsets(
    cluster,
    existing.map(({ topic, partition }) => ({ topic, partition, at: 'end' })),
  )
  const endOf = new Map(ends.map((end) => [keyOf(end), end.offset]))
  return committed
    .map((at) => ({
      topic: at.topic,
      partition: at.partition,
      committed: at.offset,
      end: endOf.get(keyOf(at)) ?? -1,
    }))
    .toSorted((a, b) =>
      a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
    )
}

/** The group must have no members. */
export async function deleteGroup(cluster: Cluster, groupId: string): Promise<void> {
  const coordinator = new Coordinator(cluster, groupId)
  const limits = { timeoutMs: cluster.requestTimeoutMs, repeatable: false }
  await coordinator.call(limits, async (connection) => {
    const answer = await connection.request(deleteGroups, () => ({ groupsNames: [groupId] }))
    for (const { errorCode } of answer.results) throwIfError(errorCode, `delete group ${groupId}`)
  })
}

function assignedTo(assignment: Uint8Array): TopicPartition[] {
  if (assignment.length === 0) return []
  const { value } = decodeVersioned(consumerProtocolAssignment, assignment, { newerAs: 'last' })
  return value.assignedPartitions.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => ({ topic, partition })),
  )
}
