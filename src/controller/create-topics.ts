// Decides CreateTopics and the creation of topics on first use. The checks and their order follow Kafka's
// ReplicationControlManager; the sentences are our own.

import type { BrokerConfigs } from '../base/config/broker-configs.ts'
import { validateTopicConfigs } from '../base/config/validate.ts'
import { ZERO_UUID } from '../protocol/schema.ts'
import type { Decision } from '../replicated/state-machine.ts'
import {
  type CommandResult,
  type ConfigText,
  type CreateTopic,
  type CreateTopicResult,
  DONE,
  failed,
} from './commands.ts'
import {
  INTERNAL_TOPICS,
  METADATA_TOPIC,
  OFFSETS_TOPIC,
  TRANSACTIONS_TOPIC,
} from './metadata-image.ts'
import { type MetadataRecord, newTopicRecords } from './metadata-records.ts'
import { applyRecord, type MetadataState } from './metadata-state.ts'
import { checkAssignments, place, type Placement, type PlacementNode } from './placement.ts'
import {
  hasCollisionCharacters,
  topicNameProblem,
  unifyCollisionCharacters,
} from './topic-names.ts'

/** What decisions need to know besides the state. */
export interface DecisionContext {
  /** That may hold replicas; ascending. */
  readonly nodes: readonly PlacementNode[]
  readonly broker: BrokerConfigs
  /** A fresh random id. */
  readonly newId: () => string
}

/** What the node itself sets on internal topics; configs that a client gives come on top. */
const INTERNAL_CONFIGS: readonly ConfigText[] = [
  { name: 'cleanup.policy', value: 'compact' },
  { name: 'segment.bytes', value: String(100 * 1024 * 1024) },
]

export function decideCreateTopics(
  state: MetadataState,
  topics: readonly CreateTopic[],
  context: DecisionContext,
): Decision<MetadataRecord, CreateTopicResult[]> {
  const seen = new Map<string, number>()
  for (const { name } of topics) seen.set(name, (seen.get(name) ?? 0) + 1)
  const changes: MetadataRecord[] = []
  let after = state
  const response: CreateTopicResult[] = []
  for (const topic of topics) {
    const twice = (seen.get(topic.name) ?? 0) > 1
    const decided = twice
      ? refused(topic, failed('INVALID_REQUEST', `Topic '${topic.name}' is in the request twice.`))
      : decideOne(after, topic, context)
    changes.push(...decided.changes)
    // Each is decided against what those before it leave behind: names may collide, bounds may be reached.
    after = decided.changes.reduce(applyRecord, after)
    response.push(decided.response)
  }
  return { changes, response }
}

/** Topics that clients asked for without creating them. One that is there is no error: another client was faster. */
export function decideAutoCreate(
  state: MetadataState,
  names: readonly string[],
  context: DecisionContext,
): Decision<MetadataRecord, CreateTopicResult[]> {
  const wanted = [...new Set(names)]
  const missing = wanted.filter((name) => !state.topics.has(name))
  const decided = decideCreateTopics(state, missing.map(autoTopic(context)), context)
  const created = new Map(decided.response.map((result) => [result.name, result]))
  const response = wanted.map((name): CreateTopicResult => {
    const result = created.get(name)
    const topic = state.topics.get(name)
    return (
      result ?? {
        ...described(
          name,
          topic?.partitions.length ?? -1,
          topic?.partitions[0]?.replicas.length ?? -1,
        ),
        topicId: topic?.id ?? ZERO_UUID,
        configs: topic?.configs ?? new Map(),
      }
    )
  })
  return { changes: decided.changes, response }
}

function autoTopic({ broker, nodes }: DecisionContext): (name: string) => CreateTopic {
  return (name) => {
    const offsets = name === OFFSETS_TOPIC
    return {
      name,
      numPartitions: offsets ? broker['offsets.topic.num.partitions'] : -1,
      replicationFactor: offsets
        ? internalReplicas(broker['offsets.topic.replication.factor'], nodes.length)
        : -1,
      assignments: [],
      configs: [],
    }
  }
}

/** An even number of voters tolerates no more failures than one fewer. */
function internalReplicas(configured: number, nodes: number): number {
  if (configured !== -1) return configured
  const most = Math.min(nodes, 5)
  return most % 2 === 1 ? most : most - 1
}

function defaultReplicas(configured: number, nodes: number): number {
  return configured === -1 ? Math.min(nodes, 3) : configured
}

type TopicDecision = Decision<MetadataRecord, CreateTopicResult>

function decideOne(
  state: MetadataState,
  topic: CreateTopic,
  context: DecisionContext,
): TopicDecision {
  const nameError = checkName(state, topic.name)
  if (nameError !== undefined) return refused(topic, nameError)
  const configError = validateTopicConfigs(topic.configs.map(({ name, value }) => [name, value]))
  if (configError !== undefined) return refused(topic, failed('INVALID_CONFIG', configError))
  const placed = placeNew(state, topic, context)
  if (!placed.ok) return refused(topic, placed.error)
  const { assignments } = placed
  const bound = checkBounds(state, { topics: 1, partitions: assignments.length }, context.broker)
  if (bound !== undefined) return refused(topic, bound)

  const id = context.newId()
  const isInternal = INTERNAL_TOPICS.includes(topic.name)
  const configs = new Map<string, string>()
  for (const { name, value } of [...(isInternal ? INTERNAL_CONFIGS : []), ...topic.configs]) {
    if (value !== null) configs.set(name, value)
  }
  const changes: MetadataRecord[] = [
    ...newTopicRecords({ type: 'topic', id, name: topic.name, isInternal, assignments }),
    ...[...configs].map(([name, value]): MetadataRecord => ({
      type: 'topicConfig',
      topicId: id,
      name,
      value,
    })),
  ]
  const result = described(topic.name, assignments.length, assignments[0]?.length ?? 0)
  return { changes, response: { ...result, topicId: id, configs } }
}

