// The broker over loopback with raw frames: metadata, listeners, topics, partitions and configs.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { APIS } from '../protocol/apis.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { ZERO_UUID } from '../protocol/schema.ts'
import { batchOf, fetchRequest, fetchValues, produce, rigFor } from './testing/requests.ts'

test('every listener tells its own addresses', async (t) => {
  const rig = await rigFor(t, { listeners: ['INSIDE', 'OUTSIDE'] })
  for (const name of ['INSIDE', 'OUTSIDE']) {
    const client = await rig.connect(name)
    const metadata = await client.send(APIS.Metadata, 12, {
      topics: [],
      includeTopicAuthorizedOperations: false,
    })
    const expected = `${name.toLowerCase()}.example`
    assert.deepEqual(
      metadata.brokers.map(({ nodeId, host }) => [nodeId, host]),
      [[1, expected]],
    )
    assert.equal(metadata.controllerId, 1)
    const cluster = await client.send(APIS.DescribeCluster, 1, {
      includeClusterAuthorizedOperations: true,
    })
    assert.deepEqual([cluster.brokers[0]?.host, cluster.controllerId], [expected, 1])
    assert.equal(cluster.clusterId, metadata.clusterId)
  }
})

test('metadata names topics in every version, and creates them where it may', async (t) => {
  const rig = await rigFor(t)
  const client = await rig.connect()
  const topicId = await rig.createTopic('here', { partitions: 2 })
  const named = (name: string, allowAutoTopicCreation: boolean) => ({
    topics: [{ topicId: ZERO_UUID, name }],
    allowAutoTopicCreation,
    includeTopicAuthorizedOperations: false,
  })
  for (let version = 0; version <= 13; version++) {
    const answer = await client.send(APIS.Metadata, version, named('here', version < 4))
    const [topic] = answer.topics
    assert.deepEqual([topic?.errorCode, topic?.name], [ErrorCode.NONE, 'here'])
    assert.deepEqual(
      topic?.partitions.map(({ partitionIndex, leaderId, isrNodes }) => ({
        partitionIndex,
        leaderId,
        isrNodes,
      })),
      [
        { partitionIndex: 0, leaderId: 1, isrNodes: [1] },
        { partitionIndex: 1, leaderId: 1, isrNodes: [1] },
      ],
    )
  }
  const absent = await client.send(APIS.Metadata, 9, named('new', false))
  assert.equal(absent.topics[0]?.errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  const bad = await client.send(APIS.Metadata, 9, named('no good', true))
  assert.equal(bad.topics[0]?.errorCode, ErrorCode.INVALID_TOPIC_EXCEPTION)
  const created = await client.send(APIS.Metadata, 9, named('new', true))
  assert.equal(created.topics[0]?.errorCode, ErrorCode.NONE)
  assert.equal((await produce(client, 'new', batchOf(['a']))).errorCode, ErrorCode.NONE)
  const all = await client.send(APIS.Metadata, 1, {
    topics: null,
    includeTopicAuthorizedOperations: false,
  })
  assert.deepEqual(all.topics.map(({ name }) => name).toSorted(), ['here', 'new'])
  const byId = await client.send(APIS.Metadata, 12, {
    topics: [
      { topicId, name: null },
      { topicId: 'AAAAAAAAAAAAAAAAAAAAZQ', name: null },
    ],
    includeTopicAuthorizedOperations: false,
  })
  assert.deepEqual(
    byId.topics.map(({ errorCode, name }) => [errorCode, name]),
    [
      [ErrorCode.NONE, 'here'],
      [ErrorCode.UNKNOWN_TOPIC_ID, null],
    ],
  )
  const tooEarly = await client.send(APIS.Metadata, 10, {
    topics: [{ topicId, name: 'here' }],
    includeTopicAuthorizedOperations: false,
  })
  assert.equal(tooEarly.topics[0]?.errorCode, ErrorCode.INVALID_REQUEST)
})

test('topics are created, and named to clients, although their logs do not open', async (t) => {
  const rig = await rigFor(t)
  const client = await rig.connect()
  let answerDisk = (): void => {}
  rig.host.opening = new Promise((resolve) => (answerDisk = resolve))
  const wanted = { name: 'stalled', numPartitions: 1, replicationFactor: 1, assignments: [] }
  const created = await client.send(APIS.CreateTopics, 7, {
    topics: [{ ...wanted, configs: [] }],
    timeoutMs: 20,
    validateOnly: false,
  })
  assert.equal(created.topics[0]?.errorCode, ErrorCode.NONE)
  const grown = await client.send(APIS.CreatePartitions, 3, {
    topics: [{ name: 'stalled', count: 2, assignments: null }],
    timeoutMs: 20,
    validateOnly: false,
  })
  assert.equal(grown.results[0]?.errorCode, ErrorCode.NONE)
  answerDisk()
  await rig.broker.partitions.whenOpen(['stalled'])
  assert.equal((await produce(client, 'stalled', batchOf(['a']))).errorCode, ErrorCode.NONE)
})

test('a topic that is deleted and created again is another one', async (t) => {
  const rig = await rigFor(t)
  const client = await rig.connect()
  const topicId = await rig.createTopic('again')
  await produce(client, 'again', batchOf(['old']))
  const deleted = await client.send(APIS.DeleteTopics, 6, {
    topics: [{ name: 'again', topicId: ZERO_UUID }],
    timeoutMs: 1000,
  })
  assert.equal(deleted.responses[0]?.errorCode, ErrorCode.NONE)
  const gone = await produce(client, 'again', batchOf(['x']))
  assert.equal(gone.errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  const [created] = (
    await client.send(APIS.CreateTopics, 7, {
      topics: [
        { name: 'again', numPartitions: 2, replicationFactor: 1, assignments: [], configs: [] },
      ],
    })
  ).topics
  assert.equal(created?.errorCode, ErrorCode.NONE)
  assert.ok((created?.configs?.length ?? 0) > 20)
  assert.notEqual(created?.topicId, topicId)
  assert.equal((await produce(client, 'again', batchOf(['new']))).baseOffset, 0)
  const stale = await produce(client, '', batchOf(['x']), { version: 13, topicId })
  assert.equal(stale.errorCode, ErrorCode.UNKNOWN_TOPIC_ID)
  assert.deepEqual(await fetchValues(client, 'again', 0), ['0:new'])
})

test('partitions are added, configs change what is accepted, records are deleted', async (t) => {
  const rig = await rigFor(t)
  const client = await rig.connect()
  await rig.createTopic('grow')
  const grown = await client.send(APIS.CreatePartitions, 3, {
    topics: [{ name: 'grow', count: 3, assignments: null }],
    timeoutMs: 1000,
    validateOnly: false,
  })
  assert.equal(grown.results[0]?.errorCode, ErrorCode.NONE)
  assert.equal((await produce(client, 'grow', batchOf(['a']), { index: 2 })).errorCode, 0)
  const altered = await client.send(APIS.IncrementalAlterConfigs, 1, {
    resources: [
      {
        resourceType: 2,
        resourceName: 'grow',
        configs: [{ name: 'max.message.bytes', configOperation: 0, value: '100' }],
      },
    ],
    validateOnly: false,
  })
  assert.equal(altered.responses[0]?.errorCode, ErrorCode.NONE)
  const large = await produce(client, 'grow', batchOf(['x'.repeat(100)]))
  assert.equal(large.errorCode, ErrorCode.MESSAGE_TOO_LARGE)
  const described = await client.send(APIS.DescribeConfigs, 4, {
    resources: [
      { resourceType: 2, resourceName: 'grow', configurationKeys: ['max.message.bytes'] },
      { resourceType: 4, resourceName: '1', configurationKeys: null },
      { resourceType: 4, resourceName: '2', configurationKeys: null },
      { resourceType: 2, resourceName: 'none', configurationKeys: null },
    ],
    includeSynonyms: true,
  })
  const [topic, broker, stranger, absent] = described.results
  const [config] = topic?.configs ?? []
  assert.deepEqual([config?.value, config?.configSource], ['100', 1])
  assert.ok((broker?.configs.length ?? 0) > 20)
  assert.equal(stranger?.errorCode, ErrorCode.INVALID_REQUEST)
  assert.equal(absent?.errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  const removed = await client.send(APIS.DeleteRecords, 2, {
    topics: [{ name: 'grow', partitions: [{ partitionIndex: 2, offset: -1 }] }],
    timeoutMs: 1000,
  })
  assert.deepEqual(removed.topics[0]?.partitions, [
    { partitionIndex: 2, lowWatermark: 1, errorCode: 0 },
  ])
  const early = await client.send(APIS.Fetch, 11, fetchRequest('grow', 0, { partitions: [2] }))
  assert.equal(early.responses[0]?.partitions[0]?.errorCode, ErrorCode.OFFSET_OUT_OF_RANGE)
})

test('topics are described in pages', async (t) => {
  const rig = await rigFor(t)
  const client = await rig.connect()
  for (const name of ['c', 'a', 'b']) await rig.createTopic(name, { partitions: 2 })
  const page = (cursor: { topicName: string; partitionIndex: number } | null) =>
    client.send(APIS.DescribeTopicPartitions, 0, {
      topics: [],
      responsePartitionLimit: 3,
      cursor,
    })
  const first = await page(null)
  assert.deepEqual(
    first.topics.map(({ name, partitions }) => [name, partitions.length]),
    [
      ['a', 2],
      ['b', 1],
    ],
  )
  assert.deepEqual(first.nextCursor, { topicName: 'b', partitionIndex: 1 })
  const second = await page(first.nextCursor)
  assert.deepEqual(
    second.topics.map(({ name, partitions }) => [name, partitions.map((p) => p.partitionIndex)]),
    [
      ['b', [1]],
      ['c', [0, 1]],
    ],
  )
  assert.equal(second.nextCursor, null)
})
