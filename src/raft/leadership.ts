// One leader in one epoch: what each follower holds, what is committed, who is whole. Only acknowledgements of the
// leader's own epoch commit (law R2; thesis 3.6.2), the leader's own among them by the same test as everyone's.

import { assert } from '../base/assert.ts'
import { type LeaderEpoch, type NodeId, type Offset } from '../base/brand.ts'
import { comparePositions, type Position } from '../base/position.ts'
import { NOTHING } from './durability.ts'
import type { AppendAck, AppendMismatch, BatchRef } from './messages.ts'
import { Progress } from './progress.ts'
import type { Replica } from './replica.ts'

export class Leadership<B extends BatchRef> {
  readonly epoch: LeaderEpoch
  readonly #replica: Replica<B>
  readonly #followers = new Map<NodeId, Progress>()
  /** Grows each time a suspect replica appears; confirmations count from the round that it caused. */
  #round = 0
  /** For `committed`: one position per voter. */
  readonly #positions: Position[]

  /** Made before the epoch start is appended: followers most likely agree at the end before it. */
  constructor(replica: Replica<B>, up: ReadonlySet<NodeId>) {
    this.epoch = replica.term
    this.#replica = replica
    this.#positions = replica.voters.map(() => NOTHING)
    for (const voter of replica.voters) {
      if (voter === replica.self) continue
      this.#followers.set(voter, new Progress({ up: up.has(voter), next: replica.log.end }))
    }
  }

  follower(node: NodeId): Progress | undefined {
    return this.#followers.get(node)
  }

  get followers(): ReadonlyMap<NodeId, Progress> {
    return this.#followers
  }

  get round(): number {
    return this.#round
  }

  /** The position that a majority holds durably, if it is of this epoch: the commit. */
  committed(): Position | undefined {
    const positions = this.#positions
    positions[0] = this.#ownMatch
    let count = 1
    for (const { match } of this.#followers.values()) positions[count++] = match
    return this.#ownEpoch(this.#reachedByMajority(positions))
  }

  /** Law R10: a majority has moved its log start here, durably. */
  logStartOnMajority(own: Offset): Offset {
    const starts: Offset[] = [own]
    for (const { logStart } of this.#followers.values()) starts.push(logStart)
    return starts.toSorted((a, b) => b - a)[this.#majorityIndex]!
  }

  /** Enough voters answered in this epoch and can be reached, itself included (check-quorum). The suspect don't count. */
  get hasQuorum(): boolean {
    let count = 1
    for (const follower of this.#followers.values()) {
      if (follower.answered && !follower.suspect) count++
    }
    return count > this.#majorityIndex
  }

  peerUp(node: NodeId): void {
    const follower = this.#followers.get(node)
    if (follower === undefined) return
    follower.up()
    // It may be damaged anew: what was confirmed for its last return says nothing for this one.
    if (follower.suspicion !== undefined) follower.meetSuspect(++this.#round)
  }

  acknowledged(node: NodeId, message: AppendAck): void {
    const follower = this.#followers.get(node)
    if (follower === undefined) return
    assert(
      comparePositions(message.durable, this.#replica.log.end) <= 0,
      `${node} acknowledges above the end`,
    )
    if (!follower.begun(message.begunBelow)) return
    follower.accepted(message.accepted)
    if (message.round > follower.round) follower.round = message.round
    if (message.suspect) {
      this.#meet(follower, message)
      return
    }
    if (follower.suspicion !== undefined) {
      // Said before the damage: void.
      if (message.round < follower.suspicion.round) return
      follower.suspicion = undefined
    }
    follower.durable(message)
  }

  #meet(follower: Progress, { durable, logStart }: AppendAck): void {
    const suspicion = follower.suspicion ?? follower.meetSuspect(++this.#round)
    if (comparePositions(durable, suspicion.match) > 0) suspicion.match = durable
    if (logStart > suspicion.logStart) suspicion.logStart = logStart
  }

  /** False: the answer is out of date. */
  mismatched(node: NodeId, message: AppendMismatch): boolean {
    const follower = this.#followers.get(node)
    if (follower === undefined) return false
    if (message.end.offset <= message.logStart) {
      // Whatever it held is lost, as if it had come back once more.
      follower.emptied()
      if (follower.suspicion !== undefined) follower.meetSuspect(++this.#round)
    }
    if (!follower.awaits(message.prev)) return false
    const common = this.#replica.log.commonWith(message)
    if (common === undefined) follower.mustInstall()
    else follower.probe(common)
    return true
  }

  /**
   * Law R5: the suspect replicas that are whole again, each told once. Every other voter has answered since the replica
   * came back, in this epoch (no candidate of a later one can then hold a vote that the replica forgot); of the whole
   * ones a majority holds the commit, and so does the replica.
   */
  clearances(): readonly Clearance[] {
    let found: Clearance[] | undefined
    for (const [node, { suspicion }] of this.#followers) {
      if (suspicion === undefined || suspicion.cleared) continue
      const at = this.#confirmed(node, suspicion.round)
      if (at === undefined || comparePositions(at, this.#replica.commit) < 0) continue
      if (comparePositions(suspicion.match, at) < 0) continue
      if (suspicion.logStart < this.#replica.log.logStart) continue
      suspicion.cleared = true
      found ??= []
      found.push({ node, at })
    }
    return found ?? NO_CLEARANCES
  }

  #confirmed(suspect: NodeId, round: number): Position | undefined {
    const positions: Position[] = [this.#ownMatch, NOTHING]
    for (const [node, follower] of this.#followers) {
      if (node === suspect) continue
      if (follower.round < round) return undefined
      positions.push(follower.match)
    }
    return this.#ownEpoch(this.#reachedByMajority(positions))
  }

  get #ownMatch(): Position {
    const { durability, log } = this.#replica
    return durability.acknowledgeable(this.epoch, log.end) ?? NOTHING
  }

  /** The greatest position that a majority has reached. */
  #reachedByMajority(positions: Position[]): Position {
    assert(positions.length === this.#replica.voters.length, 'a position for each voter')
    positions.sort(descending)
    return positions[this.#majorityIndex]!
  }

  get #majorityIndex(): number {
    return this.#replica.voters.length >> 1
  }

  #ownEpoch(position: Position): Position | undefined {
    return position.epoch === this.epoch ? position : undefined
  }
}

/** The replica is whole if it holds `at`. */
export interface Clearance {
  readonly node: NodeId
  readonly at: Position
}

const NO_CLEARANCES: readonly Clearance[] = []

const descending = (a: Position, b: Position): number => comparePositions(b, a)
