// Test support: a rig per test, and the produce and fetch requests that tests send.

import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { APIS } from '../../protocol/apis.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import { ZERO_UUID } from '../../protocol/schema.ts'
import { buildBatch, type BatchOptions } from '../../records/build.ts'
import { dataRecordsIn } from '../../records/read.ts'
import type { RawClient } from './raw-client.ts'
import { openRig, type RigOptions } from './rig.ts'

export async function rigFor(t: TestContext, options: RigOptions = {}) {
  const rig = await openRig(options)
  t.after(async () => {
    await rig.close()
    const failures = rig.log.lines.filter(({ level }) => level === 'error')
    assert.deepEqual(failures, [])
  })
  return rig
}

export const batchOf = (values: readonly string[], options: BatchOptions = {}): Uint8Array =>
  buildBatch(
    values.map((value) => ({
      key: null,
      value: Buffer.from(value),
      timestampMs: 1_700_000_000_000,
    })),
    options,
  )

export interface ProduceOptions {
  readonly version?: number
  readonly acks?: number
  readonly topicId?: string
  readonly timeoutMs?: number
  readonly index?: number
}

export const produceRequest = (
  topic: string,
  records: Uint8Array,
  options: ProduceOptions = {},
) => ({
  transactionalId: null,
  acks: options.acks ?? -1,
  timeoutMs: options.timeoutMs ?? 5000,
  topicData: [
    {
      name: options.topicId === undefined ? topic : '',
      topicId: options.topicId ?? ZERO_UUID,
      partitionData: [{ index: options.index ?? 0, records }],
    },
  ],
})

export async function produce(
  client: RawClient,
  topic: string,
  records: Uint8Array,
  options: ProduceOptions = {},
) {
  const request = produceRequest(topic, records, options)
  const response = await client.send(APIS.Produce, options.version ?? 9, request)
  const [answer] = response.responses[0]?.partitionResponses ?? []
  assert.ok(answer !== undefined)
  return answer
}

export interface FetchOptions {
  readonly version?: number
  readonly topicId?: string
  readonly maxWaitMs?: number
  readonly minBytes?: number
  readonly maxBytes?: number
  readonly partitions?: readonly number[]
  readonly sessionId?: number
  readonly sessionEpoch?: number
  readonly isolationLevel?: number
}

export function fetchRequest(topic: string, fetchOffset: number, options: FetchOptions = {}) {
  return {
    maxWaitMs: options.maxWaitMs ?? 0,
    minBytes: options.minBytes ?? 1,
    maxBytes: options.maxBytes ?? 1_000_000,
    isolationLevel: options.isolationLevel ?? 0,
    sessionId: options.sessionId ?? 0,
    sessionEpoch: options.sessionEpoch ?? -1,
    topics: [
      {
        topic: options.topicId === undefined ? topic : '',
        topicId: options.topicId ?? ZERO_UUID,
        partitions: (options.partitions ?? [0]).map((partition) => ({
          partition,
          fetchOffset,
          partitionMaxBytes: 1_000_000,
        })),
      },
    ],
    forgottenTopicsData: [],
  }
}

export function valuesIn(records: Uint8Array | null): string[] {
  if (records === null) return []
  return [...dataRecordsIn(records)].map(({ offset, value }) => `${offset}:${Buffer.from(value!)}`)
}

export async function fetchValues(
  client: RawClient,
  topic: string,
  fetchOffset: number,
  options: FetchOptions = {},
): Promise<string[]> {
  const request = fetchRequest(topic, fetchOffset, options)
  const response = await client.send(APIS.Fetch, options.version ?? 11, request)
  return response.responses.flatMap(({ partitions }) =>
    partitions.flatMap(({ errorCode, records }) => {
      assert.equal(errorCode, ErrorCode.NONE)
      return valuesIn(records)
    }),
  )
}
