// @platformatic/kafka as a client of the suites. Usage: platformatic.ts BOOTSTRAP

import { Admin, Consumer, Producer } from '@platformatic/kafka'
import type { MessagesStream, MessageToProduce } from '@platformatic/kafka'
import { check, Digest, equal, readRecords, Received, serve } from './host.ts'
import type { Request } from './host.ts'

const base = {
  clientId: 'compat-platformatic',
  bootstrapBrokers: [process.argv[2] ?? ''],
  retries: 20,
  retryDelay: 300,
}
type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

async function produce(request: Request): Promise<number> {
  const producer = new Producer({ ...base, idempotent: true, acks: -1 })
  const records = readRecords(request.file, request.from, request.to)
  const compression = request.codec as Compression
  for (let at = 0; at < records.length; at += 500) {
    const messages = records.slice(at, at + 500).map(({ index, key, value }) => {
      return { topic: request.topic, key, value, partition: index % request.partitions }
    })
    await producer.send({ messages, compression })
  }
  await producer.close()
  return records.length
}

interface Member {
  readonly topic: string
  readonly consumer: Consumer
  readonly stream: MessagesStream<Buffer, Buffer, Buffer, Buffer>
  readonly received: Received
}

type Take = (partition: number, offset: number, key: Buffer | null, value: Buffer | null) => void

async function open(topic: string, groupId: string, take: Take) {
  const consumer = new Consumer({
    ...base,
    groupId,
    sessionTimeout: 10_000,
    heartbeatInterval: 500,
    maxWaitTime: 200,
  })
  const stream = await consumer.consume({
    topics: [topic],
    mode: 'committed',
    fallbackMode: 'earliest',
    autocommit: false,
  })
  let failure: Error | undefined
  stream.on('error', (error) => (failure = error))
  stream.on('data', ({ partition, offset, key, value }) =>
    take(partition, Number(offset), key, value),
  )
  return { consumer, stream, failed: () => failure }
}

