// Builds v2 record batches: for the client's producer, and for the servers' own records (committed offsets, metadata,
// transaction markers, voter changes). The batch comes out with base offset 0 and leader epoch -1, as a producer sends it;
// the log stamps both. Layout: Kafka's `DefaultRecordBatch` and `DefaultRecord`.

import { assert } from '../base/assert.ts'
import { crc32c } from '../base/crc32c.ts'
import * as header from './batch-header.ts'
import { codecId, compress, type Codec } from './codecs.ts'
import type { RecordHeader } from './record-cursor.ts'
import { putVarint, putVarlong, varintBytes, varlongBytes } from './varint.ts'

export interface NewRecord {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  /** Milliseconds since 1970. */
  readonly timestampMs: number
  readonly headers?: readonly RecordHeader[]
}

export interface BatchOptions {
  readonly codec?: Codec
  /** As in Kafka's `compression.gzip.level` and `compression.zstd.level`. */
  readonly level?: number
  readonly producer?: ProducerStamp
  readonly transactional?: boolean
  readonly control?: boolean
}

/** An idempotent producer's claim on a batch. */
export interface ProducerStamp {
  readonly producerId: number
  readonly producerEpoch: number
  /** The sequence of the batch's first record. */
  readonly baseSequence: number
}

const FIRST_CAPACITY_BYTES = 1024

/** Collects the records of one batch. */
export class BatchBuilder {
  #bytes = new Uint8Array(FIRST_CAPACITY_BYTES)
  #end = header.BATCH_HEADER_BYTES
  #count = 0
  #baseTimestampMs = 0
  #maxTimestampMs = header.NO_TIMESTAMP

  get count(): number {
    return this.#count
  }

  /** Of the batch as it would be without compression, header included. */
  get bytes(): number {
    return this.#end
  }

  /** What `append` would add to `bytes` for this record now. */
  sizeOf(record: NewRecord): number {
    const body = this.#bodyBytes(record)
    return varintBytes(body) + body
  }

  append(record: NewRecord): void {
    assert(Number.isSafeInteger(record.timestampMs), `timestamp ${record.timestampMs}`)
    if (this.#count === 0) this.#baseTimestampMs = record.timestampMs
    const body = this.#bodyBytes(record)
    this.#reserve(varintBytes(body) + body)
    const bytes = this.#bytes
    let at = putVarint(bytes, this.#end, body)
    bytes[at++] = 0
    at = putVarlong(bytes, at, record.timestampMs - this.#baseTimestampMs)
    at = putVarint(bytes, at, this.#count)
    at = putNullable(bytes, at, record.key)
    at = putNullable(bytes, at, record.value)
    const headers = record.headers ?? []
    at = putVarint(bytes, at, headers.length)
    for (const { key, value } of headers) {
      at = putNullable(bytes, at, key)
      at = putNullable(bytes, at, value)
    }
    this.#end = at
    this.#count++
    this.#maxTimestampMs = Math.max(this.#maxTimestampMs, record.timestampMs)
  }

  /** The finished batch, in memory of its own. At least one record must have been appended; the builder is spent. */
  build(options: BatchOptions = {}): Uint8Array {
    assert(this.#count > 0, 'a batch without records')
    const codec = options.codec ?? 'none'
    const head = this.#bytes.subarray(0, header.BATCH_HEADER_BYTES)
    const producer = options.producer
    header.putInt64(head, header.BASE_OFFSET_AT, 0)
    header.putInt32(head, header.LEADER_EPOCH_AT, -1)
    head[header.MAGIC_AT] = header.MAGIC_V2
    header.putInt16(head, header.ATTRIBUTES_AT, attributesOf(codec, options))
    header.putInt32(head, header.LAST_OFFSET_DELTA_AT, this.#count - 1)
    header.putInt64(head, header.BASE_TIMESTAMP_AT, this.#baseTimestampMs)
    header.putInt64(head, header.MAX_TIMESTAMP_AT, this.#maxTimestampMs)
    header.putInt64(head, header.PRODUCER_ID_AT, producer?.producerId ?? header.NO_PRODUCER_ID)
    header.putInt16(
      head,
      header.PRODUCER_EPOCH_AT,
      producer?.producerEpoch ?? header.NO_PRODUCER_EPOCH,
    )
    header.putInt32(head, header.BASE_SEQUENCE_AT, producer?.baseSequence ?? header.NO_SEQUENCE)
    header.putInt32(head, header.RECORD_COUNT_AT, this.#count)
    const payload = this.#bytes.subarray(header.BATCH_HEADER_BYTES, this.#end)
    return sealBatch(head, compress(codec, payload, options.level))
  }

  #bodyBytes(record: NewRecord): number {
    const delta = this.#count === 0 ? 0 : record.timestampMs - this.#baseTimestampMs
    const headers = record.headers ?? []
    let total = 1 + varlongBytes(delta) + varintBytes(this.#count) + varintBytes(headers.length)
    total += nullableBytes(record.key) + nullableBytes(record.value)
    for (const { key, value } of headers) total += nullableBytes(key) + nullableBytes(value)
    return total
  }

  #reserve(more: number): void {
    const needed = this.#end + more
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#end))
    this.#bytes = grown
  }
}

/** The records as one batch. There must be at least one. */
export function buildBatch(records: readonly NewRecord[], options: BatchOptions = {}): Uint8Array {
  const builder = new BatchBuilder()
  for (const record of records) builder.append(record)
  return builder.build(options)
}

/** Header and payload as one new batch, its length and CRC put right. */
export function sealBatch(head: Uint8Array, payload: Uint8Array): Uint8Array {
  const batch = new Uint8Array(header.BATCH_HEADER_BYTES + payload.length)
  batch.set(head)
  batch.set(payload, header.BATCH_HEADER_BYTES)
  header.putInt32(batch, header.BATCH_LENGTH_AT, batch.length - header.BATCH_LENGTH_OVERHEAD)
  header.putInt32(batch, header.CRC_AT, crc32c(batch.subarray(header.ATTRIBUTES_AT)))
  return batch
}

function attributesOf(codec: Codec, options: BatchOptions): number {
  let attributes = codecId(codec)
  if (options.transactional === true) attributes |= header.TRANSACTIONAL_BIT
  if (options.control === true) attributes |= header.CONTROL_BIT
  return attributes
}

function nullableBytes(value: Uint8Array | null): number {
  return value === null ? 1 : varintBytes(value.length) + value.length
}

function putNullable(bytes: Uint8Array, at: number, value: Uint8Array | null): number {
  if (value === null) return putVarint(bytes, at, -1)
  const start = putVarint(bytes, at, value.length)
  bytes.set(value, start)
  return start + value.length
}
