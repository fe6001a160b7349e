// What is changed in a finished batch beyond base offset and leader epoch, each with a new CRC. By a broker: the
// timestamps (message.timestamp.type=LogAppendTime, or a maximum that the producer got wrong) and the codec (a
// topic's compression.type); where neither applies, the batch passes as it came, bit for bit. By a producer, before
// it sends: its id and sequence.

import { crc32c } from '../base/crc32c.ts'
import * as header from './batch-header.ts'
import { sealBatch, type ProducerStamp } from './build.ts'
import {
  codecId,
  codecOf,
  compress,
  decompress,
  UNCOMPRESSED_BYTES_MAX,
  type Codec,
} from './codecs.ts'
import { BadBatchError } from './read.ts'

/**
 * Sets type and maximum of the timestamps in place, as Kafka's `DefaultRecordBatch.setMaxTimestamp` does; nothing
 * changes, the CRC neither, when both are so already. In a LogAppendTime batch readers take the maximum as every
 * record's timestamp.
 */
export function setTimestamps(
  bytes: Uint8Array,
  at: number,
  timestamps: {
    readonly type: 'CreateTime' | 'LogAppendTime'
    readonly maxTimestampMs: number
  },
): void {
  const appendTime = timestamps.type === 'LogAppendTime'
  const attributes = header.attributesAt(bytes, at)
  const wanted = appendTime
    ? attributes | header.TIMESTAMP_TYPE_BIT
    : attributes & ~header.TIMESTAMP_TYPE_BIT
  if (wanted === attributes && header.maxTimestampAt(bytes, at) === timestamps.maxTimestampMs)
    return
  header.putInt16(bytes, at + header.ATTRIBUTES_AT, wanted)
  header.putInt64(bytes, at + header.MAX_TIMESTAMP_AT, timestamps.maxTimestampMs)
  putCrc(bytes, at)
}

/** Sets producer id, epoch and base sequence in place: for a producer that learns them after it built the batch. */
export function setProducer(bytes: Uint8Array, at: number, producer: ProducerStamp): void {
  header.putInt64(bytes, at + header.PRODUCER_ID_AT, producer.producerId)
  header.putInt16(bytes, at + header.PRODUCER_EPOCH_AT, producer.producerEpoch)
  header.putInt32(bytes, at + header.BASE_SEQUENCE_AT, producer.baseSequence)
  putCrc(bytes, at)
}

function putCrc(bytes: Uint8Array, at: number): void {
  const end = at + header.batchBytesAt(bytes, at)
  header.putInt32(bytes, at + header.CRC_AT, crc32c(bytes.subarray(at + header.ATTRIBUTES_AT, end)))
}

/**
 * The batch at `at` with its records in another codec: a new batch, the rest of the header kept. The batch must have been
 * validated. `level` as in `compress`. Throws BadBatchError if it does not decompress after all.
 */
export function recompressed(
  bytes: Uint8Array,
  at: number,
  codec: Codec,
  options: { readonly level?: number; readonly uncompressedBytesMax?: number } = {},
): Uint8Array {
  const from = codecOf(header.codecIdAt(bytes, at))
  const end = at + header.batchBytesAt(bytes, at)
  if (from === codec) return bytes.slice(at, end)
  if (from === undefined) throw new BadBatchError(`codec ${header.codecIdAt(bytes, at)}`)
  const payload = decompress(
    from,
    bytes.subarray(at + header.BATCH_HEADER_BYTES, end),
    options.uncompressedBytesMax ?? UNCOMPRESSED_BYTES_MAX,
  )
  if (payload.kind !== 'ok') throw new BadBatchError(payload.message)
  const head = bytes.slice(at, at + header.BATCH_HEADER_BYTES)
  const attributes = header.attributesAt(head, 0)
  header.putInt16(head, header.ATTRIBUTES_AT, (attributes & ~header.CODEC_MASK) | codecId(codec))
  return sealBatch(head, compress(codec, payload.bytes, options.level))
}
