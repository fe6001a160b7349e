// Reading a partition for a consumer: whole batches below the high watermark, never above it (law R9).

import type { LeaderEpoch, Offset } from '../base/brand.ts'
import { asLeaderEpoch, asOffset } from '../base/brand.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { ReplicatedLog } from '../replicated/replicated-log.ts'
import type { StoredBytes } from '../storage/store.ts'
import { barrierErrorCode, storeErrorCode } from './errors.ts'
import { checkLeader } from './leader-check.ts'

export interface FetchRequest {
  readonly fetchOffset: Offset
  /** -1 where the client names none. */
  readonly currentLeaderEpoch: number
  /** -1 where the client names none (before v12). */
  readonly lastFetchedEpoch: number
  readonly maxBytes: number
  /** Whether a first batch larger than `maxBytes` is returned all the same (KIP-74). */
  readonly minOneBatch: boolean
}

export interface FetchAnswer {
  readonly error: ErrorCode
  /** -1 with an error. */
  readonly highWatermark: Offset
  /** Nothing is transactional yet, so this is the high watermark. */
  readonly lastStableOffset: Offset
  readonly logStart: Offset
  /** No chunks where there is nothing to read. */
  readonly records: StoredBytes | undefined
  /** The client's log split from ours: the last epoch both may share, and where it ends here (KIP-595's Fetch v12). */
  readonly diverging: { readonly epoch: LeaderEpoch; readonly endOffset: Offset } | undefined
}

const NONE_OFFSET = asOffset(-1)

/** Answers without waiting when the bytes are in memory, when there are none, and mostly when it fails. */
export function readForFetch(
  log: ReplicatedLog,
  request: FetchRequest,
): FetchAnswer | Promise<FetchAnswer> {
  const refused = checkLeader(log.role, request.currentLeaderEpoch)
  if (refused !== ErrorCode.NONE) return failed(refused)
  if (request.fetchOffset < log.logStart) return failed(outOfRange(log))
  return isBeyond(log, request) ? beyond(log, request) : readWithin(log, request)
}

function readWithin(log: ReplicatedLog, request: FetchRequest): FetchAnswer | Promise<FetchAnswer> {
  const { fetchOffset, lastFetchedEpoch } = request
  if (lastFetchedEpoch >= 0) {
    const split = divergence(log, asLeaderEpoch(lastFetchedEpoch), fetchOffset)
    if (split !== undefined) return split
  }
  // From the high watermark to the log end: nothing yet, the client waits.
  if (fetchOffset >= log.highWatermark) {
    // Before the own epoch start is committed the high watermark may be older than what clients have already read.
    return answer(log, undefined)
  }
  if (request.maxBytes <= 0 && !request.minOneBatch) return answer(log, undefined)
  return readBatches(log, request)
}

/** The client has been further than this log goes, by offset or by epoch. */
function isBeyond(log: ReplicatedLog, { fetchOffset, lastFetchedEpoch }: FetchRequest): boolean {
  return fetchOffset > log.logEnd.offset || lastFetchedEpoch > log.epochs.last
}

/**
 * Perhaps because another leader went on where this one ends, and this one has not heard of it. Clients reset their position for
 * OFFSET_OUT_OF_RANGE and would pass over records, so this leadership is confirmed before it is said (law R9).
 */
async function beyond(log: ReplicatedLog, request: FetchRequest): Promise<FetchAnswer> {
  const unavailable = outOfRange(log)
  if (unavailable !== ErrorCode.OFFSET_OUT_OF_RANGE) return failed(unavailable)
  const error = barrierErrorCode(await log.readBarrier())
  if (error !== ErrorCode.NONE) return failed(error)
  return isBeyond(log, request) ? failed(outOfRange(log)) : readForFetch(log, request)
}

function readBatches(
  log: ReplicatedLog,
  request: FetchRequest,
): FetchAnswer | Promise<FetchAnswer> {
  const read = { from: request.fetchOffset, below: log.highWatermark, maxBytes: request.maxBytes }
  try {
    const stored = log.read(read)
    if (!(stored instanceof Promise)) return answer(log, withinBounds(stored, request))
    return stored.then(
      (bytes) => answer(log, withinBounds(bytes, request)),
      (error: unknown) => failed(storeErrorCode(error)),
    )
  } catch (error) {
    return failed(storeErrorCode(error))
  }
}

function withinBounds(stored: StoredBytes, request: FetchRequest): StoredBytes | undefined {
  return stored.bytes > request.maxBytes && !request.minOneBatch ? undefined : stored
}

/** OFFSET_OUT_OF_RANGE makes clients reset, so only a leader that has committed its epoch may say it (law R9). */
function outOfRange(log: ReplicatedLog): ErrorCode {
  return log.role.kind === 'leader' && log.role.established
    ? ErrorCode.OFFSET_OUT_OF_RANGE
    : ErrorCode.OFFSET_NOT_AVAILABLE
}

function divergence(
  log: ReplicatedLog,
  lastFetchedEpoch: LeaderEpoch,
  fetchOffset: Offset,
): FetchAnswer | undefined {
  const end = log.epochs.endOf(lastFetchedEpoch, log.logEnd.offset)
  if (end === undefined) return failed(outOfRange(log))
  if (end.epoch === lastFetchedEpoch && end.end >= fetchOffset) return undefined
  return { ...answer(log, undefined), diverging: { epoch: end.epoch, endOffset: end.end } }
}

function answer(log: ReplicatedLog, records: StoredBytes | undefined): FetchAnswer {
  return {
    error: ErrorCode.NONE,
    highWatermark: log.highWatermark,
    lastStableOffset: log.highWatermark,
    logStart: log.logStart,
    records,
    diverging: undefined,
  }
}

function failed(error: ErrorCode): FetchAnswer {
  return {
    error,
    highWatermark: NONE_OFFSET,
    lastStableOffset: NONE_OFFSET,
    logStart: NONE_OFFSET,
    records: undefined,
    diverging: undefined,
  }
}
