// The batches of one partition in a producer: what is filling, what waits, what is in flight, and which may go next,
// so that order holds across failures. In short: up to five batches in flight; after a failure nothing new goes until
// all of them are settled, then the failed ones again one by one, each with the sequence it had.

import { lastOffsetDeltaAt, sequencePlus } from '../records/batch-header.ts'
import type { ProduceBatch, ProducerIdentity } from './produce-batch.ts'

/** The broker remembers five batches of a producer per partition; more in flight could not be told from duplicates. */
const IN_FLIGHT_MAX = 5

export class ProduceQueue {
  readonly topic: string
  readonly partition: number
  readonly #inFlightMax: number
  /** The one that takes records. */
  open: ProduceBatch | undefined
  /** Nothing is sent before, after a failure; on the monotonic clock. */
  retryAtMs = 0
  /** Ascending in ordinal. */
  #ready: ProduceBatch[] = []
  #inFlight: ProduceBatch[] = []
  #identity: ProducerIdentity | undefined
  #nextSequence = 0

  /** Without sequences, a batch that overtook a failed one could not be told: then one goes at a time. */
  constructor(topic: string, partition: number, options: { readonly idempotent: boolean }) {
    this.topic = topic
    this.partition = partition
    this.#inFlightMax = options.idempotent ? IN_FLIGHT_MAX : 1
  }

  get isEmpty(): boolean {
    return this.open === undefined && this.#ready.length === 0 && this.#inFlight.length === 0
  }

  /** Whether something waits to be sent. */
  get hasReady(): boolean {
    return this.#ready.length > 0
  }

  /** The open batch takes no more records. */
  closeOpen(): void {
    if (this.open === undefined) return
    this.#ready.push(this.open)
    this.open = undefined
  }

  /** The batch that may be sent now, if any. */
  next(nowMs: number): ProduceBatch | undefined {
    const head = this.#ready[0]
    if (head === undefined || nowMs < this.retryAtMs) return undefined
    if (this.#inFlight.length >= this.#inFlightMax) return undefined
    // The broker takes any sequence from a producer that it does not know yet, so the first batch must be in before others go.
    if (this.#inFlight.some((batch) => batch.baseSequence === 0)) return undefined
    const recovering = head.attempts > 0 || this.#inFlight.some((batch) => batch.attempts > 1)
    return recovering && this.#inFlight.length > 0 ? undefined : head
  }

  /** Whether the batch's sequence stands: given under this identity, or possibly written under an older one. */
  isStamped(batch: ProduceBatch, identity: ProducerIdentity): boolean {
    return batch.identity !== undefined && (batch.identity === identity || batch.uncertain)
  }

  /** Gives the batch the next sequence. False while batches of another identity are in flight: they must settle first. */
  stamp(batch: ProduceBatch, identity: ProducerIdentity): boolean {
    if (this.#inFlight.some((other) => other.identity !== identity)) return false
    if (this.#identity !== identity) {
      this.#identity = identity
      this.#nextSequence = 0
    }
    batch.stamp(identity, this.#nextSequence)
    const count = lastOffsetDeltaAt(batch.sealedBytes, 0) + 1
    this.#nextSequence = sequencePlus(this.#nextSequence, count)
    return true
  }

  /** Moves the head, which `next` returned, into flight. */
  depart(batch: ProduceBatch): void {
    this.#ready.shift()
    batch.attempts++
    this.#inFlight.push(batch)
  }

  /** The batch is settled for good. */
  remove(batch: ProduceBatch): void {
    this.#inFlight = this.#inFlight.filter((other) => other !== batch)
    this.#ready = this.#ready.filter((other) => other !== batch)
  }

  /** The batch goes again, in its old place, not before `retryAtMs`. */
  requeue(batch: ProduceBatch, retryAtMs: number): void {
    this.remove(batch)
    const at = this.#ready.findIndex((other) => other.ordinal > batch.ordinal)
    this.#ready.splice(at < 0 ? this.#ready.length : at, 0, batch)
    this.retryAtMs = Math.max(this.retryAtMs, retryAtMs)
  }

  /** Whether an earlier batch of the partition is not settled yet. */
  hasEarlier(batch: ProduceBatch): boolean {
    const earlier = (other: ProduceBatch): boolean => other.ordinal < batch.ordinal
    return this.#ready.some(earlier) || this.#inFlight.some(earlier)
  }

  /** Waiting batches past their deadline, those in flight left out, since their answer decides. */
  expired(nowMs: number): ProduceBatch[] {
    return this.#ready.filter((batch) => batch.deadlineMs <= nowMs)
  }

  isInFlight(batch: ProduceBatch): boolean {
    return this.#inFlight.includes(batch)
  }

  /** All that are not settled. */
  all(): ProduceBatch[] {
    return [...this.#inFlight, ...this.#ready, ...(this.open === undefined ? [] : [this.open])]
  }

  /** When passing time alone may change what can be done; Infinity where only an answer can. */
  wakeAtMs(nowMs: number, lingerMs: number): number {
    let wakeMs = this.open === undefined ? Infinity : this.open.createdMs + lingerMs
    for (const batch of this.#ready) wakeMs = Math.min(wakeMs, batch.deadlineMs)
    const backingOff = this.#ready.length > 0 && this.retryAtMs > nowMs
    return backingOff ? Math.min(wakeMs, this.retryAtMs) : wakeMs
  }
}
