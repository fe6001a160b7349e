// The errors of the client. What matters most about a failed request is whether it may have taken effect all the same; each
// error says so.

import { errorMessage, errorName, isRetriable, type ErrorName } from '../protocol/error-codes.ts'

export type RequestFault =
  /** It was never handed to the connection: certainly not done. */
  | 'not-sent'
  /** The connection ended before the answer came. */
  | 'lost'
  /** No answer in time; the connection is given up, since answers come in order. */
  | 'timed-out'
  /** The broker does not speak a version that we do. Certainly not done. */
  | 'unsupported'
  /** An answer that can't be read. */
  | 'malformed'

/** A request got no answer that could be read. */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  readonly fault: RequestFault
  constructor(fault: RequestFault, message: string, options?: ErrorOptions) {
    super(message, options)
    this.fault = fault
  }
  /** Whether the broker may have done what was asked. */
  get mayBeDone(): boolean {
    return this.fault === 'lost' || this.fault === 'timed-out' || this.fault === 'malformed'
  }
}

/** The broker answered with a Kafka error. */
export class KafkaError extends Error {
  override readonly name = 'KafkaError'
  readonly error: ErrorName
  readonly code: number
  /** Whether the same request may succeed later. */
  readonly retriable: boolean
  /** `detail`: the broker's own message, where it sent one. */
  constructor(code: number, context: string, detail?: string | null) {
    super(`${context}: ${errorName(code)}: ${detail ?? errorMessage(code)}`)
    this.error = errorName(code)
    this.code = code
    this.retriable = isRetriable(code)
  }
}

/** Throws KafkaError unless `code` is 0. */
export function throwIfError(code: number, context: string, detail?: string | null): void {
  if (code !== 0) throw new KafkaError(code, context, detail)
}

/** The client was closed, or a call needs what it was not given. */
export class ClientError extends Error {
  override readonly name = 'ClientError'
  readonly code: 'closed' | 'timed-out' | 'invalid' | 'buffer-full'
  constructor(code: 'closed' | 'timed-out' | 'invalid' | 'buffer-full', message: string) {
    super(message)
    this.code = code
  }
}

/** Whether a later try, perhaps at another node, may succeed. */
export function isTransient(error: unknown): boolean {
  if (error instanceof KafkaError) return error.retriable
  if (error instanceof RequestError) return error.fault !== 'unsupported'
  return false
}
