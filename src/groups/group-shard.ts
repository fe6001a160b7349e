// One partition of `__consumer_offsets`: follows its log, and coordinates its groups while this node leads it. What counts is
// in the log (offsets, and each generation with its assignment); who is joining and when a session ends is known to the
// coordinator alone and starts anew with the next one.

import { assert, unreachable } from '../base/assert.ts'
import type { Timer } from '../env/env.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { buildBatch } from '../records/build.ts'
import type { LogRecord } from '../records/read.ts'
import { AppliedLog } from '../replicated/applied-log.ts'
import { readRecordBatches } from '../replicated/record-batches.ts'
import type { AppendRejection, CommitOutcome, ReplicatedLog } from '../replicated/replicated-log.ts'
import { ClassicGroup, failedJoin, failedSync } from './classic-group.ts'
import { CommitDeadlines } from './commit-deadline.ts'
import { CommittedOffsets, type IsGone } from './committed-offsets.ts'
import { isExpired } from './expiry.ts'
import type {
  GroupCoordinatorOptions,
  GroupRequestContext,
  HeartbeatRequest,
  JoinGroupRequest,
  JoinGroupResponse,
  OffsetCommitRequest,
  SyncGroupRequest,
  SyncGroupResponse,
} from './group-api.ts'
import {
  decodeGroupRecord,
  encodeGroupRecord,
  type GroupMetadata,
  type GroupMetadataRecord,
  type GroupRecord,
  type OffsetEntry,
  type OffsetRecord,
  topicIdOf,
} from './group-records.ts'
import { Joins } from './join.ts'
import { type LeavingMember, type LeftMember, Memberships } from './membership.ts'
import { type GroupWorld, Rebalancer } from './rebalance.ts'

export interface GroupShardOptions extends GroupCoordinatorOptions {
  readonly log: ReplicatedLog
  /** Whether the node may coordinate one more group. */
  readonly mayAddGroup: () => boolean
}

/** What a commit asks for, apart from the offsets. */
export type CommitClaim = Pick<
  OffsetCommitRequest,
  'groupId' | 'memberId' | 'groupInstanceId' | 'generationIdOrMemberEpoch'
>

export interface NewOffset {
  readonly topic: string
  readonly partition: number
  readonly entry: OffsetEntry
}

/** OffsetCommit 9 (KIP-848) gave an absent group an error of its own. */
const GROUP_ID_NOT_FOUND_SINCE = 9
/** A generation with all its subscriptions and assignments is one record. Kafka answers likewise to one that is too large. */
const BATCH_BYTES_MAX = 16 * 1024 * 1024
/** Per batch of the clean-up, so that a large one does not hold up the commits of the others. */
const TOMBSTONES_MAX = 1000
const CATCH_UP_RETRY_MS = 1_000

export class GroupShard implements GroupWorld {
  readonly clock: GroupWorld['clock']
  readonly timers: GroupWorld['timers']
  readonly log: GroupWorld['log']
  readonly configs: GroupWorld['configs']
  readonly #options: GroupShardOptions
  readonly #applied: AppliedLog<GroupRecord>
  readonly #deadlines: CommitDeadlines
  readonly #rebalancer: Rebalancer
  readonly #joins: Joins
  readonly #memberships: Memberships
  /** Committed, followed on every replica. */
  readonly #offsets = new CommittedOffsets()
  readonly #metadata = new Map<string, GroupMetadata>()
  /** Alive only while this node serves the shard. */
  readonly #groups = new Map<string, ClassicGroup>()
  #expiryTimer: Timer | undefined

