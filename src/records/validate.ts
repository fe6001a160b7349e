// Checks what a producer sent for one partition before it may enter the log, as Kafka's
// `ProduceRequest.validateRecords`, `UnifiedLog.analyzeAndValidateRecords` and `LogValidator` do together, and here
// and there stricter: the offset deltas must be 0, 1, 2, …, nothing may follow the batch, and bits that only brokers
// set must be clear. It changes nothing.

import { crc32c } from '../base/crc32c.ts'
import * as header from './batch-header.ts'
import { codecOf, decompress, type Codec } from './codecs.ts'
import { RecordCursor } from './record-cursor.ts'

export interface ValidationRules {
  readonly nowMs: number
  /** message.timestamp.type */
  readonly timestampType: 'CreateTime' | 'LogAppendTime'
  /** message.timestamp.before.max.ms; Infinity where Kafka has 2^63 − 1. */
  readonly timestampBeforeMaxMs: number
  /** message.timestamp.after.max.ms */
  readonly timestampAfterMaxMs: number
  /** max.message.bytes: of the whole batch as sent. */
  readonly batchBytesMax: number
  /** What the batch may decompress to. */
  readonly uncompressedBytesMax: number
  /** A compacted topic takes no record without a key. */
  readonly keyRequired: boolean
  /** Only Produce ≥ 7 may carry zstd (KIP-110). */
  readonly zstdAllowed: boolean
}

/** Kafka's error names and codes that validation can end in. */
export const VALIDATION_ERRORS = {
  CORRUPT_MESSAGE: 2,
  MESSAGE_TOO_LARGE: 10,
  INVALID_TIMESTAMP: 32,
  UNSUPPORTED_COMPRESSION_TYPE: 76,
  INVALID_RECORD: 87,
} as const
export type ValidationError = keyof typeof VALIDATION_ERRORS

export interface ValidBatch {
  readonly kind: 'valid'
  readonly codec: Codec
  readonly recordCount: number
  /** The largest timestamp of its records, -1 where none has one. */
  readonly maxTimestampMs: number
  /**
   * False when the header claims another maximum. Kafka puts it right, since the time index rests on it:
   * `setTimestamps` does.
   */
  readonly maxTimestampRight: boolean
  /** Of the records, before compression. */
  readonly uncompressedBytes: number
}

export interface InvalidBatch {
  readonly kind: 'invalid'
  readonly error: ValidationError
  readonly code: number
  readonly message: string
  /** Which records were at fault (KIP-467), where it was the records. At most `RECORD_ERRORS_MAX`. */
  readonly recordErrors: readonly RecordError[]
}

export interface RecordError {
  readonly index: number
  readonly message: string
}

export const RECORD_ERRORS_MAX = 100

/** `bytes` is all that was sent for the partition. */
export function validateProduced(
  bytes: Uint8Array,
  rules: ValidationRules,
): ValidBatch | InvalidBatch {
  return checkFrame(bytes, rules) ?? checkHeader(bytes, rules) ?? checkRecords(bytes, rules)
}

/** One whole batch of a known format, no more, with the right CRC. */
function checkFrame(bytes: Uint8Array, rules: ValidationRules): InvalidBatch | undefined {
  if (bytes.length === 0) return invalid('INVALID_RECORD', 'there is no record batch')
  if (bytes.length <= header.MAGIC_AT) return invalid('CORRUPT_MESSAGE', 'the batch is cut off')
  const magic = header.magicAt(bytes, 0)
  if (magic === 0 || magic === 1) {
    return invalid(
      'INVALID_RECORD',
      `message format v${magic} is not accepted; send record batches of format v2`,
    )
  }
  if (magic !== header.MAGIC_V2) return invalid('CORRUPT_MESSAGE', `magic ${magic}`)
  const length = header.batchBytesAt(bytes, 0)
  if (length < header.BATCH_HEADER_BYTES || length > bytes.length) {
    return invalid('CORRUPT_MESSAGE', `a batch of ${length} bytes in ${bytes.length}`)
  }
  if (length < bytes.length) {
    return invalid(
      'INVALID_RECORD',
      'exactly one record batch is accepted per partition and request',
    )
  }
  if (length > rules.batchBytesMax) {
    return invalid(
      'MESSAGE_TOO_LARGE',
      `the batch of ${length} bytes exceeds max.message.bytes (${rules.batchBytesMax})`,
    )
  }
  if (crc32c(bytes.subarray(header.ATTRIBUTES_AT)) !== header.crcAt(bytes, 0)) {
    return invalid('CORRUPT_MESSAGE', 'the CRC is wrong')
  }
  return undefined
}

