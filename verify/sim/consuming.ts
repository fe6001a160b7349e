// Simulated consumers: assigned ones, which seek now and then, and members of a group, which commit.

import { Consumer, type Assigned, type ConsumedRecord } from '../../src/client/consumer.ts'
import { KafkaError, RequestError } from '../../src/client/client-error.ts'
import { GroupConsumer } from '../../src/client/group-consumer.ts'
import type { ReadRecord } from '../history/history.ts'
import { crcOf, tokenOf } from './content.ts'
import { attempt, GROUP, pause, TOPIC, type Client } from './world.ts'

const POLL_MS = 200
const FETCH = {
  fetchWaitMs: 100,
  fetchBytesMax: 512 * 1024,
  partitionBytesMax: 128 * 1024,
} as const

export function readRecord(record: ConsumedRecord, incarnation = record.topic): ReadRecord {
  const { partition, offset, key, value } = record
  return { topic: incarnation, partition, offset, value: tokenOf(value), crc: crcOf(key, value) }
}

export async function runReader(client: Client): Promise<void> {
  const { world, chance, name } = client
  const consumer = new Consumer(client.cluster, {
    ...FETCH,
    onOutOfRange: 'beginning',
    retryBackoffMs: 50,
  })
  let assigned = 0
  while (world.phase !== 'over') {
    const seek = world.phase === 'working' && chance.chance(0.02)
    if (assigned !== world.partitions || seek) {
      assign(client, consumer, seek)
      assigned = world.partitions
    }
    const begun = world.recorder.begin(name)
    const records = await consumer.poll(POLL_MS)
    const read = records.map((record) => readRecord(record))
    world.recorder.end(begun, read.length === 0 ? undefined : { kind: 'poll', records: read })
    if (read.length > 0 || isAtEnd(client, consumer)) world.progressed(client)
    if (chance.chance(0.3)) await pause(client, chance.between(1, 100))
  }
  consumer.close()
}

/** Having read everything is progress too. */
function isAtEnd({ world }: Client, consumer: Consumer): boolean {
  return Array.from({ length: world.partitions }, (_, partition) => ({
    topic: TOPIC,
    partition,
  })).every((partition) => consumer.position(partition) === consumer.highWatermark(partition))
}

/** Goes on in the partitions that it has, unless it seeks; begins new ones at the start. */
function assign({ world, chance, name }: Client, consumer: Consumer, seek: boolean): void {
  const places = Array.from({ length: world.partitions }, (_, partition) => {
    const at = consumer.position({ topic: TOPIC, partition }) ?? 0
    const offset = seek ? Math.max(0, at - chance.below(100)) : at
    return { topic: TOPIC, partition, offset }
  })
  const positions = places.map(({ topic, partition, offset }) => ({
    topic,
    partition,
    from: offset,
  }))
  world.recorder.note(name, { kind: 'assign', positions })
  consumer.assign(
    places.map(({ topic, partition, offset }): Assigned => ({
      topic,
      partition,
      from: { offset },
    })),
  )
}

/** A member joins, works and commits, and at times leaves in good order and comes back. */
export async function runMember(client: Client): Promise<void> {
  const { world } = client
  while (world.phase !== 'over') {
    const consumer = new GroupConsumer(client.cluster, {
      groupId: GROUP,
      topics: [TOPIC],
      sessionTimeoutMs: 1_500,
      rebalanceTimeoutMs: 2_000,
      heartbeatMs: 300,
      startAt: 'beginning',
      autoCommitMs: undefined,
      consumer: { ...FETCH, retryBackoffMs: 50 },
    })
    await membership(client, consumer)
    await leave(client, consumer)
  }
}

async function membership(client: Client, consumer: GroupConsumer): Promise<void> {
  const { world, chance, name } = client
  const rounds = chance.between(20, 200)
  for (let i = 0; i < rounds && world.phase !== 'over'; i++) {
    const begun = world.recorder.begin(name)
    let records: ConsumedRecord[]
    try {
      records = await consumer.poll(POLL_MS)
    } catch (error) {
      world.recorder.end(begun, undefined)
      if (!mayPass(error)) throw error
      await pause(client, 50)
      continue
    }
    const read = records.map((record) => readRecord(record))
    const body = { kind: 'poll', group: GROUP, records: read } as const
    world.recorder.end(begun, read.length === 0 ? undefined : body)
    if (chance.chance(0.4)) await commit(client, consumer)
    if (chance.chance(0.3)) await pause(client, chance.between(1, 100))
  }
  await commit(client, consumer)
}

/** A group's work is done when it has committed, or has nothing to commit although it is a member. */
async function commit(client: Client, consumer: GroupConsumer): Promise<void> {
  const { world, name } = client
  const positions = consumer.uncommitted()
  if (positions.length === 0) {
    if (consumer.memberId !== '' && world.phase !== 'working') world.progressed(client)
    return
  }
  const common = { kind: 'commit', group: GROUP, positions } as const
  const begun = world.recorder.begin(name, { ...common, retried: true, outcome: 'indeterminate' })
  const { outcome, retried } = await attempt(client, () => consumer.commit())
  world.recorder.end(begun, { ...common, retried, outcome })
  if (outcome === 'ok') world.progressed(client)
}

/** What the client could not commit is read again by whoever comes next. */
async function leave(client: Client, consumer: GroupConsumer): Promise<void> {
  await attempt(client, () => consumer.close())
}

/** The library gives up after a while; its user then tries again. */
function mayPass(error: unknown): boolean {
  return error instanceof RequestError || (error instanceof KafkaError && error.retriable)
}
