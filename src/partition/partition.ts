// One partition as clients see it, over its replicated log: appends with producer state, reads below the high watermark,
// waiting readers, deletion. It owns no bytes and decides no leadership; both are the log's. Every answer that depends on
// leadership is taken from the log's role at the moment of the answer.

import type { TopicConfigs } from '../base/config/topic-configs.ts'
import { asLeaderEpoch, asOffset } from '../base/brand.ts'
import type { Env } from '../env/env.ts'
import type { Limiter } from '../env/limiter.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { ReplicatedLog, Role } from '../replicated/replicated-log.ts'
import { barrierErrorCode, commitErrorCode } from './errors.ts'
import { readForFetch, type FetchAnswer, type FetchRequest } from './fetch.ts'
import type { CompactionResult } from './compaction.ts'
import { Compactor } from './compactor.ts'
import { checkLeader } from './leader-check.ts'
import { listOffset, type ListOffsetAnswer, type ListOffsetRequest } from './list-offsets.ts'
import { produce, type ProduceRequest, type ProduceResult } from './produce.ts'
import { ProducerTracker } from './producer-tracker.ts'
import { retainedFrom } from './retention.ts'

/** Someone who waits for more to read here. */
export interface ProgressListener {
  /** The high watermark or the log start moved, leadership changed, or the partition closed. Must not throw. */
  onProgress(partition: Partition): void
}

export interface PartitionOptions {
  readonly topic: string
  /** 22 characters of URL-safe base64. */
  readonly topicId: string
  readonly index: number
  readonly log: ReplicatedLog
  readonly config: TopicConfigs
  readonly env: Pick<Env, 'clock' | 'log'>
  /** Shared by the partitions of a node: how many rebuild their producer state at once. */
  readonly rebuilds: Limiter
}

export class Partition {
  readonly topic: string
  readonly topicId: string
  readonly index: number
  readonly log: ReplicatedLog
  config: TopicConfigs
  readonly producers: ProducerTracker
  readonly #clock: Env['clock']
  readonly #compactor: Compactor
  readonly #listeners = new Set<ProgressListener>()
  readonly #stopObserving: () => void
  #closed = false

