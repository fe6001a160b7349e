// ListOffsets for one partition: the special timestamps and the first record at or after a real one. Nothing above the high
// watermark is ever named, and that there is nothing further is confirmed with a majority first (law R9).

import { asOffset, type LeaderEpoch, type Offset } from '../base/brand.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import * as header from '../records/batch-header.ts'
import { recordsOf } from '../records/read.ts'
import type { ReplicatedLog } from '../replicated/replicated-log.ts'
import { eachBatch } from './batches.ts'
import { barrierErrorCode, storeErrorCode } from './errors.ts'
import { checkLeader } from './leader-check.ts'

export const LATEST_TIMESTAMP = -1
export const EARLIEST_TIMESTAMP = -2
/** KIP-734 */
export const MAX_TIMESTAMP = -3
/** KIP-405: the first offset on this node's own disk. */
export const EARLIEST_LOCAL_TIMESTAMP = -4
/** KIP-1005: the last offset in tiered storage. */
export const LATEST_TIERED_TIMESTAMP = -5
/** KIP-1023: the first offset that is not in tiered storage yet. */
export const EARLIEST_PENDING_UPLOAD_TIMESTAMP = -6

export interface ListOffsetRequest {
  /** Milliseconds, or one of the constants above. */
  readonly timestampMs: number
  /** -1 where the client names none. */
  readonly currentLeaderEpoch: number
}

export interface ListOffsetAnswer {
  readonly error: ErrorCode
  /** -1: there is none. */
  readonly offset: Offset
  /** -1 but for real timestamps and the largest one. */
  readonly timestampMs: number
  readonly leaderEpoch: LeaderEpoch | -1
}

/** Enough for a whole batch of default size; a larger one is returned whole all the same. */
const SCAN_BYTES = 1024 * 1024
const NO_OFFSET = asOffset(-1)

export async function listOffset(
  log: ReplicatedLog,
  request: ListOffsetRequest,
): Promise<ListOffsetAnswer> {
  const refused = checkLeader(log.role, request.currentLeaderEpoch)
  if (refused !== ErrorCode.NONE) return failed(refused)
  const { timestampMs } = request
  switch (timestampMs) {
    case LATEST_TIMESTAMP:
      return latest(log, request)
    case EARLIEST_TIMESTAMP:
    case EARLIEST_LOCAL_TIMESTAMP:
      return found(log, log.logStart, -1)
    case LATEST_TIERED_TIMESTAMP:
    case EARLIEST_PENDING_UPLOAD_TIMESTAMP:
      // Nothing is tiered.
      return NOTHING
    case MAX_TIMESTAMP:
      return largest(log, request)
    default:
      return timestampMs < 0 ? failed(ErrorCode.UNSUPPORTED_VERSION) : byTimestamp(log, request)
  }
}

/** Once it has returned without an error, nothing was acknowledged before the request that lies above the high watermark. */
async function confirm(log: ReplicatedLog, request: ListOffsetRequest): Promise<ErrorCode> {
  const error = barrierErrorCode(await log.readBarrier())
  if (error !== ErrorCode.NONE) return error
  const { role } = log
  const refused = checkLeader(role, request.currentLeaderEpoch)
  if (refused !== ErrorCode.NONE) return refused
  // Until the own epoch is committed the high watermark may lie below what was acknowledged before (KIP-207).
  const established = role.kind === 'leader' && role.established
  return established ? ErrorCode.NONE : ErrorCode.OFFSET_NOT_AVAILABLE
}

async function latest(log: ReplicatedLog, request: ListOffsetRequest): Promise<ListOffsetAnswer> {
  const error = await confirm(log, request)
  if (error !== ErrorCode.NONE) return failed(error)
  const { role, highWatermark } = log
  return { error, offset: highWatermark, timestampMs: -1, leaderEpoch: role.epoch }
}

async function largest(log: ReplicatedLog, request: ListOffsetRequest): Promise<ListOffsetAnswer> {
  const error = await confirm(log, request)
  if (error !== ErrorCode.NONE) return failed(error)
  return orStoreError(async () => {
    const timestampMs = await maxTimestamp(log)
    const hit = timestampMs === undefined ? undefined : await firstAtOrAfter(log, timestampMs)
    return hit === undefined ? NOTHING : found(log, hit.offset, hit.timestampMs)
  })
}

