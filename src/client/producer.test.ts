// The producer against a broker that fails in every way, in the simulated world: per record, what the producer says
// must be what the log holds; nothing twice, and every partition in the order it was sent.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Prng } from '../env/sim/prng.ts'
import { Simulation } from '../env/sim/simulation.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { Cluster } from './cluster.ts'
import { ProduceError, type Produced } from './produce-batch.ts'
import { Producer } from './producer.ts'
import type { ProducerOptions } from './producer-options.ts'
import { FakeBroker, type FakeBrokerOptions, type ProduceFault } from './testing/fake-broker.ts'

const TOPIC = 'events'
const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const read = (bytes: Uint8Array | null): string => new TextDecoder().decode(bytes ?? undefined)

interface World {
  readonly simulation: Simulation
  readonly broker: FakeBroker
  readonly cluster: Cluster
}

async function world(seed: number, options: Partial<FakeBrokerOptions> = {}): Promise<World> {
  const simulation = new Simulation(seed)
  const broker = new FakeBroker(simulation.host('broker').boot(), {
    host: 'broker',
    port: 9092,
    topics: { [TOPIC]: 2 },
    ...options,
  })
  await simulation.settle(broker.start())
  const cluster = new Cluster(simulation.host('client').boot(), {
    bootstrap: [{ host: 'broker', port: 9092 }],
    requestTimeoutMs: 2000,
  })
  return { simulation, broker, cluster }
}

type Fate = { kind: 'acked'; offset: number } | { kind: 'refused' | 'unknown' }

/** Sends `count` records in turn to two partitions, a few at a time; resolves with what the producer said of each. */
async function sendAll(
  producer: Producer,
  chance: Prng,
  simulation: Simulation,
  count: number,
): Promise<Fate[]> {
  const fates: Promise<Fate>[] = []
  for (let i = 0; i < count; i++) {
    fates.push(
      producer
        .send({ topic: TOPIC, partition: i % 2, key: null, value: text(`${i}`) })
        .then(acked, failed),
    )
    if (chance.chance(0.2)) {
      await new Promise<void>((resolve) => simulation.after(chance.between(0, 30), resolve))
    }
  }
  return Promise.all(fates)
}

const acked = (produced: Produced): Fate => ({ kind: 'acked', offset: produced.offset })
const failed = (error: unknown): Fate => {
  assert(error instanceof ProduceError)
  return { kind: error.outcome }
}

/** Compares what was said with what is there. */
function check(broker: FakeBroker, fates: readonly Fate[], seed: number): void {
  for (const partition of [0, 1]) {
    const records = broker.partition(TOPIC, partition).records()
    const values = records.map((record) => Number(read(record.value)))
    assert.equal(new Set(values).size, values.length, `seed ${seed}: written twice: ${values}`)
    // What was given up as unknown may still get there, after later ones.
    const ordered = values.filter((value) => fates[value]?.kind === 'acked')
    const ascending = ordered.every((value, i) => i === 0 || value > (ordered[i - 1] ?? 0))
    assert.ok(ascending, `seed ${seed}: partition ${partition} has ${ordered}`)
    fates.forEach((fate, i) => {
      if (i % 2 !== partition) return
      const at = values.indexOf(i)
      if (fate.kind === 'acked')
        assert.equal(fate.offset, records[at]?.offset, `seed ${seed}: record ${i}`)
      if (fate.kind === 'refused')
        assert.equal(at, -1, `seed ${seed}: record ${i} was refused, but is there`)
    })
  }
}

function randomFault(chance: Prng): ProduceFault | undefined {
  if (chance.chance(0.6)) return undefined
  const written = chance.chance(0.5)
  const codes = [
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.NOT_ENOUGH_REPLICAS,
    ErrorCode.REQUEST_TIMED_OUT,
    ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    ErrorCode.INVALID_RECORD,
  ]
  const code = codes[chance.below(codes.length)] ?? 0
  const unsure =
    code === ErrorCode.REQUEST_TIMED_OUT || code === ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND
  if (chance.chance(0.3)) return { kind: 'cut', written }
  // A refusal that is none would be a broken broker.
  if (code === ErrorCode.INVALID_RECORD && !chance.chance(0.1)) return undefined
  return { kind: 'error', code, written: unsure && written }
}

