// The consumer of assigned partitions: fetches from their leaders, one long poll per node, and hands out records in
// order. While the caller works on what `poll` returned, the next fetches run; what they bring waits for the next
// `poll`, so memory is bounded by one answer per node.

import type { Timer } from '../env/env.ts'
import { ErrorCode, isRetriable } from '../protocol/error-codes.ts'
import type { LogRecord } from '../records/read.ts'
import { ClientError, isTransient, KafkaError } from './client-error.ts'
import type { Cluster, Lane, NodeInfo } from './cluster.ts'
import { CONSUMER_DEFAULTS, type ConsumerOptions } from './consumer-options.ts'
import { fetchFrom, type FetchedPartition } from './fetch-request.ts'
import { findOffsets, keyOf, type StartFrom, type TopicPartition } from './partition-offsets.ts'

export interface ConsumedRecord extends LogRecord, TopicPartition {}

export interface Assigned extends TopicPartition {
  readonly from: StartFrom
}

/** One partition's progress. A new object for each assignment, so that late answers to an old one are known. */
interface Progress extends TopicPartition {
  from: StartFrom
  /** The next offset to fetch; undefined until `from` is resolved. */
  position: number | undefined
  /** After what `poll` handed out. */
  consumed: number | undefined
  /** As of the last answer; -1 before. */
  highWatermark: number
  fetching: boolean
  notBeforeMs: number
}

interface Arrived {
  readonly progress: Progress
  readonly records: readonly LogRecord[]
  readonly next: number
}

export class Consumer {
  readonly #cluster: Cluster
  readonly #options: ConsumerOptions
  readonly #lane: Lane
  #partitions = new Map<string, Progress>()
  #arrived: Arrived[] = []
  #failure: unknown
  #wake: (() => void) | undefined
  #retry: Timer | undefined
  #resolving = false
  #refreshing = false
  #closed = false

  constructor(cluster: Cluster, options: Partial<ConsumerOptions> = {}) {
    this.#cluster = cluster
    this.#options = { ...CONSUMER_DEFAULTS, ...options }
    this.#lane = cluster.openLane()
  }

  /** Replaces the assignment. What was fetched and not handed out is forgotten. */
  assign(partitions: readonly Assigned[]): void {
    this.#partitions = new Map(partitions.map((p) => [keyOf(p), progressOf(p)]))
    this.#arrived = []
  }

