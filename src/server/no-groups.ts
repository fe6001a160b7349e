// Stands in for the group coordinator until it is wired: every group is answered with COORDINATOR_NOT_AVAILABLE.

import type { GroupApi, GroupCoordinatorControl } from '../groups/group-api.ts'
import { ErrorCode, type ErrorCode as Code } from '../protocol/error-codes.ts'

const errorCode: Code = ErrorCode.COORDINATOR_NOT_AVAILABLE

export function noGroups(): GroupApi & GroupCoordinatorControl {
  return {
    joinGroup: async () => ({
      errorCode,
      protocolName: '',
      leader: '',
      memberId: '',
      members: [],
      generationId: -1,
    }),
    syncGroup: async () => ({ errorCode, assignment: new Uint8Array(0) }),
    heartbeat: async () => ({ errorCode }),
    leaveGroup: async () => ({ errorCode }),
    offsetCommit: async () => ({ topics: [] }),
    offsetFetch: async () => ({ topics: [], groups: [] }),
    listGroups: async () => ({ errorCode, groups: [] }),
    describeGroups: async () => ({ groups: [] }),
    deleteGroups: async () => ({ results: [] }),
    addPartition: () => undefined,
    removePartition: () => undefined,
    onTopicsDeleted: () => undefined,
    findCoordinator: async () => ({ errorCode, errorMessage: null, partition: -1 }),
    close: () => undefined,
  }
}