  constructor(options: GroupShardOptions) {
    const { env, log } = options
    this.#options = options
    this.clock = env.clock
    this.timers = env.timers
    this.log = env.log
    this.configs = options.configs
    this.#deadlines = new CommitDeadlines(env.clock, env.timers)
    this.#rebalancer = new Rebalancer(this)
    this.#joins = new Joins(this, this.#rebalancer)
    this.#memberships = new Memberships(this, this.#rebalancer)
    this.#applied = new AppliedLog<GroupRecord>({
      log,
      env,
      handlers: {
        decode: (batches) =>
          readRecordBatches(batches).map(({ records, next }) => ({
            entries: records.map((record) => this.#decode(record)),
            next,
          })),
        apply: (records) => records.forEach((record) => this.#apply(record)),
        onBegunAnew: () => {
          this.#offsets.clear()
          this.#metadata.clear()
        },
        onServing: () => this.#serve(),
        onResigned: () => this.#resign(),
      },
    })
    this.#applied.start()
  }

  close(): void {
    this.#applied.close()
    this.#deadlines.close()
  }

  /** 0 while this node coordinates the shard's groups, otherwise what clients are told. */
  get unavailable(): ErrorCode {
    if (this.#applied.serving !== undefined) return ErrorCode.NONE
    return this.#options.log.role.kind === 'leader'
      ? ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
      : ErrorCode.NOT_COORDINATOR
  }

  /** As `unavailable`, after making sure that no other node has taken over (law R9). */
  async confirm(): Promise<ErrorCode> {
    if (this.unavailable !== ErrorCode.NONE) return this.unavailable
    const confirmed = await this.#options.log.readBarrier()
    if (confirmed.kind !== 'committed') return unknownErrorCode(confirmed.reason)
    return (await this.#applied.caughtUp()) ? this.unavailable : ErrorCode.NOT_COORDINATOR
  }

  get groupCount(): number {
    return this.#groups.size
  }

  groups(): Iterable<ClassicGroup> {
    return this.#groups.values()
  }

  group(groupId: string): ClassicGroup | undefined {
    return this.#groups.get(groupId)
  }

  committed(groupId: string, topic: string, partition: number): OffsetEntry | undefined {
    return this.#offsets.get(groupId, topic, partition)
  }

  allCommitted(groupId: string): ReturnType<CommittedOffsets['of']> {
    return this.#offsets.of(groupId)
  }

  // The APIs. All of them only while `unavailable` is 0.

  join(request: JoinGroupRequest, context: GroupRequestContext): Promise<JoinGroupResponse> {
    const { groupId, memberId } = request
    const known = this.#groups.get(groupId)
    if (known === undefined && memberId !== '') {
      const errorCode = ErrorCode.UNKNOWN_MEMBER_ID
      return Promise.resolve({ ...failedJoin(memberId), errorCode })
    }
    const group = known ?? this.#newGroup(groupId)
    if (group === undefined) {
      const errorCode = ErrorCode.POLICY_VIOLATION
      return Promise.resolve({ ...failedJoin(memberId), errorCode })
    }
    const response = this.#joins.join(group, request, context)
    // A refused first join leaves nothing behind.
    this.released(group)
    return response
  }

  sync(request: SyncGroupRequest): Promise<SyncGroupResponse> {
    const group = this.#groups.get(request.groupId)
    if (group !== undefined) return this.#memberships.sync(group, request)
    return Promise.resolve({ ...failedSync(), errorCode: ErrorCode.UNKNOWN_MEMBER_ID })
  }

  heartbeat(request: HeartbeatRequest): ErrorCode {
    const group = this.#groups.get(request.groupId)
    if (group === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
    return this.#memberships.heartbeat(group, request)
  }

  leave(groupId: string, leaving: readonly LeavingMember[]): LeftMember[] {
    const group = this.#groups.get(groupId)
    if (group !== undefined) return this.#memberships.leave(group, leaving)
    const errorCode = ErrorCode.UNKNOWN_MEMBER_ID
    return leaving.map(({ memberId, groupInstanceId }) => ({
      memberId,
      groupInstanceId,
      errorCode,
    }))
  }

  /** Resolves with 0 when the offsets are committed. */
  async commit(
    claim: CommitClaim,
    offsets: readonly NewOffset[],
    context: GroupRequestContext,
  ): Promise<ErrorCode> {
    const { groupId, memberId, generationIdOrMemberEpoch: generation } = claim
    let group = this.#groups.get(groupId)
    if (group === undefined) {
      if (generation >= 0) {
        return context.apiVersion >= GROUP_ID_NOT_FOUND_SINCE
          ? ErrorCode.GROUP_ID_NOT_FOUND
          : ErrorCode.ILLEGAL_GENERATION
      }
      group = this.#newGroup(groupId)
      if (group === undefined) return ErrorCode.POLICY_VIOLATION
    }
    const error = checkCommit(group, claim)
    if (error === ErrorCode.NONE && offsets.length > 0) {
      const member = group.members.get(memberId)
      if (member !== undefined) this.#rebalancer.touch(group, member)
      return this.#commitOffsets(group, offsets)
    }
    this.released(group)
    return error
  }

  #commitOffsets(group: ClassicGroup, offsets: readonly NewOffset[]): Promise<ErrorCode> {
    const records = offsets.map((offset): OffsetRecord => ({
      type: 'offset',
      group: group.groupId,
      ...offset,
    }))
    const takeOff = group.pendingOffsets.add(records)
    const { settled, ended } = this.#append(records)
    // Not when the client stops to wait: a commit that comes late must find its group, and a deletion must cover it.
    void ended.then(() => {
      takeOff()
      this.released(group)
    })
    return settled
  }

  /** Deletes a group that has no members, with all its offsets. */
  async delete(groupId: string): Promise<ErrorCode> {
    const group = this.#groups.get(groupId)
    if (group === undefined) return ErrorCode.GROUP_ID_NOT_FOUND
    if (!group.is('Empty')) return ErrorCode.NON_EMPTY_GROUP
    const { accepted, settled } = this.#append([
      ...this.#offsetTombstones(group, () => true),
      { type: 'group', group: groupId, metadata: null },
    ])
    // Whoever comes from now on comes after it in the log.
    if (accepted) this.#forget(group, ErrorCode.UNKNOWN_MEMBER_ID)
    return settled
  }