function checkHeader(bytes: Uint8Array, rules: ValidationRules): InvalidBatch | undefined {
  const codec = codecOf(header.codecIdAt(bytes, 0))
  if (codec === undefined) {
    return invalid('UNSUPPORTED_COMPRESSION_TYPE', `unknown codec ${header.codecIdAt(bytes, 0)}`)
  }
  if (codec === 'zstd' && !rules.zstdAllowed) {
    return invalid('UNSUPPORTED_COMPRESSION_TYPE', 'zstd needs Produce version 7 or later')
  }
  const baseOffset = header.baseOffsetAt(bytes, 0)
  if (baseOffset !== 0) return invalid('INVALID_RECORD', `base offset ${baseOffset}, not 0`)
  const count = header.recordCountAt(bytes, 0)
  const lastOffsetDelta = header.lastOffsetDeltaAt(bytes, 0)
  if (count <= 0) return invalid('INVALID_RECORD', `a record count of ${count}`)
  if (lastOffsetDelta !== count - 1) {
    return invalid(
      'INVALID_RECORD',
      `${count} records, but a last offset delta of ${lastOffsetDelta}`,
    )
  }
  return checkBits(header.attributesAt(bytes, 0)) ?? checkProducer(bytes) ?? checkTimes(bytes)
}

function checkBits(attributes: number): InvalidBatch | undefined {
  if ((attributes & header.CONTROL_BIT) !== 0) {
    return invalid('INVALID_RECORD', 'clients may not write control records')
  }
  if ((attributes & header.DELETE_HORIZON_BIT) !== 0) {
    return invalid('INVALID_RECORD', 'clients may not set a delete horizon')
  }
  if ((attributes & header.TIMESTAMP_TYPE_BIT) !== 0) {
    return invalid('INVALID_TIMESTAMP', 'clients may not set the timestamp type LogAppendTime')
  }
  return undefined
}

function checkProducer(bytes: Uint8Array): InvalidBatch | undefined {
  const producerId = header.producerIdAt(bytes, 0)
  if (!Number.isSafeInteger(producerId) || producerId < header.NO_PRODUCER_ID) {
    return invalid('INVALID_RECORD', `producer id ${producerId}`)
  }
  if (producerId === header.NO_PRODUCER_ID) {
    return header.isTransactionalAt(bytes, 0)
      ? invalid('INVALID_RECORD', 'a transactional batch without a producer id')
      : undefined
  }
  const epoch = header.producerEpochAt(bytes, 0)
  const sequence = header.baseSequenceAt(bytes, 0)
  if (epoch < 0) return invalid('INVALID_RECORD', `producer epoch ${epoch} with a producer id`)
  if (sequence < 0) return invalid('INVALID_RECORD', `base sequence ${sequence} with a producer id`)
  return undefined
}

function checkTimes(bytes: Uint8Array): InvalidBatch | undefined {
  const inRange =
    Number.isSafeInteger(header.baseTimestampAt(bytes, 0)) &&
    Number.isSafeInteger(header.maxTimestampAt(bytes, 0))
  return inRange
    ? undefined
    : invalid('INVALID_TIMESTAMP', 'a timestamp of the batch is out of range')
}

