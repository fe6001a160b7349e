// A simulated client that makes topics, writes to them, deletes them and makes them again under the same name. It alone uses
// them, so it knows what each incarnation may hold. After anything unsure it takes a new name: what it asked for may still happen.

import { createTopic, deleteTopic } from '../../src/client/admin-topics.ts'
import { findOffsets } from '../../src/client/partition-offsets.ts'
import type { Producer } from '../../src/client/producer.ts'
import type { ReadRecord } from '../history/history.ts'
import { ask, existenceOf, incarnationOf, list } from './administering.ts'
import { makeProducer, produce } from './producing.ts'
import { fetchRaw } from './reading.ts'
import { attempt, pause, type Client } from './world.ts'

const PLAN = { acks: 'all', idempotent: true, codec: 'none', lingerMs: 0 } as const

export async function runChurner(client: Client): Promise<void> {
  const { world, chance } = client
  const producer = makeProducer(client, PLAN)
  for (let serial = 0; world.phase !== 'over'; serial++) {
    const topic = `${client.name}-topic-${serial}`
    for (let rounds = chance.between(1, 4); rounds > 0 && isOn(client); rounds--) {
      if (!(await live(client, producer, topic))) break
      await pause(client, chance.between(1, 100))
    }
    await pause(client, chance.between(50, 500))
  }
}

function isOn({ world }: Client): boolean {
  return world.phase === 'working' || world.phase === 'healed'
}

/** One incarnation, from its creation to its deletion; false once something is unsure. */
async function live(client: Client, producer: Producer, topic: string): Promise<boolean> {
  const { chance, world, name } = client
  const incarnation = await create(client, topic)
  if (incarnation === undefined) return false
  const startedMs = world.simulation.nowMs
  for (let i = chance.below(5); i > 0; i--) {
    const token = `${incarnation}/${name}/${startedMs.toFixed(3)}/${i}`
    const bytes = chance.pick([100, 1_000, 100_000])
    const record = { topic, incarnation, partition: chance.below(2), token, bytes }
    const { value, retried } = await attempt(client, () =>
      produce(client, producer, PLAN, [record]),
    )
    if (value?.[0] !== 'ok' || retried) return false
  }
  if (!(await readAll(client, topic, incarnation))) return false
  await list(client, [topic])
  // Some stay, to be read in the end.
  if (chance.chance(0.2)) return false
  return remove(client, topic, incarnation)
}

/** The incarnation's name; undefined when it is not certain that there is one. */
async function create(client: Client, topic: string): Promise<string | undefined> {
  const { world, chance } = client
  const { nodes, victim } = world.plan
  const least = victim === undefined ? 1 : 3
  return createWith(client, topic, {
    partitions: 2,
    segmentBytes: chance.pick(['8192', '65536']),
    replicationFactor: nodes === 1 ? 1 : chance.pick([least, 3, 3, Math.min(nodes, 5)]),
  })
}

export async function createWith(
  client: Client,
  topic: string,
  options: {
    readonly partitions: number
    readonly segmentBytes: string
    readonly replicationFactor: number
  },
): Promise<string | undefined> {
  const { world, name, cluster } = client
  const { partitions, segmentBytes, replicationFactor } = options
  const common = { kind: 'write', register: existenceOf(topic), value: 'there' } as const
  const begun = world.recorder.begin(name, { ...common, retried: true, outcome: 'indeterminate' })
  const configs = { 'segment.bytes': segmentBytes, 'retention.ms': '-1' }
  const { outcome, retried, value } = await attempt(client, () =>
    createTopic(cluster, { name: topic, partitions, replicationFactor, configs }),
  )
  world.recorder.end(begun, { ...common, retried, outcome })
  if (outcome === 'ok') world.progressed(client)
  return outcome === 'ok' && !retried && value !== undefined ? incarnationOf(value) : undefined
}

async function remove(client: Client, topic: string, incarnation: string): Promise<boolean> {
  const { world, name, cluster } = client
  const common = { kind: 'write', register: existenceOf(topic), value: 'absent' } as const
  const begun = world.recorder.begin(name, { ...common, retried: true, outcome: 'indeterminate' })
  const gone = { kind: 'delete', topic: incarnation } as const
  const alsoGone = world.recorder.begin(name, { ...gone, outcome: 'indeterminate' })
  const { outcome, retried } = await attempt(client, () => deleteTopic(cluster, topic))
  world.recorder.end(alsoGone, { ...gone, outcome })
  world.recorder.end(begun, { ...common, retried, outcome })
  if (outcome === 'ok') await list(client, [topic])
  return outcome === 'ok' && !retried
}

/** Everything of both partitions must be of this incarnation. */
async function readAll(client: Client, topic: string, incarnation: string): Promise<boolean> {
  const { cluster } = client
  for (const partition of [0, 1]) {
    const place = { topic, partition }
    const { value } = await attempt(client, () => findOffsets(cluster, [{ ...place, at: 'end' }]))
    const end = value?.[0]?.offset
    if (end === undefined) return false
    const call = async (): Promise<ReadRecord[]> => {
      const records: ReadRecord[] = []
      for (let offset = 0; offset < end;) {
        const fetched = await fetchRaw(cluster, { ...place, offset }, incarnation)
        records.push(...fetched.records)
        if (fetched.next === offset) break
        offset = fetched.next
      }
      return records
    }
    // Each reading begins anew, so it is a process of its own.
    const reading = { ...client, name: `${client.name}/${incarnation}/${partition}` }
    const records = await ask(reading, call, (read) => ({ kind: 'poll', records: read }))
    if (records === undefined) return false
  }
  return true
}
