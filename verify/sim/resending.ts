// A simulated client that sends a batch again long after it was acknowledged, as one does whose answer was lost: whoever leads by
// then must know it, though its record may be deleted by now. It alone writes to its topic, batch by batch.

import { deleteRecordsBefore } from '../../src/client/admin-topics.ts'
import { isTransient, KafkaError, throwIfError } from '../../src/client/client-error.ts'
import { retrying } from '../../src/client/retrying.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { initProducerId } from '../../src/protocol/messages/init-producer-id.ts'
import { produce } from '../../src/protocol/messages/produce.ts'
import { buildBatch } from '../../src/records/build.ts'
import type { SentRecord } from '../history/history.ts'
import { createWith } from './churning.ts'
import { attempt, pause, type Client } from './world.ts'

const PARTITION = 0
/** Later versions name topics by id only. */
const PRODUCE_VERSION_MAX = 12
const REQUEST_MS_MAX = 1_500
const TRY_MS_MAX = 3_000

interface Sent {
  readonly topic: string
  readonly incarnation: string
  readonly token: string
  readonly bytes: Uint8Array
  readonly crc: number
}

export async function runResender(client: Client): Promise<void> {
  const { chance } = client
  for (let serial = 0; isOn(client); serial++) {
    const topic = `${client.name}-topic-${serial}`
    const incarnation = await createWith(client, topic, {
      partitions: 1,
      segmentBytes: chance.pick(['8192', '65536']),
      replicationFactor: Math.min(3, client.world.plan.nodes),
    })
    const producerId = await identity(client)
    if (incarnation !== undefined && producerId !== undefined) {
      await sendAndResend(client, { topic, incarnation, producerId })
    }
    await pause(client, chance.between(50, 500))
  }
}

function isOn({ world }: Client): boolean {
  return world.phase === 'working' || world.phase === 'healed'
}

async function identity(client: Client): Promise<number | undefined> {
  const call = async (): Promise<number> => {
    const connection = await client.cluster.anyConnection()
    const answer = await connection.request(initProducerId, () => ({
      transactionalId: null,
      transactionTimeoutMs: 60_000,
    }))
    throwIfError(answer.errorCode, 'InitProducerId')
    return answer.producerId
  }
  return (await attempt(client, call)).value
}

/** Batch after batch, until one is not acknowledged in time: whether that was written is not known, and it would leave a hole. */
async function sendAndResend(
  client: Client,
  { topic, incarnation, producerId }: { topic: string; incarnation: string; producerId: number },
): Promise<void> {
  const { world, chance, name } = client
  for (let sequence = 0; isOn(client); sequence++) {
    const token = `${incarnation}/${name}/${sequence}`
    const { key, value, crc } = world.content.make(token, chance.between(10, 300))
    const bytes = buildBatch([{ key, value, timestampMs: client.env.clock.nowMs() }], {
      producer: { producerId, producerEpoch: 0, baseSequence: sequence },
    })
    const sent: Sent = { topic, incarnation, token, bytes, crc }
    const offset = await sendFirst(client, sent)
    if (offset === undefined) return
    if (chance.chance(0.6)) await trim(client, sent, offset + 1)
    for (let again = chance.between(1, 3); again > 0 && isOn(client); again--) {
      await pause(client, chance.between(50, 1_500))
      await resend(client, sent, offset)
    }
  }
}

async function sendFirst(client: Client, sent: Sent): Promise<number | undefined> {
  const { world, name } = client
  const record: SentRecord = {
    topic: sent.incarnation,
    partition: PARTITION,
    value: sent.token,
    crc: sent.crc,
    outcome: 'indeterminate',
    offset: -1,
  }
  const common = { kind: 'produce', acks: 'all', idempotent: true, ordered: true } as const
  const begun = world.recorder.begin(name, { ...common, records: [record] })
  const offset = await send(client, sent)
  if (offset === undefined) return undefined
  world.recorder.end(begun, { ...common, records: [{ ...record, outcome: 'ok', offset }] })
  world.progressed(client)
  return offset
}

async function resend(client: Client, sent: Sent, offset: number): Promise<void> {
  const again = await send(client, sent)
  if (again === undefined || again === offset) return
  const text = `${sent.token} was acknowledged at ${offset}; sent once more, it was written again at ${again}`
  client.world.report({ name: 'retry-written', where: sent.topic, text })
}

/** Where it is; undefined: not acknowledged in time. */
async function send(client: Client, { topic, token, bytes }: Sent): Promise<number | undefined> {
  const { cluster, world } = client
  try {
    return await retrying(cluster, { timeoutMs: TRY_MS_MAX }, () => sendOnce(client, topic, bytes))
  } catch (error) {
    if (error instanceof KafkaError && error.code === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER) {
      const text = `${token} is out of order: ${error.message}`
      world.report({ name: 'sequence-forgotten', where: topic, text })
      return undefined
    }
    if (isTransient(error) || error instanceof KafkaError) return undefined
    throw error
  }
}

async function sendOnce({ cluster }: Client, topic: string, bytes: Uint8Array): Promise<number> {
  if (cluster.leaderOf(topic, PARTITION) === undefined) await cluster.refresh([topic])
  const leader = cluster.leaderOf(topic, PARTITION)
  throwIfError(leader === undefined ? ErrorCode.LEADER_NOT_AVAILABLE : 0, topic)
  const connection =
    leader === undefined ? await cluster.anyConnection() : await cluster.connectionTo(leader.node)
  try {
    const answer = await connection.request(
      produce,
      () => ({
        acks: -1,
        timeoutMs: REQUEST_MS_MAX,
        topicData: [{ name: topic, partitionData: [{ index: PARTITION, records: bytes.slice() }] }],
      }),
      { versionMax: PRODUCE_VERSION_MAX, timeoutMs: REQUEST_MS_MAX + 500 },
    )
    const found = answer.responses[0]?.partitionResponses[0]
    if (found === undefined) throw new Error(`no answer for ${topic}`)
    throwIfError(found.errorCode, `a batch for ${topic}`, found.errorMessage)
    return found.baseOffset
  } catch (error) {
    if (isTransient(error)) await cluster.refresh([topic])
    throw error
  }
}

async function trim(client: Client, { topic, incarnation }: Sent, offset: number): Promise<void> {
  const { cluster, world, name } = client
  const place = { topic: incarnation, partition: PARTITION }
  const common = { kind: 'trim', ...place, offset } as const
  const begun = world.recorder.begin(name, { ...common, outcome: 'indeterminate', logStart: -1 })
  const asked = [{ topic, partition: PARTITION, offset }]
  const result = await attempt(client, () => deleteRecordsBefore(cluster, asked))
  const logStart = result.value?.[0]?.logStart ?? -1
  world.recorder.end(begun, { ...common, outcome: result.outcome, logStart })
}