async function consume(request: Request): Promise<object[]> {
  const digests = request.counts.map(() => new Digest())
  let left = request.counts.reduce((a, b) => a + b, 0)
  const take: Take = (partition, _, key, value) => {
    digests[partition]?.add(key, value)
    left--
  }
  const group = `${request.topic}-platformatic-${process.pid}-${request.id}`
  const { consumer, failed } = await open(request.topic, group, take)
  const endMs = Date.now() + 90_000
  while (left > 0) {
    const failure = failed()
    if (failure !== undefined) throw failure
    check(Date.now() < endMs, `${left} records did not come in 90 s`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await consumer.close(true)
  return digests.map((digest, partition) => digest.result(partition))
}

const members = new Map<string, Member>()

function member(name: string): Member {
  const found = members.get(name)
  check(found !== undefined, `no member ${name}`)
  return found
}

function assigned({ consumer, topic }: Member): number[] {
  return consumer.assignments?.find((assignment) => assignment.topic === topic)?.partitions ?? []
}

async function join({ member: name, topic, group }: Request): Promise<void> {
  const received = new Received()
  const { consumer, stream } = await open(topic, group, (partition, offset) =>
    received.add(partition, offset),
  )
  members.set(name, { topic, consumer, stream, received })
}

function status({ member: name }: Request): object {
  const found = member(name)
  found.received.assigned = assigned(found)
  return found.received.status()
}

async function commit({ member: name }: Request): Promise<Record<string, number>> {
  const found = member(name)
  const own = assigned(found).filter(
    (partition) => found.received.partitions[partition] !== undefined,
  )
  const offsets = own.map((partition) => ({
    topic: found.topic,
    partition,
    offset: BigInt((found.received.partitions[partition]?.[1] ?? -1) + 1),
    leaderEpoch: -1,
  }))
  await found.consumer.commit({ offsets })
  const listed = await found.consumer.listCommittedOffsets({
    topics: [{ topic: found.topic, partitions: own }],
  })
  const committed = listed.get(found.topic) ?? []
  return Object.fromEntries(own.map((partition) => [partition, Number(committed[partition])]))
}

async function leave({ member: name }: Request): Promise<void> {
  await member(name).consumer.close(true)
  members.delete(name)
}

// Scenarios: each gets the name of a topic of its own, not created yet.

async function withAdmin<T>(body: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Admin(base)
  try {
    return await body(admin)
  } finally {
    await admin.close()
  }
}

async function send(messages: MessageToProduce[], autocreateTopics = false): Promise<void> {
  const producer = new Producer({ ...base, autocreateTopics })
  try {
    await producer.send({ messages, acks: -1 })
  } finally {
    await producer.close()
  }
}

interface Got {
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer | null
}

async function readAll(topic: string, count: number): Promise<Got[]> {
  const got: Got[] = []
  const { consumer } = await open(topic, `${topic}-read`, (_, offset, key, value) =>
    got.push({ offset, key, value }),
  )
  const endMs = Date.now() + 20_000
  while (got.length < count) {
    check(Date.now() < endMs, `only ${got.length} of ${count} records came`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await consumer.close(true)
  return got
}

const topicResource = 2

const scenarios: Record<string, (topic: string) => Promise<void>> = {
  topics_partitions_configs: (topic) =>
    withAdmin(async (admin) => {
      const configs = [{ name: 'retention.ms', value: '123456789' }]
      const created = await admin.createTopics({
        topics: [topic],
        partitions: 2,
        replicas: 1,
        configs,
      })
      equal(created[0]?.partitions, 2, 'partitions of the answer')
      check((created[0]?.id ?? '').length > 0, 'the topic has an id')
      const assignments = [{ brokerIds: [1] }, { brokerIds: [1] }, { brokerIds: [1] }]
      await admin.createPartitions({ topics: [{ name: topic, count: 5, assignments }] })
      const metadata = await admin.metadata({ topics: [topic] })
      equal(metadata.topics.get(topic)?.partitions.length, 5, 'partitions')
      const resources = [
        { resourceType: topicResource, resourceName: topic, configurationKeys: null },
      ] as const
      const describe = async (): Promise<Map<string, string | null>> => {
        const described = await admin.describeConfigs({ resources: [...resources] })
        return new Map(described[0]?.configs.map(({ name, value }) => [name, value ?? null]))
      }
      equal((await describe()).get('retention.ms'), '123456789', 'retention.ms')
      const change = [{ name: 'max.message.bytes', value: '2000000', configOperation: 0 as const }]
      await admin.incrementalAlterConfigs({
        resources: [{ resourceType: topicResource, resourceName: topic, configs: change }],
      })
      const after = await describe()
      equal(after.get('max.message.bytes'), '2000000', 'max.message.bytes')
      equal(after.get('retention.ms'), '123456789', 'retention.ms is kept')
      check((await admin.listTopics()).includes(topic), 'the topic is listed')
      await admin.deleteTopics({ topics: [topic] })
      check(!(await admin.listTopics()).includes(topic), 'the topic is gone')
    }),

  keys_headers_nulls: async (topic) => {
    await withAdmin((admin) => admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 }))
    const key = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    await send([
      {
        topic,
        key,
        value: Buffer.from('v'),
        headers: new Map([[Buffer.from('a'), Buffer.from('1')]]),
      },
      { topic, value: Buffer.from('no key') },
      { topic, key: Buffer.from('empty'), value: Buffer.alloc(0) },
    ])
    const got = await readAll(topic, 3)
    equal(got[0]?.key?.equals(key), true, 'binary key')
    equal(String(got[1]?.value), 'no key', 'value without a key')
    equal(got[2]?.value?.length, 0, 'empty value')
  },

  offsets_by_timestamp_and_delete_records: (topic) =>
    withAdmin(async (admin) => {
      await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 })
      const start = 1_700_000_000_000n
      const value = Buffer.from('x')
      await send(
        Array.from({ length: 100 }, (_, i) => ({
          topic,
          value,
          timestamp: start + BigInt(i) * 1000n,
        })),
      )
      const find = async (timestamp: bigint): Promise<bigint | undefined> => {
        const listed = await admin.listOffsets({
          topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp }] }],
        })
        return listed[0]?.partitions[0]?.offset
      }
      equal(await find(start + 41_001n), 42n, 'offset for a time')
      equal(await find(start + 99_001n), -1n, 'offset for a time past the end')
      equal(await find(-3n), 99n, 'offset of the highest timestamp')
      const partitions = [{ partition: 0, offset: 10n }]
      const deleted = await admin.deleteRecords({ topics: [{ name: topic, partitions }] })
      equal(deleted[0]?.partitions[0]?.lowWatermark, 10n, 'low watermark')
      equal(await find(-2n), 10n, 'earliest')
      equal(await find(-1n), 100n, 'latest')
      equal((await readAll(topic, 90))[0]?.offset, 10, 'first offset left')
    }),

  group_offsets: (topic) =>
    withAdmin(async (admin) => {
      await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 })
      await send([{ topic, value: Buffer.from('a') }])
      const groupId = `${topic}-offsets`
      const partitionOffsets = [{ partition: 0, offset: 1n }]
      await admin.alterConsumerGroupOffsets({
        groupId,
        topics: [{ name: topic, partitionOffsets }],
      })
      const listed = await admin.listConsumerGroupOffsets({ groups: [groupId] })
      equal(listed[0]?.topics[0]?.partitions[0]?.committedOffset, 1n, 'offset set by the admin')
      check((await admin.listGroups()).has(groupId), 'the group is listed')
      equal(
        (await admin.describeGroups({ groups: [groupId] })).get(groupId)?.protocolType,
        '',
        'protocol type',
      )
      await admin.deleteGroups({ groups: [groupId] })
      check(!(await admin.listGroups()).has(groupId), 'the group is gone')
    }),

  log_dirs: (topic) =>
    withAdmin(async (admin) => {
      await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 })
      await send([{ topic, value: Buffer.alloc(1000) }])
      const described = await admin.describeLogDirs({ topics: [{ name: topic, partitions: [0] }] })
      const partition = described[0]?.results[0]?.topics[0]?.partitions[0]
      check(
        Number(partition?.partitionSize) > 1000,
        `partition size ${String(partition?.partitionSize)}`,
      )
    }),

  auto_creation: async (topic) => {
    await send([{ topic, value: Buffer.from('first') }], true)
    equal(String((await readAll(topic, 1))[0]?.value), 'first', 'value')
  },
}

serve({
  produce,
  consume,
  join,
  status,
  commit,
  leave,
  scenarios: () => Object.keys(scenarios),
  scenario: ({ name, topic }) => scenarios[name]?.(topic),
})
