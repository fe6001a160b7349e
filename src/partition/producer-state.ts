// What a partition remembers of its idempotent producers (KIP-98), so that a retry of a batch that is already in the log is
// recognised and a lost batch is noticed. Pure: the partition feeds it the batches as the log takes them (law R9) and asks
// it before an append. Rules from Kafka's `ProducerAppendInfo` and `ProducerStateManager`.

import { assert } from '../base/assert.ts'
import { asOffset, type LeaderEpoch, type Offset } from '../base/brand.ts'
import type { Position } from '../base/position.ts'
import {
  baseOffsetAt,
  baseSequenceAt,
  isControlAt,
  lastOffsetDeltaAt,
  lastSequenceAt,
  leaderEpochAt,
  producerEpochAt,
  producerIdAt,
  sequencePlus,
} from '../records/batch-header.ts'

/** Kafka's `ProducerStateEntry.NUM_BATCHES_TO_RETAIN`: as many as a client may have in flight. */
export const BATCHES_PER_PRODUCER = 5

/** A batch that is in the log. */
export interface ProducedBatch {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly baseOffset: Offset
  /** Inclusive. */
  readonly lastOffset: Offset
  readonly leaderEpoch: LeaderEpoch
}

export interface ProducerEntry {
  readonly producerId: number
  producerEpoch: number
  /** Of `producerEpoch`, oldest first, at most `BATCHES_PER_PRODUCER`. Empty after a marker of a new epoch. */
  batches: ProducedBatch[]
  /** Milliseconds since 1970, on this node, when the last batch arrived here; what expiry goes by. */
  lastSeenMs: number
}

export type SequenceCheck =
  | { readonly kind: 'next' }
  /** Already in the log: answered with the original's offsets, once the original is committed. */
  | { readonly kind: 'duplicate'; readonly original: ProducedBatch }
  | { readonly kind: 'out-of-order'; readonly detail: string }
  | { readonly kind: 'stale-epoch'; readonly detail: string }

const NEXT: SequenceCheck = { kind: 'next' }

/** The position whose commit the original waits for, and so must its duplicate. */
export function endOfBatch(batch: ProducedBatch): Position {
  return { epoch: batch.leaderEpoch, offset: asOffset(batch.lastOffset + 1) }
}

export class ProducerState {
  readonly #entries = new Map<number, ProducerEntry>()

  get size(): number {
    return this.#entries.size
  }

  entries(): Iterable<ProducerEntry> {
    return this.#entries.values()
  }

  get(producerId: number): ProducerEntry | undefined {
    return this.#entries.get(producerId)
  }

  /** Judges the batch at `at`, which must carry a producer id, before it is appended. */
  check(bytes: Uint8Array, at: number): SequenceCheck {
    const producerId = producerIdAt(bytes, at)
    assert(producerId >= 0, 'a sequence check needs a producer id')
    const entry = this.#entries.get(producerId)
    // Without state (retention or DeleteRecords took it, or it expired) a producer may go on anywhere.
    if (entry === undefined) return NEXT
    const epoch = producerEpochAt(bytes, at)
    const first = baseSequenceAt(bytes, at)
    if (epoch < entry.producerEpoch) {
      return {
        kind: 'stale-epoch',
        detail: `producer ${producerId} came with epoch ${epoch}, epoch ${entry.producerEpoch} is known`,
      }
    }
    if (epoch > entry.producerEpoch) {
      if (first === 0) return NEXT
      return {
        kind: 'out-of-order',
        detail: `producer ${producerId} starts epoch ${epoch} at sequence ${first} instead of 0`,
      }
    }
    const last = lastSequenceAt(bytes, at)
    for (const original of entry.batches) {
      if (original.firstSequence === first && original.lastSequence === last) {
        return { kind: 'duplicate', original }
      }
    }
    const previous = entry.batches.at(-1)
    const expected = previous === undefined ? 0 : sequencePlus(previous.lastSequence, 1)
    if (first === expected) return NEXT
    return {
      kind: 'out-of-order',
      detail: `producer ${producerId} sent sequence ${first} where ${expected} comes next`,
    }
  }

  /** Takes in the stamped batch at `at`, which the log has accepted. Batches without a producer id change nothing. */
  observe(bytes: Uint8Array, at: number, nowMs: number): void {
    const producerId = producerIdAt(bytes, at)
    if (producerId < 0) return
    const producerEpoch = producerEpochAt(bytes, at)
    let entry = this.#entries.get(producerId)
    if (entry === undefined) {
      entry = { producerId, producerEpoch, batches: [], lastSeenMs: nowMs }
      this.#entries.set(producerId, entry)
    } else if (entry.producerEpoch !== producerEpoch) {
      entry.producerEpoch = producerEpoch
      entry.batches = []
    }
    entry.lastSeenMs = nowMs
    // A transaction marker carries its producer's epoch and no sequence.
    if (isControlAt(bytes, at)) return
    if (entry.batches.length === BATCHES_PER_PRODUCER) entry.batches.shift()
    const baseOffset = baseOffsetAt(bytes, at)
    entry.batches.push({
      firstSequence: baseSequenceAt(bytes, at),
      lastSequence: lastSequenceAt(bytes, at),
      baseOffset,
      lastOffset: asOffset(baseOffset + lastOffsetDeltaAt(bytes, at)),
      leaderEpoch: leaderEpochAt(bytes, at),
    })
  }

  restore(entry: ProducerEntry): void {
    this.#entries.set(entry.producerId, entry)
  }

  /** Forgets producers last seen at or before `nowMs - expirationMs` (`producer.id.expiration.ms`). */
  expire(nowMs: number, expirationMs: number): void {
    for (const [producerId, entry] of this.#entries) {
      if (nowMs - entry.lastSeenMs >= expirationMs) this.#entries.delete(producerId)
    }
  }

  clear(): void {
    this.#entries.clear()
  }
}
