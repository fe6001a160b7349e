// The controller's commands, their errors, what is refused, and what a restart finds.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { asNodeId } from '../base/brand.ts'
import { errorName } from '../protocol/error-codes.ts'
import { ZERO_UUID } from '../protocol/schema.ts'
import { ConfigOperation, type CreateTopic, ResourceType } from './commands.ts'
import type { MetadataChange } from './metadata-image.ts'
import { directoryOf, logIdOf, OFFSETS_TOPIC } from './metadata-image.ts'
import { decodeMetadataRecord, encodeMetadataRecord } from './metadata-records.ts'
import { openController } from './testing/controller-double.ts'

const topic = (name: string, more: Partial<CreateTopic> = {}): CreateTopic => ({
  name,
  numPartitions: -1,
  replicationFactor: -1,
  assignments: [],
  configs: [],
  ...more,
})

type Rig = Awaited<ReturnType<typeof openController>>

async function create({ controller }: Rig, ...topics: CreateTopic[]): Promise<string[]> {
  const results = await controller.createTopics(topics)
  return results.map(({ name, errorCode }) => `${name} ${errorName(errorCode)}`)
}

async function createOne(
  rig: Rig,
  more: Partial<CreateTopic> & { name?: string },
): Promise<string> {
  const [result] = await rig.controller.createTopics([topic(more.name ?? 'x', more)])
  assert.ok(result)
  return `${errorName(result.errorCode)}: ${result.errorMessage}`
}

test('a new cluster gets an id that stays', async () => {
  const first = await openController()
  assert.match(first.controller.image.clusterId, /^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/)
  assert.equal(first.controller.controllerId, 1)
  const second = await openController({ log: first.log })
  assert.equal(second.controller.image.clusterId, first.controller.image.clusterId)
  assert.equal(second.controller.image.features.get('chronik.metadata'), 1)
})

