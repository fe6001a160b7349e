// Administration of topics: list, describe, create, grow, delete, and deleting records. Each call asks the node that
// can do it, and again after a passing failure; KafkaError says what the broker refuses, RequestError that it can't
// be reached.

import { ErrorCode } from '../protocol/error-codes.ts'
import { createPartitions } from '../protocol/messages/create-partitions.ts'
import { createTopics } from '../protocol/messages/create-topics.ts'
import { deleteRecords } from '../protocol/messages/delete-records.ts'
import { deleteTopics } from '../protocol/messages/delete-topics.ts'
import { KafkaError, throwIfError } from './client-error.ts'
import type { Cluster, TopicInfo } from './cluster.ts'
import type { BrokerConnection } from './connection.ts'
import { byLeader, byTopic, type TopicPartition } from './partition-offsets.ts'
import { retrying } from './retrying.ts'

export interface NewTopic {
  readonly name: string
  /** -1: the broker's num.partitions. */
  readonly partitions?: number
  /** -1: the broker's default.replication.factor. */
  readonly replicationFactor?: number
  readonly configs?: Readonly<Record<string, string>>
}

export interface CreatedTopic {
  readonly name: string
  readonly topicId: string
  /** -1 where the broker does not say. */
  readonly partitions: number
  readonly replicationFactor: number
}

/** All topics, sorted by name, internal ones too. */
export async function listTopics(cluster: Cluster): Promise<TopicInfo[]> {
  const timeoutMs = cluster.requestTimeoutMs
  const { topics } = await retrying(cluster, { timeoutMs }, () => cluster.refresh('all'))
  return topics.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** In the order asked. A missing topic is a KafkaError `UNKNOWN_TOPIC_OR_PARTITION` at once. */
export async function describeTopics(
  cluster: Cluster,
  names: readonly string[],
): Promise<TopicInfo[]> {
  const timeoutMs = cluster.requestTimeoutMs
  const { topics } = await retrying(cluster, { timeoutMs }, () => cluster.refresh(names))
  return names.map((name) => {
    const topic = topics.find((found) => found.name === name)
    const code = topic?.errorCode ?? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    if (topic === undefined || code !== 0) throw new KafkaError(code, `topic ${name}`)
    return topic
  })
}

/** Not tried again once it may have been done, since the answer would then be that the topic exists. */
export async function createTopic(
  cluster: Cluster,
  topic: NewTopic,
  options: { readonly validateOnly?: boolean } = {},
): Promise<CreatedTopic> {
  const { name, partitions = -1, replicationFactor = -1, configs = {} } = topic
  const replaced = cluster.replacingTopic(name)
  const answer = await atController(cluster, false, async (connection) => {
    const response = await connection.request(createTopics, () => ({
      topics: [
        {
          name,
          numPartitions: partitions,
          replicationFactor,
          assignments: [],
          configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
        },
      ],
      timeoutMs: cluster.requestTimeoutMs,
      validateOnly: options.validateOnly ?? false,
    }))
    return checked(response.topics[0], `create topic ${name}`)
  })
  const { topicId, numPartitions } = answer
  if (options.validateOnly !== true) replaced(topicId)
  return { name, topicId, partitions: numPartitions, replicationFactor: answer.replicationFactor }
}

/** Up to `count` partitions in all. */
export async function growTopic(cluster: Cluster, name: string, count: number): Promise<void> {
  await atController(cluster, false, async (connection) => {
    const response = await connection.request(createPartitions, () => ({
      topics: [{ name, count, assignments: null }],
      timeoutMs: cluster.requestTimeoutMs,
      validateOnly: false,
    }))
    return checked(response.results[0], `add partitions to topic ${name}`)
  })
}

/** Since it, topics may be named by id, and names are nullable. */
const DELETE_STATES_SINCE = 6

export async function deleteTopic(cluster: Cluster, name: string): Promise<void> {
  const replaced = cluster.replacingTopic(name)
  await atController(cluster, false, async (connection) => {
    const response = await connection.request(deleteTopics, (version) => ({
      ...(version < DELETE_STATES_SINCE
        ? { topicNames: [name] }
        : { topics: [{ name, topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }] }),
      timeoutMs: cluster.requestTimeoutMs,
    }))
    return checked(response.responses[0], `delete topic ${name}`)
  })
  replaced()
}

/**
 * Deletes the records below `offset` (-1: all that are committed now); resolves with the new log starts, in the order
 * asked.
 */
export async function deleteRecordsBefore(
  cluster: Cluster,
  partitions: readonly (TopicPartition & { readonly offset: number })[],
): Promise<(TopicPartition & { readonly logStart: number })[]> {
  const timeoutMs = cluster.requestTimeoutMs
  return retrying(cluster, { timeoutMs }, async () => {
    const done: (TopicPartition & { readonly logStart: number })[] = []
    for (const [node, wanted] of await byLeader(cluster, partitions)) {
      const connection = await cluster.connectionTo(node)
      const answer = await connection.request(deleteRecords, () => ({
        topics: byTopic(wanted).map(([name, list]) => ({
          name,
          partitions: list.map(({ partition, offset }) => ({ partitionIndex: partition, offset })),
        })),
        timeoutMs,
      }))
      for (const { name, partitions: results } of answer.topics) {
        for (const { partitionIndex, errorCode, lowWatermark } of results) {
          if (errorCode !== 0) await cluster.refresh([name])
          throwIfError(errorCode, `delete records of ${name}-${partitionIndex}`)
          done.push({ topic: name, partition: partitionIndex, logStart: lowWatermark })
        }
      }
    }
    return done
  })
}

/** Calls the controller until it works; looks for another where the one known is none any more. */
export function atController<T>(
  cluster: Cluster,
  repeatable: boolean,
  attempt: (connection: BrokerConnection) => Promise<T>,
): Promise<T> {
  const timeoutMs = cluster.requestTimeoutMs
  const limits = { timeoutMs, repeatable, final: 'UNKNOWN_TOPIC_OR_PARTITION' as const }
  return retrying(cluster, limits, async () => {
    try {
      return await attempt(await cluster.controllerConnection())
    } catch (error) {
      cluster.forgetController()
      throw error
    }
  })
}

function checked<T extends { readonly errorCode: number; readonly errorMessage: string | null }>(
  result: T | undefined,
  context: string,
): T {
  if (result === undefined) throw new KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, context)
  throwIfError(result.errorCode, context, result.errorMessage)
  return result
}
