// Raft for one group, as a pure state machine: events in, effects out. No I/O, no clock, no promises. The log is positions
// (epoch, offset); what lies in the batches is the driver's (thesis: Ongaro, "Consensus: Bridging Theory and Practice").
//
// One owner for each state: `replica.ts` (term, vote, log, commit, what is durable), `roles.ts` (who leads), `elections.ts`
// (votes), `turn.ts` (when to try), `following.ts`, `leading.ts` with `leadership.ts` (counting) and `progress.ts` (one
// follower), `sending.ts` (what goes next), `outbox.ts` (what a step asks for).

import { assert, unreachable } from '../base/assert.ts'
import type { LeaderEpoch, NodeId, Offset } from '../base/brand.ts'
import type { Position } from '../base/position.ts'
import type { Effects, InstallPlan, RaftEvent, SendPlan } from './events.ts'
import type { Leadership } from './leadership.ts'
import type { BatchRef } from './messages.ts'
import type { Progress } from './progress.ts'
import { Replica, type ReplicaOptions } from './replica.ts'
import { type RaftRole, Roles } from './roles.ts'
import { planFor, startOf } from './sending.ts'
import type { RaftTiming } from './timing.ts'

export type { RaftTiming } from './timing.ts'
export type { RaftRole } from './roles.ts'

export interface RaftOptions extends ReplicaOptions {
  readonly timing: RaftTiming
  /** Uniform in [0, 1): spreads retries. */
  readonly random: () => number
  readonly nowMs: number
}

export class Raft<B extends BatchRef = BatchRef> {
  readonly self: NodeId
  readonly voters: readonly NodeId[]
  readonly #replica: Replica<B>
  readonly #roles: Roles<B>

  constructor(options: RaftOptions) {
    const { timing, random, nowMs } = options
    this.self = options.self
    this.voters = options.voters
    this.#replica = new Replica(options)
    this.#roles = new Roles({ replica: this.#replica, timing, random, nowMs })
  }

  get role(): RaftRole {
    return this.#roles.role
  }

  get term(): LeaderEpoch {
    return this.#replica.term
  }

  get suspect(): boolean {
    return this.#replica.suspect
  }

  /** Known and, by what this node sees, alive. */
  get leader(): NodeId | undefined {
    return this.#roles.leader
  }

  get commit(): Position {
    return this.#replica.commit
  }

  get end(): Position {
    return this.#replica.log.end
  }

  get logStart(): Offset {
    return this.#replica.log.logStart
  }

  /** The own epoch start is committed (law R9). */
  get established(): boolean {
    return this.#roles.established
  }

  /** A leader that is handing over takes nothing new, so that its successor can catch up. */
  get acceptsAppends(): boolean {
    const { leading } = this.#roles
    return leading !== undefined && !leading.transferring
  }

  /** When `tick` is due; Infinity: it has nothing to do. */
  get deadlineMs(): number {
    return this.#roles.deadlineMs
  }

  get followers(): ReadonlyMap<NodeId, Progress> {
    return this.#leadership?.followers ?? NO_FOLLOWERS
  }

  /** Leader only. Law R10: a majority's log starts here or later, durably. `own`: this node's durable log start. */
  logStartOnMajority(own: Offset): Offset {
    const leadership = this.#leadership
    assert(leadership !== undefined, 'only a leader counts log starts')
    return leadership.logStartOnMajority(own)
  }

  /** `tombstonesRemovedBelow`: of the local log now, and once more when bytes were read that a plan asked for (law R10). */
  nextFor(node: NodeId, tombstonesRemovedBelow: Offset): SendPlan | undefined {
    const leadership = this.#leadership
    const follower = leadership?.follower(node)
    if (leadership === undefined || follower === undefined) return undefined
    const { log, commit } = this.#replica
    const { round } = leadership
    return planFor(follower, { log, commit, round, tombstonesRemovedBelow })
  }

  /** For a follower that has the log, and lacks what its state machine must know of what lies below the log start. */
  startPlan(tombstonesRemovedBelow: Offset): InstallPlan {
    return startOf({ log: this.#replica.log, tombstonesRemovedBelow })
  }

  /** The driver sent what `nextFor` planned just now, up to this position; nothing may have happened in between. */
  sent(node: NodeId, upTo: Position): void {
    const leadership = this.#leadership
    const follower = leadership?.follower(node)
    assert(follower !== undefined && leadership !== undefined, `sent to ${node}, no follower`)
    const { log, commit } = this.#replica
    follower.sent(upTo, { commit, logStart: log.logStart, round: leadership.round })
  }

  /** What every append of this leader carries. */
  get appendFields(): { term: LeaderEpoch; commit: Position; logStart: Offset; round: number } {
    const leadership = this.#leadership
    assert(leadership !== undefined, 'only a leader appends')
    const { term, commit, log } = this.#replica
    return { term, commit, logStart: log.logStart, round: leadership.round }
  }

  /** What comes back is the caller's to read, not to change or to keep. */
  step(event: RaftEvent<B>): Effects<B> {
    switch (event.kind) {
      case 'tick':
        this.#roles.tick(event.nowMs)
        break
      case 'message':
        this.#roles.receive(event.from, event.message, event.nowMs)
        break
      case 'durable':
        this.#replica.reached(event)
        this.#roles.durable(event.nowMs)
        break
      case 'appended':
        assert(this.role === 'leader', 'only a leader appends')
        this.#replica.log.appended(event.end)
        this.#replica.out.replicate()
        break
      case 'leader-claim':
        this.#roles.claimed(event.leader, event.epoch, event.nowMs)
        break
      case 'leader-unsupported':
        this.#roles.loseLeader(event.nowMs)
        break
      case 'peer-up':
        this.#roles.peerUp(event.peer, event.nowMs)
        break
      case 'peer-down':
        this.#roles.peerDown(event.peer, event.nowMs)
        break
      case 'fitness':
        this.#roles.setFit(event.fit)
        break
      case 'transfer':
        this.#roles.leading?.transfer(event.to, event.nowMs)
        break
      case 'distrust':
        this.#roles.distrust()
        break
      case 'advance-log-start':
        this.#advanceLogStart(event.offset)
        break
      default:
        unreachable(event)
    }
    return this.#replica.out.take(this.#replica.log.takeOps(), this.role === 'leader')
  }

  get #leadership(): Leadership<B> | undefined {
    return this.#roles.leading?.leadership
  }

  #advanceLogStart(offset: Offset): void {
    assert(this.role === 'leader', 'only a leader moves the log start')
    assert(offset <= this.commit.offset, `log start ${offset} above the commit`)
    this.#replica.advanceLogStart(offset)
    this.#replica.out.replicate()
  }
}

const NO_FOLLOWERS: ReadonlyMap<NodeId, Progress> = new Map()
