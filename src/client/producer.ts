// The producer: collects records into batches per partition, sends them to the leaders, retries what may be retried without
// changing the order or writing twice, and tells of every record whether it was written, was not, or may have been.
//
// One function, `#pump`, decides what to send. It runs whenever something may have changed: a batch is due, an answer
// came, metadata or a producer id arrived, a time has passed.

import type { Timer } from '../env/env.ts'
import type { Cluster } from './cluster.ts'
import { ProduceBatch, ProduceError, type Produced } from './produce-batch.ts'
import { ProduceQueue } from './produce-queue.ts'
import { ProduceSender, type Outcome } from './produce-sender.ts'
import { ProducerBuffer } from './producer-buffer.ts'
import { IdentitySource } from './producer-identity.ts'
import { PRODUCER_DEFAULTS, type ProducerOptions } from './producer-options.ts'
import { Placement, type Pending, type ProducerRecord } from './producer-placement.ts'

/** Bytes that a record takes beyond key, value and headers; an estimate for the buffer's bound. */
const RECORD_OVERHEAD_BYTES = 64

export class Producer {
  readonly #cluster: Cluster
  readonly #options: ProducerOptions
  readonly #buffer: ProducerBuffer
  readonly #placement: Placement
  readonly #identity: IdentitySource
  readonly #sender: ProduceSender
  readonly #queues = new Map<string, ProduceQueue>()
  #nextOrdinal = 0
  #wake: Timer | undefined
  #pumpSoon = false
  #flushing = 0
  #closed = false

