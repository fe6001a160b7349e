// A whole node and our own client in the simulated world: what was acknowledged survives kills and power cuts, once
// and in order, and groups share partitions, through restarts of the node and changes of the topic.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTopic, growTopic } from '../client/admin-topics.ts'
import { Cluster } from '../client/cluster.ts'
import { Consumer, type ConsumedRecord } from '../client/consumer.ts'
import { GroupConsumer, type GroupConsumerOptions } from '../client/group-consumer.ts'
import { ProduceError } from '../client/produce-batch.ts'
import { Producer } from '../client/producer.ts'
import type { SimHost } from '../env/sim/sim-host.ts'
import { Simulation } from '../env/sim/simulation.ts'
import { Chronik } from './chronik.ts'

const TOPIC = 'events'
const PARTITIONS = [0, 1, 2]

interface World {
  readonly simulation: Simulation
  readonly host: SimHost
  readonly cluster: Cluster
}

function start(host: SimHost): Promise<Chronik> {
  return Chronik.start({
    env: host.boot(),
    dataDir: '/data',
    listeners: [{ name: 'PLAINTEXT', host: 'node', port: 9092 }],
    config: { 'group.initial.rebalance.delay.ms': '0' },
  })
}

async function world(seed: number): Promise<World> {
  const simulation = new Simulation(seed)
  const host = simulation.host('node')
  await simulation.settle(start(host))
  const cluster = new Cluster(simulation.host('client').boot(), {
    bootstrap: [{ host: 'node', port: 9092 }],
    requestTimeoutMs: 3000,
    connectTimeoutMs: 1000,
  })
  const topic = {
    name: TOPIC,
    partitions: PARTITIONS.length,
    configs: { 'segment.bytes': '40000' },
  }
  await simulation.settle(createTopic(cluster, topic))
  return { simulation, host, cluster }
}

/** Kills the node or cuts its power, again and again, until `untilMs`. */
function harass({ simulation, host }: World, untilMs: number): void {
  const { chance } = simulation
  const strike = (): void => {
    if (simulation.nowMs > untilMs) return
    const cut = chance.below(3)
    if (cut !== 1) host.kill()
    if (cut !== 0) host.powerCut()
    simulation.after(chance.between(1, 300), () => {
      // A strike during the start ends it for good: the next one starts anew.
      void start(host)
      simulation.after(chance.between(5, 1500), strike)
    })
  }
  simulation.after(chance.between(5, 1500), strike)
}

const valueOf = (id: number): Uint8Array => new TextEncoder().encode(`${id}`)
const idOf = (record: ConsumedRecord): number =>
  Number(new TextDecoder().decode(record.value ?? undefined))

type Fate = number | 'refused' | 'unknown'

/** Sends for a while, at random; resolves with each record's offset or failure. */
async function produceUntil({ simulation, cluster }: World, untilMs: number): Promise<Fate[]> {
  const { chance } = simulation
  const producer = new Producer(cluster, { requestTimeoutMs: 2000, lingerMs: 1, batchBytes: 3000 })
  const fates: Promise<Fate>[] = []
  while (simulation.nowMs < untilMs) {
    for (let i = chance.between(1, 10); i > 0; i--) {
      const id = fates.length
      const record = {
        topic: TOPIC,
        partition: id % PARTITIONS.length,
        key: null,
        value: valueOf(id),
      }
      fates.push(
        producer.send(record).then(
          ({ offset }) => offset,
          (error: unknown) => {
            assert(error instanceof ProduceError)
            return error.outcome
          },
        ),
      )
    }
    await new Promise<void>((resolve) => simulation.after(chance.between(1, 40), resolve))
  }
  await producer.close()
  return Promise.all(fates)
}

