// The coordinator of classic consumer groups: finds each group's shard, and fits requests and responses to their versions.

import { ErrorCode, errorMessage } from '../protocol/error-codes.ts'
import type { ReplicatedLog } from '../replicated/replicated-log.ts'
import { failedJoin, failedSync } from './classic-group.ts'
import type { IsGone } from './committed-offsets.ts'
import { describeGroup, type DescribedGroup, listed } from './describe.ts'
import type {
  DeleteGroupsRequest,
  DeleteGroupsResponse,
  DescribeGroupsRequest,
  DescribeGroupsResponse,
  GroupApi,
  GroupCoordinatorControl,
  GroupCoordinatorOptions,
  GroupRequestContext,
  HeartbeatRequest,
  HeartbeatResponse,
  JoinGroupRequest,
  JoinGroupResponse,
  LeaveGroupRequest,
  LeaveGroupResponse,
  ListGroupsRequest,
  ListGroupsResponse,
  OffsetCommitRequest,
  OffsetCommitResponse,
  OffsetFetchRequest,
  OffsetFetchResponse,
  SyncGroupRequest,
  SyncGroupResponse,
} from './group-api.ts'
import { groupPartition } from './group-partition.ts'
import { GroupShard } from './group-shard.ts'
import { commitOffsets } from './offset-commit.ts'
import { fetchOffsets } from './offset-fetch.ts'

/** JoinGroup: the protocol name may be null; it is '' before. */
const NULL_PROTOCOL_SINCE = 7
/** LeaveGroup: several members in one request. */
const LEAVE_BATCH_SINCE = 3
/** DescribeGroups: an unknown group is an error; it is a dead group before. */
const GROUP_NOT_FOUND_SINCE = 6

/** A shard that serves, or why there is none. */
export type Route =
  | { readonly shard: GroupShard; readonly errorCode: typeof ErrorCode.NONE }
  | { readonly shard: undefined; readonly errorCode: ErrorCode }

export class GroupCoordinator implements GroupApi, GroupCoordinatorControl {
  readonly #options: GroupCoordinatorOptions
  readonly #shards = new Map<number, GroupShard>()
  #closed = false

  constructor(options: GroupCoordinatorOptions) {
    this.#options = options
  }

  addPartition(partition: number, log: ReplicatedLog): void {
    if (this.#closed || this.#shards.has(partition)) return
    const shard = new GroupShard({
      ...this.#options,
      log,
      mayAddGroup: () => this.#groupCount() < this.#options.configs()['chronik.groups.max'],
    })
    this.#shards.set(partition, shard)
  }

  removePartition(partition: number): void {
    this.#shards.get(partition)?.close()
    this.#shards.delete(partition)
  }

  onTopicsDeleted(...[topics]: Parameters<GroupCoordinatorControl['onTopicsDeleted']>): void {
    const gone = new Map(topics.map(({ name, id }) => [name, id]))
    // What was committed for another topic of that name, which this node has not heard of yet, stays.
    const isGone: IsGone = (topic, id) =>
      gone.has(topic) && (id ?? gone.get(topic)) === gone.get(topic)
    for (const shard of this.#shards.values()) shard.dropTopics(isGone)
  }

  close(): void {
    this.#closed = true
    for (const shard of this.#shards.values()) shard.close()
    this.#shards.clear()
  }

  async findCoordinator(groupId: string): ReturnType<GroupCoordinatorControl['findCoordinator']> {
    const { metadata } = this.#options
    if (metadata.offsetsPartitionCount() === undefined) {
      const created = await metadata.createOffsetsTopic()
      if (created !== ErrorCode.NONE) {
        this.#options.env.log.warn('the topic of committed offsets was not created', {
          error: created,
        })
      }
    }
    const count = metadata.offsetsPartitionCount()
    if (count !== undefined) {
      const partition = groupPartition(groupId, count)
      return { errorCode: ErrorCode.NONE, errorMessage: null, partition }
    }
    const errorCode = ErrorCode.COORDINATOR_NOT_AVAILABLE
    return { errorCode, errorMessage: errorMessage(errorCode), partition: -1 }
  }

  async joinGroup(
    request: JoinGroupRequest,
    context: GroupRequestContext,
  ): Promise<JoinGroupResponse> {
    const response = await this.#join(request, context)
    if (context.apiVersion >= NULL_PROTOCOL_SINCE) return response
    return { ...response, protocolName: response.protocolName ?? '' }
  }

  #join(request: JoinGroupRequest, context: GroupRequestContext): Promise<JoinGroupResponse> {
    const fail = (errorCode: ErrorCode): Promise<JoinGroupResponse> =>
      Promise.resolve({ ...failedJoin(request.memberId), errorCode })
    if (request.groupId === '') return fail(ErrorCode.INVALID_GROUP_ID)
    const configs = this.#options.configs()
    const timeoutMs = request.sessionTimeoutMs
    if (
      timeoutMs < configs['group.min.session.timeout.ms'] ||
      timeoutMs > configs['group.max.session.timeout.ms']
    ) {
      return fail(ErrorCode.INVALID_SESSION_TIMEOUT)
    }
    const { shard, errorCode } = this.#route(request.groupId)
    return shard === undefined ? fail(errorCode) : shard.join(request, context)
  }

