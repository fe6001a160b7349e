// The records of the metadata log, in a format of our own: the value is an int16 that names the record's type, an int16 with
// its version, then its fields in Kafka's primitive encoding. Keys are null. A type or version that is not known here was
// written by a later version and is refused: state must not be built past it.

import { assert } from '../base/assert.ts'
import { asNodeId, type NodeId } from '../base/brand.ts'
import { decodeVersioned, encodeVersioned, type Message, versioned } from '../protocol/message.ts'
import {
  array,
  bool,
  field,
  int16,
  int32,
  int64,
  nullable,
  string,
  struct,
  uuid,
} from '../protocol/schema.ts'
import type { BrokerImage } from './metadata-image.ts'

/** Brokers by partition, the preferred leader first. */
export type Assignments = readonly (readonly NodeId[])[]

export type MetadataRecord =
  | { readonly type: 'cluster'; readonly clusterId: string }
  | { readonly type: 'broker'; readonly broker: BrokerImage }
  | {
      readonly type: 'topic'
      readonly id: string
      readonly name: string
      readonly isInternal: boolean
      readonly assignments: Assignments
    }
  /** Further partitions of a topic, after those it has. */
  | { readonly type: 'partitions'; readonly topicId: string; readonly assignments: Assignments }
  | { readonly type: 'topicDeleted'; readonly topicId: string }
  /** In snapshots alone: the directories of the partitions from `first` on, where they are not those registered now. */
  | {
      readonly type: 'directories'
      readonly topicId: string
      readonly first: number
      readonly directories: readonly (readonly string[])[]
    }
  /** Null: falls back to the default. */
  | {
      readonly type: 'topicConfig'
      readonly topicId: string
      readonly name: string
      readonly value: string | null
    }
  /** `broker`: a node id as text, or '' for all brokers. */
  | {
      readonly type: 'brokerConfig'
      readonly broker: string
      readonly name: string
      readonly value: string | null
    }
  /** All ids below it have been given away. */
  | { readonly type: 'producerIds'; readonly next: number }
  /** An operator's intent: the node is to lead nothing. */
  | { readonly type: 'draining'; readonly nodeId: NodeId; readonly draining: boolean }
  | { readonly type: 'feature'; readonly name: string; readonly level: number }

/** Of one record. The codec takes only so many array elements; a topic with more partitions takes several records. */
const PARTITIONS_PER_RECORD_MAX = 10_000

/** The records of a new topic. */
export function newTopicRecords(
  topic: Extract<MetadataRecord, { type: 'topic' }>,
): MetadataRecord[] {
  const first = topic.assignments.slice(0, PARTITIONS_PER_RECORD_MAX)
  const rest = topic.assignments.slice(PARTITIONS_PER_RECORD_MAX)
  return [{ ...topic, assignments: first }, ...newPartitionRecords(topic.id, rest)]
}

export function newPartitionRecords(topicId: string, added: Assignments): MetadataRecord[] {
  const records: MetadataRecord[] = []
  for (let i = 0; i < added.length; i += PARTITIONS_PER_RECORD_MAX) {
    const piece = added.slice(i, i + PARTITIONS_PER_RECORD_MAX)
    records.push({ type: 'partitions', topicId, assignments: piece })
  }
  return records
}

export function newDirectoriesRecords(
  topicId: string,
  all: readonly (readonly string[])[],
): MetadataRecord[] {
  const records: MetadataRecord[] = []
  for (let first = 0; first < all.length; first += PARTITIONS_PER_RECORD_MAX) {
    const directories = all.slice(first, first + PARTITIONS_PER_RECORD_MAX)
    records.push({ type: 'directories', topicId, first, directories })
  }
  return records
}

const assignments = array(array(int32))

const clusterRecord = versioned({
  name: 'ClusterRecord',
  versions: [0, 0],
  flexibleSince: 0,
  fields: [field('clusterId', string)],
})

const brokerRecord = versioned({
  name: 'BrokerRecord',
  versions: [0, 1],
  flexibleSince: 0,
  fields: [
    field('nodeId', int32),
    field('directoryId', string),
    field('rack', nullable(string)),
    field(
      'listeners',
      array(
        struct([
          field('name', string),
          field('host', string),
          field('port', int32),
          field('securityProtocol', string),
        ]),
      ),
    ),
    field('raft', nullable(string), { since: 1, default: null }),
    field('http', nullable(string), { since: 1, default: null }),
  ],
})

const topicRecord = versioned({
  name: 'TopicRecord',
  versions: [0, 0],
  flexibleSince: 0,
  fields: [
    field('id', uuid),
    field('name', string),
    field('isInternal', bool),
    field('assignments', assignments),
  ],
})

const partitionsRecord = versioned({
  name: 'PartitionsRecord',
  versions: [0, 0],
  flexibleSince: 0,
  fields: [field('topicId', uuid), field('assignments', assignments)],
})

const topicDeletedRecord = versioned({
  name: 'TopicDeletedRecord',
  versions: [0, 0],
  flexibleSince: 0,
  fields: [field('topicId', uuid)],
})

