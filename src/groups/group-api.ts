// What the group coordinator offers to the broker's handlers, and what it asks of the rest of the node. One method per API,
// in the protocol's own types; a response fits the version that the context names.

import type { BrokerConfigs } from '../base/config/broker-configs.ts'
import type { Env } from '../env/env.ts'
import type { ErrorCode } from '../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../protocol/message.ts'
import type { deleteGroups } from '../protocol/messages/delete-groups.ts'
import type { describeGroups } from '../protocol/messages/describe-groups.ts'
import type { heartbeat } from '../protocol/messages/heartbeat.ts'
import type { joinGroup } from '../protocol/messages/join-group.ts'
import type { leaveGroup } from '../protocol/messages/leave-group.ts'
import type { listGroups } from '../protocol/messages/list-groups.ts'
import type { offsetCommit } from '../protocol/messages/offset-commit.ts'
import type { offsetFetch } from '../protocol/messages/offset-fetch.ts'
import type { syncGroup } from '../protocol/messages/sync-group.ts'
import type { ReplicatedLog } from '../replicated/replicated-log.ts'

export interface GroupRequestContext {
  /** '' when the client gave none. */
  readonly clientId: string
  /** As Kafka shows it: '/' and the address. */
  readonly clientHost: string
  readonly apiVersion: number
}

export type JoinGroupRequest = RequestOf<typeof joinGroup>
export type JoinGroupResponse = ResponseInputOf<typeof joinGroup>
export type SyncGroupRequest = RequestOf<typeof syncGroup>
export type SyncGroupResponse = ResponseInputOf<typeof syncGroup>
export type HeartbeatRequest = RequestOf<typeof heartbeat>
export type HeartbeatResponse = ResponseInputOf<typeof heartbeat>
export type LeaveGroupRequest = RequestOf<typeof leaveGroup>
export type LeaveGroupResponse = ResponseInputOf<typeof leaveGroup>
export type OffsetCommitRequest = RequestOf<typeof offsetCommit>
export type OffsetCommitResponse = ResponseInputOf<typeof offsetCommit>
export type OffsetFetchRequest = RequestOf<typeof offsetFetch>
export type OffsetFetchResponse = ResponseInputOf<typeof offsetFetch>
export type ListGroupsRequest = RequestOf<typeof listGroups>
export type ListGroupsResponse = ResponseInputOf<typeof listGroups>
export type DescribeGroupsRequest = RequestOf<typeof describeGroups>
export type DescribeGroupsResponse = ResponseInputOf<typeof describeGroups>
export type DeleteGroupsRequest = RequestOf<typeof deleteGroups>
export type DeleteGroupsResponse = ResponseInputOf<typeof deleteGroups>

/** The methods never reject: what goes wrong is in the response. */
export interface GroupApi {
  joinGroup(request: JoinGroupRequest, context: GroupRequestContext): Promise<JoinGroupResponse>
  syncGroup(request: SyncGroupRequest, context: GroupRequestContext): Promise<SyncGroupResponse>
  heartbeat(request: HeartbeatRequest, context: GroupRequestContext): Promise<HeartbeatResponse>
  leaveGroup(request: LeaveGroupRequest, context: GroupRequestContext): Promise<LeaveGroupResponse>
  offsetCommit(
    request: OffsetCommitRequest,
    context: GroupRequestContext,
  ): Promise<OffsetCommitResponse>
  offsetFetch(
    request: OffsetFetchRequest,
    context: GroupRequestContext,
  ): Promise<OffsetFetchResponse>
  listGroups(request: ListGroupsRequest, context: GroupRequestContext): Promise<ListGroupsResponse>
  describeGroups(
    request: DescribeGroupsRequest,
    context: GroupRequestContext,
  ): Promise<DescribeGroupsResponse>
  deleteGroups(
    request: DeleteGroupsRequest,
    context: GroupRequestContext,
  ): Promise<DeleteGroupsResponse>
}

/** How the coordinator is fed and asked by the broker, besides the APIs. */
export interface GroupCoordinatorControl {
  /** This node has a replica of that partition of `__consumer_offsets`: the coordinator follows it from now on. */
  addPartition(partition: number, log: ReplicatedLog): void
  /** The replica is going away. */
  removePartition(partition: number): void
  /** Committed offsets of these topics are dropped. */
  onTopicsDeleted(topics: readonly { readonly name: string; readonly id: string }[]): void
  /**
   * For FindCoordinator: the partition of `__consumer_offsets` whose leader coordinates the group. Creates that topic when
   * it is missing, and then answers COORDINATOR_NOT_AVAILABLE until it is there.
   */
  findCoordinator(groupId: string): Promise<{
    readonly errorCode: ErrorCode
    readonly errorMessage: string | null
    /** -1 on an error. */
    readonly partition: number
  }>
  close(): void
}

/** What the coordinator must know of the cluster. */
export interface GroupMetadataPort {
  /** Partitions of `__consumer_offsets`; undefined while there is no such topic. */
  offsetsPartitionCount(): number | undefined
  /** Resolves with 0 when the topic is there (or was created), otherwise with why it is not. */
  createOffsetsTopic(): Promise<ErrorCode>
  /** Undefined: there is no such topic. */
  partitionCount(topic: string): number | undefined
  topicName(topicId: string): string | undefined
  /** True once this node knows of everything that was committed before the call; false where that can't be told now. */
  caughtUp(): Promise<boolean>
  /** Of a topic that exists; 16 zero bytes as text otherwise. */
  topicId(topic: string): string
}

export interface GroupCoordinatorOptions {
  readonly env: Pick<Env, 'clock' | 'timers' | 'random' | 'host' | 'log'>
  /** In force now. */
  readonly configs: () => BrokerConfigs
  readonly metadata: GroupMetadataPort
}
