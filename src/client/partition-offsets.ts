// Offsets of partitions from their leaders: the first, the next, the one at a time (ListOffsets).

import { ErrorCode } from '../protocol/error-codes.ts'
import { listOffsets } from '../protocol/messages/list-offsets.ts'
import { KafkaError } from './client-error.ts'
import type { Cluster, NodeInfo } from './cluster.ts'
import { retrying } from './retrying.ts'

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** Where to start: the log start, the high watermark, an offset, or the first record at or after a time. */
export type StartFrom =
  | 'beginning'
  | 'end'
  | { readonly offset: number }
  | { readonly timestampMs: number }

export interface FoundOffset extends TopicPartition {
  /** -1: no record is at or after the time. */
  readonly offset: number
  /** Of the record found by time; otherwise -1. */
  readonly timestampMs: number
}

const LATEST = -1
const EARLIEST = -2

type Wanted = TopicPartition & { readonly timestamp: number }

/**
 * The offsets in the order asked; transient failures are tried again within `timeoutMs`. Throws KafkaError, RequestError.
 */
export async function findOffsets(
  cluster: Cluster,
  partitions: readonly (TopicPartition & {
    readonly at: 'beginning' | 'end' | { readonly timestampMs: number }
  })[],
  timeoutMs = cluster.requestTimeoutMs,
): Promise<FoundOffset[]> {
  const found = new Map<string, FoundOffset>()
  await retrying(cluster, { timeoutMs }, async () => {
    const missing = partitions
      .filter((wanted) => !found.has(keyOf(wanted)))
      .map(({ topic, partition, at }) => ({ topic, partition, timestamp: timestampOf(at) }))
    const groups = await byLeader(cluster, missing)
    for (const [node, wanted] of groups) {
      for (const offset of await ask(cluster, node, wanted)) found.set(keyOf(offset), offset)
    }
  })
  return partitions.map((wanted) => {
    const offset = found.get(keyOf(wanted))
    if (offset === undefined) throw new Error(`no offset for ${keyOf(wanted)}`)
    return offset
  })
}

export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic} ${partition}`
}

/**
 * Groups by leader, asking for metadata where a leader is not known. Throws a transient KafkaError where there is
 * none now.
 */
export async function byLeader<T extends TopicPartition>(
  cluster: Cluster,
  partitions: readonly T[],
): Promise<Map<NodeInfo, T[]>> {
  const unknown = partitions.filter((p) => cluster.leaderOf(p.topic, p.partition) === undefined)
  if (unknown.length > 0) await cluster.refresh([...new Set(unknown.map((p) => p.topic))])
  const groups = new Map<NodeInfo, T[]>()
  for (const wanted of partitions) {
    const leader = cluster.leaderOf(wanted.topic, wanted.partition)
    if (leader === undefined) throw noLeader(cluster, wanted)
    const group = groups.get(leader.node)
    if (group === undefined) groups.set(leader.node, [wanted])
    else group.push(wanted)
  }
  return groups
}

function noLeader(cluster: Cluster, wanted: TopicPartition): KafkaError {
  const topic = cluster.topic(wanted.topic)
  const exists = topic !== undefined && wanted.partition < topic.partitions.length
  const code = exists ? ErrorCode.LEADER_NOT_AVAILABLE : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  return new KafkaError(code, `${wanted.topic}-${wanted.partition}`)
}

async function ask(
  cluster: Cluster,
  node: NodeInfo,
  wanted: readonly Wanted[],
): Promise<FoundOffset[]> {
  const connection = await cluster.connectionTo(node)
  const answer = await connection.request(listOffsets, () => ({
    replicaId: -1,
    isolationLevel: 0,
    topics: byTopic(wanted).map(([name, partitions]) => ({
      name,
      partitions: partitions.map(({ partition, timestamp }) => ({
        partitionIndex: partition,
        timestamp,
      })),
    })),
  }))
  const offsets: FoundOffset[] = []
  for (const { name, partitions } of answer.topics) {
    for (const { partitionIndex, errorCode, offset, timestamp } of partitions) {
      if (errorCode !== 0) {
        await cluster.refresh([name])
        throw new KafkaError(errorCode, `offset of ${name}-${partitionIndex}`)
      }
      offsets.push({ topic: name, partition: partitionIndex, offset, timestampMs: timestamp })
    }
  }
  return offsets
}

export function byTopic<T extends TopicPartition>(partitions: readonly T[]): [string, T[]][] {
  return [...Map.groupBy(partitions, ({ topic }) => topic)]
}

function timestampOf(at: 'beginning' | 'end' | { readonly timestampMs: number }): number {
  if (at === 'beginning') return EARLIEST
  return at === 'end' ? LATEST : at.timestampMs
}