  syncGroup(request: SyncGroupRequest, _context: GroupRequestContext): Promise<SyncGroupResponse> {
    const { shard, errorCode } = this.#routeNamed(request.groupId)
    if (shard === undefined) return Promise.resolve({ ...failedSync(), errorCode })
    return shard.sync(request)
  }

  heartbeat(request: HeartbeatRequest, _context: GroupRequestContext): Promise<HeartbeatResponse> {
    const { shard, errorCode } = this.#routeNamed(request.groupId)
    // Kafka: a member of a group that is being loaded is alive as far as anyone knows.
    if (errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS) {
      return Promise.resolve({ errorCode: ErrorCode.NONE })
    }
    return Promise.resolve({ errorCode: shard?.heartbeat(request) ?? errorCode })
  }

  leaveGroup(
    request: LeaveGroupRequest,
    { apiVersion }: GroupRequestContext,
  ): Promise<LeaveGroupResponse> {
    const { shard, errorCode } = this.#routeNamed(request.groupId)
    if (shard === undefined) return Promise.resolve({ errorCode })
    if (apiVersion >= LEAVE_BATCH_SINCE) {
      const members = shard.leave(request.groupId, request.members)
      return Promise.resolve({ errorCode: ErrorCode.NONE, members })
    }
    const { memberId } = request
    const [left] = shard.leave(request.groupId, [{ memberId, groupInstanceId: null, reason: null }])
    return Promise.resolve({ errorCode: left?.errorCode ?? ErrorCode.UNKNOWN_MEMBER_ID })
  }

  offsetCommit(
    request: OffsetCommitRequest,
    context: GroupRequestContext,
  ): Promise<OffsetCommitResponse> {
    return commitOffsets(() => this.#route(request.groupId), request, context, this.#options)
  }

  offsetFetch(
    request: OffsetFetchRequest,
    context: GroupRequestContext,
  ): Promise<OffsetFetchResponse> {
    return fetchOffsets((groupId) => this.#route(groupId), request, context, this.#options.metadata)
  }

  async listGroups(
    { statesFilter, typesFilter }: ListGroupsRequest,
    _context: GroupRequestContext,
  ): Promise<ListGroupsResponse> {
    const shards = [...this.#shards.values()]
    const errors = await Promise.all(shards.map((shard) => shard.confirm()))
    // Shards that another node leads are its to list.
    const failed = errors.find(
      (error) => error !== ErrorCode.NONE && error !== ErrorCode.NOT_COORDINATOR,
    )
    if (failed !== undefined) return { errorCode: failed, groups: [] }
    const groups = shards.flatMap((shard) => [...shard.groups()])
    return { errorCode: ErrorCode.NONE, groups: listed(groups, { statesFilter, typesFilter }) }
  }

  async describeGroups(
    request: DescribeGroupsRequest,
    context: GroupRequestContext,
  ): Promise<DescribeGroupsResponse> {
    const groups = request.groups.map((groupId) => this.#describe(groupId, context))
    return { groups: await Promise.all(groups) }
  }

  async #describe(groupId: string, { apiVersion }: GroupRequestContext): Promise<DescribedGroup> {
    const { shard, errorCode } = this.#route(groupId)
    const error = (await shard?.confirm()) ?? errorCode
    if (error !== ErrorCode.NONE) return describeGroup(groupId, undefined, { errorCode: error })
    const group = shard?.group(groupId)
    if (group !== undefined || apiVersion < GROUP_NOT_FOUND_SINCE) {
      return describeGroup(groupId, group, { errorCode: ErrorCode.NONE })
    }
    return describeGroup(groupId, undefined, {
      errorCode: ErrorCode.GROUP_ID_NOT_FOUND,
      errorMessage: `Group ${groupId} not found.`,
    })
  }

  async deleteGroups(
    { groupsNames }: DeleteGroupsRequest,
    _context: GroupRequestContext,
  ): Promise<DeleteGroupsResponse> {
    const results = [...new Set(groupsNames)].map(async (groupId) => {
      const { shard, errorCode } = this.#route(groupId)
      return { groupId, errorCode: shard === undefined ? errorCode : await shard.delete(groupId) }
    })
    return { results: await Promise.all(results) }
  }

  #routeNamed(groupId: string): Route {
    if (groupId !== '') return this.#route(groupId)
    return { shard: undefined, errorCode: ErrorCode.INVALID_GROUP_ID }
  }

  #route(groupId: string): Route {
    const none = { shard: undefined }
    if (this.#closed) return { ...none, errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE }
    const count = this.#options.metadata.offsetsPartitionCount()
    if (count === undefined) return { ...none, errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE }
    const shard = this.#shards.get(groupPartition(groupId, count))
    if (shard === undefined) return { ...none, errorCode: ErrorCode.NOT_COORDINATOR }
    const { unavailable } = shard
    if (unavailable !== ErrorCode.NONE) return { ...none, errorCode: unavailable }
    return { shard, errorCode: ErrorCode.NONE }
  }

  #groupCount(): number {
    let count = 0
    for (const shard of this.#shards.values()) count += shard.groupCount
    return count
  }
}