test('topics are created with ids, partitions and configs, and survive a restart', async () => {
  const rig = await openController({ staticConfigs: { 'num.partitions': '3' } })
  const results = await rig.controller.createTopics([
    topic('a'),
    topic('b.c', {
      numPartitions: 2,
      replicationFactor: 1,
      configs: [{ name: 'retention.ms', value: '7' }],
    }),
    topic('d', {
      assignments: [
        { partitionIndex: 1, brokerIds: [1] },
        { partitionIndex: 0, brokerIds: [1] },
      ],
    }),
  ])
  assert.deepEqual(
    results.map((result) => [result.errorCode, result.numPartitions, result.replicationFactor]),
    [
      [0, 3, 1],
      [0, 2, 1],
      [0, 2, 1],
    ],
  )
  const again = await openController({ log: rig.log })
  const { image } = again.controller
  const plain = (one: typeof image) =>
    [...one.topics.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  assert.deepEqual(plain(image), plain(rig.controller.image))
  assert.equal(image.partitionCount, 7)
  const created = image.topics.get('b.c')
  assert.ok(created)
  assert.equal(created.id, results[1]?.topicId)
  assert.equal(image.topicsById.get(created.id), created)
  assert.deepEqual(created.partitions, [
    { index: 0, replicas: [1], directories: [''] },
    { index: 1, replicas: [1], directories: [''] },
  ])
  assert.equal(again.controller.topicConfigs(created)['retention.ms'], 7)
  assert.equal(logIdOf(created, 1), `${created.id}-1`)
  assert.equal(directoryOf(created, 1), 'b.c-1')
})

test('names that Kafka refuses are refused, and so are those that collide', async () => {
  const rig = await openController()
  for (const name of ['', '.', '..', 'a b', 'ä', 'a/b', 'x'.repeat(250)]) {
    assert.match(await createOne(rig, { name }), /^INVALID_TOPIC_EXCEPTION: Topic name is invalid/)
  }
  assert.match(await createOne(rig, { name: 'x'.repeat(249) }), /^NONE/)
  assert.deepEqual(await create(rig, topic('a.b'), topic('a_b'), topic('A.b')), [
    'a.b NONE',
    'a_b INVALID_TOPIC_EXCEPTION',
    'A.b NONE',
  ])
  assert.deepEqual(await create(rig, topic('a.b')), ['a.b TOPIC_ALREADY_EXISTS'])
  assert.deepEqual(await create(rig, topic('t'), topic('u'), topic('t')), [
    't INVALID_REQUEST',
    'u NONE',
    't INVALID_REQUEST',
  ])
  assert.match(await createOne(rig, { name: '__cluster_metadata' }), /^INVALID_REQUEST/)
  await rig.controller.deleteTopics([{ name: 'a.b' }])
  assert.deepEqual(await create(rig, topic('a_b')), ['a_b NONE'])
})

test('what one node cannot give is refused with the reason', async () => {
  const rig = await openController()
  assert.match(
    await createOne(rig, { replicationFactor: 3 }),
    /^INVALID_REPLICATION_FACTOR: .*3 time.*one node/,
  )
  assert.match(await createOne(rig, { replicationFactor: 0 }), /^INVALID_REPLICATION_FACTOR/)
  assert.match(await createOne(rig, { numPartitions: 0 }), /^INVALID_PARTITIONS/)
  assert.match(
    await createOne(rig, { configs: [{ name: 'cleanup.policy', value: 'shred' }] }),
    /^INVALID_CONFIG: .*compact/,
  )
  assert.match(
    await createOne(rig, { configs: [{ name: 'no.such', value: '1' }] }),
    /^INVALID_CONFIG: Unknown/,
  )
  assert.match(
    await createOne(rig, { configs: [{ name: 'retention.ms', value: null }] }),
    /^INVALID_CONFIG: Null/,
  )
  const assigned = (partitionIndex: number, ...brokerIds: number[]) => ({
    partitionIndex,
    brokerIds,
  })
  assert.match(
    await createOne(rig, { assignments: [assigned(0, 2)] }),
    /^INVALID_REPLICA_ASSIGNMENT: .*broker 2/,
  )
  assert.match(
    await createOne(rig, { assignments: [assigned(1, 1)] }),
    /^INVALID_REPLICA_ASSIGNMENT/,
  )
  assert.match(
    await createOne(rig, { assignments: [assigned(0, 1, 1)] }),
    /^INVALID_REPLICA_ASSIGNMENT: .*twice/,
  )
  assert.match(
    await createOne(rig, { assignments: [assigned(0)] }),
    /^INVALID_REPLICA_ASSIGNMENT: .*empty/,
  )
  assert.match(
    await createOne(rig, { assignments: [assigned(0, 1)], numPartitions: 1 }),
    /^INVALID_REQUEST/,
  )
  assert.equal(rig.controller.image.topics.size, 0)
})

test('bounds on topics and partitions are kept, within one request too', async () => {
  const rig = await openController({
    staticConfigs: { 'chronik.topics.max': '3', 'chronik.partitions.max': '5' },
  })
  assert.deepEqual(
    await create(
      rig,
      topic('a', { numPartitions: 3 }),
      topic('b', { numPartitions: 3 }),
      topic('c'),
      topic('d'),
      topic('e'),
    ),
    ['a NONE', 'b POLICY_VIOLATION', 'c NONE', 'd NONE', 'e POLICY_VIOLATION'],
  )
  const [grown] = await rig.controller.createPartitions([
    { name: 'a', count: 4, assignments: null },
  ])
  assert.equal(grown && errorName(grown.errorCode), 'POLICY_VIOLATION')
})

test('validateOnly answers as the real thing and changes nothing', async () => {
  const rig = await openController()
  const [result] = await rig.controller.createTopics([topic('a', { numPartitions: 4 })], {
    validateOnly: true,
  })
  assert.deepEqual([result?.errorCode, result?.numPartitions, result?.topicId], [0, 4, ZERO_UUID])
  assert.equal(rig.controller.image.topics.size, 0)
})

test('topics are deleted by name or id, once', async () => {
  const rig = await openController()
  await create(rig, topic('a'), topic('b'), topic('c'))
  const id = rig.controller.image.topics.get('b')?.id ?? ''
  const cId = rig.controller.image.topics.get('c')?.id ?? ''
  const results = await rig.controller.deleteTopics([
    { name: 'a' },
    { id },
    { name: 'nope' },
    { id: 'AAAAAAAAAAAAAAAAAAAAAQ' },
    { name: 'c' },
    { id: cId },
  ])
  assert.deepEqual(
    results.map((result) => `${result.name} ${errorName(result.errorCode)}`),
    [
      'a NONE',
      'b NONE',
      'nope UNKNOWN_TOPIC_OR_PARTITION',
      'null UNKNOWN_TOPIC_ID',
      'c INVALID_REQUEST',
      'c INVALID_REQUEST',
    ],
  )
  assert.deepEqual([...rig.controller.image.topics.keys()], ['c'])
  await create(rig, topic('a'))
  assert.notEqual(rig.controller.image.topics.get('a')?.id, results[0]?.topicId)
})

test('partitions are added, never taken away', async () => {
  const rig = await openController()
  await create(rig, topic('a', { numPartitions: 2 }))
  const add = async (count: number, assignments: { brokerIds: number[] }[] | null = null) => {
    const [result] = await rig.controller.createPartitions([{ name: 'a', count, assignments }])
    return errorName(result?.errorCode ?? -1)
  }
  assert.equal(await add(2), 'INVALID_PARTITIONS')
  assert.equal(await add(1), 'INVALID_PARTITIONS')
  assert.equal(await add(4, [{ brokerIds: [1] }]), 'INVALID_REPLICA_ASSIGNMENT')
  assert.equal(await add(3, [{ brokerIds: [9] }]), 'INVALID_REPLICA_ASSIGNMENT')
  assert.equal(await add(4), 'NONE')
  assert.deepEqual(
    rig.controller.image.topics.get('a')?.partitions.map(({ index }) => index),
    [0, 1, 2, 3],
  )
})

test('configs: the whole set is replaced, or changed one by one', async () => {
  const rig = await openController()
  await create(
    rig,
    topic('a', {
      configs: [
        { name: 'retention.ms', value: '5' },
        { name: 'segment.ms', value: '6' },
      ],
    }),
  )
  const current = () => Object.fromEntries(rig.controller.image.topics.get('a')?.configs ?? [])
  const a = { resourceType: ResourceType.topic, resourceName: 'a' }
  const replace = (name: string, value: string | null) =>
    rig.controller.alterConfigs([{ ...a, configs: [{ name, value }] }])
  assert.equal((await replace('retention.ms', 'soon'))[0]?.errorCode, 40)
  assert.equal((await replace('retention.bytes', '99'))[0]?.errorCode, 0)
  assert.deepEqual(current(), { 'retention.bytes': '99' })
  const change = async (name: string, configOperation: number, value: string | null) => {
    const [result] = await rig.controller.incrementalAlterConfigs([
      { ...a, configs: [{ name, configOperation, value }] },
    ])
    return result && errorName(result.errorCode)
  }
  assert.equal(await change('segment.ms', ConfigOperation.set, '8'), 'NONE')
  assert.equal(await change('retention.bytes', ConfigOperation.delete, null), 'NONE')
  assert.deepEqual(current(), { 'segment.ms': '8' })
  assert.equal(await change('segment.ms', ConfigOperation.append, '8'), 'INVALID_CONFIG')
  assert.equal(await change('cleanup.policy', ConfigOperation.append, 'shred'), 'INVALID_CONFIG')
  assert.equal(await change('cleanup.policy', ConfigOperation.append, 'delete'), 'NONE')
  assert.equal(await change('segment.ms', ConfigOperation.set, null), 'INVALID_REQUEST')
  assert.equal(await change('segment.ms', 9, '1'), 'INVALID_REQUEST')
  assert.equal(await change('nonsense', ConfigOperation.delete, null), 'INVALID_CONFIG')
  const [unknown] = await rig.controller.alterConfigs([{ ...a, resourceName: 'b', configs: [] }])
  assert.equal(unknown && errorName(unknown.errorCode), 'UNKNOWN_TOPIC_OR_PARTITION')
  const twice = await rig.controller.alterConfigs([
    { ...a, configs: [] },
    { ...a, configs: [] },
  ])
  assert.deepEqual(
    twice.map((result) => result.errorCode),
    [42, 42],
  )
})

test('broker configs that may change at run time give topics their defaults', async () => {
  const rig = await openController({ staticConfigs: { 'log.retention.ms': '1000' } })
  await create(rig, topic('a'))
  const retention = () => {
    const one = rig.controller.image.topics.get('a')
    return one && rig.controller.topicConfigs(one)['retention.ms']
  }
  assert.equal(retention(), 1000)
  const all = { resourceType: ResourceType.broker, resourceName: '' }
  const set = (name: string, value: string) =>
    rig.controller.incrementalAlterConfigs([
      { ...all, configs: [{ name, configOperation: 0, value }] },
    ])
  assert.equal((await set('log.retention.ms', '2000'))[0]?.errorCode, 0)
  assert.equal(retention(), 2000)
  assert.match((await set('num.partitions', '2'))[0]?.errorMessage ?? '', /while the broker runs/)
  assert.equal((await set('log.retention.ms', 'x'))[0]?.errorCode, 40)
})

test('producer ids are given in blocks and never twice, over restarts and lost leaderships', async () => {
  let rig = await openController()
  const blocks: number[] = []
  for (let i = 0; i < 3; i++) {
    const block = await rig.controller.allocateProducerIds()
    assert.deepEqual([block.errorCode, block.count], [0, 1000])
    blocks.push(block.first)
    rig = await openController({ log: rig.log })
  }
  rig.log.autoCommit = false
  const unsure = rig.controller.allocateProducerIds()
  rig.log.loseLeadership()
  assert.deepEqual([(await unsure).errorCode, (await unsure).first], [7, -1])
  rig.log.autoCommit = true
  rig.log.lead()
  await rig.time.settle()
  blocks.push((await rig.controller.allocateProducerIds()).first)
  assert.deepEqual(blocks, [0, 1000, 2000, 4000])
})

test('topics are created on first use, internal ones with their own configs', async () => {
  const rig = await openController({ staticConfigs: { 'offsets.topic.num.partitions': '7' } })
  const both = await Promise.all([
    rig.controller.autoCreateTopics(['a', OFFSETS_TOPIC]),
    rig.controller.autoCreateTopics(['a', 'bad name']),
  ])
  assert.deepEqual(
    both.flat().map((result) => `${result.name} ${errorName(result.errorCode)}`),
    ['a NONE', `${OFFSETS_TOPIC} NONE`, 'a NONE', 'bad name INVALID_TOPIC_EXCEPTION'],
  )
  const internal = rig.controller.image.topics.get(OFFSETS_TOPIC)
  assert.ok(internal)
  assert.deepEqual([internal.isInternal, internal.partitions.length], [true, 7])
  assert.deepEqual(rig.controller.topicConfigs(internal)['cleanup.policy'], ['compact'])
  const resource = { resourceType: ResourceType.topic, resourceName: OFFSETS_TOPIC, configs: [] }
  assert.match(
    (await rig.controller.alterConfigs([resource]))[0]?.errorMessage ?? '',
    /last value of every key/,
  )
  assert.equal((await rig.controller.deleteTopics([{ name: OFFSETS_TOPIC }]))[0]?.errorCode, 42)
})

test('brokers register once per change', async () => {
  const rig = await openController()
  const broker = {
    nodeId: asNodeId(1),
    directoryId: '',
    rack: null,
    raft: null,
    http: null,
    listeners: [
      { name: 'PLAINTEXT', host: 'localhost', port: 9092, securityProtocol: 'PLAINTEXT' },
    ],
  }
  await rig.controller.registerBroker(broker)
  const end = rig.log.logEnd
  assert.equal((await rig.controller.registerBroker({ ...broker })).errorCode, 0)
  assert.deepEqual(rig.log.logEnd, end)
  const emptied = await rig.controller.registerBroker({ ...broker, directoryId: 'another' })
  assert.equal(emptied.errorCode, 101)
  await rig.controller.registerBroker({ ...broker, rack: 'r' })
  assert.equal(
    (await openController({ log: rig.log })).controller.image.brokers.get('1')?.rack,
    'r',
  )
})

test('the feed tells each change once, before the command is answered', async () => {
  const rig = await openController()
  const feed: string[] = []
  const names = (kind: string, topics: MetadataChange['topicsCreated']) =>
    topics.map(({ name, partitions }) => feed.push(`${kind} ${name} ${partitions.length}`))
  const stop = rig.controller.onChange((change) => {
    assert.equal(rig.controller.image, change.image)
    names('created', change.topicsCreated)
    names('deleted', change.topicsDeleted)
    names('changed', change.topicsChanged)
  })
  await create(rig, topic('a', { configs: [{ name: 'retention.ms', value: '1' }] }), topic('b'))
  await rig.controller.createPartitions([{ name: 'a', count: 3, assignments: null }])
  await rig.controller.deleteTopics([{ name: 'b' }])
  stop()
  await create(rig, topic('c'))
  assert.deepEqual(feed, ['created a 1', 'created b 1', 'changed a 3', 'deleted b 1'])
})

test('an unknown commit is a timeout; a full disk and a lost controller are certain refusals', async () => {
  const rig = await openController()
  rig.log.refuseWith = 'storage-full'
  assert.match(await createOne(rig, {}), /^KAFKA_STORAGE_ERROR/)
  rig.log.refuseWith = undefined
  rig.log.autoCommit = false
  const pending = createOne(rig, {})
  await rig.time.settle()
  rig.log.loseLeadership()
  assert.match(await pending, /^REQUEST_TIMED_OUT/)
  assert.match(await createOne(rig, {}), /^NOT_CONTROLLER/)
  assert.equal(rig.controller.image.topics.size, 0)
})

test('records of every kind come back as they were, and a later kind is refused', () => {
  const text = fc.string({ maxLength: 20 })
  const id = fc
    .uint8Array({ minLength: 16, maxLength: 16 })
    .map((bytes) => Buffer.from(bytes).toString('base64url'))
  const nodes = fc.array(fc.array(fc.nat(100).map(asNodeId), { maxLength: 3 }), { maxLength: 4 })
  const listener = fc.record({
    name: text,
    host: text,
    port: fc.nat(65535),
    securityProtocol: text,
  })
  const record = fc.oneof(
    fc.record({ type: fc.constant('cluster' as const), clusterId: text }),
    fc.record({
      type: fc.constant('broker' as const),
      broker: fc.record({
        nodeId: fc.nat(9).map(asNodeId),
        directoryId: text,
        rack: fc.option(text),
        raft: fc.option(text),
        http: fc.option(text),
        listeners: fc.array(listener, { maxLength: 2 }),
      }),
    }),
    fc.record({
      type: fc.constant('topic' as const),
      id,
      name: text,
      isInternal: fc.boolean(),
      assignments: nodes,
    }),
    fc.record({ type: fc.constant('partitions' as const), topicId: id, assignments: nodes }),
    fc.record({ type: fc.constant('topicDeleted' as const), topicId: id }),
    fc.record({
      type: fc.constant('topicConfig' as const),
      topicId: id,
      name: text,
      value: fc.option(text),
    }),
    fc.record({
      type: fc.constant('brokerConfig' as const),
      broker: text,
      name: text,
      value: fc.option(text),
    }),
    fc.record({ type: fc.constant('producerIds' as const), next: fc.maxSafeInteger() }),
    fc.record({ type: fc.constant('feature' as const), name: text, level: fc.nat(99) }),
    fc.record({
      type: fc.constant('draining' as const),
      nodeId: fc.nat(9).map(asNodeId),
      draining: fc.boolean(),
    }),
  )
  fc.assert(
    fc.property(record, (one) => {
      assert.deepEqual(decodeMetadataRecord(encodeMetadataRecord(one)), structuredClone(one))
    }),
  )
  const before = encodeMetadataRecord({
    type: 'broker',
    broker: {
      nodeId: asNodeId(7),
      directoryId: 'd',
      rack: 'r',
      listeners: [],
      raft: null,
      http: null,
    },
  })
  // As it was written before brokers told these addresses: version 0, without the two last fields.
  const old = Uint8Array.from([...before.subarray(0, -3), before.at(-1)!])
  old[3] = 0
  assert.deepEqual(decodeMetadataRecord(old), decodeMetadataRecord(before))
  assert.throws(() => decodeMetadataRecord(Uint8Array.of(0, 99, 0, 0)), /later version/)
  assert.throws(() => decodeMetadataRecord(Uint8Array.of(0, 1, 0, 1, 0)), /version 1/)
})

test('a topic with more partitions than one record holds survives a restart', async () => {
  const rig = await openController({ staticConfigs: { 'chronik.partitions.max': '60000' } })
  assert.match(await createOne(rig, { name: 'wide', numPartitions: 25_000 }), /^NONE/)
  const [grown] = await rig.controller.createPartitions([
    { name: 'wide', count: 50_001, assignments: null },
  ])
  assert.equal(grown?.errorCode, 0)
  const { image } = (await openController({ log: rig.log })).controller
  assert.equal(image.partitionCount, 50_001)
  assert.equal(image.topics.get('wide')?.partitions.at(-1)?.index, 50_000)
})
