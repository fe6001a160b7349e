// A client's batch on its way into the log: leadership, min.insync.replicas, validation, sequence, append. All of it is
// synchronous, so that pipelined requests keep their order; only the commit is waited for.

import type { TopicConfigs } from '../base/config/topic-configs.ts'
import type { Offset } from '../base/brand.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { BATCH_HEADER_BYTES, isTransactionalAt, producerIdAt } from '../records/batch-header.ts'
import { UNCOMPRESSED_BYTES_MAX } from '../records/codecs.ts'
import { setTimestamps } from '../records/rewrite.ts'
import { validateProduced, type RecordError, type ValidBatch } from '../records/validate.ts'
import { unreachable } from '../base/assert.ts'
import type { ReplicatedLog } from '../replicated/replicated-log.ts'
import { commitErrorCode, rejectionErrorCode } from './errors.ts'
import { endOfBatch } from './producer-state.ts'
import type { ProducerTracker } from './producer-tracker.ts'

export interface ProduceRequest {
  /** Taken over: base offset and leader epoch are stamped into it. Null or empty is refused. */
  readonly records: Uint8Array | null
  /** -1, 0 or 1. */
  readonly acks: number
  /** How many replicas are in sync now, for min.insync.replicas. */
  readonly inSyncReplicas: number
  /** zstd needs Produce v7 (KIP-110). */
  readonly zstdAllowed: boolean
}

export interface ProduceTarget {
  readonly log: ReplicatedLog
  readonly config: TopicConfigs
  readonly producers: ProducerTracker
}

/** Nothing was written. */
export interface ProduceRefused {
  readonly kind: 'refused'
  readonly error: ErrorCode
  readonly message: string | null
  readonly recordErrors: readonly RecordError[]
}

/** In the log, or there already; `completed` tells how its commit ended. */
export interface ProduceAccepted {
  readonly kind: 'accepted'
  readonly baseOffset: Offset
  /** -1 unless the topic uses LogAppendTime. */
  readonly logAppendTimeMs: number
  readonly completed: Promise<ErrorCode>
}

export type ProduceResult = ProduceRefused | ProduceAccepted

/** What producers try again, and then in order. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.NOT_ENOUGH_REPLICAS,
  ErrorCode.KAFKA_STORAGE_ERROR,
])

export function produce(
  target: ProduceTarget,
  request: ProduceRequest,
  nowMs: number,
): ProduceResult {
  const result = decide(target, request, nowMs)
  const { records } = request
  if (result.kind === 'refused' && PASSING.has(result.error)) {
    // It may not have been looked at yet.
    if (records !== null && records.length >= BATCH_HEADER_BYTES) target.producers.refused(records)
  }
  return result
}

function decide(target: ProduceTarget, request: ProduceRequest, nowMs: number): ProduceResult {
  const { log, config } = target
  const { records } = request
  if (log.role.kind !== 'leader') return refused(ErrorCode.NOT_LEADER_OR_FOLLOWER)
  if (request.acks === -1 && request.inSyncReplicas < config['min.insync.replicas']) {
    return refused(
      ErrorCode.NOT_ENOUGH_REPLICAS,
      `${request.inSyncReplicas} replicas in sync, min.insync.replicas is ${config['min.insync.replicas']}`,
    )
  }
  if (records === null) return refused(ErrorCode.INVALID_RECORD, 'there is no record batch')
  const valid = validateProduced(records, {
    nowMs,
    timestampType: config['message.timestamp.type'],
    timestampBeforeMaxMs: config['message.timestamp.before.max.ms'],
    timestampAfterMaxMs: config['message.timestamp.after.max.ms'],
    batchBytesMax: config['max.message.bytes'],
    // What the topic takes as it is, it takes compressed too.
    uncompressedBytesMax: Math.max(UNCOMPRESSED_BYTES_MAX, config['max.message.bytes']),
    keyRequired: config['cleanup.policy'].includes('compact'),
    zstdAllowed: request.zstdAllowed,
  })
  if (valid.kind === 'invalid') {
    const { message, recordErrors } = valid
    return { kind: 'refused', error: ErrorCode[valid.error], message, recordErrors }
  }
  if (records.length > config['segment.bytes']) {
    return refused(
      ErrorCode.RECORD_LIST_TOO_LARGE,
      `the batch of ${records.length} bytes exceeds segment.bytes (${config['segment.bytes']})`,
    )
  }
  const voters = request.acks === -1 ? votersBeyondMajority(target) : undefined
  const batch = { records, valid, voters }
  return checkProducer(target, batch) ?? append(target, batch, nowMs)
}

interface NewBatch {
  readonly records: Uint8Array
  readonly valid: ValidBatch
  /** How many voters must hold it before it is acknowledged; undefined: a majority, as for every commit. */
  readonly voters: number | undefined
}

/** What min.insync.replicas asks for, where that is more than a majority. */
function votersBeyondMajority({ log, config }: ProduceTarget): number | undefined {
  const majority = Math.floor(log.voters.length / 2) + 1
  const wanted = config['min.insync.replicas']
  return wanted > majority ? wanted : undefined
}

/** Undefined when the batch may be appended. */
function checkProducer(
  target: ProduceTarget,
  { records, voters }: NewBatch,
): ProduceResult | undefined {
  const { log, producers } = target
  if (isTransactionalAt(records, 0)) {
    return refused(ErrorCode.INVALID_TXN_STATE, 'transactions are not available yet')
  }
  if (producerIdAt(records, 0) < 0) return undefined
  // The client refreshes its metadata and comes again.
  if (!producers.inStep) {
    return refused(ErrorCode.NOT_LEADER_OR_FOLLOWER, 'producer state is still being loaded')
  }
  const check = producers.check(records)
  switch (check.kind) {
    case 'next':
      return undefined
    case 'stale-epoch':
      return refused(ErrorCode.INVALID_PRODUCER_EPOCH, check.detail)
    case 'out-of-order':
      return refused(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, check.detail)
    case 'duplicate': {
      const end = endOfBatch(check.original)
      const safe = voters === undefined ? log.whenCommitted(end) : log.whenHeld(end, voters)
      return {
        kind: 'accepted',
        baseOffset: check.original.baseOffset,
        // As Kafka, which does not know the original's append time any more.
        logAppendTimeMs: -1,
        completed: safe.then(commitErrorCode),
      }
    }
    default:
      return unreachable(check)
  }
}

function append(
  target: ProduceTarget,
  { records, valid, voters }: NewBatch,
  nowMs: number,
): ProduceResult {
  const type = target.config['message.timestamp.type']
  const appendTime = type === 'LogAppendTime'
  if (appendTime) {
    setTimestamps(records, 0, { type, maxTimestampMs: nowMs })
  } else if (!valid.maxTimestampRight) {
    setTimestamps(records, 0, { type, maxTimestampMs: valid.maxTimestampMs })
  }
  const result = target.log.append(records)
  if (result.kind === 'rejected') return refused(rejectionErrorCode(result.reason))
  const safe = voters === undefined ? result.committed : target.log.whenHeld(result.end, voters)
  return {
    kind: 'accepted',
    baseOffset: result.baseOffset,
    logAppendTimeMs: appendTime ? nowMs : -1,
    completed: safe.then(commitErrorCode),
  }
}

function refused(error: ErrorCode, message: string | null = null): ProduceRefused {
  return { kind: 'refused', error, message, recordErrors: [] }
}