  constructor(cluster: Cluster, options: Partial<ProducerOptions> = {}) {
    const given = { ...PRODUCER_DEFAULTS, ...options }
    this.#options = { ...given, idempotent: given.idempotent && given.acks === 'all' }
    this.#cluster = cluster
    this.#buffer = new ProducerBuffer(this.#options.bufferBytes)
    this.#placement = new Placement(cluster, this.#options, {
      placed: (topic, partition, item) => this.#append(this.#queue(topic, partition), item),
      changed: () => this.#pump(),
    })
    this.#identity = new IdentitySource(cluster, this.#options, {
      changed: () => this.#pump(),
      refused: (error) => this.#failAll(error),
    })
    this.#sender = new ProduceSender(cluster, this.#options)
  }

  /** Bytes of records not yet settled. */
  get bufferedBytes(): number {
    return this.#buffer.bytes
  }

  /**
   * Resolves when the record was acknowledged as `acks` says. Rejects with ProduceError, whose `outcome` says whether
   * it may be in the log. Beyond `bufferBytes` it rejects at once, as refused: wait with `whenRoom`.
   */
  send(record: ProducerRecord): Promise<Produced> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new ProduceError('refused', 'the producer is closed'))
        return
      }
      const bytes = recordBytes(record)
      if (!this.#buffer.take(bytes)) {
        reject(new ProduceError('refused', `more than ${this.#options.bufferBytes} bytes wait`))
        return
      }
      this.#placement.place({
        record,
        deadlineMs: this.#nowMs() + this.#options.deliveryTimeoutMs,
        resolve: (produced) => {
          this.#buffer.release(bytes)
          resolve(produced)
        },
        reject: (error) => {
          this.#buffer.release(bytes)
          reject(error)
        },
      })
    })
  }

  /** Resolves when less than half of the buffer is taken. */
  whenRoom(): Promise<void> {
    return this.#buffer.whenRoom()
  }

  /** Sends what waits without lingering; resolves when every record is settled, well or not. */
  async flush(): Promise<void> {
    this.#flushing++
    this.#pump()
    await this.#buffer.whenEmpty()
    this.#flushing--
  }

  /** Flushes, then takes no more records. */
  async close(): Promise<void> {
    await this.flush()
    this.abort()
  }

  /** Takes no more records and gives up those that wait; those in flight end as unknown. */
  abort(): void {
    this.#closed = true
    this.#wake?.cancel()
    for (const queue of this.#queues.values()) {
      for (const batch of queue.all()) {
        batch.uncertain ||= queue.isInFlight(batch)
        batch.fail('the producer was closed')
      }
    }
    this.#placement.abort()
    this.#queues.clear()
  }

  #nowMs(): number {
    return this.#cluster.env.clock.monotonicMs()
  }

  #append(queue: ProduceQueue, item: Pending): void {
    const timestampMs = item.record.timestampMs ?? this.#cluster.env.clock.nowMs()
    const { key, value, headers = [] } = item.record
    const record = { key, value, headers, timestampMs }
    const open = queue.open
    if (open !== undefined && open.bytes + open.sizeOf(record) > this.#options.batchBytes) {
      this.#closeOpen(queue)
    }
    queue.open ??= new ProduceBatch({
      topic: queue.topic,
      partition: queue.partition,
      ordinal: this.#nextOrdinal++,
      createdMs: this.#nowMs(),
      deadlineMs: item.deadlineMs,
    })
    queue.open.append(record, item)
    if (queue.open.bytes >= this.#options.batchBytes) this.#closeOpen(queue)
    this.#pumpLater()
  }

  #closeOpen(queue: ProduceQueue): void {
    queue.closeOpen()
    this.#placement.batchDone(queue.topic)
  }

  #queue(topic: string, partition: number): ProduceQueue {
    const key = `${topic} ${partition}`
    let queue = this.#queues.get(key)
    if (queue === undefined) {
      queue = new ProduceQueue(topic, partition, this.#options)
      this.#queues.set(key, queue)
    }
    return queue
  }

  /** In a later turn, so that the records of this one share batches. */
  #pumpLater(): void {
    if (this.#pumpSoon) return
    this.#pumpSoon = true
    this.#cluster.env.timers.soon(() => this.#pump())
  }

  #pump(): void {
    this.#pumpSoon = false
    if (this.#closed) return
    const nowMs = this.#nowMs()
    const lingerMs = this.#flushing > 0 ? 0 : this.#options.lingerMs
    const departures: ProduceBatch[] = []
    let wakeMs = Infinity
    for (const queue of this.#queues.values()) {
      if (queue.open !== undefined && queue.open.createdMs + lingerMs <= nowMs)
        this.#closeOpen(queue)
      this.#giveUpExpired(queue, nowMs)
      for (let batch = this.#sendable(queue, nowMs); batch !== undefined;) {
        departures.push(batch)
        batch = this.#sendable(queue, nowMs)
      }
      wakeMs = Math.min(wakeMs, queue.wakeAtMs(nowMs, lingerMs))
    }
    this.#sender.send(departures, (batch, outcome) => this.#settle(batch, outcome))
    this.#arm(wakeMs, nowMs)
  }

  #arm(wakeMs: number, nowMs: number): void {
    this.#wake?.cancel()
    this.#wake = undefined
    if (wakeMs === Infinity) return
    this.#wake = this.#cluster.env.timers.after(Math.max(1, wakeMs - nowMs), () => this.#pump())
  }

  #giveUpExpired(queue: ProduceQueue, nowMs: number): void {
    for (const batch of queue.expired(nowMs)) {
      queue.remove(batch)
      this.#identity.renounce(batch.identity)
      const why = batch.lastFault === undefined ? '' : `; last: ${batch.lastFault}`
      batch.fail(
        `not acknowledged in ${this.#options.deliveryTimeoutMs} ms${why}`,
        'REQUEST_TIMED_OUT',
      )
    }
  }

  /** Takes the next batch of the queue that may go now, sealed and stamped. */
  #sendable(queue: ProduceQueue, nowMs: number): ProduceBatch | undefined {
    const batch = queue.next(nowMs)
    if (batch === undefined) return undefined
    if (this.#cluster.leaderOf(queue.topic, queue.partition) === undefined) {
      this.#placement.refresh(queue.topic)
      return undefined
    }
    if (!this.#sender.hasRoom(batch)) return undefined
    batch.seal(this.#options)
    if (this.#options.idempotent) {
      const identity = this.#identity.current()
      if (identity === undefined) return undefined
      if (!queue.isStamped(batch, identity) && !queue.stamp(batch, identity)) return undefined
    }
    queue.depart(batch)
    this.#sender.reserve(batch)
    return batch
  }

  #settle(batch: ProduceBatch, outcome: Outcome): void {
    const queue = this.#queue(batch.topic, batch.partition)
    if (this.#closed) return
    switch (outcome.kind) {
      case 'written':
        queue.remove(batch)
        batch.succeed(outcome.baseOffset, outcome.logAppendTimeMs)
        break
      case 'retry':
        batch.uncertain ||= outcome.uncertain
        batch.lastFault = outcome.message
        this.#retry(queue, batch)
        if (outcome.refreshLeader) this.#placement.refresh(batch.topic)
        break
      case 'sequence':
        this.#settleSequence(queue, batch, outcome.message)
        break
      case 'fail':
        // A batch given up leaves a hole in its sequence: what follows needs a new producer id.
        batch.uncertain ||= outcome.uncertain
        queue.remove(batch)
        this.#identity.renounce(batch.identity)
        batch.fail(outcome.message, outcome.error)
        break
    }
    this.#pumpLater()
  }

  /**
   * The broker refused the sequence. With an earlier batch still to be settled that is expected: the sequence will be
   * right. Else it stands for nothing any more: the batch gets a new one, unless it may have been written under this
   * one.
   */
  #settleSequence(queue: ProduceQueue, batch: ProduceBatch, message: string): void {
    if (queue.hasEarlier(batch)) {
      this.#retry(queue, batch)
      return
    }
    this.#identity.renounce(batch.identity)
    if (batch.uncertain) {
      queue.remove(batch)
      batch.fail(message, 'OUT_OF_ORDER_SEQUENCE_NUMBER')
    } else {
      this.#retry(queue, batch)
    }
  }

  #retry(queue: ProduceQueue, batch: ProduceBatch): void {
    const factor = 2 ** Math.min(batch.attempts - 1, 10)
    const backoffMs = Math.min(
      this.#options.retryBackoffMs * factor,
      this.#options.retryBackoffMaxMs,
    )
    const jitter = 0.8 + 0.4 * this.#cluster.env.random.float()
    queue.requeue(batch, this.#nowMs() + backoffMs * jitter)
  }

  /** Nothing can be sent at all. */
  #failAll(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error)
    for (const queue of this.#queues.values()) {
      queue.closeOpen()
      for (const batch of queue.expired(Infinity)) {
        queue.remove(batch)
        batch.fail(message)
      }
    }
  }
}

function recordBytes(record: ProducerRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + (record.key?.length ?? 0) + (record.value?.length ?? 0)
  for (const { key, value } of record.headers ?? []) bytes += key.length + (value?.length ?? 0)
  return bytes
}
