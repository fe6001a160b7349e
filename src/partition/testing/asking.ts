// Test support: what tests ask of a partition, and what they make of the answers.

import assert from 'node:assert/strict'
import { asOffset } from '../../base/brand.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import * as header from '../../records/batch-header.ts'
import { recordsOf } from '../../records/read.ts'
import type { FetchAnswer, FetchRequest } from '../fetch.ts'
import type { Partition } from '../partition.ts'
import type { ProduceAccepted } from '../produce.ts'
import { request } from './fixture.ts'

export const producer = (baseSequence: number, producerEpoch = 0) => ({
  producer: { producerId: 5, producerEpoch, baseSequence },
})

export function produced(partition: Partition, bytes: Uint8Array): ProduceAccepted {
  const result = partition.produce(request(bytes))
  assert.ok(result.kind === 'accepted', `refused: ${JSON.stringify(result)}`)
  return result
}

export function refusal(partition: Partition, bytes: Uint8Array | null, changes = {}): number {
  const result = partition.produce({ ...request(bytes), ...changes })
  assert.ok(result.kind === 'refused', 'it was accepted')
  return result.error
}

export const at = (fetchOffset: number, changes: Partial<FetchRequest> = {}): FetchRequest => ({
  fetchOffset: asOffset(fetchOffset),
  currentLeaderEpoch: -1,
  lastFetchedEpoch: -1,
  maxBytes: 1_000_000,
  minOneBatch: true,
  ...changes,
})

export async function values(answer: FetchAnswer | Promise<FetchAnswer>): Promise<string[]> {
  const { error, records } = await answer
  assert.equal(error, ErrorCode.NONE)
  const out: string[] = []
  for (const chunk of records?.chunks ?? []) {
    for (const place of header.batchesIn(chunk)) {
      for (const { offset, value } of recordsOf(chunk, place)) {
        out.push(`${offset}:${Buffer.from(value ?? []).toString()}`)
      }
    }
  }
  return out
}

export const errorOf = async (answer: FetchAnswer | Promise<FetchAnswer>): Promise<number> =>
  (await answer).error
