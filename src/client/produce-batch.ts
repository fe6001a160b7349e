// One batch of a producer on its way: the records of one partition that are sent, retried, acknowledged or given up
// together.

import type { ErrorName } from '../protocol/error-codes.ts'
import { NO_SEQUENCE } from '../records/batch-header.ts'
import { BatchBuilder, type BatchOptions, type NewRecord } from '../records/build.ts'
import { setProducer } from '../records/rewrite.ts'

/** What became of one record. */
export interface Produced {
  readonly topic: string
  readonly partition: number
  /** -1 where the broker does not say: acks=0, or a duplicate that it no longer remembers. */
  readonly offset: number
  /** The broker's under LogAppendTime, else the record's own. */
  readonly timestampMs: number
}

/**
 * A record that was not acknowledged. `refused`: it is certainly not in the log, and won't be. `unknown`: it may be
 * in the log, or still get there.
 */
export class ProduceError extends Error {
  override readonly name = 'ProduceError'
  readonly outcome: 'refused' | 'unknown'
  readonly error: ErrorName | undefined
  constructor(outcome: 'refused' | 'unknown', message: string, error?: ErrorName) {
    super(`${message} (${outcome === 'refused' ? 'not written' : 'it may have been written'})`)
    this.outcome = outcome
    this.error = error
  }
}

/** A producer id and epoch. A new object for every one obtained: batches compare it by identity. */
export interface ProducerIdentity {
  readonly producerId: number
  readonly producerEpoch: number
}

interface Waiting {
  readonly timestampMs: number
  resolve(produced: Produced): void
  reject(error: ProduceError): void
}

export class ProduceBatch {
  readonly topic: string
  readonly partition: number
  /** Orders the batches of one producer. */
  readonly ordinal: number
  /** On the monotonic clock. */
  readonly createdMs: number
  readonly deadlineMs: number
  /** Times it was sent. */
  attempts = 0
  /** An attempt may have written it. */
  uncertain = false
  /** Why the last attempt failed. */
  lastFault: string | undefined
  /** Whose sequence it carries. */
  identity: ProducerIdentity | undefined
  /** -1 without one. */
  baseSequence = NO_SEQUENCE
  #builder: BatchBuilder | undefined = new BatchBuilder()
  #bytes: Uint8Array | undefined
  readonly #waiting: Waiting[] = []
  #settled = false

  constructor(options: {
    readonly topic: string
    readonly partition: number
    readonly ordinal: number
    readonly createdMs: number
    readonly deadlineMs: number
  }) {
    this.topic = options.topic
    this.partition = options.partition
    this.ordinal = options.ordinal
    this.createdMs = options.createdMs
    this.deadlineMs = options.deadlineMs
  }

  get count(): number {
    return this.#waiting.length
  }

  /** As sent, or as it would be without compression while it is still open. */
  get bytes(): number {
    return this.#bytes?.length ?? this.#builder?.bytes ?? 0
  }

  /** What the record would add. */
  sizeOf(record: NewRecord): number {
    return this.#builder?.sizeOf(record) ?? 0
  }

  append(record: NewRecord, waiting: Omit<Waiting, 'timestampMs'>): void {
    this.#builder?.append(record)
    this.#waiting.push({ timestampMs: record.timestampMs, ...waiting })
  }

  /** Closes the batch and compresses it. Idempotent. */
  seal(options: Pick<BatchOptions, 'codec' | 'level'>): void {
    if (this.#builder === undefined) return
    this.#bytes = this.#builder.build(options)
    this.#builder = undefined
  }

  /** Gives it the sequence; only while no attempt is uncertain. It must be sealed. */
  stamp(identity: ProducerIdentity, baseSequence: number): void {
    this.identity = identity
    this.baseSequence = baseSequence
    setProducer(this.sealedBytes, 0, { ...identity, baseSequence })
  }

  get sealedBytes(): Uint8Array {
    if (this.#bytes === undefined) throw new Error('the batch is still open')
    return this.#bytes
  }

  succeed(baseOffset: number, logAppendTimeMs: number): void {
    if (this.#settled) return
    this.#settled = true
    const { topic, partition } = this
    this.#waiting.forEach(({ timestampMs, resolve }, i) => {
      resolve({
        topic,
        partition,
        offset: baseOffset < 0 ? -1 : baseOffset + i,
        timestampMs: logAppendTimeMs < 0 ? timestampMs : logAppendTimeMs,
      })
    })
  }

  /** `refused` holds only if no attempt is uncertain. */
  fail(message: string, error?: ErrorName): void {
    if (this.#settled) return
    this.#settled = true
    const failure = new ProduceError(this.uncertain ? 'unknown' : 'refused', message, error)
    for (const { reject } of this.#waiting) reject(failure)
  }
}
