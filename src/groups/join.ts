// JoinGroup: new members, members that come back, static members that replace themselves. Rules after Kafka's
// GroupMetadataManager (classicGroupJoin…).

import { assert } from '../base/assert.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { type ClassicGroup, failedJoin } from './classic-group.ts'
import { ClassicMember, type GroupProtocol } from './classic-member.ts'
import type { GroupRequestContext, JoinGroupRequest, JoinGroupResponse } from './group-api.ts'
import { type GroupWorld, joined, type Rebalancer } from './rebalance.ts'

/** KIP-394: a dynamic member first gets its id, then joins with it. */
const MEMBER_ID_REQUIRED_SINCE = 4
/** KIP-814: the leader may be told to keep the assignment. */
const SKIP_ASSIGNMENT_SINCE = 9

/** What a member says of itself stays in memory and is written with every generation. */
const PROTOCOLS_BYTES_MAX = 1024 * 1024

/** A request, with what it says of the member in a form to be kept. */
interface Join {
  readonly request: JoinGroupRequest
  readonly context: GroupRequestContext
  readonly protocols: readonly GroupProtocol[]
  readonly rebalanceTimeoutMs: number
  readonly sessionTimeoutMs: number
  readonly answer: (response: JoinGroupResponse) => void
}

export class Joins {
  readonly #world: GroupWorld
  readonly #rebalancer: Rebalancer

  constructor(world: GroupWorld, rebalancer: Rebalancer) {
    this.#world = world
    this.#rebalancer = rebalancer
  }

  /** Resolves when the generation that the member joins is formed. */
  join(
    group: ClassicGroup,
    request: JoinGroupRequest,
    context: GroupRequestContext,
  ): Promise<JoinGroupResponse> {
    return new Promise((answer) => {
      const { sessionTimeoutMs, rebalanceTimeoutMs } = request
      const join: Join = {
        request,
        context,
        // The request's memory is not ours to keep.
        protocols: request.protocols.map(({ name, metadata }) => ({
          name,
          metadata: metadata.slice(),
        })),
        sessionTimeoutMs,
        // Version 0 has none.
        rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? sessionTimeoutMs : rebalanceTimeoutMs,
        answer,
      }
      if (!this.#accepts(group, request.memberId)) {
        group.remove(request.memberId)
        answer({ ...failedJoin(''), errorCode: ErrorCode.GROUP_MAX_SIZE_REACHED })
      } else if (protocolsBytes(request) > PROTOCOLS_BYTES_MAX) {
        answer({ ...failedJoin(request.memberId), errorCode: ErrorCode.MESSAGE_TOO_LARGE })
      } else if (!group.supportsProtocols(request.protocolType, request.protocols)) {
        const errorCode = ErrorCode.INCONSISTENT_GROUP_PROTOCOL
        answer({ ...failedJoin(request.memberId), errorCode })
      } else if (request.memberId === '') {
        this.#joinNew(group, join)
      } else {
        this.#joinAgain(group, join)
      }
    })
  }

