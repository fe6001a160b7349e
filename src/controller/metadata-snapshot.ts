// The state of the metadata as bytes, so that the log need not be kept for ever: records of the log's own kinds, from which
// the same state is built. Whether the bytes are whole is the file's to check (`storage/snapshots.ts`).
//
//   u8 version (1) · u32 count · count × (u32 length · record)

import { assert } from '../base/assert.ts'
import type { Offset } from '../base/brand.ts'
import { Reader } from '../protocol/reader.ts'
import { Writer } from '../protocol/writer.ts'
import type { TopicImage } from './metadata-image.ts'
import {
  decodeMetadataRecord,
  encodeMetadataRecord,
  type MetadataRecord,
  newDirectoriesRecords,
  newTopicRecords,
} from './metadata-records.ts'
import {
  applyMetadata,
  directoriesOf,
  EMPTY_METADATA,
  type MetadataState,
} from './metadata-state.ts'

const VERSION = 1

export function encodeMetadataSnapshot(state: MetadataState): Uint8Array {
  const records = [...recordsOf(state)].map(encodeMetadataRecord)
  const writer = new Writer()
  writer.int8(VERSION)
  writer.uint32(records.length)
  for (const record of records) {
    writer.uint32(record.length)
    writer.bytes(record)
  }
  return Buffer.concat(writer.finish())
}

/** Throws on what this version does not know: state must not be built past it. */
export function decodeMetadataSnapshot(bytes: Uint8Array, offset: Offset): MetadataState {
  const reader = new Reader(bytes)
  const version = reader.int8()
  if (version !== VERSION) {
    throw new Error(
      `metadata snapshot of version ${version}: written by a later version of Chronik`,
    )
  }
  const count = reader.uint32()
  const records: MetadataRecord[] = []
  for (let i = 0; i < count; i++) {
    const length = reader.uint32()
    records.push(decodeMetadataRecord(reader.bytes(length)))
  }
  assert(reader.remaining === 0, `${reader.remaining} bytes too many in a metadata snapshot`)
  return applyMetadata(EMPTY_METADATA, records, offset)
}

/** Each after what it builds on. */
function* recordsOf(state: MetadataState): Iterable<MetadataRecord> {
  const { clusterId } = state
  if (clusterId !== '') yield { type: 'cluster', clusterId }
  for (const [name, level] of state.features) yield { type: 'feature', name, level }
  for (const broker of state.brokers.values()) yield { type: 'broker', broker }
  for (const [broker, configs] of state.brokerConfigs) {
    for (const [name, value] of configs) yield { type: 'brokerConfig', broker, name, value }
  }
  for (const nodeId of state.draining) yield { type: 'draining', nodeId, draining: true }
  if (state.nextProducerId > 0) yield { type: 'producerIds', next: state.nextProducerId }
  for (const topic of state.topics.values()) yield* topicRecords(state, topic)
}

function* topicRecords(state: MetadataState, topic: TopicImage): Iterable<MetadataRecord> {
  const { id, name, isInternal, partitions, configs } = topic
  const assignments = partitions.map(({ replicas }) => replicas)
  yield* newTopicRecords({ type: 'topic', id, name, isInternal, assignments })
  // Those of a node that was registered after the topic was made are not the ones that its partitions were made with (law R7).
  const asMade = partitions.every(({ replicas, directories }) => {
    const now = directoriesOf(state, replicas)
    return directories.every((directory, i) => directory === now[i])
  })
  if (!asMade) {
    yield* newDirectoriesRecords(
      id,
      partitions.map(({ directories }) => directories),
    )
  }
  for (const [config, value] of configs) {
    yield { type: 'topicConfig', topicId: id, name: config, value }
  }
}
