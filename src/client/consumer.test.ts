// The consumer of assigned partitions in the simulated world: where it starts, that it goes on through cut
// connections, and what it says of offsets that are not there.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Simulation } from '../env/sim/simulation.ts'
import { buildBatch } from '../records/build.ts'
import { CODECS } from '../records/codecs.ts'
import { ClientError, KafkaError } from './client-error.ts'
import { Cluster } from './cluster.ts'
import { Consumer, type ConsumedRecord } from './consumer.ts'
import { recordsFrom } from './fetch-request.ts'
import type { StartFrom } from './partition-offsets.ts'
import { FakeBroker } from './testing/fake-broker.ts'

const TOPIC = 'events'
const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const offsetsOf = (records: readonly ConsumedRecord[]): number[] => records.map((r) => r.offset)

/** Ten batches of five records in partition 0, at times 1000, 1010, … */
async function world(
  seed: number,
  delayMs?: () => number,
): Promise<{
  simulation: Simulation
  cluster: Cluster
  broker: FakeBroker
}> {
  const simulation = new Simulation(seed)
  const broker = new FakeBroker(simulation.host('broker').boot(), {
    host: 'broker',
    port: 9092,
    topics: { [TOPIC]: 2 },
    ...(delayMs === undefined ? {} : { delayMs }),
  })
  for (let i = 0; i < 10; i++) {
    const records = Array.from({ length: 5 }, (_, k) => ({
      key: null,
      value: text(`${i * 5 + k}`),
      timestampMs: 1000 + (i * 5 + k) * 10,
    }))
    broker.partition(TOPIC, 0).append(buildBatch(records, { codec: CODECS[i % 5] ?? 'none' }))
  }
  await simulation.settle(broker.start())
  const cluster = new Cluster(simulation.host('client').boot(), {
    bootstrap: [{ host: 'broker', port: 9092 }],
  })
  return { simulation, cluster, broker }
}

async function consumeFrom(from: StartFrom, count: number): Promise<number[]> {
  const { simulation, cluster } = await world(1)
  const consumer = new Consumer(cluster)
  consumer.assign([{ topic: TOPIC, partition: 0, from }])
  const offsets: number[] = []
  while (offsets.length < count) {
    const records = await simulation.settle(consumer.poll(1000))
    if (records.length === 0) break
    offsets.push(...offsetsOf(records))
  }
  assert.equal(consumer.position({ topic: TOPIC, partition: 0 }), (offsets.at(-1) ?? 49) + 1)
  assert.equal(consumer.highWatermark({ topic: TOPIC, partition: 0 }), 50)
  consumer.close()
  cluster.close()
  return offsets
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i)

test('it starts at the beginning, at an offset inside a batch, at a time, at the end', async () => {
  assert.deepEqual(await consumeFrom('beginning', 50), range(0, 50))
  assert.deepEqual(await consumeFrom({ offset: 13 }, 37), range(13, 50))
  assert.deepEqual(await consumeFrom({ timestampMs: 1131 }, 36), range(14, 50))
  assert.deepEqual(await consumeFrom({ timestampMs: 99_999 }, 1), [])
  assert.deepEqual(await consumeFrom('end', 1), [])
})

test('poll waits as long as it is told, and returns what arrives meanwhile', async () => {
  const { simulation, cluster, broker } = await world(2)
  const consumer = new Consumer(cluster)
  consumer.assign([{ topic: TOPIC, partition: 1, from: 'end' }])
  const startMs = simulation.nowMs
  assert.deepEqual(await simulation.settle(consumer.poll(700)), [])
  assert.equal(Math.round(simulation.nowMs - startMs), 700)
  simulation.after(300, () => {
    broker.partition(TOPIC, 1).append(buildBatch([{ key: null, value: text('x'), timestampMs: 1 }]))
  })
  assert.deepEqual(offsetsOf(await simulation.settle(consumer.poll(5000))), [0])
})

test('every record comes once and in order through cut connections', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const simulated = await world(seed, () => 5)
    const { simulation, cluster, broker } = simulated
    const consumer = new Consumer(cluster, { fetchWaitMs: 50 })
    consumer.assign([0, 1].map((partition) => ({ topic: TOPIC, partition, from: 'beginning' })))
    for (let i = 0; i < 30; i++) {
      simulation.after(i * 40, () => {
        broker
          .partition(TOPIC, 1)
          .append(buildBatch([{ key: null, value: text(`${i}`), timestampMs: i }]))
        simulation.network.reset('client', 'broker', 0.5)
      })
    }
    const seen: number[][] = [[], []]
    while ((seen[0]?.length ?? 0) < 50 || (seen[1]?.length ?? 0) < 30) {
      for (const record of await simulation.settle(consumer.poll(100)))
        seen[record.partition]?.push(record.offset)
      assert.ok(simulation.nowMs < 60_000, `seed ${seed}: ${JSON.stringify(seen)}`)
    }
    assert.deepEqual(seen, [range(0, 50), range(0, 30)])
    consumer.close()
    cluster.close()
  }
})

test('an offset that is not there fails, or is replaced, as asked', async () => {
  const { simulation, cluster } = await world(4)
  const strict = new Consumer(cluster)
  strict.assign([{ topic: TOPIC, partition: 0, from: { offset: 51 } }])
  await assert.rejects(simulation.settle(strict.poll(1000)), (error) => {
    return (
      error instanceof KafkaError &&
      error.error === 'OFFSET_OUT_OF_RANGE' &&
      /at 51/.test(error.message)
    )
  })
  strict.close()
  const lenient = new Consumer(cluster, { onOutOfRange: 'beginning' })
  lenient.assign([{ topic: TOPIC, partition: 0, from: { offset: 51 } }])
  assert.equal((await simulation.settle(lenient.poll(1000)))[0]?.offset, 0)
  lenient.close()
})

test('a new assignment forgets the old one; a closed consumer says so', async () => {
  const { simulation, cluster } = await world(5)
  const consumer = new Consumer(cluster)
  consumer.assign([{ topic: TOPIC, partition: 0, from: 'beginning' }])
  const waiting = consumer.poll(1000)
  consumer.assign([{ topic: TOPIC, partition: 0, from: { offset: 45 } }])
  const records = [
    ...(await simulation.settle(waiting)),
    ...(await simulation.settle(consumer.poll(1000))),
  ]
  assert.deepEqual(offsetsOf(records).slice(0, 5), range(45, 50))
  consumer.close()
  await assert.rejects(consumer.poll(10), ClientError)
})

test('a fetched batch with a wrong CRC is refused, a cut one at the end left for later', () => {
  const batch = buildBatch([{ key: null, value: text('v'), timestampMs: 1 }])
  const cut = Buffer.concat([batch, batch.subarray(0, 30)])
  assert.equal(recordsFrom(cut, 0, true).records.length, 1)
  const damaged = batch.slice()
  damaged[65] = (damaged[65] ?? 0) ^ 1
  assert.throws(() => recordsFrom(damaged, 0, true), /wrong CRC/)
})
