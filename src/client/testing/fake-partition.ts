// A partition in memory: appends batches, telling duplicates and gaps of idempotent producers, and gives them back.

import { asLeaderEpoch, asOffset } from '../../base/brand.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import * as header from '../../records/batch-header.ts'
import { recordsOf, type LogRecord } from '../../records/read.ts'

interface Appended {
  readonly baseSequence: number
  readonly lastSequence: number
  readonly baseOffset: number
}

const REMEMBERED = 5

export class FakePartition {
  end = 0
  readonly #batches: Uint8Array[] = []
  readonly #producers = new Map<string, Appended[]>()

  append(sent: Uint8Array): { errorCode: number; baseOffset: number } {
    const batch = sent.slice()
    const producer = `${header.producerIdAt(batch, 0)} ${header.producerEpochAt(batch, 0)}`
    const baseSequence = header.baseSequenceAt(batch, 0)
    const lastSequence = header.lastSequenceAt(batch, 0)
    const known = this.#producers.get(producer) ?? []
    if (baseSequence >= 0) {
      const duplicate = known.find(
        (b) => b.baseSequence === baseSequence && b.lastSequence === lastSequence,
      )
      if (duplicate !== undefined) return { errorCode: 0, baseOffset: duplicate.baseOffset }
      const last = known.at(-1)
      if (last !== undefined && header.sequencePlus(last.lastSequence, 1) !== baseSequence) {
        return { errorCode: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, baseOffset: -1 }
      }
      const appended = { baseSequence, lastSequence, baseOffset: this.end }
      this.#producers.set(producer, [...known, appended].slice(-REMEMBERED))
    }
    header.stampBatch(batch, 0, asOffset(this.end), asLeaderEpoch(0))
    this.#batches.push(batch)
    const baseOffset = this.end
    this.end = header.nextOffsetAt(batch, 0)
    return { errorCode: 0, baseOffset }
  }

  /** The batches from the one that holds `offset` on. */
  from(offset: number): Uint8Array[] {
    return this.#batches.filter((batch) => header.lastOffsetAt(batch, 0) >= offset)
  }

  /** As ListOffsets: -2 the first, -1 the next, else the first at or after the time, or -1. */
  offsetAt(timestamp: number): number {
    if (timestamp === -2) return 0
    if (timestamp === -1) return this.end
    return this.records().find((record) => record.timestampMs >= timestamp)?.offset ?? -1
  }

  records(): LogRecord[] {
    return this.#batches.flatMap((batch) => [...recordsOf(batch, 0)])
  }
}
