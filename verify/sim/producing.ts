// Simulated producers: idempotent or not, alone or pipelined, with small records and with batches large enough to go
// straight to a segment.

import { Producer } from '../../src/client/producer.ts'
import type { ProducerRecord } from '../../src/client/producer-placement.ts'
import { ProduceError } from '../../src/client/produce-batch.ts'
import type { Outcome, Produce, SentRecord } from '../history/history.ts'
import type { ProducerPlan } from './plan.ts'
import { pause, TOPIC, type Client } from './world.ts'

const LARGE_BYTES_MAX = 200_000
const SMALL_BYTES_MAX = 600
export const DELIVERY_TIMEOUT_MS = 6_000

export function makeProducer(
  client: Client,
  plan: Omit<ProducerPlan, 'lanes' | 'pauseMs' | 'largeShare'>,
): Producer {
  return new Producer(client.cluster, {
    acks: plan.acks,
    idempotent: plan.idempotent,
    codec: plan.codec,
    level: 1,
    lingerMs: plan.lingerMs,
    batchBytes: 300_000,
    deliveryTimeoutMs: DELIVERY_TIMEOUT_MS,
    requestTimeoutMs: 1_500,
    retryBackoffMs: 50,
    retryBackoffMaxMs: 300,
    autoCreateTopics: false,
  })
}

export async function runProducer(client: Client, plan: ProducerPlan): Promise<void> {
  const producer = makeProducer(client, plan)
  const counter = { next: 0 }
  const lanes = Array.from({ length: plan.lanes }, () => runLane(client, producer, plan, counter))
  await Promise.all(lanes)
  await producer.close()
}

async function runLane(
  client: Client,
  producer: Producer,
  plan: ProducerPlan,
  counter: { next: number },
): Promise<void> {
  const { world, chance } = client
  while (world.phase === 'working' || world.phase === 'healed') {
    const partitions = chance.chance(0.8) ? [chance.below(world.partitions)] : undefined
    const count = chance.pick([1, 1, 2, 5])
    const places = Array.from({ length: count }, () => ({
      topic: TOPIC,
      incarnation: TOPIC,
      partition: partitions?.[0] ?? chance.below(world.partitions),
      token: `${client.name}/${counter.next++}`,
      bytes: chance.chance(plan.largeShare)
        ? chance.between(70_000, LARGE_BYTES_MAX)
        : chance.between(10, SMALL_BYTES_MAX),
    }))
    const outcomes = await produce(client, producer, plan, places)
    if (outcomes.includes('ok')) world.progressed(client)
    await pause(client, plan.pauseMs * plan.lanes * (0.3 + 1.4 * chance.float()))
  }
}

export interface NewRecord {
  readonly topic: string
  /** How the history names the topic. */
  readonly incarnation: string
  readonly partition: number
  readonly token: string
  readonly bytes: number
}

/** One operation: sends all of them, waits for all of them, and writes down what became of each. */
export async function produce(
  { name, world }: Client,
  producer: Producer,
  plan: Pick<ProducerPlan, 'acks' | 'idempotent'>,
  records: readonly NewRecord[],
): Promise<Outcome[]> {
  const { acks, idempotent } = plan
  const sending: ProducerRecord[] = []
  const unsure = records.map(({ topic, incarnation, partition, token, bytes }): SentRecord => {
    const { key, value, crc } = world.content.make(token, bytes)
    sending.push({ topic, partition, key, value })
    return {
      topic: incarnation,
      partition,
      value: token,
      crc,
      outcome: 'indeterminate',
      offset: -1,
    }
  })
  const body = (
    sent: readonly SentRecord[],
  ): Omit<Produce, 'process' | 'invoked' | 'completed' | 'invokedMs'> => ({
    kind: 'produce',
    acks,
    idempotent,
    ordered: idempotent,
    records: sent,
  })
  const begun = world.recorder.begin(name, body(unsure))
  const results = await Promise.allSettled(sending.map((record) => producer.send(record)))
  const sent = results.map((result, i): SentRecord => {
    const record = unsure[i]
    if (record === undefined) throw new Error('as many results as records')
    if (result.status === 'fulfilled') {
      // Handed over is all that acks=0 says.
      return acks === 0 ? record : { ...record, outcome: 'ok', offset: result.value.offset }
    }
    const error: unknown = result.reason
    if (!(error instanceof ProduceError)) throw error
    return { ...record, outcome: error.outcome === 'refused' ? 'fail' : 'indeterminate' }
  })
  world.recorder.end(begun, body(sent))
  return acks === 0 ? sent.map(() => 'ok') : sent.map(({ outcome }) => outcome)
}
