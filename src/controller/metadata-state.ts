// The state of the metadata log and the one way in which it changes. Replay of the log gives the same state on every node.

import { assert } from '../base/assert.ts'
import { asOffset, type NodeId, type Offset } from '../base/brand.ts'
import { PersistentMap } from '../base/persistent-map.ts'
import type { MetadataImage, PartitionImage, TopicImage } from './metadata-image.ts'
import type { Assignments, MetadataRecord } from './metadata-records.ts'
import { hasCollisionCharacters, unifyCollisionCharacters } from './topic-names.ts'

export interface MetadataState extends MetadataImage {
  readonly topics: PersistentMap<TopicImage>
  readonly topicsById: PersistentMap<TopicImage>
  readonly brokers: MapOf<MetadataImage['brokers']>
  readonly brokerConfigs: MapOf<MetadataImage['brokerConfigs']>
  readonly features: MapOf<MetadataImage['features']>
  /** Topics with '.' or '_' in their names, by the name with all of these made the same. */
  readonly namesByCollision: PersistentMap<string>
}

type MapOf<M> = M extends ReadonlyMap<string, infer V> ? PersistentMap<V> : never

export const EMPTY_METADATA: MetadataState = {
  clusterId: '',
  offset: asOffset(0),
  topics: PersistentMap.empty(),
  topicsById: PersistentMap.empty(),
  brokers: PersistentMap.empty(),
  brokerConfigs: PersistentMap.empty(),
  features: PersistentMap.empty(),
  draining: new Set(),
  namesByCollision: PersistentMap.empty(),
  partitionCount: 0,
  nextProducerId: 0,
}

/** The state after one batch; `next` is the offset after it. */
export function applyMetadata(
  state: MetadataState,
  records: readonly MetadataRecord[],
  next: Offset,
): MetadataState {
  return { ...records.reduce(applyRecord, state), offset: next }
}

/** Asserts what the commands that wrote the record made sure of. */
export function applyRecord(state: MetadataState, record: MetadataRecord): MetadataState {
  switch (record.type) {
    case 'cluster':
      assert(state.clusterId === '', `cluster ${state.clusterId} renamed`)
      return { ...state, clusterId: record.clusterId }
    case 'broker': {
      const brokers = state.brokers.with(String(record.broker.nodeId), record.broker)
      return { ...state, brokers }
    }
    case 'topic': {
      const { id, name, isInternal } = record
      assert(!state.topics.has(name) && !state.topicsById.has(id), `topic ${name} is there`)
      const partitions = partitionsOf(state, record.assignments, 0)
      const topic = { id, name, isInternal, partitions, configs: new Map<string, string>() }
      const named = hasCollisionCharacters(name)
        ? state.namesByCollision.with(unifyCollisionCharacters(name), name)
        : state.namesByCollision
      const partitionCount = state.partitionCount + partitions.length
      return withTopic({ ...state, namesByCollision: named, partitionCount }, topic)
    }
    case 'partitions': {
      const topic = topicOf(state, record.topicId)
      const added = partitionsOf(state, record.assignments, topic.partitions.length)
      const partitionCount = state.partitionCount + added.length
      const partitions = [...topic.partitions, ...added]
      return withTopic({ ...state, partitionCount }, { ...topic, partitions })
    }
    case 'topicDeleted':
      return withoutTopic(state, topicOf(state, record.topicId))
    case 'directories': {
      const topic = topicOf(state, record.topicId)
      const partitions = topic.partitions.map((partition) => {
        const directories = record.directories[partition.index - record.first]
        return directories === undefined ? partition : { ...partition, directories }
      })
      return withTopic(state, { ...topic, partitions })
    }
    case 'topicConfig': {
      const topic = topicOf(state, record.topicId)
      const configs = withConfig(topic.configs, record.name, record.value)
      return withTopic(state, { ...topic, configs })
    }
    case 'brokerConfig': {
      const before = state.brokerConfigs.get(record.broker) ?? new Map<string, string>()
      const configs = withConfig(before, record.name, record.value)
      return { ...state, brokerConfigs: state.brokerConfigs.with(record.broker, configs) }
    }
    case 'producerIds':
      assert(record.next > state.nextProducerId, `producer ids from ${record.next} given again`)
      return { ...state, nextProducerId: record.next }
    case 'draining': {
      const draining = new Set(state.draining)
      if (record.draining) draining.add(record.nodeId)
      else draining.delete(record.nodeId)
      return { ...state, draining }
    }
    case 'feature':
      return { ...state, features: state.features.with(record.name, record.level) }
  }
}

function topicOf(state: MetadataState, id: string): TopicImage {
  const topic = state.topicsById.get(id)
  assert(topic !== undefined, `no topic of id ${id}`)
  return topic
}

function withTopic(state: MetadataState, topic: TopicImage): MetadataState {
  return {
    ...state,
    topics: state.topics.with(topic.name, topic),
    topicsById: state.topicsById.with(topic.id, topic),
  }
}

function withoutTopic(state: MetadataState, { id, name, partitions }: TopicImage): MetadataState {
  return {
    ...state,
    topics: state.topics.without(name),
    topicsById: state.topicsById.without(id),
    namesByCollision: hasCollisionCharacters(name)
      ? state.namesByCollision.without(unifyCollisionCharacters(name))
      : state.namesByCollision,
    partitionCount: state.partitionCount - partitions.length,
  }
}

/** The directories are those that are registered at this point of the log, the same on every node. */
function partitionsOf(
  state: MetadataState,
  assignments: Assignments,
  from: number,
): PartitionImage[] {
  return assignments.map((replicas, i) => ({
    index: from + i,
    replicas,
    directories: directoriesOf(state, replicas),
  }))
}

export function directoriesOf(
  { brokers }: MetadataState,
  replicas: readonly NodeId[],
): readonly string[] {
  return replicas.map((nodeId) => brokers.get(String(nodeId))?.directoryId ?? '')
}

function withConfig(
  configs: ReadonlyMap<string, string>,
  name: string,
  value: string | null,
): ReadonlyMap<string, string> {
  const changed = new Map(configs)
  if (value === null) changed.delete(name)
  else changed.set(name, value)
  return changed
}
