// The consumer that shares a topic's partitions with the other members of its group and remembers, in the group's
// committed offsets, how far it came: at least once, since it commits after the records were handed out and the next
// `poll` was called.

import { ClientError, isTransient } from './client-error.ts'
import type { Cluster } from './cluster.ts'
import type { ConsumerOptions } from './consumer-options.ts'
import { Consumer, type ConsumedRecord } from './consumer.ts'
import { GroupMember, type GroupMemberOptions } from './group-member.ts'
import { commitOffsets, fetchCommitted, type CommittedOffset } from './group-offsets.ts'
import { keyOf, type TopicPartition } from './partition-offsets.ts'

export interface GroupConsumerOptions extends GroupMemberOptions {
  /** Where to start in a partition without a committed offset, or with one that the log does not have any more. */
  readonly startAt: 'beginning' | 'end'
  /** How often `poll` commits what earlier polls handed out; undefined: only `commit` and `close` do. */
  readonly autoCommitMs: number | undefined
  /** metadata.max.age.ms: how often it looks whether the topics have more partitions, or are there at all. */
  readonly metadataMs: number
  readonly consumer?: Partial<ConsumerOptions>
}

export const GROUP_CONSUMER_DEFAULTS: Omit<GroupConsumerOptions, 'groupId' | 'topics'> = {
  sessionTimeoutMs: 45_000,
  rebalanceTimeoutMs: 60_000,
  heartbeatMs: 3000,
  startAt: 'end',
  autoCommitMs: 5000,
  metadataMs: 30_000,
}

export class GroupConsumer {
  readonly #cluster: Cluster
  readonly #options: GroupConsumerOptions
  readonly #consumer: Consumer
  readonly #member: GroupMember
  /** As last committed or fetched, so that nothing is committed twice. */
  readonly #committed = new Map<string, number>()
  #nextCommitMs = 0
  #nextLookMs = 0
  /** What was shared out: partitions by topic. */
  #partitions = ''
  #closed = false

  constructor(
    cluster: Cluster,
    options: Partial<GroupConsumerOptions> & Pick<GroupConsumerOptions, 'groupId' | 'topics'>,
  ) {
    this.#cluster = cluster
    this.#options = { ...GROUP_CONSUMER_DEFAULTS, ...options }
    this.#consumer = new Consumer(cluster, {
      onOutOfRange: this.#options.startAt,
      ...this.#options.consumer,
    })
    this.#member = new GroupMember(cluster, this.#options, () => this.#consumer.wakeUp())
  }

  /** Empty while the group rebalances. */
  get assignment(): TopicPartition[] {
    return this.#member.isStable ? this.#consumer.assignment : []
  }

  get memberId(): string {
    return this.#member.memberId
  }

  /** The offset after the last record handed out, or where it will start once known. */
  position(partition: TopicPartition): number | undefined {
    return this.#consumer.position(partition)
  }

  /**
   * The next records. Joins the group first where need be, which takes as long as the group takes. What earlier polls
   * handed out counts as done. Throws as `Consumer.poll`, and what joining and committing end in.
   */
  async poll(waitMs: number): Promise<ConsumedRecord[]> {
    if (this.#closed) throw new ClientError('closed', 'the consumer is closed')
    const nowMs = this.#cluster.env.clock.monotonicMs()
    const { autoCommitMs } = this.#options
    if (autoCommitMs !== undefined && (nowMs >= this.#nextCommitMs || !this.#member.isStable)) {
      this.#nextCommitMs = nowMs + autoCommitMs
      await this.tryCommit()
    }
    if (this.#member.isStable && nowMs >= this.#nextLookMs) await this.#look()
    if (!this.#member.isStable) await this.#join()
    return this.#consumer.poll(waitMs)
  }

  /** What `commit` would write now. */
  uncommitted(): CommittedOffset[] {
    return this.#consumer
      .consumed()
      .filter((position) => this.#committed.get(keyOf(position)) !== position.offset)
  }

  /**
   * Commits the positions of what was handed out. Throws KafkaError; after a rebalance the records may come again
   * elsewhere.
   */
  async commit(positions: readonly CommittedOffset[] = this.#consumer.consumed()): Promise<void> {
    const changed = positions.filter(
      (position) => this.#committed.get(keyOf(position)) !== position.offset,
    )
    if (changed.length === 0) return
    const { groupId } = this.#options
    const timeoutMs = this.#cluster.requestTimeoutMs
    try {
      await commitOffsets(
        this.#member.coordinator,
        groupId,
        changed,
        this.#member.committer,
        timeoutMs,
      )
    } catch (error) {
      this.#member.noteError(error)
      throw error
    }
    for (const position of changed) this.#committed.set(keyOf(position), position.offset)
  }

  /** Commits if it commits by itself, leaves the group, and stops. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    try {
      if (this.#options.autoCommitMs !== undefined) await this.tryCommit()
      await this.#member.leave()
    } catch (error) {
      // Leaving is a courtesy: without it the group finds out when the session times out.
      if (!isTransient(error)) throw error
    } finally {
      this.abort()
    }
  }

  /** Stops without a word to the group, which finds out when the session times out. */
  abort(): void {
    this.#closed = true
    this.#member.stop()
    this.#consumer.close()
  }

  /**
   * As `commit`, where failing for a passing reason, or because the group rebalances, is no harm: the records come
   * again.
   */
  async tryCommit(positions?: readonly CommittedOffset[]): Promise<void> {
    if (this.#member.memberId === '') return
    try {
      await this.commit(positions)
    } catch (error) {
      if (!isTransient(error) && this.#member.isStable) throw error
    }
  }

  /** Any member may see it first; joining again makes the whole group share out anew. */
  async #look(): Promise<void> {
    this.#lookLater()
    try {
      await this.#cluster.refresh(this.#options.topics)
    } catch (error) {
      if (!isTransient(error)) throw error
    }
    if (this.#partitions !== this.#counts()) this.#member.rejoin()
  }

  #lookLater(): void {
    this.#nextLookMs = this.#cluster.env.clock.monotonicMs() + this.#options.metadataMs
  }

  #counts(): string {
    return this.#options.topics
      .map((topic) => `${topic} ${this.#cluster.topic(topic)?.partitions.length ?? 0}`)
      .join(', ')
  }

  async #join(): Promise<void> {
    this.#consumer.assign([])
    await this.#look()
    this.#partitions = this.#counts()
    const assigned = await this.#member.join()
    const { groupId, startAt } = this.#options
    const timeoutMs = this.#cluster.requestTimeoutMs
    const committed = await fetchCommitted(this.#member.coordinator, groupId, assigned, timeoutMs)
    this.#committed.clear()
    for (const offset of committed) this.#committed.set(keyOf(offset), offset.offset)
    this.#consumer.assign(
      assigned.map((partition) => {
        const offset = this.#committed.get(keyOf(partition))
        return { ...partition, from: offset === undefined ? startAt : { offset } }
      }),
    )
  }
}
