// Snapshots of the metadata: the same state comes back, whatever made it, and those of earlier versions are read for ever.

import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { asNodeId, asOffset } from '../base/brand.ts'
import type { BrokerImage } from './metadata-image.ts'
import type { MetadataRecord } from './metadata-records.ts'
import { decodeMetadataSnapshot, encodeMetadataSnapshot } from './metadata-snapshot.ts'
import { applyMetadata, EMPTY_METADATA, type MetadataState } from './metadata-state.ts'

const ID = (n: number): string => Buffer.alloc(16, n + 1).toString('base64url')

const broker = (id: number): BrokerImage => ({
  nodeId: asNodeId(id),
  directoryId: `directory-${id}`,
  rack: id === 1 ? null : `rack-${id}`,
  listeners: [{ name: 'PLAINTEXT', host: `host-${id}`, port: 9092, securityProtocol: 'PLAINTEXT' }],
  raft: id === 1 ? null : `host-${id}:9192`,
  http: null,
})

const nodes = (...ids: number[]) => ids.map(asNodeId)

/** One of each kind, a topic that came and went, and one that was made before a broker of it was registered. */
const RECORDS: readonly MetadataRecord[] = [
  { type: 'cluster', clusterId: ID(0) },
  { type: 'feature', name: 'chronik.metadata', level: 1 },
  { type: 'broker', broker: broker(1) },
  {
    type: 'topic',
    id: ID(1),
    name: 'early.topic',
    isInternal: false,
    assignments: [nodes(1, 2), nodes(2, 1)],
  },
  { type: 'broker', broker: broker(2) },
  { type: 'topic', id: ID(2), name: 'gone', isInternal: false, assignments: [nodes(1)] },
  {
    type: 'topic',
    id: ID(3),
    name: '__consumer_offsets',
    isInternal: true,
    assignments: [nodes(2, 1)],
  },
  { type: 'partitions', topicId: ID(1), assignments: [nodes(1, 2)] },
  { type: 'topicConfig', topicId: ID(1), name: 'retention.ms', value: '5' },
  { type: 'topicConfig', topicId: ID(3), name: 'cleanup.policy', value: 'compact' },
  { type: 'brokerConfig', broker: '', name: 'log.retention.ms', value: '7' },
  { type: 'brokerConfig', broker: '2', name: 'log.retention.ms', value: '9' },
  { type: 'producerIds', next: 3000 },
  { type: 'draining', nodeId: asNodeId(2), draining: true },
  { type: 'topicDeleted', topicId: ID(2) },
]
const STATE = applyMetadata(EMPTY_METADATA, RECORDS, asOffset(RECORDS.length))

/** Without the order in which maps were filled. */
function plain(state: MetadataState): unknown {
  const sorted = (map: ReadonlyMap<string, unknown>): unknown =>
    [...map]
      .map(([key, value]) => [key, value instanceof Map ? sorted(value) : value])
      .toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1))
  const { topics, topicsById, brokers, brokerConfigs, features, namesByCollision } = state
  return {
    ...state,
    topics: sorted(topics),
    topicsById: sorted(topicsById),
    brokers: sorted(brokers),
    brokerConfigs: sorted(brokerConfigs),
    features: sorted(features),
    namesByCollision: sorted(namesByCollision),
  }
}

const FIXTURE = join(import.meta.dirname, 'fixtures', 'metadata-snapshot-v1.bin')

if (process.env['CHRONIK_WRITE_FIXTURE'] === 'metadata-snapshot-v1') {
  test('write the fixture', () => {
    assert.ok(!existsSync(FIXTURE), `${FIXTURE} is there, and fixtures never change`)
    writeFileSync(FIXTURE, encodeMetadataSnapshot(STATE))
  })
}

test('every kind of record comes back as the same state, directories as they were when partitions were made', () => {
  const again = decodeMetadataSnapshot(encodeMetadataSnapshot(STATE), STATE.offset)
  assert.deepEqual(plain(again), plain(STATE))
  assert.deepEqual(
    again.topics.get('early.topic')?.partitions.map(({ directories }) => directories),
    [
      ['directory-1', ''],
      ['', 'directory-1'],
      ['directory-1', 'directory-2'],
    ],
  )
  assert.equal(again.topics.get('gone'), undefined)
})

test('after any prefix of the records', () => {
  for (let count = 0; count <= RECORDS.length; count++) {
    const state = applyMetadata(EMPTY_METADATA, RECORDS.slice(0, count), asOffset(count))
    const again = decodeMetadataSnapshot(encodeMetadataSnapshot(state), asOffset(count))
    assert.deepEqual(plain(again), plain(state), `after ${count} records`)
  }
})

test('the fixture of version 1 is read', () => {
  const state = decodeMetadataSnapshot(readFileSync(FIXTURE), STATE.offset)
  assert.deepEqual(plain(state), plain(STATE))
})

test('a later version is refused by name, and so is what is left over', () => {
  const bytes = encodeMetadataSnapshot(STATE)
  assert.throws(() => decodeMetadataSnapshot(bytes.with(0, 2), STATE.offset), /version 2/)
  assert.throws(() => decodeMetadataSnapshot(bytes.subarray(0, -1), STATE.offset))
  const longer = Buffer.concat([bytes, Uint8Array.of(0)])
  assert.throws(() => decodeMetadataSnapshot(longer, STATE.offset), /too many/)
})