function checkRecords(bytes: Uint8Array, rules: ValidationRules): ValidBatch | InvalidBatch {
  const codec = codecOf(header.codecIdAt(bytes, 0)) ?? 'none'
  const compressed = bytes.subarray(header.BATCH_HEADER_BYTES)
  const payload = decompress(codec, compressed, rules.uncompressedBytesMax)
  if (payload.kind !== 'ok') {
    const error = payload.kind === 'corrupt' ? 'INVALID_RECORD' : 'MESSAGE_TOO_LARGE'
    return invalid(error, payload.message)
  }
  const cursor = new RecordCursor(payload.bytes, 0, payload.bytes.length)
  const count = header.recordCountAt(bytes, 0)
  const baseTimestampMs = header.baseTimestampAt(bytes, 0)
  const faults = new RecordFaults(rules)
  let maxTimestampMs = header.NO_TIMESTAMP
  let index = 0
  for (; cursor.next(); index++) {
    if (index === count) return invalid('INVALID_RECORD', `more records than the ${count} declared`)
    if (cursor.offsetDelta !== index) {
      return invalid('INVALID_RECORD', `record ${index} has the offset delta ${cursor.offsetDelta}`)
    }
    const timestampMs = baseTimestampMs + cursor.timestampDelta
    if (timestampMs > maxTimestampMs) maxTimestampMs = timestampMs
    faults.check(index, timestampMs, cursor.keyBytes)
  }
  if (cursor.fault !== undefined)
    return invalid('INVALID_RECORD', `record ${index}: ${cursor.fault}`)
  if (index !== count) return invalid('INVALID_RECORD', `${index} records, ${count} declared`)
  return (
    faults.result() ?? {
      kind: 'valid',
      codec,
      recordCount: count,
      maxTimestampMs,
      maxTimestampRight: maxTimestampMs === header.maxTimestampAt(bytes, 0),
      uncompressedBytes: payload.bytes.length,
    }
  )
}

/** Well-formed records that the topic does not take: all are named, since a client may drop just those (KIP-467). */
class RecordFaults {
  readonly #keyRequired: boolean
  readonly #earliestMs: number
  readonly #latestMs: number
  readonly #errors: RecordError[] = []
  #total = 0
  #timestampAtFault = false

  constructor(rules: ValidationRules) {
    const checked = rules.timestampType === 'CreateTime'
    this.#keyRequired = rules.keyRequired
    this.#earliestMs = checked ? rules.nowMs - rules.timestampBeforeMaxMs : -Infinity
    this.#latestMs = checked ? rules.nowMs + rules.timestampAfterMaxMs : Infinity
  }

  check(index: number, timestampMs: number, keyBytes: number): void {
    if (this.#keyRequired && keyBytes < 0) {
      this.#add(index, 'a compacted topic takes no record without a key')
    } else if (!Number.isSafeInteger(timestampMs)) {
      this.#timestampAtFault = true
      this.#add(index, 'its timestamp is out of range')
    } else if (
      timestampMs !== header.NO_TIMESTAMP &&
      (timestampMs < this.#earliestMs || timestampMs > this.#latestMs)
    ) {
      this.#timestampAtFault = true
      this.#add(
        index,
        `its timestamp ${timestampMs} is not within [${this.#earliestMs}, ${this.#latestMs}]`,
      )
    }
  }

  result(): InvalidBatch | undefined {
    if (this.#total === 0) return undefined
    const error = this.#timestampAtFault ? 'INVALID_TIMESTAMP' : 'INVALID_RECORD'
    const first = this.#errors[0]
    const message = `${this.#total} records refused; record ${first?.index}: ${first?.message}`
    return { ...invalid(error, message), recordErrors: this.#errors }
  }

  #add(index: number, message: string): void {
    this.#total++
    if (this.#errors.length < RECORD_ERRORS_MAX) this.#errors.push({ index, message })
  }
}

function invalid(error: ValidationError, message: string): InvalidBatch {
  return { kind: 'invalid', error, code: VALIDATION_ERRORS[error], message, recordErrors: [] }
}
