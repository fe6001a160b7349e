// The state of one classic group and its legal transitions. It holds members and answers those that wait; when to rebalance,
// and what is written to the log, is decided in `rebalance.ts` and its neighbours. Rules after Kafka's ClassicGroup.
//
//   Empty ⇄ PreparingRebalance → CompletingRebalance → Stable; the latter two back to PreparingRebalance; any → Dead

import { assert } from '../base/assert.ts'
import type { Timer } from '../env/env.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { decodeVersioned } from '../protocol/message.ts'
import { consumerProtocolSubscription } from '../protocol/persisted/consumer-protocol.ts'
import { ClassicMember, type GroupProtocol, NO_BYTES } from './classic-member.ts'
import type { JoinGroupResponse, SyncGroupResponse } from './group-api.ts'
import type { GroupMetadata } from './group-records.ts'
import { PendingOffsets } from './pending-offsets.ts'

export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead'

const FROM: { readonly [State in GroupState]: readonly GroupState[] } = {
  Empty: ['PreparingRebalance'],
  PreparingRebalance: ['Empty', 'CompletingRebalance', 'Stable'],
  CompletingRebalance: ['PreparingRebalance'],
  Stable: ['CompletingRebalance'],
  Dead: ['Empty', 'PreparingRebalance', 'CompletingRebalance', 'Stable', 'Dead'],
}

export const CONSUMER_PROTOCOL_TYPE = 'consumer'

export class ClassicGroup {
  readonly groupId: string
  /** In the order in which they joined. */
  readonly members = new Map<string, ClassicMember>()
  /** Member ids by group instance id. */
  readonly staticMembers = new Map<string, string>()
  /** Ids that were given out (KIP-394) and have not joined with them yet; the timer forgets them. */
  readonly pendingJoins = new Map<string, Timer>()
  /** Members of this generation that have not asked for their assignment yet. */
  readonly pendingSyncs = new Set<string>()
  /** Of offset commits that are appended and not yet committed. */
  readonly pendingOffsets = new PendingOffsets()
  generation = 0
  /** The generation whose assignment is being written, or was: a repeated SyncGroup must not write another. */
  assignedGeneration = 0
  /** Null: a simple group, which only commits offsets. */
  protocolType: string | null = null
  protocolName: string | null = null
  leader: string | null = null
  /** Milliseconds since 1970, when the state was entered; -1 where unknown. */
  stateTimestampMs = -1
  /** Someone joined since the initial delay began (or was extended). */
  newMemberAdded = false
  /** The rebalance's own timer: of the initial delay, or of those who must rejoin. */
  joinTimer: Timer | undefined
  syncTimer: Timer | undefined
  #state: GroupState = 'Empty'
  #previousState: GroupState = 'Empty'
  #awaitingJoins = 0
  /** Members by protocol that they support. */
  readonly #supporters = new Map<string, number>()
  #subscribedTopics: ReadonlySet<string> | undefined

  constructor(groupId: string) {
    this.groupId = groupId
  }