  constructor(options: PartitionOptions) {
    this.topic = options.topic
    this.topicId = options.topicId
    this.index = options.index
    this.log = options.log
    this.config = options.config
    this.#clock = options.env.clock
    const name = { topic: options.topic, partition: options.index }
    this.producers = new ProducerTracker({
      log: options.log,
      clock: options.env.clock,
      logger: options.env.log.child(name),
      rebuilds: options.rebuilds,
    })
    this.#compactor = new Compactor(options.log, {
      clock: options.env.clock,
      log: options.env.log.child(name),
    })
    this.#stopObserving = options.log.observe({
      onAppended: (batches) => this.producers.onAppended(batches),
      onTruncated: (to) => {
        this.producers.onTruncated(to)
        this.#compactor.onTruncated(to.offset)
      },
      onCommitted: () => {
        this.producers.onCommitted()
        this.#wake()
      },
      beforeLogStart: (offset) => this.producers.beforeLogStart(offset),
      snapshotWanted: () => this.producers.snapshotWanted(),
      onSnapshot: () => this.producers.onSnapshot(),
      onRoleChanged: () => {
        this.producers.onRoleChanged()
        this.#wake()
      },
      onLogStartChanged: () => this.#wake(),
      onClosed: () => this.close(),
    })
  }

  get role(): Role {
    return this.log.role
  }

  get isLeader(): boolean {
    return this.log.role.kind === 'leader'
  }

  /**
   * Appends one batch of a client. Synchronous up to its place in the log: when it returns, a later call comes after it.
   * `completed` of an accepted result tells how the commit ended.
   */
  produce(request: ProduceRequest): ProduceResult {
    return produce(this, request, this.#clock.nowMs())
  }

  fetch(request: FetchRequest): FetchAnswer | Promise<FetchAnswer> {
    return readForFetch(this.log, request)
  }

  listOffset(request: ListOffsetRequest): Promise<ListOffsetAnswer> {
    return listOffset(this.log, request)
  }

  /**
   * KIP-320: where the largest epoch ≤ the one asked ends here. (-1, -1) where none is known, as Kafka answers.
   */
  endOfEpoch(request: { readonly leaderEpoch: number; readonly currentLeaderEpoch: number }): {
    readonly error: ErrorCode
    readonly leaderEpoch: number
    readonly endOffset: number
  } {
    const error = checkLeader(this.log.role, request.currentLeaderEpoch)
    if (error !== ErrorCode.NONE) return { error, leaderEpoch: -1, endOffset: -1 }
    const end = this.log.epochs.endOf(asLeaderEpoch(request.leaderEpoch), this.log.logEnd.offset)
    return { error, leaderEpoch: end?.epoch ?? -1, endOffset: end?.end ?? -1 }
  }

  /** DeleteRecords: `offset` -1 means the high watermark. Answers the new log start once a majority holds it. */
  async deleteRecords(
    offset: number,
  ): Promise<{ readonly error: ErrorCode; readonly logStart: number }> {
    const refused = checkLeader(this.log.role, -1)
    if (refused !== ErrorCode.NONE) return { error: refused, logStart: -1 }
    // The high watermark of a leader that is new, or was replaced, may lie below what was acknowledged.
    const unconfirmed = await this.confirmLeadership()
    if (unconfirmed !== ErrorCode.NONE) return { error: unconfirmed, logStart: -1 }
    // As Kafka: what is only compacted is not deleted from its beginning.
    if (!this.config['cleanup.policy'].includes('delete')) {
      return { error: ErrorCode.POLICY_VIOLATION, logStart: -1 }
    }
    const to = offset === -1 ? this.log.highWatermark : asOffset(offset)
    if (to < 0 || to > this.log.highWatermark) {
      return { error: ErrorCode.OFFSET_OUT_OF_RANGE, logStart: -1 }
    }
    if (to > this.log.logStart) {
      if (!(await this.producers.keepPast(to))) {
        return { error: ErrorCode.KAFKA_STORAGE_ERROR, logStart: -1 }
      }
      // Once it is closed nobody keeps what is known of producers: the log start stays where it is.
      const lost = this.#closed ? ErrorCode.NOT_LEADER_OR_FOLLOWER : checkLeader(this.log.role, -1)
      if (lost !== ErrorCode.NONE) return { error: lost, logStart: -1 }
      const error = commitErrorCode(await this.log.advanceLogStart(to))
      if (error !== ErrorCode.NONE) return { error, logStart: -1 }
    }
    return { error: ErrorCode.NONE, logStart: this.log.logStart }
  }

  /** Confirms this leadership with a majority, for answers that must not be stale (law R9). */
  async confirmLeadership(): Promise<ErrorCode> {
    return barrierErrorCode(await this.log.readBarrier())
  }

  /** Deletes segments past retention.ms and retention.bytes; only an established leader does. True when some went. */
  async applyRetention(): Promise<boolean> {
    const { role } = this.log
    if (this.#closed || role.kind !== 'leader' || !role.established) return false
    if (!this.config['cleanup.policy'].includes('delete')) return false
    const start = retainedFrom({
      segments: this.log.segments(),
      logStart: this.log.logStart,
      highWatermark: this.log.highWatermark,
      nowMs: this.#clock.nowMs(),
      retentionMs: this.config['retention.ms'],
      retentionBytes: this.config['retention.bytes'],
    })
    if (start === undefined) return false
    // Where it can't be kept (on a disk without a byte) each replica tries again before its log start moves.
    await this.producers.keepPast(start)
    if (this.#closed || this.log.role !== role) return false
    await this.log.advanceLogStart(start)
    return true
  }

  /** Compacts this replica's sealed segments, where the topic is compacted and enough of them is new. */
  async compact(pause: () => Promise<void>): Promise<CompactionResult | undefined> {
    if (this.#closed || !this.config['cleanup.policy'].includes('compact')) return undefined
    return this.#compactor.run(this.config, pause)
  }

  /** Wakes `listener` on every progress until it is removed. */
  addListener(listener: ProgressListener): void {
    this.#listeners.add(listener)
  }

  removeListener(listener: ProgressListener): void {
    this.#listeners.delete(listener)
  }

  /** Stops following the log; those who wait are woken. Call it while the log is open, so that producer state is kept. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.producers.close()
    this.#stopObserving()
    // While its node stops, the log outlives it for a moment. Nobody keeps then what is known of producers (law R10).
    this.log.observe({ beforeLogStart: () => new Promise<void>(() => {}) })
    this.#wake()
  }

  #wake(): void {
    for (const listener of this.#listeners) listener.onProgress(this)
  }
}
