// Simulated administration: changes the lasting topic, asks about everything, and checks what was served before.

import { alterConfig, describeConfig } from '../../src/client/admin-configs.ts'
import { deleteRecordsBefore, growTopic, listTopics } from '../../src/client/admin-topics.ts'
import { Coordinator } from '../../src/client/coordinator.ts'
import { fetchCommitted } from '../../src/client/group-offsets.ts'
import { findOffsets } from '../../src/client/partition-offsets.ts'
import { throwIfError } from '../../src/client/client-error.ts'
import { initProducerId } from '../../src/protocol/messages/init-producer-id.ts'
import type { Body } from '../history/recorder.ts'
import { fetchRaw } from './reading.ts'
import { attempt, GROUP, PARTITIONS_MAX, pause, TOPIC, type Client } from './world.ts'

type Action = (client: Client) => Promise<unknown>

/** By weight. */
const ACTIONS: readonly (readonly [number, Action])[] = [
  [3, askEnds],
  [3, askCommitted],
  [3, auditBytes],
  [2, list],
  [1, grow],
  [2, alter],
  [2, askConfig],
  [1, trim],
  [2, takeIdentity],
]

export async function runAdmin(client: Client): Promise<void> {
  const { world, chance } = client
  const bag = ACTIONS.flatMap(([weight, action]) => Array<Action>(weight).fill(action))
  while (world.phase !== 'over') {
    const action = world.phase === 'working' ? chance.pick(bag) : askEnds
    await action(client)
    await pause(client, chance.between(20, 250))
  }
}

/** Writes down an operation that asks: nothing if it got no answer. */
export async function ask<T>(
  client: Client,
  call: () => Promise<T>,
  body: (answer: T) => Body,
): Promise<T | undefined> {
  const { world, name } = client
  const begun = world.recorder.begin(name)
  const { outcome, value } = await attempt(client, call)
  world.recorder.end(begun, outcome === 'ok' && value !== undefined ? body(value) : undefined)
  if (outcome === 'ok') world.progressed(client)
  return value
}

async function askEnds(client: Client): Promise<void> {
  const partition = client.chance.below(client.world.partitions)
  await ask(
    client,
    () => findOffsets(client.cluster, [{ topic: TOPIC, partition, at: 'end' }]),
    ([found]) => ({ kind: 'end', topic: TOPIC, partition, highWatermark: found?.offset ?? -1 }),
  )
}

export async function askCommitted(client: Client): Promise<void> {
  const { cluster, world } = client
  const partitions = Array.from({ length: world.partitions }, (_, partition) => partition)
  const wanted = partitions.map((partition) => ({ topic: TOPIC, partition }))
  const coordinator = new Coordinator(cluster, GROUP)
  const call = () => fetchCommitted(coordinator, GROUP, wanted, cluster.requestTimeoutMs)
  await ask(client, call, (found) => ({
    kind: 'committed',
    group: GROUP,
    positions: partitions.map((partition) => ({
      topic: TOPIC,
      partition,
      offset: found.find((one) => one.partition === partition)?.offset ?? -1,
    })),
  }))
}

/** From anywhere between the ends of a partition. */
async function auditBytes(client: Client): Promise<void> {
  const { cluster, chance, world } = client
  const partition = chance.below(world.partitions)
  const place = { topic: TOPIC, partition }
  // A partition twice in one request is refused.
  const edge = async (at: 'beginning' | 'end') => {
    const { value } = await attempt(client, () => findOffsets(cluster, [{ ...place, at }]))
    return value?.[0]
  }
  const [first, end] = [await edge('beginning'), await edge('end')]
  if (first === undefined || end === undefined || end.offset <= first.offset) return
  const offset = first.offset + chance.below(end.offset - first.offset)
  const call = () => fetchRaw(cluster, { ...place, offset })
  await ask(client, call, ({ batches }) => ({ kind: 'bytes', ...place, batches }))
}

/** How the history names an incarnation of a topic that comes and goes. */
export function incarnationOf(topic: { readonly name: string; readonly topicId: string }): string {
  return topic.name === TOPIC ? TOPIC : `${topic.name}#${topic.topicId}`
}

export const existenceOf = (topic: string): string => `existence of ${topic}`

/** Every node answers from its own copy of the metadata, which may be cut off from the others'; in the end none is. */
function mayLag({ world }: Client): boolean {
  return world.plan.nodes > 1 && !world.settled
}

