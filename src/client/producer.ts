// The producer: collects records into batches per partition, sends them to the leaders, retries what may be retried without
// changing the order or writing twice, and tells of every record whether it was written, was not, or may have been.
//
// One function, `#pump`, decides what to send. It runs whenever something may have changed: a batch is due, an answer
// came, metadata or a producer id arrived, a time has passed.

import type { Timer } from '../env/env.ts'
import { errorName, isRetriable } from '../protocol/error-codes.ts'
import { initProducerId } from '../protocol/messages/init-producer-id.ts'
import type { RecordHeader } from '../records/record-cursor.ts'
import { Backoff } from './client-env.ts'
import { ClientError, isTransient, throwIfError } from './client-error.ts'
import type { Cluster } from './cluster.ts'
import { partitionOfKey, StickyPartitioner } from './partitioner.ts'
import {
  ProduceBatch,
  ProduceError,
  type Produced,
  type ProducerIdentity,
} from './produce-batch.ts'
import { ProduceQueue } from './produce-queue.ts'
import { ProduceSender, type Outcome } from './produce-sender.ts'
import { PRODUCER_DEFAULTS, type ProducerOptions } from './producer-options.ts'

export interface ProducerRecord {
  readonly topic: string
  /** Chosen by the key, or freely without one, when absent. */
  readonly partition?: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers?: readonly RecordHeader[]
  /** Now, when absent. */
  readonly timestampMs?: number
}

interface Unplaced {
  readonly record: ProducerRecord
  readonly bytes: number
  readonly deadlineMs: number
  resolve(produced: Produced): void
  reject(error: ProduceError): void
}

/** Bytes that a record takes beyond key, value and headers; an estimate for the buffer's bound. */
const RECORD_OVERHEAD_BYTES = 64

export class Producer {
  readonly #cluster: Cluster
  readonly #options: ProducerOptions
  readonly #sender: ProduceSender
  readonly #sticky: StickyPartitioner
  readonly #queues = new Map<string, ProduceQueue>()
  /** Records of topics whose partitions are not known yet. */
  readonly #unplaced = new Map<string, Unplaced[]>()
  readonly #refreshing = new Set<string>()
  readonly #identityBackoff: Backoff
  #identity: ProducerIdentity | undefined
  #obtainingIdentity = false
  #nextOrdinal = 0
  #bufferedBytes = 0
  #roomWaiters: (() => void)[] = []
  #wake: Timer | undefined
  #pumpSoon = false
  #flushing = 0
  #closed = false

