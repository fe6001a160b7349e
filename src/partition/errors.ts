// The one place where outcomes of the log become Kafka error codes at the partition's edge. An unknown outcome is always an
// error that says so: never success, never "not written" (law R9).

import { unreachable } from '../base/assert.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { AppendRejection, CommitOutcome } from '../replicated/replicated-log.ts'
import { StoreError } from '../storage/store.ts'

/** Certainly not written. */
export function rejectionErrorCode(rejection: AppendRejection): ErrorCode {
  switch (rejection) {
    case 'not-leader':
    case 'fenced-epoch':
    case 'closed':
      return ErrorCode.NOT_LEADER_OR_FOLLOWER
    case 'storage-full':
      return ErrorCode.KAFKA_STORAGE_ERROR
    default:
      return unreachable(rejection)
  }
}

/** How an accepted append ended. */
export function commitErrorCode(outcome: CommitOutcome): ErrorCode {
  if (outcome.kind === 'committed') return ErrorCode.NONE
  switch (outcome.reason) {
    case 'quorum-lost':
      return ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND
    case 'leadership-lost':
    case 'closed':
      return ErrorCode.REQUEST_TIMED_OUT
    default:
      return unreachable(outcome.reason)
  }
}

/** A read barrier that was not reached: nothing was written, and the client may ask again, elsewhere if need be. */
export function barrierErrorCode(outcome: CommitOutcome): ErrorCode {
  return outcome.kind === 'committed' ? ErrorCode.NONE : ErrorCode.NOT_LEADER_OR_FOLLOWER
}

/** Of an error that a read of the log failed with; anything else is passed on. */
export function storeErrorCode(error: unknown): ErrorCode {
  if (!(error instanceof StoreError)) throw error
  switch (error.code) {
    case 'offset-out-of-range':
      return ErrorCode.OFFSET_OUT_OF_RANGE
    case 'closed':
      return ErrorCode.NOT_LEADER_OR_FOLLOWER
    case 'corrupt':
    case 'storage-full':
      return ErrorCode.KAFKA_STORAGE_ERROR
    case 'exists':
      throw error
    default:
      return unreachable(error.code)
  }
}
