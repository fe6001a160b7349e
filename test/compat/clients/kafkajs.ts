// kafkajs as a client of the suites. Usage: kafkajs.ts BOOTSTRAP

import kafkajs from 'kafkajs'
import type { Consumer, Message } from 'kafkajs'
import { check, Digest, equal, readRecords, Received, serve } from './host.ts'
import type { Request } from './host.ts'
import { registerCodecs } from './kafkajs-codecs.ts'

const { CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = kafkajs
registerCodecs()
const kafka = new Kafka({
  clientId: 'compat-kafkajs',
  brokers: [process.argv[2] ?? ''],
  logLevel: logLevel.NOTHING,
  retry: { retries: 12, initialRetryTime: 200, maxRetryTime: 2000 },
})
const codecs: Record<string, number> = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

async function produce(request: Request): Promise<number> {
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  const records = readRecords(request.file, request.from, request.to)
  const compression = codecs[request.codec] ?? CompressionTypes.None
  for (let at = 0; at < records.length; at += 500) {
    const messages = records.slice(at, at + 500).map(({ index, key, value }) => {
      return { key, value, partition: index % request.partitions }
    })
    await producer.send({ topic: request.topic, acks: -1, compression, messages })
  }
  await producer.disconnect()
  return records.length
}

function consumer(groupId: string): Consumer {
  return kafka.consumer({
    groupId,
    sessionTimeout: 10_000,
    heartbeatInterval: 500,
    maxWaitTimeInMs: 200,
  })
}

async function consume(request: Request): Promise<object[]> {
  const client = consumer(`${request.topic}-kafkajs-${process.pid}-${request.id}`)
  const digests = request.counts.map(() => new Digest())
  let left = request.counts.reduce((a, b) => a + b, 0)
  await client.connect()
  await client.subscribe({ topic: request.topic, fromBeginning: true })
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${left} records did not come in 90 s`)),
      90_000,
    )
    const eachBatch = async ({ batch }: { batch: kafkajs.Batch }): Promise<void> => {
      for (const message of batch.messages)
        digests[batch.partition]?.add(message.key, message.value)
      left -= batch.messages.length
      if (left > 0) return
      clearTimeout(timer)
      resolve()
    }
    client.run({ autoCommit: false, eachBatch }).catch(reject)
  })
  await client.disconnect()
  return digests.map((digest, partition) => digest.result(partition))
}

interface Member {
  readonly topic: string
  readonly group: string
  readonly client: Consumer
  readonly received: Received
}

const members = new Map<string, Member>()

function member(name: string): Member {
  const found = members.get(name)
  check(found !== undefined, `no member ${name}`)
  return found
}

async function join({ member: name, topic, group }: Request): Promise<void> {
  const client = consumer(group)
  const received = new Received()
  members.set(name, { topic, group, client, received })
  client.on(
    client.events.GROUP_JOIN,
    ({ payload }) => (received.assigned = payload.memberAssignment[topic] ?? []),
  )
  client.on(client.events.REBALANCING, () => (received.assigned = []))
  await client.connect()
  await client.subscribe({ topic, fromBeginning: true })
  await client.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => received.add(partition, Number(message.offset)),
  })
}

async function commit({ member: name }: Request): Promise<Record<string, number>> {
  const { client, received, topic, group } = member(name)
  const offsets = received.assigned
    .filter((partition) => received.partitions[partition] !== undefined)
    .map((partition) => ({
      topic,
      partition,
      offset: String((received.partitions[partition]?.[1] ?? -1) + 1),
    }))
  await client.commitOffsets(offsets)
  return withAdmin(async (admin) => {
    const [fetched] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
    const own =
      fetched?.partitions.filter(({ partition }) => received.assigned.includes(partition)) ?? []
    return Object.fromEntries(own.map(({ partition, offset }) => [partition, Number(offset)]))
  })
}

async function leave({ member: name }: Request): Promise<void> {
  await member(name).client.disconnect()
  members.delete(name)
}

// Scenarios: each gets the name of a topic of its own, not created yet.

async function withAdmin<T>(body: (admin: kafkajs.Admin) => Promise<T>): Promise<T> {
  const admin = kafka.admin()
  await admin.connect()
  try {
    return await body(admin)
  } finally {
    await admin.disconnect()
  }
}

async function send(topic: string, messages: Message[]): Promise<kafkajs.RecordMetadata[]> {
  const producer = kafka.producer()
  await producer.connect()
  try {
    return await producer.send({ topic, messages })
  } finally {
    await producer.disconnect()
  }
}

async function readAll(topic: string, count: number): Promise<kafkajs.KafkaMessage[]> {
  const client = consumer(`${topic}-read`)
  const messages: kafkajs.KafkaMessage[] = []
  await client.connect()
  await client.subscribe({ topic, fromBeginning: true })
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`only ${messages.length} of ${count} records came`)),
      20_000,
    )
    const eachMessage = async ({ message }: { message: kafkajs.KafkaMessage }): Promise<void> => {
      messages.push(message)
      if (messages.length < count) return
      clearTimeout(timer)
      resolve()
    }
    client.run({ eachMessage }).catch(reject)
  })
  await client.disconnect()
  return messages
}

const scenarios: Record<string, (topic: string) => Promise<void>> = {
  topics_partitions_configs: (topic) =>
    withAdmin(async (admin) => {
      const configEntries = [{ name: 'retention.ms', value: '123456789' }]
      equal(
        await admin.createTopics({ topics: [{ topic, numPartitions: 2, configEntries }] }),
        true,
        'created',
      )
      equal(await admin.createTopics({ topics: [{ topic }] }), false, 'created again')
      await admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] })
      const metadata = await admin.fetchTopicMetadata({ topics: [topic] })
      equal(metadata.topics[0]?.partitions.length, 5, 'partitions')
      const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic }]
      const entries = (await admin.describeConfigs({ resources, includeSynonyms: true }))
        .resources[0]?.configEntries
      const retention = entries?.find(({ configName }) => configName === 'retention.ms')
      equal(retention?.configValue, '123456789', 'retention.ms')
      check((retention?.configSynonyms.length ?? 0) >= 1, 'retention.ms has synonyms')
      const change = [{ name: 'max.message.bytes', value: '2000000' }]
      const altered = { type: ConfigResourceTypes.TOPIC, name: topic, configEntries: change }
      await admin.alterConfigs({ validateOnly: false, resources: [altered] })
      const after = (await admin.describeConfigs({ resources, includeSynonyms: false }))
        .resources[0]?.configEntries
      equal(
        after?.find(({ configName }) => configName === 'max.message.bytes')?.configValue,
        '2000000',
        'altered',
      )
      check((await admin.listTopics()).includes(topic), 'the topic is listed')
      const cluster = await admin.describeCluster()
      equal(cluster.brokers.length, 1, 'brokers')
      check(cluster.clusterId.length > 0, 'the cluster has an id')
      await admin.deleteTopics({ topics: [topic] })
      check(!(await admin.listTopics()).includes(topic), 'the topic is gone')
    }),

  keys_headers_nulls: async (topic) => {
    const sent = [
      { key: 'k', value: 'v', headers: { a: ['1', '2'], b: 'x' } },
      { key: null, value: 'no key' },
      { key: 'tombstone', value: null },
      { key: '', value: '' },
    ]
    await send(topic, sent)
    const got = await readAll(topic, sent.length)
    for (const [index, message] of got.entries()) {
      equal(message.key?.toString() ?? null, sent[index]?.key, 'key')
      equal(message.value?.toString() ?? null, sent[index]?.value, 'value')
    }
    equal(String(got[0]?.headers?.['a']), '1,2', 'repeated header')
    equal(String(got[0]?.headers?.['b']), 'x', 'header')
  },

  offsets_by_timestamp_and_delete_records: (topic) =>
    withAdmin(async (admin) => {
      await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] })
      const startMs = 1_700_000_000_000
      const stamp = (_: unknown, i: number): Message => ({
        value: String(i),
        timestamp: String(startMs + i * 1000),
      })
      await send(topic, Array.from({ length: 100 }, stamp))
      const found = await admin.fetchTopicOffsetsByTimestamp(topic, startMs + 41_001)
      equal(found, [{ partition: 0, offset: '42' }], 'offset for a time')
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '10' }] })
      const ends = await admin.fetchTopicOffsets(topic)
      equal(
        ends,
        [{ partition: 0, offset: '100', high: '100', low: '10' }],
        'offsets after deleting records',
      )
      equal((await readAll(topic, 90))[0]?.offset, '10', 'first offset left')
    }),

  group_offsets: (topic) =>
    withAdmin(async (admin) => {
      await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] })
      await send(topic, [{ value: 'a' }, { value: 'b' }, { value: 'c' }])
      const groupId = `${topic}-offsets`
      await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '2' }] })
      const [fetched] = await admin.fetchOffsets({ groupId, topics: [topic] })
      equal(fetched?.partitions[0]?.offset, '2', 'offset set by the admin')
      const described = await admin.describeGroups([groupId])
      equal(described.groups[0]?.state, 'Empty', 'state')
      const listed = (await admin.listGroups()).groups.map((group) => group.groupId)
      check(listed.includes(groupId), 'the group is listed')
      await admin.deleteGroups([groupId])
      const after = (await admin.listGroups()).groups.map((group) => group.groupId)
      check(!after.includes(groupId), 'the group is gone')
    }),

  errors: async (topic) => {
    await withAdmin((admin) => admin.createTopics({ topics: [{ topic, numPartitions: 1 }] }))
    const big = Buffer.alloc(1_500_000, 1)
    const failure = await send(topic, [{ value: big }]).then(
      () => 'none',
      (error: Error) => `${error.name} ${error.message}`,
    )
    check(/larger than the max|MESSAGE_TOO_LARGE/.test(failure), `too large a batch: ${failure}`)
    await withAdmin(async (admin) => {
      const bad = await admin.createTopics({ topics: [{ topic: 'a/b' }] }).then(
        () => 'none',
        (error: Error) => error.message,
      )
      check(bad !== 'none', 'an invalid topic name is refused')
    })
  },

  auto_creation: async (topic) => {
    const [metadata] = await send(topic, [{ value: 'first' }])
    equal(metadata?.errorCode, 0, 'error code')
    equal(String((await readAll(topic, 1))[0]?.value), 'first', 'value')
  },
}

serve({
  produce,
  consume,
  join,
  status: (request) => member(request.member).received.status(),
  commit,
  leave,
  scenarios: () => Object.keys(scenarios),
  scenario: ({ name, topic }) => scenarios[name]?.(topic),
})