/** All topics; and of those in `names`, whether they are there. */
export async function list(client: Client, names: readonly string[] = [TOPIC]): Promise<void> {
  const { world, name } = client
  const begun = world.recorder.begin(name)
  const { value: topics } = await attempt(client, () => listTopics(client.cluster))
  if (topics === undefined) {
    world.recorder.end(begun, undefined)
    return
  }
  const { process, invoked, invokedMs } = begun
  const also = { process, invoked, invokedMs }
  const stale = mayLag(client)
  world.recorder.end(begun, { kind: 'list', topics: topics.map(incarnationOf), stale })
  for (const wanted of names) {
    const found = topics.find((topic) => topic.name === wanted)
    // Where nobody has heard of it yet.
    if (stale && found === undefined) continue
    const value = found === undefined ? 'absent' : 'there'
    world.recorder.also(also, { kind: 'read', register: existenceOf(wanted), value, stale })
    if (wanted !== TOPIC || found === undefined) continue
    const partitions = String(found.partitions.length)
    world.recorder.also(also, {
      kind: 'read',
      register: `partitions of ${TOPIC}`,
      value: partitions,
      stale,
    })
    const register = `id of ${TOPIC}`
    world.recorder.also(also, { kind: 'read', register, value: found.topicId, stale })
  }
}

/** Writes down a change of something that holds one value. */
export async function write(
  client: Client,
  register: string,
  value: string,
  call: () => Promise<unknown>,
): Promise<'ok' | 'fail' | 'indeterminate'> {
  const { world, name } = client
  const common = { kind: 'write', register, value } as const
  const begun = world.recorder.begin(name, { ...common, retried: true, outcome: 'indeterminate' })
  const { outcome, retried } = await attempt(client, call)
  world.recorder.end(begun, { ...common, retried, outcome })
  if (outcome === 'ok') world.progressed(client)
  return outcome
}

async function grow(client: Client): Promise<void> {
  const { world, cluster } = client
  const count = world.partitions + 1
  if (count > PARTITIONS_MAX) return
  const call = () => growTopic(cluster, TOPIC, count)
  const outcome = await write(client, `partitions of ${TOPIC}`, String(count), call)
  if (outcome === 'ok') world.partitions = count
  if (outcome !== 'indeterminate') return
  const { value: topics } = await attempt(client, () => listTopics(cluster))
  const found = topics?.find(({ name }) => name === TOPIC)?.partitions.length ?? 0
  world.partitions = Math.max(world.partitions, found)
}

const SETTINGS: readonly (readonly [string, readonly string[]])[] = [
  ['segment.bytes', ['8192', '65536', '1048576']],
  ['segment.ms', ['500', '60000']],
  ['index.interval.bytes', ['512', '4096']],
]

async function alter(client: Client): Promise<void> {
  const [name, values] = client.chance.pick(SETTINGS)
  const value = client.chance.pick(values)
  const resource = { type: 'topic', name: TOPIC } as const
  const call = () => alterConfig(client.cluster, resource, { [name]: value })
  await write(client, `${name} of ${TOPIC}`, value, call)
}

async function askConfig(client: Client): Promise<void> {
  const [name] = client.chance.pick(SETTINGS)
  const call = () => describeConfig(client.cluster, { type: 'topic', name: TOPIC })
  await ask(client, call, (entries) => ({
    kind: 'read',
    register: `${name} of ${TOPIC}`,
    value: entries.find((entry) => entry.name === name)?.value ?? 'none',
    stale: mayLag(client),
  }))
}

async function trim(client: Client): Promise<void> {
  const { cluster, chance, world, name } = client
  const place = { topic: TOPIC, partition: chance.below(world.partitions) }
  const { value } = await attempt(client, () => findOffsets(cluster, [{ ...place, at: 'end' }]))
  const end = value?.[0]?.offset ?? 0
  if (end === 0) return
  const offset = chance.below(end + 1)
  const common = { kind: 'trim', ...place, offset } as const
  const begun = world.recorder.begin(name, { ...common, outcome: 'indeterminate', logStart: -1 })
  const result = await attempt(client, () => deleteRecordsBefore(cluster, [{ ...place, offset }]))
  const logStart = result.value?.[0]?.logStart ?? -1
  world.recorder.end(begun, { ...common, outcome: result.outcome, logStart })
}

async function takeIdentity(client: Client): Promise<void> {
  const call = async () => {
    const connection = await client.cluster.anyConnection()
    const answer = await connection.request(initProducerId, () => ({
      transactionalId: null,
      transactionTimeoutMs: 60_000,
    }))
    throwIfError(answer.errorCode, 'InitProducerId')
    return answer
  }
  await ask(client, call, ({ producerId, producerEpoch }) => ({
    kind: 'identity',
    producerId,
    producerEpoch,
  }))
}