  #accepts(group: ClassicGroup, memberId: string): boolean {
    const max = this.#world.configs()['group.max.size']
    const member = group.members.get(memberId)
    switch (group.state) {
      case 'Empty':
      case 'Dead':
        return true
      case 'PreparingRebalance':
        return member?.awaitingJoin !== undefined || group.awaitingJoins < max
      case 'CompletingRebalance':
      case 'Stable':
        return member !== undefined || group.members.size < max
    }
  }

  #joinNew(group: ClassicGroup, join: Join): void {
    const { groupInstanceId } = join.request
    const newId = this.#world.newMemberId(groupInstanceId ?? join.context.clientId)
    if (groupInstanceId === null) {
      if (join.context.apiVersion < MEMBER_ID_REQUIRED_SINCE) this.#add(group, join, newId)
      else this.#giveId(group, join, newId)
      return
    }
    const oldId = group.staticMembers.get(groupInstanceId)
    if (oldId === undefined) this.#add(group, join, newId)
    else this.#replaceStatic(group, join, { groupInstanceId, oldId, newId })
  }

  #giveId(group: ClassicGroup, join: Join, memberId: string): void {
    const timer = this.#world.timers.after(join.sessionTimeoutMs, () => {
      if (group.pendingJoins.has(memberId)) this.#rebalancer.removePending(group, memberId)
    })
    group.pendingJoins.set(memberId, timer)
    join.answer({ ...failedJoin(memberId), errorCode: ErrorCode.MEMBER_ID_REQUIRED })
  }

  #add(group: ClassicGroup, join: Join, memberId: string): void {
    const { request, context } = join
    group.pendingJoins.get(memberId)?.cancel()
    group.pendingJoins.delete(memberId)
    const member = new ClassicMember({
      ...join,
      memberId,
      groupInstanceId: request.groupInstanceId,
      clientId: context.clientId,
      clientHost: context.clientHost,
      protocolType: request.protocolType,
    })
    member.isNew = true
    if (group.state === 'PreparingRebalance' && group.previousState === 'Empty') {
      group.newMemberAdded = true
    }
    group.add(member, join.answer)
    this.#rebalancer.touchNew(group, member)
    this.#rebalancer.rebalanceOrComplete(group, 'a member joined')
  }

  #joinAgain(group: ClassicGroup, join: Join): void {
    const { memberId, groupInstanceId } = join.request
    if (group.pendingJoins.has(memberId)) {
      if (groupInstanceId === null) return this.#add(group, join, memberId)
      return this.#fail(join, ErrorCode.UNKNOWN_MEMBER_ID)
    }
    const error = group.checkMember(memberId, groupInstanceId)
    if (error !== ErrorCode.NONE) return this.#fail(join, error)
    const member = group.members.get(memberId)
    assert(member !== undefined, `group ${group.groupId} has no member ${memberId}`)
    switch (group.state) {
      case 'PreparingRebalance':
        return this.#update(group, member, join, 'a member rejoined')
      case 'CompletingRebalance':
        // The member missed the answer to its join.
        if (member.matches(join.protocols)) return join.answer(joined(group, memberId))
        return this.#update(group, member, join, 'a member changed its metadata')
      case 'Stable':
        // A leader that joins again wants to assign anew.
        if (!group.isLeader(memberId) && member.matches(join.protocols)) {
          return join.answer(joined(group, memberId))
        }
        return this.#update(group, member, join, 'the leader or a changed member rejoined')
      case 'Empty':
      case 'Dead':
        return this.#fail(join, ErrorCode.UNKNOWN_MEMBER_ID)
    }
  }

  #update(group: ClassicGroup, member: ClassicMember, join: Join, reason: string): void {
    group.update(member, join, join.answer)
    this.#rebalancer.rebalanceOrComplete(group, reason)
  }

  #fail(join: Join, errorCode: ErrorCode): void {
    join.answer({ ...failedJoin(join.request.memberId), errorCode })
  }

  #replaceStatic(
    group: ClassicGroup,
    join: Join,
    ids: { readonly groupInstanceId: string; readonly oldId: string; readonly newId: string },
  ): void {
    const leaderBefore = group.leader ?? ''
    const member = group.replaceStatic(ids.groupInstanceId, ids.oldId, ids.newId)
    const { protocols, rebalanceTimeoutMs, sessionTimeoutMs } = member
    group.update(member, join, join.answer)
    this.#rebalancer.touch(group, member)
    if (group.state === 'Stable' && group.protocolName === group.selectProtocol()) {
      void this.#world.persist(group, group.toMetadata()).then((error) => {
        if (group.members.get(ids.newId) !== member) return
        if (error === ErrorCode.NONE) {
          group.answerJoin(member, this.#keptAssignment(group, join, ids.newId, leaderBefore))
          return
        }
        group.answerJoin(member, { ...failedJoin(''), errorCode: error })
        group.update(member, { protocols, rebalanceTimeoutMs, sessionTimeoutMs }, undefined)
        const restored = group.replaceStatic(ids.groupInstanceId, ids.newId, ids.oldId)
        this.#rebalancer.touch(group, restored)
      })
    } else if (group.is('Stable', 'CompletingRebalance')) {
      this.#rebalancer.prepare(group, 'a static member came back')
    } else {
      this.#rebalancer.completeIfJoined(group)
    }
  }

  /** The group goes on without a rebalance: the member must not take itself for a leader that has to assign. */
  #keptAssignment(
    group: ClassicGroup,
    { context }: Join,
    memberId: string,
    leaderBefore: string,
  ): JoinGroupResponse {
    if (context.apiVersion >= SKIP_ASSIGNMENT_SINCE) {
      return { ...joined(group, memberId), skipAssignment: group.isLeader(memberId) }
    }
    return { ...joined(group, memberId), leader: leaderBefore, members: [] }
  }
}

function protocolsBytes({ protocols }: JoinGroupRequest): number {
  return protocols.reduce((sum, { name, metadata }) => sum + name.length + metadata.length, 0)
}
