// What a produce error means for the batch that got it: whether to send it again, and whether this attempt may have
// written it.

import { ErrorCode, isRetriable } from '../protocol/error-codes.ts'

export type Verdict =
  | { readonly kind: 'written' }
  /** Send it again. `uncertain`: this attempt may have written it all the same. */
  | { readonly kind: 'retry'; readonly uncertain: boolean; readonly refreshLeader: boolean }
  /** The broker does not accept the sequence: not written now, and what comes next depends on what went before. */
  | { readonly kind: 'sequence' }
  /** No use in sending it again. */
  | { readonly kind: 'fail'; readonly uncertain: boolean }

export function verdictOf(code: number): Verdict {
  switch (code) {
    case ErrorCode.NONE:
    case ErrorCode.DUPLICATE_SEQUENCE_NUMBER:
      return { kind: 'written' }
    case ErrorCode.REQUEST_TIMED_OUT:
    case ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case ErrorCode.NETWORK_EXCEPTION:
    case ErrorCode.KAFKA_STORAGE_ERROR:
      return { kind: 'retry', uncertain: true, refreshLeader: true }
    case ErrorCode.UNKNOWN_SERVER_ERROR:
      return { kind: 'fail', uncertain: true }
    case ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER:
    case ErrorCode.UNKNOWN_PRODUCER_ID:
    case ErrorCode.INVALID_PRODUCER_EPOCH:
      return { kind: 'sequence' }
    default:
      return isRetriable(code)
        ? { kind: 'retry', uncertain: false, refreshLeader: true }
        : { kind: 'fail', uncertain: false }
  }
}
