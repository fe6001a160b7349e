// Reads a partition as it lies in the log, batch by batch, without the consumer's help: for the last reading, and to see that
// bytes once served never change.

import { crc32c } from '../../src/base/crc32c.ts'
import { isTransient, throwIfError } from '../../src/client/client-error.ts'
import type { Cluster } from '../../src/client/cluster.ts'
import type { BrokerConnection } from '../../src/client/connection.ts'
import { fetch } from '../../src/protocol/messages/fetch.ts'
import {
  baseOffsetAt,
  isControlAt,
  lastOffsetAt,
  producerIdAt,
  wholeBatchBytesAt,
} from '../../src/records/batch-header.ts'
import { recordsOf } from '../../src/records/read.ts'
import type { Bytes, ReadRecord } from '../history/history.ts'
import { crcOf, tokenOf } from './content.ts'

/** Later versions name topics by id only. */
const FETCH_VERSION_MAX = 12

export interface Fetched {
  readonly logStart: number
  readonly highWatermark: number
  readonly records: readonly ReadRecord[]
  readonly batches: Bytes['batches']
  /** After the last batch. */
  readonly next: number
}

/** One answer, from `offset` on; where it fails, the next call finds the leader anew. Throws KafkaError, RequestError. */
export async function fetchRaw(
  cluster: Cluster,
  at: { readonly topic: string; readonly partition: number; readonly offset: number },
  incarnation = at.topic,
): Promise<Fetched> {
  const { topic, partition } = at
  if (cluster.leaderOf(topic, partition) === undefined) await cluster.refresh([topic])
  const leader = cluster.leaderOf(topic, partition)
  const connection =
    leader === undefined ? await cluster.anyConnection() : await cluster.connectionTo(leader.node)
  try {
    return await fetchOn(connection, at, incarnation)
  } catch (error) {
    // A leader that resigned (it found a damaged range, say) may be leader again much later, or never.
    if (isTransient(error)) await cluster.refresh([topic])
    throw error
  }
}

/** The same from one node, whoever leads. */
export async function fetchOn(
  connection: BrokerConnection,
  at: { readonly topic: string; readonly partition: number; readonly offset: number },
  incarnation = at.topic,
): Promise<Fetched> {
  const { topic, partition, offset } = at
  const answer = await connection.request(
    fetch,
    () => ({
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes: 4 << 20,
      topics: [
        { topic, partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: 1 << 20 }] },
      ],
      forgottenTopicsData: [],
    }),
    { versionMax: FETCH_VERSION_MAX },
  )
  throwIfError(answer.errorCode, 'fetch')
  const found = answer.responses[0]?.partitions[0]
  if (found === undefined) throw new Error(`no answer for ${topic}-${partition}`)
  throwIfError(found.errorCode, `fetch of ${topic}-${partition} at ${offset}`)
  const { highWatermark, logStartOffset: logStart } = found
  const bytes = found.records ?? new Uint8Array(0)
  return { logStart, highWatermark, ...take(bytes, incarnation, partition, offset) }
}

function take(
  bytes: Uint8Array,
  topic: string,
  partition: number,
  from: number,
): Pick<Fetched, 'records' | 'batches' | 'next'> {
  const records: ReadRecord[] = []
  const batches: Bytes['batches'][number][] = []
  let next = from
  for (let at = 0; ;) {
    const length = wholeBatchBytesAt(bytes, at)
    if (length === undefined) break
    const producerId = producerIdAt(bytes, at)
    if (!isControlAt(bytes, at)) {
      for (const { offset, key, value } of recordsOf(bytes, at)) {
        if (offset < from) continue
        const crc = crcOf(key, value)
        records.push({ topic, partition, offset, value: tokenOf(value), crc, producerId })
      }
    }
    const offset = baseOffsetAt(bytes, at)
    const last = lastOffsetAt(bytes, at)
    batches.push({ offset, last, crc: crc32c(bytes.subarray(at, at + length)) })
    next = last + 1
    at += length
  }
  return { records, batches, next }
}
