// One leader in one epoch: what each follower holds, what is committed, what to send next. Only acknowledgements of the
// leader's own epoch commit (law R2; thesis 3.6.2), the leader's own among them by the same test as everyone's.

import { assert } from '../base/assert.ts'
import type { LeaderEpoch, NodeId, Offset } from '../base/brand.ts'
import { comparePositions, type Position } from '../base/position.ts'
import { NOTHING, type Durability } from './durability.ts'
import type { SendPlan } from './events.ts'
import type { LogView } from './log-view.ts'
import type { AppendAck, AppendMismatch, BatchRef } from './messages.ts'
import { Progress } from './progress.ts'

export interface LeadershipOptions<B extends BatchRef> {
  readonly epoch: LeaderEpoch
  readonly self: NodeId
  readonly voters: readonly NodeId[]
  readonly up: ReadonlySet<NodeId>
  readonly log: LogView<B>
  readonly durability: Durability
}

export class Leadership<B extends BatchRef> {
  readonly epoch: LeaderEpoch
  readonly #self: NodeId
  readonly #voters: readonly NodeId[]
  readonly #log: LogView<B>
  readonly #durability: Durability
  readonly #followers = new Map<NodeId, Progress>()
  /** Grows each time a suspect replica appears; confirmations count from the round that it caused. */
  #round = 0

  /** Made before the epoch start is appended: followers most likely agree at the end before it. */
  constructor({ epoch, self, voters, up, log, durability }: LeadershipOptions<B>) {
    this.epoch = epoch
    this.#self = self
    this.#voters = voters
    this.#log = log
    this.#durability = durability
    for (const voter of voters) {
      if (voter === self) continue
      this.#followers.set(voter, new Progress({ up: up.has(voter), next: log.end }))
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
    return this.#ownEpoch(this.#majority((node) => this.#matchOf(node)))
  }

  /** Law R10: a majority has moved its log start here, durably. */
  logStartOnMajority(own: Offset): Offset {
    const starts = this.#voters.map((node) =>
      node === this.#self ? own : (this.#followers.get(node)?.logStart ?? (0 as Offset)),
    )
    return starts.toSorted((a, b) => b - a)[this.#majorityIndex]!
  }

  /** Voters that answered in this epoch and can be reached, itself included (check-quorum). */
  get supporters(): number {
    let count = 1
    for (const follower of this.#followers.values()) if (follower.answered) count++
    return count
  }

  get hasQuorum(): boolean {
    return this.supporters > this.#majorityIndex
  }

  acknowledged(node: NodeId, message: AppendAck): void {
    const follower = this.#followers.get(node)
    if (follower === undefined) return
    follower.accepted(message.accepted)
    follower.round = Math.max(follower.round, message.round)
    if (message.logStart > follower.logStart) follower.logStart = message.logStart
    if (message.suspect) {
      this.#meetSuspect(follower)
      if (comparePositions(message.durable, follower.suspectMatch) > 0) {
        follower.suspectMatch = message.durable
      }
      return
    }
    follower.suspect = false
    if (comparePositions(message.durable, follower.match) > 0) {
      assert(comparePositions(message.durable, this.#log.end) <= 0, 'acknowledged above the end')
      follower.match = message.durable
    }
    if (comparePositions(follower.next, follower.match) < 0) follower.next = follower.match
  }

  /** False: the answer is out of date. */
  mismatched(node: NodeId, message: AppendMismatch): boolean {
    const follower = this.#followers.get(node)
    if (follower === undefined || !follower.awaits(message.prev)) return false
    const common = this.#log.commonWith(message)
    if (common === undefined || common.offset < this.#log.logStart) follower.mustInstall()
    else follower.agreeAt(common)
    return true
  }

  /** Law R5: where the suspect replica may be cleared, if it may. */
  clearance(node: NodeId): Position | undefined {
    const suspect = this.#followers.get(node)
    if (suspect === undefined || !suspect.suspect) return undefined
    const confirmed = this.#ownEpoch(
      this.#majority((voter) => {
        if (voter === node) return NOTHING
        if (voter === this.#self) return this.#matchOf(voter)
        const round = this.#followers.get(voter)?.round ?? 0
        return round >= suspect.clearRound ? this.#matchOf(voter) : NOTHING
      }),
    )
    if (confirmed === undefined) return undefined
    return comparePositions(suspect.suspectMatch, confirmed) >= 0 ? confirmed : undefined
  }

  /** What to send the follower next; undefined: nothing for now. `commit` is the leader's. */
  nextFor(node: NodeId, commit: Position): SendPlan | undefined {
    const follower = this.#followers.get(node)
    if (follower === undefined) return undefined
    switch (follower.state) {
      case 'down':
      case 'deferred':
        return undefined
      case 'install':
        return follower.waiting === undefined ? this.#install() : undefined
      case 'probe':
        return follower.waiting === undefined ? this.#append(follower, true) : undefined
      case 'stream': {
        const plan = this.#append(follower, follower.roundSent < this.#round)
        if (plan.kind === 'install') return plan
        const news =
          plan.starts.length > 0 ||
          plan.below > plan.from ||
          plan.probe ||
          comparePositions(follower.commitSent, commit) < 0 ||
          follower.logStartSent < this.#log.logStart
        return news ? plan : undefined
      }
    }
  }

  #append(follower: Progress, probe: boolean): SendPlan {
    const prev = follower.next
    if (prev.offset < this.#log.logStart || !this.#log.holds(prev)) {
      // Retention passed the follower by.
      follower.mustInstall()
      return this.#install()
    }
    const starts = this.#log.startsAfter(prev)
    const epoch = starts.at(-1)?.epoch ?? prev.epoch
    const below = epoch < 0 ? prev.offset : this.#log.endOf(epoch)
    return { kind: 'append', prev, starts, from: prev.offset, below, probe }
  }

  #install(): SendPlan {
    const { logStart, epochs } = this.#log
    return {
      kind: 'install',
      logStart,
      epochs: epochs.entries.filter(({ start }) => start <= logStart),
    }
  }

  #meetSuspect(follower: Progress): void {
    if (follower.suspect) return
    follower.suspect = true
    follower.match = NOTHING
    follower.suspectMatch = NOTHING
    follower.clearRound = ++this.#round
  }

  #matchOf(node: NodeId): Position {
    if (node === this.#self) {
      return this.#durability.acknowledgeable(this.epoch, this.#log.end) ?? NOTHING
    }
    return this.#followers.get(node)?.match ?? NOTHING
  }

  /** The greatest position that a majority has reached. */
  #majority(reached: (node: NodeId) => Position): Position {
    const positions = this.#voters.map(reached)
    positions.sort((a, b) => comparePositions(b, a))
    return positions[this.#majorityIndex]!
  }

  get #majorityIndex(): number {
    return Math.floor(this.#voters.length / 2)
  }

  #ownEpoch(position: Position): Position | undefined {
    return position.epoch === this.epoch ? position : undefined
  }
}