  constructor(cluster: Cluster, options: Partial<ProducerOptions> = {}) {
    const given = { ...PRODUCER_DEFAULTS, ...options }
    this.#options = { ...given, idempotent: given.idempotent && given.acks === 'all' }
    this.#cluster = cluster
    this.#sender = new ProduceSender(cluster, this.#options)
    this.#sticky = new StickyPartitioner(cluster.env.random)
    this.#identityBackoff = new Backoff(cluster.env, {
      firstMs: this.#options.retryBackoffMs,
      maxMs: this.#options.retryBackoffMaxMs,
    })
  }

  /** Bytes of records not yet settled. */
  get bufferedBytes(): number {
    return this.#bufferedBytes
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
      if (this.#bufferedBytes > 0 && this.#bufferedBytes + bytes > this.#options.bufferBytes) {
        reject(new ProduceError('refused', `more than ${this.#options.bufferBytes} bytes wait`))
        return
      }
      this.#bufferedBytes += bytes
      const deadlineMs = this.#nowMs() + this.#options.deliveryTimeoutMs
      this.#place({
        record,
        bytes,
        deadlineMs,
        resolve: (produced) => {
          this.#release(bytes)
          resolve(produced)
        },
        reject: (error) => {
          this.#release(bytes)
          reject(error)
        },
      })
    })
  }

  /** Resolves when less than half of the buffer is taken. */
  whenRoom(): Promise<void> {
    if (this.#bufferedBytes <= this.#options.bufferBytes / 2) return Promise.resolve()
    return new Promise((resolve) => this.#roomWaiters.push(resolve))
  }

  /** Sends what waits without lingering; resolves when every record is settled, well or not. */
  async flush(): Promise<void> {
    this.#flushing++
    this.#pump()
    while (this.#bufferedBytes > 0) {
      await new Promise<void>((resolve) => this.#roomWaiters.push(resolve))
    }
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
        batch.uncertain ||= batch.attempts > 0
        batch.fail('the producer was closed')
      }
    }
    for (const list of this.#unplaced.values()) {
      for (const { reject } of list) reject(new ProduceError('refused', 'the producer was closed'))
    }
    this.#queues.clear()
    this.#unplaced.clear()
  }

  #nowMs(): number {
    return this.#cluster.env.clock.monotonicMs()
  }

  /** Into the batch of its partition, or aside while the topic's partitions are not known. */
  #place(item: Unplaced): void {
    const { record } = item
    const topic = this.#cluster.topic(record.topic)
    if (topic === undefined || topic.partitions.length === 0) {
      const list = this.#unplaced.get(record.topic)
      if (list === undefined) this.#unplaced.set(record.topic, [item])
      else list.push(item)
      this.#refresh(record.topic)
      return
    }
    const partitions = topic.partitions.length
    if (record.partition !== undefined && record.partition >= partitions) {
      item.reject(
        new ProduceError('refused', `${record.topic} has the partitions 0 to ${partitions - 1}`),
      )
      return
    }
    const partition = record.partition ?? this.#choose(record, partitions)
    this.#append(this.#queue(record.topic, partition), item)
  }

  #choose(record: ProducerRecord, partitions: number): number {
    if (record.key !== null) return partitionOfKey(record.key, partitions)
    const all = Array.from({ length: partitions }, (_, i) => i)
    const led = all.filter((i) => this.#cluster.leaderOf(record.topic, i) !== undefined)
    return this.#sticky.choose(record.topic, led.length > 0 ? led : all)
  }

  #append(queue: ProduceQueue, item: Unplaced): void {
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
    this.#sticky.batchDone(queue.topic)
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
      this.#lost(batch)
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
      this.#refresh(queue.topic)
      return undefined
    }
    if (!this.#sender.hasRoom(batch)) return undefined
    batch.seal(this.#options)
    if (this.#options.idempotent) {
      const identity = this.#identity
      if (identity === undefined) {
        this.#obtainIdentity()
        return undefined
      }
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
        if (outcome.refreshLeader) this.#refresh(batch.topic)
        break
      case 'sequence':
        this.#settleSequence(queue, batch, outcome.message)
        break
      case 'fail':
        batch.uncertain ||= outcome.uncertain
        queue.remove(batch)
        this.#lost(batch)
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
    if (batch.identity === this.#identity) this.#identity = undefined
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

  /** A batch given up leaves a hole in its sequence: what follows needs a new producer id. */
  #lost(batch: ProduceBatch): void {
    if (batch.identity !== undefined && batch.identity === this.#identity)
      this.#identity = undefined
  }

  #obtainIdentity(): void {
    if (this.#obtainingIdentity) return
    this.#obtainingIdentity = true
    const take = (identity: ProducerIdentity | undefined): void => {
      this.#obtainingIdentity = false
      this.#identity = identity
      this.#pump()
    }
    this.#askIdentity().then(
      (identity) => take(identity),
      (error: unknown) => {
        if (!isTransient(error)) this.#failAll(error)
        this.#cluster.env.timers.after(this.#identityBackoff.nextMs(), () => take(undefined))
      },
    )
  }

  async #askIdentity(): Promise<ProducerIdentity> {
    const connection = await this.#cluster.anyConnection()
    const answer = await connection.request(initProducerId, () => ({
      transactionalId: null,
      transactionTimeoutMs: 60_000,
    }))
    throwIfError(answer.errorCode, 'InitProducerId')
    this.#identityBackoff.reset()
    return { producerId: answer.producerId, producerEpoch: answer.producerEpoch }
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

  /** One refresh per topic at a time, and a pause after each, so that a missing leader is not asked for in a loop. */
  #refresh(topic: string): void {
    if (this.#refreshing.has(topic)) return
    this.#refreshing.add(topic)
    const { env } = this.#cluster
    const again = (): void => {
      this.#refreshing.delete(topic)
      this.#replace(topic)
      this.#pump()
    }
    this.#cluster.refresh([topic], { autoCreate: this.#options.autoCreateTopics }).then(
      (info) => {
        const found = info.topics.find(({ name }) => name === topic)
        const code = found?.errorCode ?? 0
        if (code !== 0 && !isRetriable(code)) this.#refuseUnplaced(topic, code)
        if (this.#cluster.topic(topic) === undefined)
          env.timers.after(this.#options.retryBackoffMs, again)
        else this.#replaceThenPause(topic, again)
      },
      (error: unknown) => {
        if (error instanceof ClientError) return
        env.timers.after(this.#options.retryBackoffMs, again)
      },
    )
  }

  #replaceThenPause(topic: string, again: () => void): void {
    this.#replace(topic)
    this.#pump()
    this.#cluster.env.timers.after(this.#options.retryBackoffMs, again)
  }

  /** Tries again to place the topic's records; those past their deadline are refused. */
  #replace(topic: string): void {
    const list = this.#unplaced.get(topic)
    if (list === undefined) return
    this.#unplaced.delete(topic)
    const nowMs = this.#nowMs()
    for (const item of list) {
      if (item.deadlineMs > nowMs) this.#place(item)
      else item.reject(new ProduceError('refused', `no metadata of topic ${topic} in time`))
    }
  }

  #refuseUnplaced(topic: string, code: number): void {
    const list = this.#unplaced.get(topic) ?? []
    this.#unplaced.delete(topic)
    const name = errorName(code)
    for (const { reject } of list)
      reject(new ProduceError('refused', `topic ${topic}: ${name}`, name))
  }

  #release(bytes: number): void {
    this.#bufferedBytes -= bytes
    if (this.#roomWaiters.length === 0) return
    const low =
      this.#flushing > 0
        ? this.#bufferedBytes === 0
        : this.#bufferedBytes <= this.#options.bufferBytes / 2
    if (!low) return
    const waiters = this.#roomWaiters
    this.#roomWaiters = []
    for (const resolve of waiters) resolve()
  }
}

function recordBytes(record: ProducerRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + (record.key?.length ?? 0) + (record.value?.length ?? 0)
  for (const { key, value } of record.headers ?? []) bytes += key.length + (value?.length ?? 0)
  return bytes
}