  /** As its last record says; it continues where it was, but for those who waited. */
  static load(groupId: string, metadata: GroupMetadata): ClassicGroup {
    const group = new ClassicGroup(groupId)
    group.generation = metadata.generation
    group.protocolType = metadata.protocolType === '' ? null : metadata.protocolType
    group.protocolName = metadata.protocol
    group.stateTimestampMs = metadata.currentStateTimestamp
    for (const stored of metadata.members) {
      const { rebalanceTimeout, sessionTimeout, subscription } = stored
      group.#insert(
        new ClassicMember({
          ...stored,
          rebalanceTimeoutMs: rebalanceTimeout === -1 ? sessionTimeout : rebalanceTimeout,
          sessionTimeoutMs: sessionTimeout,
          protocolType: metadata.protocolType,
          protocols: [{ name: metadata.protocol ?? '', metadata: subscription }],
        }),
      )
    }
    group.leader = metadata.leader
    group.#state = group.members.size === 0 ? 'Empty' : 'Stable'
    group.#previousState = group.#state
    group.#subscribedTopics = group.#computeSubscribedTopics()
    return group
  }

  /** What is written for it. `assignments` are those of a generation that is being completed. */
  toMetadata(assignments?: ReadonlyMap<string, Uint8Array>): GroupMetadata {
    return {
      protocolType: this.protocolType ?? '',
      generation: this.generation,
      protocol: this.protocolName,
      leader: this.leader,
      currentStateTimestamp: this.stateTimestampMs,
      members: [...this.members.values()].map((member) => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeout: member.rebalanceTimeoutMs,
        sessionTimeout: member.sessionTimeoutMs,
        subscription: member.metadata(this.protocolName),
        assignment: assignments?.get(member.memberId) ?? member.assignment,
      })),
    }
  }

  get state(): GroupState {
    return this.#state
  }

  get previousState(): GroupState {
    return this.#previousState
  }

  is(...states: readonly GroupState[]): boolean {
    return states.includes(this.#state)
  }

  get canRebalance(): boolean {
    return FROM.PreparingRebalance.includes(this.#state)
  }

  transitionTo(state: GroupState, nowMs: number): void {
    assert(FROM[state].includes(this.#state), `group ${this.groupId}: ${this.#state} to ${state}`)
    this.#previousState = this.#state
    this.#state = state
    this.stateTimestampMs = nowMs
  }

  /** Nothing but its id: may be forgotten when it has no offsets either. */
  get isBlank(): boolean {
    return this.#state === 'Empty' && this.pendingJoins.size === 0 && this.pendingOffsets.size === 0
  }

  get awaitingJoins(): number {
    return this.#awaitingJoins
  }

  get hasAllMembersJoined(): boolean {
    return this.members.size === this.#awaitingJoins && this.pendingJoins.size === 0
  }

  get rebalanceTimeoutMs(): number {
    let max = 0
    for (const member of this.members.values()) max = Math.max(max, member.rebalanceTimeoutMs)
    return max
  }

  isLeader(memberId: string): boolean {
    return this.leader === memberId
  }

  /** Of a request that names a member: 0, or why it is not one (KIP-345). */
  checkMember(memberId: string, groupInstanceId: string | null): ErrorCode {
    if (groupInstanceId !== null) {
      const current = this.staticMembers.get(groupInstanceId)
      if (current === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
      if (current !== memberId) return ErrorCode.FENCED_INSTANCE_ID
    }
    return this.members.has(memberId) ? ErrorCode.NONE : ErrorCode.UNKNOWN_MEMBER_ID
  }

  supportsProtocols(protocolType: string, protocols: readonly GroupProtocol[]): boolean {
    if (this.#state === 'Empty') return protocolType !== '' && protocols.length > 0
    return (
      this.protocolType === protocolType &&
      protocols.some(({ name }) => (this.#supporters.get(name) ?? 0) === this.members.size)
    )
  }

  add(member: ClassicMember, answer: ClassicMember['awaitingJoin']): void {
    if (this.members.size === 0) this.protocolType = member.protocolType
    assert(this.protocolType === member.protocolType, `group ${this.groupId}: protocol type`)
    this.#insert(member)
    this.leader ??= member.memberId
    this.setAwaitingJoin(member, answer)
  }

  update(
    member: ClassicMember,
    joined: {
      protocols: readonly GroupProtocol[]
      rebalanceTimeoutMs: number
      sessionTimeoutMs: number
    },
    answer: ClassicMember['awaitingJoin'],
  ): void {
    this.#countProtocols(member, -1)
    member.protocols = joined.protocols
    this.#countProtocols(member, 1)
    member.rebalanceTimeoutMs = joined.rebalanceTimeoutMs
    member.sessionTimeoutMs = joined.sessionTimeoutMs
    this.setAwaitingJoin(member, answer)
  }

  /** A static member came back under a new id: it takes the place of the old one, whose requests are fenced. */
  replaceStatic(groupInstanceId: string, oldId: string, newId: string): ClassicMember {
    const old = this.members.get(oldId)
    assert(old !== undefined, `group ${this.groupId} has no member ${oldId}`)
    const fenced = { errorCode: ErrorCode.FENCED_INSTANCE_ID }
    this.answerJoin(old, { ...failedJoin(oldId), ...fenced })
    this.answerSync(old, { ...failedSync(), ...fenced })
    old.expiry?.cancel()
    const wasLeader = this.isLeader(oldId)
    this.remove(oldId)
    const member = new ClassicMember({ ...old, memberId: newId })
    assert(member.groupInstanceId === groupInstanceId, `${oldId} is not ${groupInstanceId}`)
    this.#insert(member)
    if (wasLeader || this.leader === null) this.leader = newId
    return member
  }

  /** Also of an id that has not joined yet. Those who wait must have been answered. */
  remove(memberId: string): void {
    this.pendingJoins.get(memberId)?.cancel()
    this.pendingJoins.delete(memberId)
    this.pendingSyncs.delete(memberId)
    const member = this.members.get(memberId)
    if (member === undefined) return
    member.expiry?.cancel()
    if (member.awaitingJoin !== undefined) this.#awaitingJoins--
    this.#countProtocols(member, -1)
    this.members.delete(memberId)
    if (member.groupInstanceId !== null) this.staticMembers.delete(member.groupInstanceId)
    if (this.isLeader(memberId)) this.leader = this.members.keys().next().value ?? null
  }

  setAwaitingJoin(member: ClassicMember, answer: ClassicMember['awaitingJoin']): void {
    if (member.awaitingJoin !== undefined) {
      // The member sent a further request; nobody waits for the earlier one, but it must not stay open for ever.
      this.answerJoin(member, {
        ...failedJoin(member.memberId),
        errorCode: ErrorCode.REBALANCE_IN_PROGRESS,
      })
    }
    member.awaitingJoin = answer
    if (answer !== undefined) this.#awaitingJoins++
  }

  answerJoin(member: ClassicMember, response: JoinGroupResponse): void {
    const answer = member.awaitingJoin
    if (answer === undefined) return
    member.awaitingJoin = undefined
    this.#awaitingJoins--
    answer(response)
  }

  /** True when someone waited. */
  answerSync(member: ClassicMember, response: SyncGroupResponse): boolean {
    const answer = member.awaitingSync
    member.awaitingSync = undefined
    answer?.(response)
    return answer !== undefined
  }

  /** A leader that did not rejoin hands over to a member that did. False when nobody has. */
  electJoinedLeader(): boolean {
    const leader = this.leader === null ? undefined : this.members.get(this.leader)
    if (leader === undefined) return false
    if (leader.awaitingJoin !== undefined) return true
    for (const member of this.members.values()) {
      if (member.awaitingJoin === undefined) continue
      this.leader = member.memberId
      return true
    }
    return false
  }

  nextGeneration(nowMs: number): void {
    // Kafka's generations are positive 32-bit numbers.
    this.generation = this.generation === 2 ** 31 - 1 ? 1 : this.generation + 1
    this.protocolName = this.members.size === 0 ? null : this.selectProtocol()
    this.#subscribedTopics = this.#computeSubscribedTopics()
    this.pendingSyncs.clear()
    this.transitionTo(this.members.size === 0 ? 'Empty' : 'CompletingRebalance', nowMs)
  }

  /** The protocol with the most votes among those that everyone supports. */
  selectProtocol(): string {
    const candidates = new Set<string>()
    for (const [name, count] of this.#supporters) {
      if (count === this.members.size) candidates.add(name)
    }
    const votes = new Map<string, number>()
    for (const member of this.members.values()) {
      const vote = member.vote(candidates)
      assert(vote !== undefined, `group ${this.groupId}: no protocol for ${member.memberId}`)
      votes.set(vote, (votes.get(vote) ?? 0) + 1)
    }
    let selected: [string, number] = ['', 0]
    for (const vote of votes) if (vote[1] > selected[1]) selected = vote
    return selected[0]
  }

  /** What the leader is told of the members. */
  joinedMembers(): JoinGroupResponse['members'] {
    return [...this.members.values()].map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      metadata: member.metadata(this.protocolName),
    }))
  }

  /** Whether its offsets of the topic are in use. Where the subscription can't be read, all topics count. */
  isSubscribedTo(topic: string): boolean {
    if (this.protocolType !== CONSUMER_PROTOCOL_TYPE) return false
    return this.#subscribedTopics?.has(topic) ?? true
  }

  get knowsSubscription(): boolean {
    return this.#subscribedTopics !== undefined
  }

  #computeSubscribedTopics(): ReadonlySet<string> | undefined {
    if (this.protocolType !== CONSUMER_PROTOCOL_TYPE) return undefined
    const topics = new Set<string>()
    for (const member of this.members.values()) {
      const subscribed = subscribedTopics(member.metadata(this.protocolName))
      if (subscribed === undefined) return undefined
      for (const topic of subscribed) topics.add(topic)
    }
    return topics
  }

  #insert(member: ClassicMember): void {
    assert(!this.members.has(member.memberId), `group ${this.groupId} has ${member.memberId}`)
    this.members.set(member.memberId, member)
    if (member.groupInstanceId !== null) {
      this.staticMembers.set(member.groupInstanceId, member.memberId)
    }
    this.#countProtocols(member, 1)
  }

  #countProtocols(member: ClassicMember, by: number): void {
    for (const name of new Set(member.protocols.map((protocol) => protocol.name))) {
      const count = (this.#supporters.get(name) ?? 0) + by
      if (count === 0) this.#supporters.delete(name)
      else this.#supporters.set(name, count)
    }
  }
}

/** Undefined when the bytes are none of the consumer protocol: the client's own affair. */
function subscribedTopics(metadata: Uint8Array): readonly string[] | undefined {
  try {
    return decodeVersioned(consumerProtocolSubscription, metadata, { newerAs: 'last' }).value.topics
  } catch {
    return undefined
  }
}

export function failedJoin(memberId: string): Omit<JoinGroupResponse, 'errorCode'> {
  return { generationId: -1, protocolName: null, leader: '', memberId, members: [] }
}

export function failedSync(): Omit<SyncGroupResponse, 'errorCode'> {
  return { assignment: NO_BYTES }
}