function checkName(state: MetadataState, name: string): CommandResult | undefined {
  const problem = topicNameProblem(name)
  if (problem !== undefined) return failed('INVALID_TOPIC_EXCEPTION', problem)
  if (name === METADATA_TOPIC) {
    return failed('INVALID_REQUEST', `Topic '${name}' is the cluster's own and can't be created.`)
  }
  if (name === TRANSACTIONS_TOPIC) {
    return failed('INVALID_REQUEST', `Topic '${name}': transactions are not available yet.`)
  }
  if (state.topics.has(name)) {
    return failed('TOPIC_ALREADY_EXISTS', `Topic '${name}' already exists.`)
  }
  if (!hasCollisionCharacters(name)) return undefined
  const other = state.namesByCollision.get(unifyCollisionCharacters(name))
  if (other === undefined) return undefined
  return failed(
    'INVALID_TOPIC_EXCEPTION',
    `Topic '${name}' collides with the existing topic '${other}': they differ in '.' and '_' alone.`,
  )
}

function placeNew(
  state: MetadataState,
  topic: CreateTopic,
  { nodes, broker }: DecisionContext,
): Placement {
  const { numPartitions, replicationFactor } = topic
  if (topic.assignments.length > 0) return placeAsChosen(topic, nodes)
  if (replicationFactor < -1 || replicationFactor === 0) {
    return refusedPlacement(
      'INVALID_REPLICATION_FACTOR',
      'The replication factor must be larger than 0, or -1 for the default.',
    )
  }
  if (numPartitions < -1 || numPartitions === 0) {
    return refusedPlacement(
      'INVALID_PARTITIONS',
      'The number of partitions must be larger than 0, or -1 for the default.',
    )
  }
  const count = numPartitions === -1 ? broker['num.partitions'] : numPartitions
  if (count > broker['chronik.partitions.max']) {
    return refusedPlacement(
      'INVALID_PARTITIONS',
      `${count} partitions are more than chronik.partitions.max allows.`,
    )
  }
  return place(nodes, {
    from: state.partitionCount,
    count,
    replicationFactor:
      replicationFactor === -1
        ? defaultReplicas(broker['default.replication.factor'], nodes.length)
        : replicationFactor,
  })
}

function placeAsChosen(topic: CreateTopic, nodes: readonly PlacementNode[]): Placement {
  if (topic.replicationFactor !== -1 || topic.numPartitions !== -1) {
    return refusedPlacement(
      'INVALID_REQUEST',
      'With a manual partition assignment, replication factor and number of partitions must be -1.',
    )
  }
  const byIndex = topic.assignments.toSorted((a, b) => a.partitionIndex - b.partitionIndex)
  if (byIndex.some(({ partitionIndex }, i) => partitionIndex !== i)) {
    return refusedPlacement(
      'INVALID_REPLICA_ASSIGNMENT',
      'The partitions of a manual assignment must be 0, 1, 2 and so on, each once.',
    )
  }
  return checkAssignments(
    nodes,
    byIndex.map(({ brokerIds }) => brokerIds),
  )
}

function refusedPlacement(error: Parameters<typeof failed>[0], message: string): Placement {
  return { ok: false, error: failed(error, message) }
}

/** The cluster's own bounds; past them it refuses rather than fall over. */
export function checkBounds(
  state: MetadataState,
  added: { readonly topics: number; readonly partitions: number },
  broker: BrokerConfigs,
): CommandResult | undefined {
  const topicsMax = broker['chronik.topics.max']
  if (state.topics.size + added.topics > topicsMax) {
    return failed(
      'POLICY_VIOLATION',
      `The cluster may have ${topicsMax} topics (chronik.topics.max).`,
    )
  }
  const partitionsMax = broker['chronik.partitions.max']
  const partitions = state.partitionCount + added.partitions
  if (partitions <= partitionsMax) return undefined
  return failed(
    'POLICY_VIOLATION',
    `The cluster would have ${partitions} partitions and may have ${partitionsMax} (chronik.partitions.max).`,
  )
}

function described(
  name: string,
  numPartitions: number,
  replicationFactor: number,
): Omit<CreateTopicResult, 'topicId' | 'configs'> {
  return { ...DONE, name, numPartitions, replicationFactor }
}

export function failedTopic(name: string, error: CommandResult): CreateTopicResult {
  return { ...described(name, -1, -1), ...error, topicId: ZERO_UUID, configs: new Map() }
}

function refused(topic: CreateTopic, error: CommandResult): TopicDecision {
  return { changes: [], response: failedTopic(topic.name, error) }
}
