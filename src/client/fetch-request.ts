// One Fetch to one node, without a fetch session, and what its answer holds.

import { crc32c } from '../base/crc32c.ts'
import { fetch } from '../protocol/messages/fetch.ts'
import type { ResponseOf } from '../protocol/message.ts'
import {
  ATTRIBUTES_AT,
  crcAt,
  isControlAt,
  nextOffsetAt,
  wholeBatchBytesAt,
} from '../records/batch-header.ts'
import { BadBatchError, recordsOf, type LogRecord } from '../records/read.ts'
import { throwIfError } from './client-error.ts'
import type { Cluster, Lane, NodeInfo } from './cluster.ts'
import type { ConsumerOptions } from './consumer-options.ts'
import { byTopic, keyOf, type TopicPartition } from './partition-offsets.ts'

export interface FetchedPartition {
  readonly errorCode: number
  readonly highWatermark: number
  /** From the offset asked on; control batches left out. */
  readonly records: readonly LogRecord[]
  /** The offset after the last batch; undefined when none came. */
  readonly next: number | undefined
}

type Wanted = TopicPartition & { readonly offset: number }

/** Later versions name topics by id only. */
const FETCH_VERSION_MAX = 12
const ANSWER_GRACE_MS = 10_000

/** Throws KafkaError, RequestError; BadBatchError for a batch that is damaged. */
export async function fetchFrom(
  cluster: Cluster,
  at: { readonly node: NodeInfo; readonly lane: Lane },
  wanted: readonly Wanted[],
  options: ConsumerOptions,
): Promise<Map<string, FetchedPartition>> {
  const connection = await cluster.connectionTo(at.node, at.lane)
  const answer = await connection.request(
    fetch,
    () => ({
      maxWaitMs: options.fetchWaitMs,
      minBytes: options.fetchBytesMin,
      maxBytes: options.fetchBytesMax,
      topics: byTopic(wanted).map(([topic, partitions]) => ({
        topic,
        partitions: partitions.map(({ partition, offset }) => ({
          partition,
          fetchOffset: offset,
          currentLeaderEpoch: cluster.leaderOf(topic, partition)?.epoch ?? -1,
          partitionMaxBytes: options.partitionBytesMax,
        })),
      })),
      forgottenTopicsData: [],
    }),
    { versionMax: FETCH_VERSION_MAX, timeoutMs: options.fetchWaitMs + ANSWER_GRACE_MS },
  )
  throwIfError(answer.errorCode, 'fetch')
  return fetched(answer, wanted, options.checkCrcs)
}

function fetched(
  answer: ResponseOf<typeof fetch>,
  wanted: readonly Wanted[],
  checkCrcs: boolean,
): Map<string, FetchedPartition> {
  const offsets = new Map(wanted.map((partition) => [keyOf(partition), partition.offset]))
  const partitions = new Map<string, FetchedPartition>()
  for (const { topic, partitions: answers } of answer.responses) {
    for (const { partitionIndex, errorCode, highWatermark, records } of answers) {
      const key = keyOf({ topic, partition: partitionIndex })
      const from = offsets.get(key)
      if (from === undefined) continue
      const bytes = records ?? new Uint8Array(0)
      partitions.set(key, { errorCode, highWatermark, ...recordsFrom(bytes, from, checkCrcs) })
    }
  }
  return partitions
}

/**
 * The records from `offset` on. The bytes may begin with records before it, since batches come whole, and end in a
 * cut batch. They are copied out of the answer's frame only by whoever keeps them.
 */
export function recordsFrom(
  bytes: Uint8Array,
  offset: number,
  checkCrcs: boolean,
): { records: LogRecord[]; next: number | undefined } {
  const records: LogRecord[] = []
  let next: number | undefined
  for (let at = 0; ;) {
    const length = wholeBatchBytesAt(bytes, at)
    if (length === undefined) break
    if (checkCrcs && crc32c(bytes.subarray(at + ATTRIBUTES_AT, at + length)) !== crcAt(bytes, at)) {
      throw new BadBatchError(`a batch at or after offset ${offset} has a wrong CRC`)
    }
    if (!isControlAt(bytes, at)) {
      for (const record of recordsOf(bytes, at)) if (record.offset >= offset) records.push(record)
    }
    next = Math.max(nextOffsetAt(bytes, at), offset)
    at += length
  }
  return { records, next }
}
