// Batches of producers that the partition knows nothing of, which came here and are not in the log: refused for now, or lost
// with a leadership before they were committed. Their producers send them again. What follows them must not be taken before,
// though a producer without state may otherwise go on anywhere: the earlier ones could never come in any more. (Kafka takes
// it.) Only of this process: what a producer sent to another one, it has seen fail before it sends here.

import { producerEpochAt, producerIdAt, baseSequenceAt } from '../records/batch-header.ts'

const BATCHES_MAX = 10_000
/** By then the producer has given up (`delivery.timeout.ms`), and begun a new epoch. */
const KEPT_MS = 10 * 60_000

interface Missing {
  readonly producerEpoch: number
  readonly sequence: number
  readonly sinceMs: number
}

export class MissingBatches {
  /** The first that is missing of each producer, oldest first. */
  readonly #byProducer = new Map<number, Missing>()

  add(producerId: number, missing: Missing): void {
    const known = this.#byProducer.get(producerId)
    if (known !== undefined && !isBefore(missing, known)) return
    this.#byProducer.delete(producerId)
    this.#byProducer.set(producerId, missing)
    if (this.#byProducer.size <= BATCHES_MAX) return
    for (const oldest of this.#byProducer.keys()) {
      this.#byProducer.delete(oldest)
      return
    }
  }

  /** The producer has a batch in the log, whoever took it: from here on its state tells what comes next. */
  found(producerId: number): void {
    if (this.#byProducer.size > 0) this.#byProducer.delete(producerId)
  }

  /** The sequence that must come before the batch at `at`. */
  before(bytes: Uint8Array, at: number, nowMs: number): number | undefined {
    if (this.#byProducer.size === 0) return undefined
    const missing = this.#byProducer.get(producerIdAt(bytes, at))
    if (missing === undefined || nowMs - missing.sinceMs > KEPT_MS) return undefined
    if (missing.producerEpoch !== producerEpochAt(bytes, at)) return undefined
    return baseSequenceAt(bytes, at) > missing.sequence ? missing.sequence : undefined
  }
}

function isBefore(a: Missing, b: Missing): boolean {
  if (a.producerEpoch !== b.producerEpoch) return a.producerEpoch > b.producerEpoch
  return a.sequence < b.sequence
}
