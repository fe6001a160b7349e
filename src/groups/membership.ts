// SyncGroup, Heartbeat and LeaveGroup. Rules after Kafka's GroupMetadataManager (classicGroupSync and so on).

import { assert } from '../base/assert.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { type ClassicGroup, failedSync } from './classic-group.ts'
import { NO_BYTES } from './classic-member.ts'
import type {
  HeartbeatRequest,
  LeaveGroupRequest,
  SyncGroupRequest,
  SyncGroupResponse,
} from './group-api.ts'
import type { GroupWorld, Rebalancer } from './rebalance.ts'

export type LeavingMember = LeaveGroupRequest['members'][number]

export interface LeftMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly errorCode: ErrorCode
}

export class Memberships {
  readonly #world: GroupWorld
  readonly #rebalancer: Rebalancer

  constructor(world: GroupWorld, rebalancer: Rebalancer) {
    this.#world = world
    this.#rebalancer = rebalancer
  }

  /** Resolves when the leader's assignment is committed. */
  sync(group: ClassicGroup, request: SyncGroupRequest): Promise<SyncGroupResponse> {
    const errorCode = this.#checkSync(group, request)
    if (errorCode !== ErrorCode.NONE) return Promise.resolve({ ...failedSync(), errorCode })
    const { memberId } = request
    const member = group.members.get(memberId)
    assert(member !== undefined, `group ${group.groupId} has no member ${memberId}`)
    this.#rebalancer.synced(group, memberId)
    if (group.state === 'Stable') {
      const { protocolType, protocolName } = group
      const { assignment } = member
      return Promise.resolve({ errorCode, protocolType, protocolName, assignment })
    }
    return new Promise((answer) => {
      // A repeated request takes the place of the one before, which nobody waits for any more.
      group.answerSync(member, { ...failedSync(), errorCode: ErrorCode.REBALANCE_IN_PROGRESS })
      member.awaitingSync = answer
      if (group.isLeader(memberId) && group.assignedGeneration !== group.generation) {
        this.#takeAssignment(group, request)
      }
    })
  }

  #checkSync(group: ClassicGroup, request: SyncGroupRequest): ErrorCode {
    if (group.state === 'Empty') return ErrorCode.UNKNOWN_MEMBER_ID
    const error = group.checkMember(request.memberId, request.groupInstanceId)
    if (error !== ErrorCode.NONE) return error
    if (request.generationId !== group.generation) return ErrorCode.ILLEGAL_GENERATION
    const { protocolType, protocolName } = request
    if (protocolType !== null && protocolType !== group.protocolType) {
      return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    }
    if (
      protocolName !== null &&
      group.protocolName !== null &&
      protocolName !== group.protocolName
    ) {
      return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    }
    if (group.state === 'PreparingRebalance') return ErrorCode.REBALANCE_IN_PROGRESS
    return ErrorCode.NONE
  }

  #takeAssignment(group: ClassicGroup, request: SyncGroupRequest): void {
    const assignments = new Map<string, Uint8Array>()
    for (const memberId of group.members.keys()) assignments.set(memberId, NO_BYTES)
    for (const { memberId, assignment } of request.assignments) {
      if (assignments.has(memberId)) assignments.set(memberId, assignment.slice())
    }
    const { generation } = group
    group.assignedGeneration = generation
    void this.#world.persist(group, group.toMetadata(assignments)).then((error) => {
      // While it was written the group may have gone on, or ended on this node.
      if (group.state !== 'CompletingRebalance' || group.generation !== generation) return
      if (error === ErrorCode.NONE) {
        this.#rebalancer.assign(group, assignments)
      } else {
        this.#rebalancer.resetAssignment(group, error)
        this.#rebalancer.prepare(group, 'the assignment was not written')
      }
    })
  }

  heartbeat(group: ClassicGroup, request: HeartbeatRequest): ErrorCode {
    const { memberId, groupInstanceId, generationId } = request
    const error = group.checkMember(memberId, groupInstanceId)
    if (error !== ErrorCode.NONE) return error
    if (generationId !== group.generation) return ErrorCode.ILLEGAL_GENERATION
    const member = group.members.get(memberId)
    assert(member !== undefined, `group ${group.groupId} has no member ${memberId}`)
    this.#rebalancer.touch(group, member)
    return group.state === 'PreparingRebalance' ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE
  }

  /** KIP-345: several members at once; static ones may be named by their instance id alone. */
  leave(group: ClassicGroup, leaving: readonly LeavingMember[]): LeftMember[] {
    const left = leaving.map(({ memberId, groupInstanceId }) => ({
      memberId,
      groupInstanceId,
      errorCode: this.#leaveOne(group, memberId, groupInstanceId),
    }))
    if (left.some(({ errorCode }) => errorCode === ErrorCode.NONE)) {
      if (group.is('Stable', 'CompletingRebalance')) {
        this.#rebalancer.rebalanceOrComplete(group, 'members left')
      } else {
        this.#rebalancer.completeIfJoined(group)
      }
      this.#world.released(group)
    }
    return left
  }

  #leaveOne(group: ClassicGroup, memberId: string, groupInstanceId: string | null): ErrorCode {
    if (group.pendingJoins.has(memberId)) {
      group.remove(memberId)
      return ErrorCode.NONE
    }
    const staticId = groupInstanceId === null ? undefined : group.staticMembers.get(groupInstanceId)
    const leavingId = memberId === '' ? staticId : memberId
    if (leavingId === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
    const error = group.checkMember(leavingId, groupInstanceId)
    if (error !== ErrorCode.NONE) return error
    const member = group.members.get(leavingId)
    assert(member !== undefined, `group ${group.groupId} has no member ${leavingId}`)
    this.#rebalancer.dismiss(group, member)
    return ErrorCode.NONE
  }
}