/** The first is the first, whoever leads; that there is none may be for want of what another leader has. */
async function byTimestamp(
  log: ReplicatedLog,
  request: ListOffsetRequest,
): Promise<ListOffsetAnswer> {
  return orStoreError(async () => {
    const { timestampMs } = request
    const known = await firstAtOrAfter(log, timestampMs)
    if (known !== undefined) return found(log, known.offset, known.timestampMs)
    const error = await confirm(log, request)
    if (error !== ErrorCode.NONE) return failed(error)
    const hit = await firstAtOrAfter(log, timestampMs)
    return hit === undefined ? NOTHING : found(log, hit.offset, hit.timestampMs)
  })
}

async function orStoreError(answer: () => Promise<ListOffsetAnswer>): Promise<ListOffsetAnswer> {
  try {
    return await answer()
  } catch (error) {
    return failed(storeErrorCode(error))
  }
}

/** The first record at or after `timestampMs`, by the records' own timestamps. */
async function firstAtOrAfter(
  log: ReplicatedLog,
  timestampMs: number,
): Promise<{ readonly offset: Offset; readonly timestampMs: number } | undefined> {
  const below = log.highWatermark
  let from = await log.seekTimestamp(timestampMs, below)
  // Usually the first batch has it. It has not when what remains of it starts at a log start inside the batch.
  while (from !== undefined && from < below) {
    const { chunks, next } = await log.read({
      from: asOffset(Math.max(from, log.logStart)),
      below,
      maxBytes: SCAN_BYTES,
    })
    for (const bytes of chunks) {
      const hit = firstIn(bytes, timestampMs, log.logStart)
      if (hit !== undefined) return hit
    }
    from = next > from ? next : undefined
  }
  return undefined
}

function firstIn(
  bytes: Uint8Array,
  timestampMs: number,
  logStart: Offset,
): { readonly offset: Offset; readonly timestampMs: number } | undefined {
  for (const at of header.batchesIn(bytes)) {
    if (header.maxTimestampAt(bytes, at) < timestampMs || header.isControlAt(bytes, at)) continue
    for (const record of recordsOf(bytes, at)) {
      if (record.timestampMs >= timestampMs && record.offset >= logStart) return record
    }
  }
  return undefined
}

/** The largest timestamp below the high watermark; undefined where there is none. */
async function maxTimestamp(log: ReplicatedLog): Promise<number | undefined> {
  const below = log.highWatermark
  let largest = -1
  for (const segment of log.segments()) {
    if (segment.endOffset <= below) {
      largest = Math.max(largest, segment.maxTimestampMs)
    } else if (segment.baseOffset < below && segment.maxTimestampMs > largest) {
      // The segment's maximum may lie above the high watermark.
      const from = asOffset(Math.max(segment.baseOffset, log.logStart))
      largest = Math.max(largest, await maxTimestampFrom(log, from, below))
    }
  }
  return largest < 0 ? undefined : largest
}

async function maxTimestampFrom(log: ReplicatedLog, from: Offset, below: Offset): Promise<number> {
  let largest = -1
  for (let at = from; at < below;) {
    const { chunks, next } = await log.read({ from: at, below, maxBytes: SCAN_BYTES })
    for (const bytes of chunks) {
      eachBatch(bytes, (batch) => {
        if (header.isControlAt(bytes, batch)) return
        largest = Math.max(largest, header.maxTimestampAt(bytes, batch))
      })
    }
    if (next <= at) break
    at = next
  }
  return largest
}

function found(log: ReplicatedLog, offset: Offset, timestampMs: number): ListOffsetAnswer {
  const leaderEpoch = log.epochs.epochAt(offset)
  return { error: ErrorCode.NONE, offset, timestampMs, leaderEpoch }
}

const NOTHING: ListOffsetAnswer = {
  error: ErrorCode.NONE,
  offset: NO_OFFSET,
  timestampMs: -1,
  leaderEpoch: -1,
}

function failed(error: ErrorCode): ListOffsetAnswer {
  return { error, offset: NO_OFFSET, timestampMs: -1, leaderEpoch: -1 }
}
