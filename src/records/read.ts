// Reads the records out of batches: for the client's consumer, for state machines that replay their log, and for dumps.

import { asOffset, type Offset } from '../base/brand.ts'
import * as header from './batch-header.ts'
import { codecOf, decompress, UNCOMPRESSED_BYTES_MAX } from './codecs.ts'
import { RecordCursor, type RecordHeader } from './record-cursor.ts'

/** Keys, values and headers share the memory of the batch, or of its decompressed form. */
export interface LogRecord {
  readonly offset: Offset
  /** Milliseconds since 1970; -1 where there is none. In a LogAppendTime batch, the broker's. */
  readonly timestampMs: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly RecordHeader[]
}

/** The batch is not what a validated batch can be: damaged, or not understood. */
export class BadBatchError extends Error {
  override readonly name = 'BadBatchError'
}

const NO_HEADERS: readonly RecordHeader[] = []

/**
 * The records of the batch at `at`. Checks the bounds of everything it reads, but not the CRC. Throws BadBatchError, before
 * the first record for a bad header or compressed payload, else where it meets the bad record.
 */
export function* recordsOf(
  bytes: Uint8Array,
  at: number,
  maxBytes = UNCOMPRESSED_BYTES_MAX,
): Generator<LogRecord, void, void> {
  const baseOffset = header.baseOffsetAt(bytes, at)
  const baseTimestampMs = header.baseTimestampAt(bytes, at)
  const appendTimeMs = header.isLogAppendTimeAt(bytes, at)
    ? header.maxTimestampAt(bytes, at)
    : undefined
  const cursor = payloadCursor(bytes, at, maxBytes)
  let count = 0
  for (; cursor.next(); count++) {
    yield {
      offset: asOffset(baseOffset + cursor.offsetDelta),
      timestampMs: appendTimeMs ?? baseTimestampMs + cursor.timestampDelta,
      key: part(cursor.bytes, cursor.keyAt, cursor.keyBytes),
      value: part(cursor.bytes, cursor.valueAt, cursor.valueBytes),
      headers: cursor.headerCount === 0 ? NO_HEADERS : cursor.headers(),
    }
  }
  if (cursor.fault !== undefined) {
    throw new BadBatchError(`batch at offset ${baseOffset}, record ${count}: ${cursor.fault}`)
  }
  const declared = header.recordCountAt(bytes, at)
  if (count !== declared) {
    throw new BadBatchError(`batch at offset ${baseOffset}: ${count} records, ${declared} declared`)
  }
}

/** The records of concatenated whole batches; control batches are left out. Throws BadBatchError as `recordsOf`. */
export function* dataRecordsIn(bytes: Uint8Array): Generator<LogRecord, void, void> {
  for (const at of header.batchesIn(bytes)) {
    if (!header.isControlAt(bytes, at)) yield* recordsOf(bytes, at)
  }
}

/** A cursor over the batch's records, decompressed if need be. Throws BadBatchError. */
export function payloadCursor(bytes: Uint8Array, at: number, maxBytes: number): RecordCursor {
  const length = header.wholeBatchBytesAt(bytes, at)
  if (length === undefined || header.magicAt(bytes, at) !== header.MAGIC_V2) {
    throw new BadBatchError(`no whole v2 batch at byte ${at}`)
  }
  const codec = codecOf(header.codecIdAt(bytes, at))
  if (codec === undefined) throw new BadBatchError(`codec ${header.codecIdAt(bytes, at)}`)
  const from = at + header.BATCH_HEADER_BYTES
  if (codec === 'none') return new RecordCursor(bytes, from, at + length)
  const payload = decompress(codec, bytes.subarray(from, at + length), maxBytes)
  if (payload.kind !== 'ok') throw new BadBatchError(payload.message)
  return new RecordCursor(payload.bytes, 0, payload.bytes.length)
}

function part(bytes: Uint8Array, at: number, length: number): Uint8Array | null {
  return length < 0 ? null : bytes.subarray(at, at + length)
}