  /** Their offsets go; who asks for them meanwhile may still see them. */
  dropTopics(isGone: IsGone): void {
    if (this.unavailable !== ErrorCode.NONE) return
    const records = [...this.#groups.values()].flatMap((group) =>
      this.#offsetTombstones(group, ({ topic, entry }) => isGone(topic, topicIdOf(entry))),
    )
    this.#appendInPieces(records)
  }

  // What the groups need of their shard.

  async persist(group: ClassicGroup, metadata: GroupMetadata): Promise<ErrorCode> {
    const { settled } = this.#append([{ type: 'group', group: group.groupId, metadata }])
    return settled
  }

  newMemberId(prefix: string): string {
    const bytes = this.#options.env.random.bytes(16)
    bytes[6] = (bytes[6]! & 0x0f) | 0x40
    bytes[8] = (bytes[8]! & 0x3f) | 0x80
    const hex = Buffer.from(bytes).toString('hex')
    const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    return `${prefix}-${uuid}`
  }

  released(group: ClassicGroup): void {
    const { groupId } = group
    if (!group.isBlank || this.#metadata.has(groupId) || this.#offsets.has(groupId)) return
    // A group that was stable once has its last generation written or on its way.
    if (group.generation === 0 && this.#groups.get(groupId) === group) this.#groups.delete(groupId)
  }

  #newGroup(groupId: string): ClassicGroup | undefined {
    if (!this.#options.mayAddGroup()) return undefined
    const group = new ClassicGroup(groupId)
    this.#groups.set(groupId, group)
    return group
  }

  #forget(group: ClassicGroup, errorCode: ErrorCode): void {
    this.#groups.delete(group.groupId)
    this.#rebalancer.kill(group, errorCode)
  }

  /** Of the group's offsets that are committed or on their way. */
  #offsetTombstones(
    group: ClassicGroup,
    which: (key: { readonly topic: string; readonly entry?: OffsetEntry }) => boolean,
  ): OffsetRecord[] {
    const { groupId } = group
    const keys = [...this.#offsets.of(groupId)].filter(
      ({ topic, partition }) => !group.pendingOffsets.has(topic, partition),
    )
    return [...keys, ...group.pendingOffsets.keys()].filter(which).map(({ topic, partition }) => ({
      type: 'offset',
      group: groupId,
      topic,
      partition,
      entry: null,
    }))
  }