const directoriesRecord = versioned({
  name: 'DirectoriesRecord',
  versions: [0, 0],
  flexibleSince: 0,
  fields: [
    field('topicId', uuid),
    field('first', int32),
    field('directories', array(array(string))),
  ],
})

const topicConfigRecord = versioned({
  name: 'TopicConfigRecord',
  versions: [0, 0],
  flexibleSince: 0,
  fields: [field('topicId', uuid), field('name', string), field('value', nullable(string))],
})

const brokerConfigRecord = versioned({
  name: 'BrokerConfigRecord',
  versions: [0, 0],
  flexibleSince: 0,
  fields: [field('broker', string), field('name', string), field('value', nullable(string))],
})

const producerIdsRecord = versioned({
  name: 'ProducerIdsRecord',
  versions: [0, 0],
  flexibleSince: 0,
  fields: [field('next', int64)],
})

const drainingRecord = versioned({
  name: 'DrainingRecord',
  versions: [0, 0],
  flexibleSince: 0,
  fields: [field('nodeId', int32), field('draining', bool)],
})

const featureRecord = versioned({
  name: 'FeatureRecord',
  versions: [0, 0],
  flexibleSince: 0,
  fields: [field('name', string), field('level', int16)],
})

/** Numbers in the log: never changed, never used again. */
const TYPE_IDS = {
  cluster: 1,
  broker: 2,
  topic: 3,
  partitions: 4,
  topicDeleted: 5,
  topicConfig: 6,
  brokerConfig: 7,
  producerIds: 8,
  feature: 9,
  draining: 10,
  directories: 11,
} as const satisfies { readonly [K in MetadataRecord['type']]: number }

const TYPE_BYTES = 2

export function encodeMetadataRecord(record: MetadataRecord): Uint8Array {
  const body = encodeBody(record)
  const value = new Uint8Array(TYPE_BYTES + body.length)
  value[1] = TYPE_IDS[record.type]
  value.set(body, TYPE_BYTES)
  return value
}

function encodeBody(record: MetadataRecord): Uint8Array {
  switch (record.type) {
    case 'cluster':
      return encodeVersioned(clusterRecord, 0, record)
    case 'broker':
      return encodeVersioned(brokerRecord, 1, record.broker)
    case 'topic':
      return encodeVersioned(topicRecord, 0, record)
    case 'partitions':
      return encodeVersioned(partitionsRecord, 0, record)
    case 'topicDeleted':
      return encodeVersioned(topicDeletedRecord, 0, record)
    case 'directories':
      return encodeVersioned(directoriesRecord, 0, record)
    case 'topicConfig':
      return encodeVersioned(topicConfigRecord, 0, record)
    case 'brokerConfig':
      return encodeVersioned(brokerConfigRecord, 0, record)
    case 'producerIds':
      return encodeVersioned(producerIdsRecord, 0, record)
    case 'draining':
      return encodeVersioned(drainingRecord, 0, record)
    case 'feature':
      return encodeVersioned(featureRecord, 0, record)
  }
}

/** Throws on what this version does not know. */
export function decodeMetadataRecord(value: Uint8Array | null): MetadataRecord {
  assert(value !== null && value.length > TYPE_BYTES, 'a metadata record without a value')
  const type = (value[0]! << 8) | value[1]!
  const read = <V, I>(message: Message<V, I>): V =>
    decodeVersioned(message, value.subarray(TYPE_BYTES)).value
  switch (type) {
    case TYPE_IDS.cluster:
      return { type: 'cluster', ...read(clusterRecord) }
    case TYPE_IDS.broker: {
      const broker = read(brokerRecord)
      return { type: 'broker', broker: { ...broker, nodeId: asNodeId(broker.nodeId) } }
    }
    case TYPE_IDS.topic: {
      const topic = read(topicRecord)
      return { type: 'topic', ...topic, assignments: nodeIds(topic.assignments) }
    }
    case TYPE_IDS.partitions: {
      const added = read(partitionsRecord)
      return { type: 'partitions', ...added, assignments: nodeIds(added.assignments) }
    }
    case TYPE_IDS.topicDeleted:
      return { type: 'topicDeleted', ...read(topicDeletedRecord) }
    case TYPE_IDS.directories:
      return { type: 'directories', ...read(directoriesRecord) }
    case TYPE_IDS.topicConfig:
      return { type: 'topicConfig', ...read(topicConfigRecord) }
    case TYPE_IDS.brokerConfig:
      return { type: 'brokerConfig', ...read(brokerConfigRecord) }
    case TYPE_IDS.producerIds:
      return { type: 'producerIds', ...read(producerIdsRecord) }
    case TYPE_IDS.draining: {
      const { nodeId, draining } = read(drainingRecord)
      return { type: 'draining', nodeId: asNodeId(nodeId), draining }
    }
    case TYPE_IDS.feature:
      return { type: 'feature', ...read(featureRecord) }
    default:
      throw new Error(`metadata record of type ${type}: written by a later version of Chronik`)
  }
}

function nodeIds(lists: readonly (readonly number[])[]): Assignments {
  return lists.map((list) => list.map(asNodeId))
}
