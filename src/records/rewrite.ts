// What is changed in a finished batch beyond base offset and leader epoch, each with a new CRC. By a broker: the
// timestamps (message.timestamp.type=LogAppendTime, or a maximum that the producer got wrong); where that does not apply,
// the batch passes as it came, bit for bit. By a producer, before it sends: its id and sequence.

import { crc32c } from '../base/crc32c.ts'
import * as header from './batch-header.ts'
import type { ProducerStamp } from './build.ts'

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
