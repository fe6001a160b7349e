// The classic group APIs: thin over the group coordinator, which does them all (JoinGroup 0-9, SyncGroup 0-5, Heartbeat 0-4,
// LeaveGroup 0-5, OffsetCommit 2-10, OffsetFetch 1-10, ListGroups 0-5, DescribeGroups 0-6, DeleteGroups 0-2).
//
// A connection's next request starts when one of these is answered, as in Kafka.

import type { GroupApi, GroupRequestContext } from '../../groups/group-api.ts'
import type { ErrorCode } from '../../protocol/error-codes.ts'
import type { ApiHandler } from '../dispatcher.ts'
import type { RequestContext } from '../handler.ts'

type Call<Request, Response> = (request: Request, context: GroupRequestContext) => Promise<Response>

type HandlerOf<Name extends keyof GroupApi> =
  GroupApi[Name] extends Call<infer Request, infer Response> ? ApiHandler<Request, Response> : never

function handler<Request, Response>(
  call: Call<Request, Response>,
  failed: (request: Request, errorCode: ErrorCode, context: RequestContext) => Response,
): ApiHandler<Request, Response> {
  return {
    handle: (context, request) =>
      call(request, {
        clientId: context.clientId ?? '',
        clientHost: `/${context.clientHost}`,
        apiVersion: context.version,
      }),
    failed,
  }
}

export function groupHandlers(groups: GroupApi): {
  readonly [Name in keyof GroupApi]: HandlerOf<Name>
} {
  return {
    joinGroup: handler(groups.joinGroup.bind(groups), (_request, errorCode) => ({
      throttleTimeMs: 0,
      errorCode,
      generationId: -1,
      protocolType: null,
      protocolName: '',
      leader: '',
      skipAssignment: false,
      memberId: '',
      members: [],
    })),
    syncGroup: handler(groups.syncGroup.bind(groups), (_request, errorCode) => ({
      throttleTimeMs: 0,
      errorCode,
      protocolType: null,
      protocolName: null,
      assignment: new Uint8Array(0),
    })),
    heartbeat: handler(groups.heartbeat.bind(groups), (_request, errorCode) => ({
      throttleTimeMs: 0,
      errorCode,
    })),
    leaveGroup: handler(groups.leaveGroup.bind(groups), (_request, errorCode) => ({
      throttleTimeMs: 0,
      errorCode,
      members: [],
    })),
    offsetCommit: handler(groups.offsetCommit.bind(groups), (request, errorCode) => ({
      throttleTimeMs: 0,
      topics: request.topics.map(({ name, topicId, partitions }) => ({
        name,
        topicId,
        partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
      })),
    })),
    offsetFetch: handler(groups.offsetFetch.bind(groups), (request, errorCode) => ({
      throttleTimeMs: 0,
      topics: [],
      errorCode,
      groups: request.groups.map(({ groupId }) => ({ groupId, topics: [], errorCode })),
    })),
    listGroups: handler(groups.listGroups.bind(groups), (_request, errorCode) => ({
      throttleTimeMs: 0,
      errorCode,
      groups: [],
    })),
    describeGroups: handler(groups.describeGroups.bind(groups), (request, errorCode) => ({
      throttleTimeMs: 0,
      groups: request.groups.map((groupId) => ({
        errorCode,
        groupId,
        groupState: '',
        protocolType: '',
        protocolData: '',
        members: [],
      })),
    })),
    deleteGroups: handler(groups.deleteGroups.bind(groups), (request, errorCode) => ({
      throttleTimeMs: 0,
      results: request.groupsNames.map((groupId) => ({ groupId, errorCode })),
    })),
  }
}