  get assignment(): TopicPartition[] {
    return [...this.#partitions.values()].map(({ topic, partition }) => ({ topic, partition }))
  }

  /** The offset after the last record handed out, or where it will start once known. */
  position(partition: TopicPartition): number | undefined {
    return this.#partitions.get(keyOf(partition))?.consumed
  }

  /** As of the last answer; undefined before the first. */
  highWatermark(partition: TopicPartition): number | undefined {
    const highWatermark = this.#partitions.get(keyOf(partition))?.highWatermark
    return highWatermark === undefined || highWatermark < 0 ? undefined : highWatermark
  }

  /** Positions of what was handed out: what a group commits. */
  consumed(): (TopicPartition & { readonly offset: number })[] {
    return [...this.#partitions.values()].flatMap(({ topic, partition, consumed }) =>
      consumed === undefined ? [] : [{ topic, partition, offset: consumed }],
    )
  }

  /**
   * The next records of all partitions, each partition's in order; none when nothing came in `waitMs`. Transient
   * failures are retried and not seen here. Throws KafkaError (`OFFSET_OUT_OF_RANGE` under `onOutOfRange: 'fail'`,
   * authorization and the like), and ClientError `closed`.
   */
  async poll(waitMs: number): Promise<ConsumedRecord[]> {
    if (this.#closed) throw new ClientError('closed', 'the consumer is closed')
    this.#pump()
    if (this.#arrived.length === 0 && this.#failure === undefined) await this.#arrival(waitMs)
    if (this.#failure !== undefined) {
      const failure = this.#failure
      this.#failure = undefined
      throw failure
    }
    const arrived = this.#arrived
    this.#arrived = []
    const records: ConsumedRecord[] = []
    for (const { progress, records: fetched, next } of arrived) {
      const { topic, partition } = progress
      for (const record of fetched) records.push({ topic, partition, ...record })
      progress.consumed = next
    }
    this.#pump()
    return records
  }

  /** Makes a waiting `poll` return. */
  wakeUp(): void {
    this.#wake?.()
  }

  close(): void {
    this.#closed = true
    this.#partitions.clear()
    this.#retry?.cancel()
    this.#cluster.closeLane(this.#lane)
    this.wakeUp()
  }

  #arrival(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#cluster.env.timers.after(waitMs, () => this.#wake?.())
      this.#wake = () => {
        this.#wake = undefined
        timer.cancel()
        resolve()
      }
    })
  }

  /** Starts whatever can be started. Nothing more is fetched while something waits to be handed out. */
  #pump(): void {
    if (this.#closed || this.#arrived.length > 0) return
    const nowMs = this.#cluster.env.clock.monotonicMs()
    const idle = [...this.#partitions.values()].filter((p) => !p.fetching && p.notBeforeMs <= nowMs)
    const unresolved = idle.filter((p) => p.position === undefined)
    if (unresolved.length > 0) this.#resolve(unresolved)
    const groups = new Map<NodeInfo, Progress[]>()
    const leaderless: Progress[] = []
    for (const progress of idle) {
      if (progress.position === undefined) continue
      const leader = this.#cluster.leaderOf(progress.topic, progress.partition)
      if (leader === undefined) leaderless.push(progress)
      else groups.set(leader.node, [...(groups.get(leader.node) ?? []), progress])
    }
    if (leaderless.length > 0) this.#refresh(leaderless)
    for (const [node, partitions] of groups) this.#fetch(node, partitions)
  }

  /** Later again: after a failure nothing else would start the next try while `poll` waits. */
  #pumpLater(delayMs: number): void {
    this.#retry?.cancel()
    this.#retry = this.#cluster.env.timers.after(delayMs, () => this.#pump())
  }

  #backOff(partitions: readonly Progress[]): void {
    const { retryBackoffMs } = this.#options
    const notBeforeMs = this.#cluster.env.clock.monotonicMs() + retryBackoffMs
    for (const progress of partitions) progress.notBeforeMs = notBeforeMs
    this.#pumpLater(retryBackoffMs + 1)
  }

  #fail(error: unknown): void {
    this.#failure ??= error
    this.#wake?.()
  }

  #fetch(node: NodeInfo, partitions: readonly Progress[]): void {
    for (const progress of partitions) progress.fetching = true
    const wanted = partitions.map(({ topic, partition, position }) => ({
      topic,
      partition,
      offset: position ?? 0,
    }))
    fetchFrom(this.#cluster, { node, lane: this.#lane }, wanted, this.#options).then(
      (answers) => {
        for (const progress of partitions) progress.fetching = false
        if (!this.#closed) this.#take(partitions, answers)
      },
      (error: unknown) => {
        for (const progress of partitions) progress.fetching = false
        if (this.#closed) return
        if (!isTransient(error)) this.#fail(error)
        else this.#refresh(partitions)
      },
    )
  }

  #take(partitions: readonly Progress[], answers: ReadonlyMap<string, FetchedPartition>): void {
    const failed: Progress[] = []
    for (const progress of partitions) {
      const answer = answers.get(keyOf(progress))
      if (this.#partitions.get(keyOf(progress)) !== progress) continue
      if (answer === undefined) failed.push(progress)
      else if (answer.errorCode !== 0) this.#takeError(progress, answer.errorCode, failed)
      else {
        progress.highWatermark = answer.highWatermark
        if (answer.next === undefined) continue
        progress.position = answer.next
        this.#arrived.push({ progress, records: answer.records, next: answer.next })
      }
    }
    if (failed.length > 0) this.#refresh(failed)
    if (this.#arrived.length > 0) this.#wake?.()
    else this.#pump()
  }

  #takeError(progress: Progress, code: number, failed: Progress[]): void {
    const { onOutOfRange } = this.#options
    if (code === ErrorCode.OFFSET_OUT_OF_RANGE && onOutOfRange !== 'fail') {
      progress.from = onOutOfRange
      progress.position = undefined
    } else if (isRetriable(code) || code === ErrorCode.FENCED_LEADER_EPOCH) {
      failed.push(progress)
    } else {
      const where = `fetch of ${progress.topic}-${progress.partition} at ${progress.position}`
      this.#backOff([progress])
      this.#fail(new KafkaError(code, where))
    }
  }

  /** Turns `from` into offsets, all at once. */
  #resolve(partitions: readonly Progress[]): void {
    if (this.#resolving) return
    this.#resolving = true
    this.#positions(partitions).then(
      () => {
        this.#resolving = false
        this.#pump()
      },
      (error: unknown) => {
        this.#resolving = false
        this.#backOff(partitions)
        if (!isTransient(error) && !this.#closed) this.#fail(error)
      },
    )
  }

  async #positions(partitions: readonly Progress[]): Promise<void> {
    const byLookup: (TopicPartition & { at: 'beginning' | 'end' | { timestampMs: number } })[] = []
    for (const progress of partitions) {
      const { topic, partition, from } = progress
      if (typeof from === 'object' && 'offset' in from) startAt(progress, from.offset)
      else byLookup.push({ topic, partition, at: from })
    }
    if (byLookup.length === 0) return
    const found = await findOffsets(this.#cluster, byLookup, this.#options.retryBackoffMs * 5)
    const past = found.filter(({ offset }) => offset < 0)
    const ends = await findOffsets(
      this.#cluster,
      past.map(({ topic, partition }) => ({ topic, partition, at: 'end' })),
    )
    const offsets = new Map([...found, ...ends].map((f) => [keyOf(f), f.offset]))
    for (const progress of partitions) {
      const offset = offsets.get(keyOf(progress))
      if (offset !== undefined) startAt(progress, offset)
    }
  }

  #refresh(partitions: readonly Progress[]): void {
    this.#backOff(partitions)
    if (this.#refreshing) return
    this.#refreshing = true
    const topics = [...new Set(partitions.map(({ topic }) => topic))]
    this.#cluster.refresh(topics).then(
      () => (this.#refreshing = false),
      () => (this.#refreshing = false),
    )
  }
}

function progressOf({ topic, partition, from }: Assigned): Progress {
  const start = typeof from === 'object' && 'offset' in from ? from.offset : undefined
  return {
    topic,
    partition,
    from,
    position: start,
    consumed: start,
    highWatermark: -1,
    fetching: false,
    notBeforeMs: 0,
  }
}

function startAt(progress: Progress, offset: number): void {
  progress.position = offset
  progress.consumed = offset
}
