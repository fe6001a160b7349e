// Decides which partition a producer's record goes to, and holds records back while the topic's partitions are not known.

import { errorName, isRetriable } from '../protocol/error-codes.ts'
import type { RecordHeader } from '../records/record-cursor.ts'
import { ClientError } from './client-error.ts'
import type { Cluster, ClusterInfo } from './cluster.ts'
import { partitionOfKey, StickyPartitioner } from './partitioner.ts'
import { ProduceError, type Produced } from './produce-batch.ts'
import type { ProducerOptions } from './producer-options.ts'

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

/** A record that was accepted, and whom to tell what became of it. */
export interface Pending {
  readonly record: ProducerRecord
  /** On the monotonic clock. */
  readonly deadlineMs: number
  resolve(produced: Produced): void
  reject(error: ProduceError): void
}

export interface PlacementEvents {
  /** The record goes to this partition. */
  placed(topic: string, partition: number, item: Pending): void
  /** More may be known of a topic's leaders than before. */
  changed(): void
}

export class Placement {
  readonly #cluster: Cluster
  readonly #options: ProducerOptions
  readonly #events: PlacementEvents
  readonly #sticky: StickyPartitioner
  readonly #waiting = new Map<string, Pending[]>()
  /** Topics asked for a moment ago: a missing leader is not asked for in a loop. */
  readonly #refreshing = new Set<string>()

  constructor(cluster: Cluster, options: ProducerOptions, events: PlacementEvents) {
    this.#cluster = cluster
    this.#options = options
    this.#events = events
    this.#sticky = new StickyPartitioner(cluster.env.random)
  }

  /** Calls `placed`, now or when the topic is known; or rejects. */
  place(item: Pending): void {
    const { topic, partition, key } = item.record
    const partitions = this.#cluster.topic(topic)?.partitions.length ?? 0
    if (partitions === 0) {
      const list = this.#waiting.get(topic)
      if (list === undefined) this.#waiting.set(topic, [item])
      else list.push(item)
      this.refresh(topic)
    } else if (partition !== undefined && partition >= partitions) {
      const message = `${topic} has the partitions 0 to ${partitions - 1}`
      item.reject(new ProduceError('refused', message))
    } else {
      this.#events.placed(topic, partition ?? this.#choose(topic, key, partitions), item)
    }
  }

  /** A batch of the topic was closed: records without a key go elsewhere now. */
  batchDone(topic: string): void {
    this.#sticky.batchDone(topic)
  }

  /** Asks for the topic's partitions and leaders, and after a pause lets it be asked again. */
  refresh(topic: string): void {
    if (this.#refreshing.has(topic)) return
    this.#refreshing.add(topic)
    const { retryBackoffMs, autoCreateTopics } = this.#options
    const pause = (): void => {
      this.#cluster.env.timers.after(retryBackoffMs, () => {
        this.#refreshing.delete(topic)
        this.#tryAgain(topic)
      })
    }
    this.#cluster.refresh([topic], { autoCreate: autoCreateTopics }).then(
      (info) => {
        this.#refuseIfHopeless(topic, info)
        if (this.#cluster.topic(topic) !== undefined) this.#tryAgain(topic)
        pause()
      },
      (error: unknown) => {
        if (!(error instanceof ClientError)) pause()
      },
    )
  }

  /** Rejects all that wait. */
  abort(): void {
    for (const list of this.#waiting.values()) {
      for (const { reject } of list) reject(new ProduceError('refused', 'the producer was closed'))
    }
    this.#waiting.clear()
  }

  #choose(topic: string, key: Uint8Array | null, partitions: number): number {
    if (key !== null) return partitionOfKey(key, partitions)
    const all = Array.from({ length: partitions }, (_, i) => i)
    const led = all.filter((i) => this.#cluster.leaderOf(topic, i) !== undefined)
    return this.#sticky.choose(topic, led.length > 0 ? led : all)
  }

  #tryAgain(topic: string): void {
    const list = this.#waiting.get(topic) ?? []
    this.#waiting.delete(topic)
    const nowMs = this.#cluster.env.clock.monotonicMs()
    for (const item of list) {
      if (item.deadlineMs > nowMs) this.place(item)
      else item.reject(new ProduceError('refused', `no metadata of topic ${topic} in time`))
    }
    this.#events.changed()
  }

  #refuseIfHopeless(topic: string, info: ClusterInfo): void {
    const code = info.topics.find(({ name }) => name === topic)?.errorCode ?? 0
    if (code === 0 || isRetriable(code)) return
    const name = errorName(code)
    for (const { reject } of this.#waiting.get(topic) ?? []) {
      reject(new ProduceError('refused', `topic ${topic}: ${name}`, name))
    }
    this.#waiting.delete(topic)
  }
}
