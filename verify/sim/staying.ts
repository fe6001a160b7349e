// Simulated clients that stay with one node each, whoever leads: what one with old metadata, or behind a proxy, does. They ask
// for what must not be stale (law R9) and write what makes it stale, so that a leader that was deposed and has not heard of it is
// read while another one commits. Each request is sent once, so its outcome is known better than that of the other clients.

import { throwIfError } from '../../src/client/client-error.ts'
import type { BrokerConnection } from '../../src/client/connection.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { listOffsets } from '../../src/protocol/messages/list-offsets.ts'
import { offsetCommit } from '../../src/protocol/messages/offset-commit.ts'
import { offsetFetch } from '../../src/protocol/messages/offset-fetch.ts'
import { produce } from '../../src/protocol/messages/produce.ts'
import { buildBatch } from '../../src/records/build.ts'
import type { Produce } from '../history/history.ts'
import type { Begun, Body } from '../history/recorder.ts'
import { NODE_PORT, nodeHost } from './node.ts'
import { attemptOnce, pause, TOPIC, type Client } from './world.ts'

/** Of no members: whoever asks may commit. */
const GROUP = 'stayers'
const REGISTER = `offset of ${GROUP}`
const LATEST = -1
/** Later versions name topics by id only. */
const PRODUCE_VERSION_MAX = 12
const OFFSETS_VERSION_MAX = 9
const ANSWER_MS_MAX = 1_000

type Connect = () => Promise<BrokerConnection>
type Action = (client: Client, connect: Connect) => Promise<void>

/** By weight. */
const ASKING: readonly Action[] = [askEnds, askEnds, askOffset]
const WRITING: readonly Action[] = [writeRecord, writeOffset]

export async function runStayer(client: Client, node: number): Promise<void> {
  // Answers come in the order of the requests, and a deposed leader answers no write: the two must not share a connection.
  await Promise.all([work(client, node, ASKING), work(client, node, WRITING)])
}

async function work(client: Client, node: number, actions: readonly Action[]): Promise<void> {
  const { world, chance, cluster } = client
  const lane = cluster.openLane()
  const address = { host: nodeHost(node), port: NODE_PORT }
  const pauseMsMax = world.plan.mode === 'short' ? 120 : 350
  while (world.phase === 'working' || world.phase === 'healed') {
    await chance.pick(actions)(client, () => cluster.connectionTo(address, lane))
    // Whatever came of it: the node may lead nothing, or be gone for good.
    world.progressed(client)
    await pause(client, chance.between(20, pauseMsMax))
  }
}

/** The latest offset of every partition, of those that the node leads. */
async function askEnds(client: Client, connect: Connect): Promise<void> {
  const { world, name } = client
  const partitions = Array.from({ length: world.partitions }, (_, partition) => partition)
  const begun = partitions.map(() => world.recorder.begin(name))
  const { value } = await attemptOnce(client, async () => {
    const asked = partitions.map((partitionIndex) => ({ partitionIndex, timestamp: LATEST }))
    const topics = [{ name: TOPIC, partitions: asked }]
    const body = { replicaId: -1, isolationLevel: 0, topics }
    const answer = await (await connect()).request(listOffsets, () => body)
    return answer.topics[0]?.partitions ?? []
  })
  begun.forEach((one, partition) => {
    const found = value?.find(({ partitionIndex }) => partitionIndex === partition)
    const at = { kind: 'end', topic: TOPIC, partition } as const
    const told = found?.errorCode === ErrorCode.NONE
    world.recorder.end(one, told ? { ...at, highWatermark: found.offset } : undefined)
  })
}

async function askOffset(client: Client, connect: Connect): Promise<void> {
  const { world, name } = client
  const begun = world.recorder.begin(name)
  const { outcome, value } = await attemptOnce(client, async () => {
    const wanted = { groupId: GROUP, topics: [{ name: TOPIC, partitionIndexes: [0] }] }
    const answer = await (
      await connect()
    ).request(offsetFetch, (version) => (version < 8 ? wanted : { groups: [wanted] }), {
      versionMax: OFFSETS_VERSION_MAX,
    })
    const group = answer.groups[0] ?? answer
    throwIfError(group.errorCode, 'the committed offset')
    const found = group.topics[0]?.partitions[0]
    throwIfError(found?.errorCode ?? 0, 'the committed offset')
    return String(found?.committedOffset ?? -1)
  })
  const told = outcome === 'ok' && value !== undefined
  world.recorder.end(begun, told ? { kind: 'read', register: REGISTER, value } : undefined)
}

async function writeOffset(client: Client, connect: Connect): Promise<void> {
  const { world, name } = client
  const committedOffset = ++world.lastStayed
  const common = { kind: 'write', register: REGISTER, value: String(committedOffset) } as const
  const body = { ...common, retried: false }
  const begun = world.recorder.begin(name, { ...body, outcome: 'indeterminate' })
  const { outcome } = await attemptOnce(client, async () => {
    const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: '' }]
    const answer = await (
      await connect()
    ).request(
      offsetCommit,
      () => ({
        groupId: GROUP,
        generationIdOrMemberEpoch: -1,
        memberId: '',
        topics: [{ name: TOPIC, partitions }],
      }),
      { versionMax: OFFSETS_VERSION_MAX },
    )
    const code = answer.topics[0]?.partitions[0]?.errorCode ?? ErrorCode.NONE
    throwIfError(code, 'the commit of an offset')
  })
  // As in Kafka, no error says of a commit that it may be done: one that was taken and not finished is answered as one of which
  // nothing was taken, by a coordinator that says that it is none.
  world.recorder.end(begun, { ...body, outcome: outcome === 'ok' ? 'ok' : 'indeterminate' })
}

async function writeRecord(client: Client, connect: Connect): Promise<void> {
  const { world, name, chance } = client
  const index = chance.below(world.partitions)
  const token = `${name}/${++world.lastStayed}`
  const { key, value, crc } = world.content.make(token, chance.between(10, 300))
  const body = (outcome: Produce['records'][number]['outcome'], offset: number): Body => ({
    kind: 'produce',
    acks: 'all',
    idempotent: false,
    ordered: false,
    records: [{ topic: TOPIC, partition: index, value: token, crc, outcome, offset }],
  })
  const begun: Begun = world.recorder.begin(name, body('indeterminate', -1))
  const { outcome, value: offset } = await attemptOnce(client, async () => {
    const records = buildBatch([{ key, value, timestampMs: client.env.clock.nowMs() }])
    const topicData = [{ name: TOPIC, partitionData: [{ index, records }] }]
    const request = { acks: -1, timeoutMs: ANSWER_MS_MAX, topicData }
    const answer = await (
      await connect()
    ).request(produce, () => request, { versionMax: PRODUCE_VERSION_MAX })
    const found = answer.responses[0]?.partitionResponses[0]
    throwIfError(found?.errorCode ?? 0, 'a record')
    return found?.baseOffset ?? -1
  })
  world.recorder.end(begun, body(outcome, offset ?? -1))
}
