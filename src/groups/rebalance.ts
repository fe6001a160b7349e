// How a classic group comes from one generation to the next: it waits until its members have joined (or are dropped), forms
// the generation, and waits for their syncs. Also the members' sessions. Rules after Kafka's GroupMetadataManager.

import type { BrokerConfigs } from '../base/config/broker-configs.ts'
import type { Clock, Logger, Timers } from '../env/env.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { type ClassicGroup, failedJoin, failedSync } from './classic-group.ts'
import { type ClassicMember, NO_BYTES } from './classic-member.ts'
import type { JoinGroupResponse } from './group-api.ts'
import type { GroupMetadata } from './group-records.ts'

/** What a group's logic needs of the shard that it lives in. */
export interface GroupWorld {
  readonly clock: Clock
  readonly timers: Timers
  readonly log: Logger
  readonly configs: () => BrokerConfigs
  /** Writes the group's record. Resolves with 0 once it is committed, otherwise with what members are to be told. */
  persist(group: ClassicGroup, metadata: GroupMetadata): Promise<ErrorCode>
  /** A fresh id that begins with the prefix. */
  newMemberId(prefix: string): string
  /** An id that was given out is gone: a group that was only made for it need not be kept. */
  released(group: ClassicGroup): void
}

/** How long a join that has not been completed may wait, in Kafka too. */
const NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60 * 1000

export class Rebalancer {
  readonly #world: GroupWorld

  constructor(world: GroupWorld) {
    this.#world = world
  }

  /** Something changed that the current generation does not reflect. */
  rebalanceOrComplete(group: ClassicGroup, reason: string): void {
    if (group.canRebalance) this.prepare(group, reason)
    else this.completeIfJoined(group)
  }

