// Decides DeleteTopics and CreatePartitions.

import { ErrorCode } from '../protocol/error-codes.ts'
import { ZERO_UUID } from '../protocol/schema.ts'
import type { Decision } from '../replicated/state-machine.ts'
import {
  type CommandResult,
  type CreatePartitions,
  type CreatePartitionsResult,
  type DeleteTopicResult,
  DONE,
  failed,
  type TopicKey,
} from './commands.ts'
import { checkBounds, type DecisionContext } from './create-topics.ts'
import type { TopicImage } from './metadata-image.ts'
import { type MetadataRecord, newPartitionRecords } from './metadata-records.ts'
import { applyRecord, type MetadataState } from './metadata-state.ts'
import { checkAssignments, place } from './placement.ts'

export function decideDeleteTopics(
  state: MetadataState,
  keys: readonly TopicKey[],
): Decision<MetadataRecord, DeleteTopicResult[]> {
  const changes: MetadataRecord[] = []
  const found = keys.map((key) =>
    key.name === undefined ? state.topicsById.get(key.id) : state.topics.get(key.name),
  )
  const response = keys.map((key, i): DeleteTopicResult => {
    const topic = found[i]
    const error = deletionError(key, topic, found.indexOf(topic) !== found.lastIndexOf(topic))
    if (error === undefined && topic !== undefined) {
      changes.push({ type: 'topicDeleted', topicId: topic.id })
    }
    return {
      ...(error ?? DONE),
      name: topic?.name ?? key.name ?? null,
      topicId: topic?.id ?? key.id ?? ZERO_UUID,
    }
  })
  return { changes, response }
}

function deletionError(
  key: TopicKey,
  topic: TopicImage | undefined,
  twice: boolean,
): CommandResult | undefined {
  if (topic === undefined) {
    return key.name === undefined
      ? failed('UNKNOWN_TOPIC_ID', 'There is no topic of this id.')
      : failed('UNKNOWN_TOPIC_OR_PARTITION', `There is no topic '${key.name}'.`)
  }
  if (twice) return failed('INVALID_REQUEST', `Topic '${topic.name}' is in the request twice.`)
  if (topic.isInternal) {
    return failed('INVALID_REQUEST', `Topic '${topic.name}' holds the state of all groups.`)
  }
  return undefined
}

export function decideCreatePartitions(
  state: MetadataState,
  topics: readonly CreatePartitions[],
  context: DecisionContext,
): Decision<MetadataRecord, CreatePartitionsResult[]> {
  const changes: MetadataRecord[] = []
  let after = state
  const response = topics.map((wanted): CreatePartitionsResult => {
    const { name } = wanted
    if (topics.filter((other) => other.name === name).length > 1) {
      return { name, ...failed('INVALID_REQUEST', `Topic '${name}' is in the request twice.`) }
    }
    const decided = decideOne(after, wanted, context)
    if ('errorCode' in decided) return { name, ...decided }
    changes.push(...decided)
    after = decided.reduce(applyRecord, after)
    return { name, errorCode: ErrorCode.NONE, errorMessage: null }
  })
  return { changes, response }
}

function decideOne(
  state: MetadataState,
  { name, count, assignments }: CreatePartitions,
  { nodes, broker }: DecisionContext,
): readonly MetadataRecord[] | CommandResult {
  const topic = state.topics.get(name)
  if (topic === undefined) {
    return failed('UNKNOWN_TOPIC_OR_PARTITION', `There is no topic '${name}'.`)
  }
  if (topic.isInternal) {
    return failed('INVALID_REQUEST', `The partitions of '${name}' decide where each group lives.`)
  }
  const has = topic.partitions.length
  if (count <= has) {
    return failed(
      'INVALID_PARTITIONS',
      `Topic '${name}' has ${has} partition(s); ${count} is no increase.`,
    )
  }
  const added = count - has
  if (assignments !== null && assignments.length !== added) {
    return failed(
      'INVALID_REPLICA_ASSIGNMENT',
      `${added} partition(s) would be added, but ${assignments.length} assignment(s) were given.`,
    )
  }
  const bound = checkBounds(state, { topics: 0, partitions: added }, broker)
  if (bound !== undefined) return bound
  const replicationFactor = topic.partitions[0]?.replicas.length ?? 1
  const placed =
    assignments === null
      ? place(nodes, { from: has, count: added, replicationFactor })
      : checkAssignments(
          nodes,
          assignments.map(({ brokerIds }) => brokerIds),
          replicationFactor,
        )
  if (!placed.ok) return placed.error
  return newPartitionRecords(topic.id, placed.assignments)
}