  #append(records: readonly (OffsetRecord | GroupMetadataRecord)[]): {
    readonly accepted: boolean
    /** What the client is told, within `offsets.commit.timeout.ms`. */
    readonly settled: Promise<ErrorCode>
    /** Resolves when the records are applied, or this node no longer knows whether they will be. */
    readonly ended: Promise<void>
  } {
    const timestampMs = this.clock.nowMs()
    const encoded = records.map((record) => ({ ...encodeGroupRecord(record), timestampMs }))
    const batch = buildBatch(encoded)
    if (batch.length > BATCH_BYTES_MAX) {
      return refused(ErrorCode.UNKNOWN_SERVER_ERROR)
    }
    const result = this.#applied.propose(records, batch)
    if (result.kind === 'rejected') return refused(rejectionErrorCode(result.reason))
    const timeoutMs = this.configs()['offsets.commit.timeout.ms']
    const settled = this.#deadlines.within(result.committed, timeoutMs).then(outcomeErrorCode)
    return { accepted: true, settled, ended: result.committed.then(() => undefined) }
  }

  /** False when not all were accepted: what is left is found again by the next clean-up. */
  #appendInPieces(records: readonly (OffsetRecord | GroupMetadataRecord)[]): boolean {
    for (let i = 0; i < records.length; i += TOMBSTONES_MAX) {
      const { accepted, settled } = this.#append(records.slice(i, i + TOMBSTONES_MAX))
      void settled.then((error) => {
        if (error !== ErrorCode.NONE) {
          this.log.warn('the clean-up of groups was not written', { error })
        }
      })
      if (!accepted) return false
    }
    return true
  }

  /**
   * Clients may write to this topic as to any other (Kafka lets its admin client do so), so a record that makes no sense is
   * no damage of the node's own, and must not keep it from serving all the others.
   */
  #decode(record: LogRecord): GroupRecord {
    try {
      return decodeGroupRecord(record)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      const { message } = error
      this.log.error('a foreign record among the committed offsets is passed over', {
        log: this.#options.log.id,
        offset: record.offset,
        message,
      })
      return { type: 'other' }
    }
  }

  #apply(record: GroupRecord): void {
    if (record.type === 'offset') this.#offsets.apply(record)
    else if (record.type === 'group') {
      if (record.metadata === null) this.#metadata.delete(record.group)
      else this.#metadata.set(record.group, record.metadata)
    }
  }

  #serve(): void {
    assert(this.#groups.size === 0, 'groups of an earlier epoch are left')
    for (const [groupId, metadata] of this.#metadata) {
      const group = ClassicGroup.load(groupId, metadata)
      this.#groups.set(groupId, group)
      for (const member of group.members.values()) this.#rebalancer.touch(group, member)
    }
    for (const groupId of this.#offsets.groups()) {
      if (!this.#groups.has(groupId)) this.#groups.set(groupId, new ClassicGroup(groupId))
    }
    this.#dropDeleted().catch((error: unknown) => {
      this.#options.env.host.fatal('offsets of deleted topics could not be dropped', error)
    })
    this.#scheduleExpiry()
  }

  #resign(): void {
    this.#expiryTimer?.cancel()
    for (const group of this.#groups.values()) {
      this.#rebalancer.kill(group, ErrorCode.NOT_COORDINATOR)
    }
    this.#groups.clear()
  }

  /**
   * Offsets of topics that were deleted while nobody coordinated, whether or not others have their names by now. Offsets are
   * taken for topics that exist only: what metadata not older than this leadership does not have was deleted.
   */
  async #dropDeleted(): Promise<void> {
    const { metadata } = this.#options
    const isMissing = (topic: string): boolean => metadata.partitionCount(topic) === undefined
    const epoch = this.#applied.serving
    const serves = (): boolean => epoch !== undefined && this.#applied.serving === epoch
    while (serves() && !(await metadata.caughtUp())) {
      await new Promise<void>((resolve) => this.timers.after(CATCH_UP_RETRY_MS, resolve))
    }
    if (!serves()) return
    this.dropTopics(
      (topic, id) => id !== metadata.topicId(topic) && (id !== undefined || isMissing(topic)),
    )
  }

  #scheduleExpiry(): void {
    const everyMs = this.configs()['offsets.retention.check.interval.ms']
    this.#expiryTimer = this.timers.after(Math.min(everyMs, 2 ** 31 - 1), () => {
      this.#expire()
      this.#scheduleExpiry()
    })
  }

  /** Offsets that outlived their group go, and groups that have neither members nor offsets left. */
  #expire(): void {
    const retentionMs = this.configs()['offsets.retention.minutes'] * 60_000
    const now = { nowMs: this.clock.nowMs(), retentionMs }
    const records: (OffsetRecord | GroupMetadataRecord)[] = []
    for (const group of this.#groups.values()) {
      const { groupId } = group
      let kept = group.pendingOffsets.size
      for (const offset of this.#offsets.of(groupId)) {
        const { topic, partition } = offset
        const pending = group.pendingOffsets.has(topic, partition)
        if (pending || !isExpired(group, offset, now)) kept++
        else records.push({ type: 'offset', group: groupId, topic, partition, entry: null })
      }
      if (kept > 0 || !group.isBlank) continue
      records.push({ type: 'group', group: groupId, metadata: null })
    }
    if (!this.#appendInPieces(records)) return
    for (const record of records) {
      const group = record.type === 'group' ? this.#groups.get(record.group) : undefined
      if (group !== undefined) this.#forget(group, ErrorCode.UNKNOWN_MEMBER_ID)
    }
  }
}

