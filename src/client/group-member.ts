// One member of a classic consumer group: join, assign if it leads, sync, heartbeat, leave. It holds the membership;
// what to do with the partitions is the group consumer's.

import type { Timer } from '../env/env.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { decodeVersioned, encodeVersioned, type ResponseOf } from '../protocol/message.ts'
import { heartbeat } from '../protocol/messages/heartbeat.ts'
import { joinGroup } from '../protocol/messages/join-group.ts'
import { leaveGroup } from '../protocol/messages/leave-group.ts'
import { syncGroup } from '../protocol/messages/sync-group.ts'
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
} from '../protocol/persisted/consumer-protocol.ts'
import { isTransient, KafkaError, throwIfError } from './client-error.ts'
import type { Cluster, Lane } from './cluster.ts'
import { Coordinator } from './coordinator.ts'
import type { Committer } from './group-offsets.ts'
import type { TopicPartition } from './partition-offsets.ts'
import { assignRanges } from './range-assignor.ts'

export interface GroupMemberOptions {
  readonly groupId: string
  readonly topics: readonly string[]
  /** Static membership (KIP-345), when given. */
  readonly groupInstanceId?: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly heartbeatMs: number
}

const PROTOCOL_TYPE = 'consumer'
const PROTOCOL = 'range'
const PROTOCOL_VERSION = 0
/** Since it, a leaving member is named in a list. */
const LEAVE_BATCHED_SINCE = 3
const JOIN_GRACE_MS = 5000

type Joined = ResponseOf<typeof joinGroup>

export class GroupMember {
  readonly coordinator: Coordinator
  readonly #cluster: Cluster
  readonly #options: GroupMemberOptions
  /** Called when the membership ended or a rebalance began: time to join again. */
  readonly #onRebalance: () => void
  readonly #lane: Lane
  #memberId = ''
  #generationId = -1
  #joined = false
  #heartbeat: Timer | undefined

