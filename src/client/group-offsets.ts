// A group's committed offsets: fetch and commit.

import { offsetCommit } from '../protocol/messages/offset-commit.ts'
import { offsetFetch } from '../protocol/messages/offset-fetch.ts'
import { throwIfError } from './client-error.ts'
import type { Coordinator } from './coordinator.ts'
import { byTopic, type TopicPartition } from './partition-offsets.ts'

export type CommittedOffset = TopicPartition & { readonly offset: number }

/** Later versions name topics by id only. */
const VERSION_MAX = 9
/** Since it, several groups are asked for at once. */
const FETCH_BATCHED_SINCE = 8

/** Who commits: a member of a generation, or nobody in particular for a group without members. */
export interface Committer {
  readonly generationId: number
  readonly memberId: string
  readonly groupInstanceId: string | null
}

export const NO_MEMBER: Committer = { generationId: -1, memberId: '', groupInstanceId: null }

/** `partitions` null: all that the group has committed. Those without a committed offset are left out. */
export function fetchCommitted(
  coordinator: Coordinator,
  groupId: string,
  partitions: readonly TopicPartition[] | null,
  timeoutMs: number,
): Promise<CommittedOffset[]> {
  const topics =
    partitions === null
      ? null
      : byTopic(partitions).map(([name, list]) => ({
          name,
          partitionIndexes: list.map(({ partition }) => partition),
        }))
  return coordinator.call({ timeoutMs }, async (connection) => {
    const answer = await connection.request(
      offsetFetch,
      (version) =>
        version < FETCH_BATCHED_SINCE ? { groupId, topics } : { groups: [{ groupId, topics }] },
      { versionMax: VERSION_MAX },
    )
    const group = answer.groups[0] ?? answer
    throwIfError(group.errorCode, `offsets of group ${groupId}`)
    const committed: CommittedOffset[] = []
    for (const { name, partitions: found } of group.topics) {
      for (const { partitionIndex, committedOffset, errorCode } of found) {
        throwIfError(errorCode, `offset of group ${groupId} in ${name}-${partitionIndex}`)
        if (committedOffset < 0) continue
        committed.push({ topic: name, partition: partitionIndex, offset: committedOffset })
      }
    }
    return committed
  })
}

/** Throws KafkaError; `REBALANCE_IN_PROGRESS`, `ILLEGAL_GENERATION` and the like tell a member to join again. */
export function commitOffsets(
  coordinator: Coordinator,
  groupId: string,
  offsets: readonly CommittedOffset[],
  committer: Committer,
  timeoutMs: number,
): Promise<void> {
  return coordinator.call({ timeoutMs }, async (connection) => {
    const answer = await connection.request(
      offsetCommit,
      () => ({
        groupId,
        generationIdOrMemberEpoch: committer.generationId,
        memberId: committer.memberId,
        ...(committer.groupInstanceId === null
          ? {}
          : { groupInstanceId: committer.groupInstanceId }),
        topics: byTopic(offsets).map(([name, list]) => ({
          name,
          partitions: list.map(({ partition, offset }) => ({
            partitionIndex: partition,
            committedOffset: offset,
            committedMetadata: '',
          })),
        })),
      }),
      { versionMax: VERSION_MAX },
    )
    for (const { name, partitions } of answer.topics) {
      for (const { partitionIndex, errorCode } of partitions) {
        throwIfError(errorCode, `commit of group ${groupId} in ${name}-${partitionIndex}`)
      }
    }
  })
}