/** Whether the claim holds (Kafka's ClassicGroup.validateOffsetCommit). */
function checkCommit(group: ClassicGroup, claim: CommitClaim): ErrorCode {
  const { memberId, groupInstanceId, generationIdOrMemberEpoch: generation } = claim
  // Without a generation: an application that assigns partitions itself, or a tool.
  if (generation < 0 && group.is('Empty')) return ErrorCode.NONE
  if (generation < 0 && memberId === '' && groupInstanceId === null) {
    return ErrorCode.UNKNOWN_MEMBER_ID
  }
  const error = group.checkMember(memberId, groupInstanceId)
  if (error !== ErrorCode.NONE) return error
  if (generation !== group.generation) return ErrorCode.ILLEGAL_GENERATION
  return group.is('CompletingRebalance') ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE
}

function refused(errorCode: ErrorCode) {
  return { accepted: false, settled: Promise.resolve(errorCode), ended: Promise.resolve() }
}

/** As Kafka translates them for groups (CoordinatorOperationExceptionHelper): clients look for the coordinator again. */
function rejectionErrorCode(rejection: AppendRejection): ErrorCode {
  switch (rejection) {
    case 'not-leader':
    case 'fenced-epoch':
    case 'closed':
    case 'storage-full':
      return ErrorCode.NOT_COORDINATOR
    default:
      return unreachable(rejection)
  }
}

function unknownErrorCode(
  reason: Extract<CommitOutcome, { kind: 'unknown' }>['reason'],
): ErrorCode {
  return reason === 'quorum-lost' ? ErrorCode.COORDINATOR_NOT_AVAILABLE : ErrorCode.NOT_COORDINATOR
}

/** Undefined: the time ran out. An unknown outcome is never a success. */
function outcomeErrorCode(outcome: CommitOutcome | undefined): ErrorCode {
  if (outcome === undefined) return ErrorCode.COORDINATOR_NOT_AVAILABLE
  return outcome.kind === 'committed' ? ErrorCode.NONE : unknownErrorCode(outcome.reason)
}