  constructor(cluster: Cluster, options: GroupMemberOptions, onRebalance: () => void) {
    this.#lane = cluster.openLane()
    this.coordinator = new Coordinator(cluster, options.groupId, this.#lane)
    this.#cluster = cluster
    this.#options = options
    this.#onRebalance = onRebalance
  }

  /** False before the first join and from the moment that the group rebalances. */
  get isStable(): boolean {
    return this.#joined
  }

  get memberId(): string {
    return this.#memberId
  }

  /** As whom to commit. */
  get committer(): Committer {
    return {
      generationId: this.#generationId,
      memberId: this.#memberId,
      groupInstanceId: this.#options.groupInstanceId ?? null,
    }
  }

  /** Joins, or joins again; resolves with the partitions assigned, when the whole group has settled. Throws KafkaError. */
  async join(): Promise<TopicPartition[]> {
    const timeoutMs = this.#options.rebalanceTimeoutMs + this.#options.sessionTimeoutMs
    const assigned = await this.coordinator.call({ timeoutMs }, async () => {
      try {
        return await this.#joinOnce()
      } catch (error) {
        this.#forgetIfGone(error)
        throw asTransient(error)
      }
    })
    this.#joined = true
    this.#scheduleHeartbeat()
    return assigned
  }

  /** An answer to a commit or a heartbeat said that the membership is not what it was. */
  noteError(error: unknown): void {
    if (!(error instanceof KafkaError)) return
    this.#forgetIfGone(error)
    if (isMembershipError(error.code)) this.rejoin()
  }

  /** The topics have other partitions than when they were shared out: the next `join` shares them out anew. */
  rejoin(): void {
    if (!this.#joined) return
    this.#joined = false
    this.#heartbeat?.cancel()
    this.#onRebalance()
  }

  /** Leaves at once, so that the others need not wait for the session to end. Static members stay, as in Kafka. */
  async leave(): Promise<void> {
    this.#heartbeat?.cancel()
    this.#joined = false
    const { groupId, groupInstanceId } = this.#options
    if (this.#memberId === '' || groupInstanceId !== undefined) return
    const memberId = this.#memberId
    this.#memberId = ''
    const connection = await this.coordinator.connection()
    const answer = await connection.request(leaveGroup, (version) =>
      version < LEAVE_BATCHED_SINCE ? { groupId, memberId } : { groupId, members: [{ memberId }] },
    )
    throwIfError(answer.errorCode, `leave of group ${groupId}`)
  }

  /** Stops for good, without leaving. */
  stop(): void {
    this.#heartbeat?.cancel()
    this.#joined = false
    this.#cluster.closeLane(this.#lane)
  }

  async #joinOnce(): Promise<TopicPartition[]> {
    let joined = await this.#askToJoin()
    if (joined.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
      this.#memberId = joined.memberId
      joined = await this.#askToJoin()
    }
    throwIfError(joined.errorCode, `join of group ${this.#options.groupId}`)
    this.#memberId = joined.memberId
    this.#generationId = joined.generationId
    return this.#sync(joined)
  }

  async #askToJoin(): Promise<Joined> {
    const { groupId, topics, sessionTimeoutMs, rebalanceTimeoutMs, groupInstanceId } = this.#options
    const connection = await this.coordinator.connection()
    const metadata = encodeVersioned(consumerProtocolSubscription, PROTOCOL_VERSION, { topics })
    return connection.request(
      joinGroup,
      () => ({
        groupId,
        sessionTimeoutMs,
        rebalanceTimeoutMs,
        memberId: this.#memberId,
        ...(groupInstanceId === undefined ? {} : { groupInstanceId }),
        protocolType: PROTOCOL_TYPE,
        protocols: [{ name: PROTOCOL, metadata }],
      }),
      { timeoutMs: rebalanceTimeoutMs + JOIN_GRACE_MS },
    )
  }

  async #sync(joined: Joined): Promise<TopicPartition[]> {
    const leads = joined.leader === joined.memberId && !joined.skipAssignment
    const assignments = leads ? await this.#assign(joined) : []
    const { groupId, groupInstanceId, rebalanceTimeoutMs } = this.#options
    const connection = await this.coordinator.connection()
    const answer = await connection.request(
      syncGroup,
      () => ({
        groupId,
        generationId: joined.generationId,
        memberId: joined.memberId,
        ...(groupInstanceId === undefined ? {} : { groupInstanceId }),
        protocolType: PROTOCOL_TYPE,
        protocolName: PROTOCOL,
        assignments,
      }),
      { timeoutMs: rebalanceTimeoutMs + JOIN_GRACE_MS },
    )
    throwIfError(answer.errorCode, `sync of group ${groupId}`)
    if (answer.assignment.length === 0) return []
    const { value } = decodeVersioned(consumerProtocolAssignment, answer.assignment, {
      newerAs: 'last',
    })
    return value.assignedPartitions.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, partition })),
    )
  }

  async #assign(joined: Joined): Promise<{ memberId: string; assignment: Uint8Array }[]> {
    const members = joined.members.map(({ memberId, metadata }) => {
      const { value } = decodeVersioned(consumerProtocolSubscription, metadata, { newerAs: 'last' })
      return { memberId, topics: value.topics }
    })
    const topics = [...new Set(members.flatMap((member) => member.topics))]
    await this.#cluster.refresh(topics)
    const counts = new Map<string, number>()
    for (const topic of topics) {
      const partitions = this.#cluster.topic(topic)?.partitions.length ?? 0
      if (partitions > 0) counts.set(topic, partitions)
    }
    return [...assignRanges(members, counts)].map(([memberId, assignedPartitions]) => ({
      memberId,
      assignment: encodeVersioned(consumerProtocolAssignment, PROTOCOL_VERSION, {
        assignedPartitions,
      }),
    }))
  }

  #scheduleHeartbeat(): void {
    this.#heartbeat?.cancel()
    this.#heartbeat = this.#cluster.env.timers.after(this.#options.heartbeatMs, () => {
      this.#beat().then(
        () => {
          if (this.#joined) this.#scheduleHeartbeat()
        },
        (error: unknown) => {
          this.noteError(error)
          if (this.#joined) this.#scheduleHeartbeat()
        },
      )
    })
  }

  async #beat(): Promise<void> {
    const { groupId, groupInstanceId } = this.#options
    try {
      const connection = await this.coordinator.connection()
      const answer = await connection.request(heartbeat, () => ({
        groupId,
        generationId: this.#generationId,
        memberId: this.#memberId,
        ...(groupInstanceId === undefined ? {} : { groupInstanceId }),
      }))
      throwIfError(answer.errorCode, `heartbeat of group ${groupId}`)
    } catch (error) {
      if (isTransient(error)) this.coordinator.forget()
      throw error
    }
  }

  /** In a rebalance the generation still stands for a last commit; only an unknown member id is worth nothing. */
  #forgetIfGone(error: unknown): void {
    if (!(error instanceof KafkaError)) return
    if (error.code === ErrorCode.UNKNOWN_MEMBER_ID) this.#memberId = ''
  }
}

function isMembershipError(code: number): boolean {
  return (
    code === ErrorCode.REBALANCE_IN_PROGRESS ||
    code === ErrorCode.ILLEGAL_GENERATION ||
    code === ErrorCode.UNKNOWN_MEMBER_ID
  )
}

/** While joining, having to start over is no failure. */
function asTransient(error: unknown): unknown {
  if (!(error instanceof KafkaError) || !isMembershipError(error.code)) return error
  return new KafkaError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, error.message)
}
