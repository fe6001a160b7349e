// The records of a log that state machines replay, batch by batch.

import { asOffset, type Offset } from '../base/brand.ts'
import { batchesIn, isControlAt, nextOffsetAt } from '../records/batch-header.ts'
import { type LogRecord, recordsOf } from '../records/read.ts'

export interface RecordBatch {
  readonly records: readonly LogRecord[]
  /** The offset after the batch. */
  readonly next: Offset
}

/** Control batches hold no records of a state machine, but they take offsets: they come out empty. Throws BadBatchError. */
export function readRecordBatches(batches: Uint8Array): RecordBatch[] {
  const read: RecordBatch[] = []
  for (const at of batchesIn(batches)) {
    const records = isControlAt(batches, at) ? [] : [...recordsOf(batches, at)]
    read.push({ records, next: asOffset(nextOffsetAt(batches, at)) })
  }
  return read
}