test('under any failures, what the producer says is what the log holds', async () => {
  const kinds = new Map<string, number>()
  for (let seed = 1; seed <= 40; seed++) {
    let failing = true
    const { simulation, broker, cluster } = await world(seed, {
      fault: () => (failing ? randomFault(simulation.chance) : undefined),
      delayMs: () => simulation.chance.between(0, simulation.chance.chance(0.02) ? 4000 : 20),
    })
    const options: Partial<ProducerOptions> = {
      requestTimeoutMs: 500,
      deliveryTimeoutMs: seed % 3 === 0 ? 1500 : 60_000,
      lingerMs: seed % 2,
      batchBytes: 200,
    }
    const producer = new Producer(cluster, options)
    const cutter = (): void => {
      if (!failing) return
      simulation.network.reset('client', 'broker', 0.5)
      simulation.after(simulation.chance.between(50, 700), cutter)
    }
    cutter()
    simulation.after(4000, () => (failing = false))
    const fates = await simulation.settle(sendAll(producer, simulation.chance, simulation, 400))
    await simulation.run({ untilMs: simulation.nowMs + 10_000 })
    check(broker, fates, seed)
    for (const { kind } of fates) kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
    if (seed % 3 !== 0) assert.ok(fates.some(({ kind }) => kind === 'acked'))
    producer.abort()
    cluster.close()
  }
  for (const kind of ['acked', 'refused', 'unknown'])
    assert.ok((kinds.get(kind) ?? 0) > 50, JSON.stringify([...kinds]))
})

test('records of one turn share a batch; a batch is full at its size', async () => {
  const { simulation, broker, cluster } = await world(1)
  const producer = new Producer(cluster, { lingerMs: 0, batchBytes: 500 })
  const sent = Array.from({ length: 10 }, () =>
    producer.send({ topic: TOPIC, partition: 0, key: null, value: new Uint8Array(200) }),
  )
  const produced = await simulation.settle(Promise.all(sent))
  assert.deepEqual(
    produced.map(({ offset }) => offset),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  )
  assert.equal(broker.requests.get(0), 5)
  await simulation.settle(producer.close())
})

test('the same key goes to the same partition; records without a key spread', async () => {
  const { simulation, cluster } = await world(3)
  const producer = new Producer(cluster, { lingerMs: 0 })
  const partitions = new Set<number>()
  const keyed = new Set<number>()
  for (let i = 0; i < 30; i++) {
    const free = producer.send({ topic: TOPIC, key: null, value: null })
    const same = producer.send({ topic: TOPIC, key: text('k'), value: null })
    partitions.add((await simulation.settle(free)).partition)
    keyed.add((await simulation.settle(same)).partition)
  }
  assert.deepEqual([partitions.size, keyed.size], [2, 1])
})

test('a topic that never turns up is refused in time, a partition that is not there at once', async () => {
  const { simulation, cluster } = await world(4)
  const producer = new Producer(cluster, { deliveryTimeoutMs: 3000 })
  const startMs = simulation.nowMs
  const missing = producer.send({ topic: 'missing', key: null, value: null }).then(acked, failed)
  assert.deepEqual(await simulation.settle(missing), { kind: 'refused' })
  assert.ok(simulation.nowMs - startMs < 4000)
  await simulation.settle(cluster.refresh([TOPIC]))
  const beyond = producer
    .send({ topic: TOPIC, partition: 9, key: null, value: null })
    .then(acked, failed)
  assert.deepEqual(await simulation.settle(beyond), { kind: 'refused' })
})

test('the buffer is bounded', async () => {
  const { simulation, cluster } = await world(5)
  const producer = new Producer(cluster, { bufferBytes: 10_000, lingerMs: 50 })
  const value = new Uint8Array(1000)
  const sends = Array.from({ length: 12 }, () =>
    producer.send({ topic: TOPIC, partition: 0, key: null, value }),
  )
  const fates = Promise.all(sends.map((sent) => sent.then(acked, failed)))
  await simulation.settle(producer.whenRoom())
  const kinds = (await simulation.settle(fates)).map(({ kind }) => kind)
  assert.equal(kinds.filter((kind) => kind === 'refused').length, 3)
  assert.equal(producer.bufferedBytes, 0)
})

test('acks=0 sends without waiting for an answer', async () => {
  const { simulation, broker, cluster } = await world(6)
  const producer = new Producer(cluster, { acks: 0 })
  const produced = await simulation.settle(
    producer.send({ topic: TOPIC, partition: 1, key: null, value: text('x') }),
  )
  assert.equal(produced.offset, -1)
  await simulation.run({ untilMs: simulation.nowMs + 100 })
  assert.equal(broker.partition(TOPIC, 1).records().length, 1)
})

test('a broker that is away comes back, and what waited is written', async () => {
  const simulation = new Simulation(7)
  const cluster = new Cluster(simulation.host('client').boot(), {
    bootstrap: [{ host: 'broker', port: 9092 }],
  })
  const producer = new Producer(cluster)
  simulation.host('broker')
  const sent = producer.send({ topic: TOPIC, partition: 0, key: null, value: text('late') })
  await simulation.run({ untilMs: 5000 })
  const broker = new FakeBroker(simulation.host('broker').boot(), {
    host: 'broker',
    port: 9092,
    topics: { [TOPIC]: 1 },
  })
  await simulation.settle(broker.start())
  assert.equal((await simulation.settle(sent)).offset, 0)
})