  /** Asks everyone to join again. The first rebalance of a group waits a while for further members. */
  prepare(group: ClassicGroup, reason: string): void {
    if (group.state === 'CompletingRebalance') {
      this.resetAssignment(group, ErrorCode.REBALANCE_IN_PROGRESS)
    }
    this.#stopSyncTimer(group)
    group.pendingSyncs.clear()
    const initial = group.state === 'Empty'
    group.transitionTo('PreparingRebalance', this.#world.clock.nowMs())
    this.#world.log.debug('group rebalances', {
      group: group.groupId,
      generation: group.generation,
      reason,
    })
    if (initial) {
      const delayMs = this.#world.configs()['group.initial.rebalance.delay.ms']
      this.#delayInitial(group, delayMs, Math.max(group.rebalanceTimeoutMs - delayMs, 0))
    } else if (group.hasAllMembersJoined) {
      this.complete(group)
    } else {
      this.#setJoinTimer(group, group.rebalanceTimeoutMs, () => this.complete(group))
    }
  }

  /** After a change of the members while they join. The initial delay is never cut short. */
  completeIfJoined(group: ClassicGroup): void {
    if (group.state !== 'PreparingRebalance' || group.previousState === 'Empty') return
    if (group.hasAllMembersJoined) this.complete(group)
  }

  /** The join phase ends: those who did not join are dropped, the others get their generation. */
  complete(group: ClassicGroup): void {
    group.joinTimer?.cancel()
    group.joinTimer = undefined
    if (group.state !== 'PreparingRebalance') return
    for (const member of group.members.values()) {
      // Static members stay until their session ends (KIP-345).
      if (member.awaitingJoin === undefined && member.groupInstanceId === null) {
        this.dismiss(group, member)
      }
    }
    if (!group.electJoinedLeader() && group.members.size > 0) {
      this.#setJoinTimer(group, group.rebalanceTimeoutMs, () => this.complete(group))
      return
    }
    group.nextGeneration(this.#world.clock.nowMs())
    if (group.is('Empty')) this.#writeEmpty(group)
    else this.#answerJoins(group)
  }

  #writeEmpty(group: ClassicGroup): void {
    void this.#world.persist(group, group.toMetadata()).then((error) => {
      if (error === ErrorCode.NONE || group.is('Dead')) return
      // Nobody waits for it. The last written generation would be loaded, whose members would expire.
      this.#world.log.warn('the empty group was not written', { group: group.groupId, error })
    })
  }

  #answerJoins(group: ClassicGroup): void {
    for (const member of group.members.values()) {
      group.pendingSyncs.add(member.memberId)
      group.answerJoin(member, joined(group, member.memberId))
      member.isNew = false
      this.touch(group, member)
    }
    const { generation } = group
    const timeoutMs = clampMs(group.rebalanceTimeoutMs)
    group.syncTimer = this.#world.timers.after(timeoutMs, () =>
      this.#expireSyncs(group, generation),
    )
  }

  /** Members that joined but never asked for their assignment are dropped. */
  #expireSyncs(group: ClassicGroup, generation: number): void {
    group.syncTimer = undefined
    if (group.generation !== generation) return
    if (!group.is('CompletingRebalance', 'Stable') || group.pendingSyncs.size === 0) return
    for (const memberId of group.pendingSyncs) {
      const member = group.members.get(memberId)
      if (member !== undefined) this.dismiss(group, member)
    }
    this.prepare(group, 'members did not sync in time')
  }

  /** The member asked for its assignment. */
  synced(group: ClassicGroup, memberId: string): void {
    group.pendingSyncs.delete(memberId)
    if (group.pendingSyncs.size === 0) this.#stopSyncTimer(group)
  }

  /** Everyone in the group gets the assignment that was committed, and the group is stable. */
  assign(group: ClassicGroup, assignments: ReadonlyMap<string, Uint8Array>): void {
    group.transitionTo('Stable', this.#world.clock.nowMs())
    for (const member of group.members.values()) {
      member.assignment = assignments.get(member.memberId) ?? NO_BYTES
      this.#answerSync(group, member, ErrorCode.NONE)
    }
  }

  resetAssignment(group: ClassicGroup, error: ErrorCode): void {
    for (const member of group.members.values()) {
      member.assignment = NO_BYTES
      this.#answerSync(group, member, error)
    }
  }

  #answerSync(group: ClassicGroup, member: ClassicMember, errorCode: ErrorCode): void {
    const named =
      errorCode === ErrorCode.NONE
        ? { protocolType: group.protocolType, protocolName: group.protocolName }
        : {}
    const response = { errorCode, ...named, assignment: member.assignment }
    if (group.answerSync(member, response)) this.touch(group, member)
  }

  /** The member showed that it is alive: its session starts anew. */
  touch(group: ClassicGroup, member: ClassicMember): void {
    this.#expireAfter(group, member, member.sessionTimeoutMs)
  }

  /** A member that waits for its first generation. */
  touchNew(group: ClassicGroup, member: ClassicMember): void {
    this.#expireAfter(group, member, NEW_MEMBER_JOIN_TIMEOUT_MS)
  }

  #expireAfter(group: ClassicGroup, member: ClassicMember, timeoutMs: number): void {
    member.expiresAtMs = this.#world.clock.monotonicMs() + timeoutMs
    if (member.expiry !== undefined && member.expiryAtMs <= member.expiresAtMs) return
    member.expiry?.cancel()
    this.#setExpiry(group, member)
  }

  #setExpiry(group: ClassicGroup, member: ClassicMember): void {
    member.expiryAtMs = member.expiresAtMs
    const delayMs = clampMs(member.expiresAtMs - this.#world.clock.monotonicMs())
    member.expiry = this.#world.timers.after(delayMs, () => this.#expire(group, member))
  }

  #expire(group: ClassicGroup, member: ClassicMember): void {
    member.expiry = undefined
    if (group.members.get(member.memberId) !== member) return
    if (this.#world.clock.monotonicMs() < member.expiresAtMs) {
      this.#setExpiry(group, member)
      return
    }
    // Its request waits here; the answer starts a new session.
    if (member.waits) return
    this.#world.log.info('group member expired', {
      group: group.groupId,
      member: member.memberId,
    })
    this.removeMember(group, member, 'a member expired')
  }

  removeMember(group: ClassicGroup, member: ClassicMember, reason: string): void {
    this.dismiss(group, member)
    if (group.is('Stable', 'CompletingRebalance')) this.rebalanceOrComplete(group, reason)
    else this.#completeWithoutDelay(group)
  }

  /** An id was given out and not used in time, or given back. */
  removePending(group: ClassicGroup, memberId: string): void {
    group.remove(memberId)
    this.#completeWithoutDelay(group)
    this.#world.released(group)
  }

  #completeWithoutDelay(group: ClassicGroup): void {
    if (group.state === 'PreparingRebalance' && group.hasAllMembersJoined) this.complete(group)
  }

  /** Takes a member out. Whoever waits in its name is told that it is unknown. */
  dismiss(group: ClassicGroup, member: ClassicMember): void {
    const errorCode = ErrorCode.UNKNOWN_MEMBER_ID
    group.answerJoin(member, { ...failedJoin(''), errorCode })
    group.answerSync(member, { ...failedSync(), errorCode })
    group.remove(member.memberId)
  }

  /** Ends the group on this node: everyone who waits is told the error, nothing of it runs any more. */
  kill(group: ClassicGroup, errorCode: ErrorCode): void {
    group.transitionTo('Dead', this.#world.clock.nowMs())
    group.joinTimer?.cancel()
    this.#stopSyncTimer(group)
    for (const timer of group.pendingJoins.values()) timer.cancel()
    for (const member of group.members.values()) {
      member.expiry?.cancel()
      group.answerJoin(member, { ...failedJoin(member.memberId), errorCode })
      group.answerSync(member, { ...failedSync(), errorCode })
    }
  }

  #delayInitial(group: ClassicGroup, delayMs: number, remainingMs: number): void {
    this.#setJoinTimer(group, delayMs, () => {
      if (!group.newMemberAdded || remainingMs === 0) {
        this.complete(group)
        return
      }
      group.newMemberAdded = false
      const furtherMs = this.#world.configs()['group.initial.rebalance.delay.ms']
      const nextMs = Math.min(furtherMs, remainingMs)
      this.#delayInitial(group, nextMs, Math.max(remainingMs - nextMs, 0))
    })
  }

  #setJoinTimer(group: ClassicGroup, delayMs: number, callback: () => void): void {
    group.joinTimer?.cancel()
    group.joinTimer = this.#world.timers.after(clampMs(delayMs), () => {
      group.joinTimer = undefined
      callback()
    })
  }

  #stopSyncTimer(group: ClassicGroup): void {
    group.syncTimer?.cancel()
    group.syncTimer = undefined
  }
}

/** The answer to a join in the current generation; its leader learns of all members. */
export function joined(group: ClassicGroup, memberId: string): JoinGroupResponse {
  return {
    errorCode: ErrorCode.NONE,
    generationId: group.generation,
    protocolType: group.protocolType,
    protocolName: group.protocolName,
    leader: group.leader ?? '',
    memberId,
    members: group.isLeader(memberId) ? group.joinedMembers() : [],
  }
}

/** Clients choose timeouts; timers have bounds. */
function clampMs(ms: number): number {
  return Math.max(0, Math.min(2 ** 31 - 1, ms))
}