test('what was acknowledged survives kills and power cuts, once and in order', async () => {
  for (let seed = 1; seed <= 2; seed++) {
    const here = await world(seed)
    const { simulation, cluster } = here
    const endMs = simulation.nowMs + 4000
    harass(here, endMs - 500)
    const fates = await simulation.settle(produceUntil(here, endMs), { withinMs: 120_000 })
    const consumer = new Consumer(cluster)
    consumer.assign(PARTITIONS.map((partition) => ({ topic: TOPIC, partition, from: 'beginning' })))
    const read: ConsumedRecord[] = []
    for (let quiet = 0; quiet < 2;) {
      const records = await simulation.settle(consumer.poll(1000), { withinMs: 60_000 })
      read.push(...records)
      quiet = records.length === 0 ? quiet + 1 : 0
    }
    const offsets = new Map(read.map((record) => [idOf(record), record.offset]))
    assert.equal(offsets.size, read.length, `seed ${seed}: something was written twice`)
    fates.forEach((fate, id) => {
      if (typeof fate === 'number')
        assert.equal(offsets.get(id), fate, `seed ${seed}: record ${id}`)
      if (fate === 'refused') assert.equal(offsets.has(id), false, `seed ${seed}: record ${id}`)
    })
    for (const partition of PARTITIONS) {
      const ids = read.filter((record) => record.partition === partition).map(idOf)
      const inOrder = ids.filter((id) => typeof fates[id] === 'number')
      assert.deepEqual(
        inOrder,
        inOrder.toSorted((a, b) => a - b),
        `seed ${seed}: order`,
      )
    }
    assert.ok(fates.length > 300)
    consumer.close()
    cluster.close()
  }
})

/** A member that polls until told to stop, counting what it gets. */
class Member {
  readonly seen: number[] = []
  readonly consumer: GroupConsumer
  readonly done: Promise<void>
  stopped = false

  constructor(cluster: Cluster, options: Partial<GroupConsumerOptions> = {}) {
    this.consumer = new GroupConsumer(cluster, {
      groupId: 'g',
      topics: [TOPIC],
      startAt: 'beginning',
      heartbeatMs: 200,
      sessionTimeoutMs: 6000,
      autoCommitMs: 300,
      ...options,
    })
    this.done = this.#run()
  }

  get partitions(): number[] {
    return this.consumer.assignment.map(({ partition }) => partition)
  }

  async #run(): Promise<void> {
    while (!this.stopped) {
      for (const record of await this.consumer.poll(100)) this.seen.push(idOf(record))
    }
    await this.consumer.close()
  }
}

test('a group reads everything at least once while members come and go and the node dies', async () => {
  for (let seed = 1; seed <= 2; seed++) {
    const here = await world(seed)
    const { simulation, cluster } = here
    const endMs = simulation.nowMs + 6000
    harass(here, endMs - 2000)
    const members = [new Member(cluster)]
    simulation.after(1000, () => void members.push(new Member(cluster)))
    simulation.after(2500, () => void members.push(new Member(cluster)))
    simulation.after(4000, () => void (members[0] && (members[0].stopped = true)))
    const fates = await simulation.settle(produceUntil(here, endMs), { withinMs: 120_000 })
    const wanted = fates.flatMap((fate, id) => (typeof fate === 'number' ? [id] : []))
    const seen = (): Set<number> => new Set(members.flatMap((member) => member.seen))
    await simulation.run({
      until: () => simulation.nowMs > endMs + 60_000 || wanted.every((id) => seen().has(id)),
    })
    const missing = wanted.filter((id) => !seen().has(id))
    assert.deepEqual(missing, [], `seed ${seed}: acknowledged, but never read`)
    for (const member of members) member.stopped = true
    await simulation.settle(Promise.all(members.map(({ done }) => done)), { withinMs: 60_000 })
    cluster.close()
  }
})

test('a group takes up partitions that are added', async () => {
  const { simulation, cluster } = await world(9)
  const members = [1, 2].map(() => new Member(cluster, { metadataMs: 500 }))
  const shared = (): number[] => members.flatMap(({ partitions }) => partitions).toSorted()
  await simulation.run({ until: () => shared().length === 3 || simulation.nowMs > 20_000 })
  assert.deepEqual(shared(), [0, 1, 2])
  await simulation.settle(growTopic(cluster, TOPIC, 5))
  const limitMs = simulation.nowMs + 20_000
  await simulation.run({ until: () => shared().length === 5 || simulation.nowMs > limitMs })
  assert.deepEqual(shared(), [0, 1, 2, 3, 4])
  for (const member of members) member.stopped = true
  await simulation.settle(Promise.all(members.map(({ done }) => done)))
  cluster.close()
})
