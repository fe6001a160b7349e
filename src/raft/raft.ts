// Raft for one group, as a pure state machine: events in, effects out. No I/O, no clock, no promises. The log is positions
// (epoch, offset); what lies in the batches is the driver's (thesis: Ongaro, "Consensus: Bridging Theory and Practice").
//
// Roles and their transitions:
//
//   follower ──deadline──▶ pre-candidate ──majority would vote──▶ candidate ──majority voted──▶ leader
//      ▲                        │  ▲                                 │                            │
//      │                        │  └───────────deadline──────────────┘                            │
//      └── higher term, a leader's message, or (leader) no quorum ◀──────────────────────────────┘
//
// A leader never becomes leader of the same epoch again, not even after a restart (law R2).

import { assert, unreachable } from '../base/assert.ts'
import { asLeaderEpoch, type LeaderEpoch, type NodeId, type Offset } from '../base/brand.ts'
import type { EpochTable } from '../base/epoch-table.ts'
import { comparePositions, type Position } from '../base/position.ts'
import { Durability, type HardState, type Promised } from './durability.ts'
import type { Effects, Outgoing, RaftEvent, SendPlan } from './events.ts'
import { Leadership } from './leadership.ts'
import { LogView } from './log-view.ts'
import type {
  AppendRequest,
  BatchRef,
  FreeMessage,
  InstallRequest,
  Message,
  PreVoteReply,
  PreVoteRequest,
  VoteRequest,
} from './messages.ts'
import type { Progress } from './progress.ts'

export type RaftRole = 'follower' | 'pre-candidate' | 'candidate' | 'leader'

/** Milliseconds. The driver may change what they return as it measures. */
export interface RaftTiming {
  /** Between candidates: a little over two journal commits and a round trip (architecture, "Liveness belongs to nodes"). */
  readonly rankStepMs: number
  /** Before an election that got nowhere is tried again. */
  readonly retryMs: number
  /** A leader without a quorum steps down after it. */
  readonly quorumMs: number
  /** Before a follower that deferred is asked again. */
  readonly deferMs: number
  /** A transfer that has not happened by then is called off. */
  readonly transferMs: number
}

export interface RaftOptions {
  readonly self: NodeId
  /** In preferred order: the first leads if it can. */
  readonly voters: readonly NodeId[]
  /** All of it durable. */
  readonly hardState: HardState
  readonly log: {
    readonly logStart: Offset
    readonly end: Position
    readonly epochs: EpochTable
  }
  readonly timing: RaftTiming
  /** Uniform in [0, 1): spreads retries. */
  readonly random: () => number
  readonly nowMs: number
}

export class Raft<B extends BatchRef = BatchRef> {
  readonly self: NodeId
  readonly voters: readonly NodeId[]
  readonly #timing: RaftTiming
  readonly #random: () => number
  readonly #log: LogView<B>
  readonly #durability: Durability
  readonly #up = new Set<NodeId>()
  #hardState: HardState
  #role: RaftRole = 'follower'
  #leader: NodeId | undefined
  /** Of the last leader that was lost: its rank is not waited for. */
  #lost: NodeId | undefined
  #commit: Position
  /** When `tick` is due; for a leader only while something is to be done by then. */
  #deadlineMs: number

  /** Who leads this term, alive or not: acknowledgements go there. */
  #termLeader: NodeId | undefined
  /** As follower: the end of the prefix verified against this term's leader, and what was acknowledged of it. */
  #verified: Position | undefined
  #acknowledged: Position | undefined
  #acknowledgedLogStart: Offset | undefined
  #ackOwed = false
  #ackRound = 0
  /** As voter: granted, and to be said once it is durable. */
  #grant: NodeId | undefined
  /** As (pre-)candidate. */
  #votes = new Set<NodeId>()
  #votesRequested = false
  #voteLogStart: Offset

  #leadership: Leadership<B> | undefined
  #transfer: { readonly to: NodeId; readonly untilMs: number; told: boolean } | undefined
  #quorumLostAtMs: number | undefined
  /** Law R8: may it campaign? */
  #fit = true

  // What this step has asked for so far.
  #outHardState: HardState | undefined
  #out: Outgoing<B>[] = []
  #outCommitted: Position | undefined
  #outRoleChanged = false
  #outReplicate = false

  constructor(options: RaftOptions) {
    this.self = options.self
    this.voters = options.voters
    this.#timing = options.timing
    this.#random = options.random
    this.#hardState = options.hardState
    this.#log = new LogView(options.log)
    this.#durability = new Durability({
      log: options.log.end,
      logStart: options.log.logStart,
      hardState: options.hardState,
    })
    assert(
      options.hardState.term >= options.log.end.epoch,
      `the log ends in ${options.log.end.epoch}, above the term ${options.hardState.term}`,
    )
    this.#commit = this.#log.first
    this.#voteLogStart = this.#log.logStart
    this.#deadlineMs = options.nowMs + this.#rank() * this.#timing.rankStepMs
  }

  get role(): RaftRole {
    return this.#role
  }

  get term(): LeaderEpoch {
    return this.#hardState.term
  }

  get suspect(): boolean {
    return this.#hardState.suspect
  }

  /** Known and, by what this node sees, alive. */
  get leader(): NodeId | undefined {
    return this.#leader
  }

  get commit(): Position {
    return this.#commit
  }

  get end(): Position {
    return this.#log.end
  }

  get logStart(): Offset {
    return this.#log.logStart
  }

  /** The own epoch start is committed (law R9). */
  get established(): boolean {
    return this.#role === 'leader' && this.#commit.epoch === this.term
  }

  /** A leader that is handing over takes nothing new, so that its successor can catch up. */
  get acceptsAppends(): boolean {
    return this.#role === 'leader' && this.#transfer === undefined
  }

  /** Infinity: `tick` has nothing to do. */
  get deadlineMs(): number {
    return this.#deadlineMs
  }

  get followers(): ReadonlyMap<NodeId, Progress> {
    return this.#leadership?.followers ?? NO_FOLLOWERS
  }

  /** Leader only. Law R10: a majority's log starts here or later, durably. `own`: this node's durable log start. */
  logStartOnMajority(own: Offset): Offset {
    assert(this.#leadership !== undefined, 'only a leader counts log starts')
    return this.#leadership.logStartOnMajority(own)
  }

  nextFor(node: NodeId): SendPlan | undefined {
    return this.#leadership?.nextFor(node, this.#commit)
  }

  /** The driver sent what `nextFor` planned, up to this position. Gives the message's other fields. */
  sent(node: NodeId, upTo: Position): void {
    const follower = this.#leadership?.follower(node)
    assert(follower !== undefined && this.#leadership !== undefined, `sent to ${node}, no follower`)
    follower.sent(upTo, {
      commit: this.#commit,
      logStart: this.#log.logStart,
      round: this.#leadership.round,
    })
  }

  /** What every append of this leader carries. */
  get appendFields(): { term: LeaderEpoch; commit: Position; logStart: Offset; round: number } {
    assert(this.#leadership !== undefined, 'only a leader appends')
    return {
      term: this.term,
      commit: this.#commit,
      logStart: this.#log.logStart,
      round: this.#leadership.round,
    }
  }

  step(event: RaftEvent<B>): Effects<B> {
    switch (event.kind) {
      case 'tick':
        if (event.nowMs >= this.#deadlineMs) this.#onDeadline(event.nowMs)
        break
      case 'message':
        this.#onMessage(event.from, event.message, event.nowMs)
        break
      case 'durable':
        this.#durability.reached(event)
        this.#onDurable(event.nowMs)
        break
      case 'appended':
        assert(this.#role === 'leader', 'only a leader appends')
        this.#log.appended(event.end)
        this.#outReplicate = true
        break
      case 'leader-claim':
        this.#onClaim(event.leader, event.epoch, event.nowMs)
        break
      case 'leader-unsupported':
        this.#loseLeader(event.nowMs)
        break
      case 'peer-up':
        this.#onPeerUp(event.peer, event.nowMs)
        break
      case 'peer-down':
        this.#onPeerDown(event.peer, event.nowMs)
        break
      case 'fitness':
        this.#fit = event.fit
        break
      case 'transfer':
        this.#beginTransfer(event.to, event.nowMs)
        break
      case 'advance-log-start':
        assert(this.#role === 'leader', 'only a leader moves the log start')
        assert(event.offset <= this.#commit.offset, `log start ${event.offset} above the commit`)
        if (event.offset > this.#log.logStart) this.#log.advanceLogStart(event.offset)
        this.#outReplicate = true
        break
      default:
        unreachable(event)
    }
    return this.#takeEffects()
  }

  #takeEffects(): Effects<B> {
    const effects: Effects<B> = {
      hardState: this.#outHardState,
      log: this.#log.takeOps(),
      send: this.#out,
      committed: this.#outCommitted,
      roleChanged: this.#outRoleChanged,
      replicate: this.#outReplicate && this.#leadership !== undefined,
    }
    this.#outHardState = undefined
    if (this.#out.length > 0) this.#out = []
    this.#outCommitted = undefined
    this.#outRoleChanged = false
    this.#outReplicate = false
    return effects
  }

  // ── Time ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #onDeadline(nowMs: number): void {
    this.#deadlineMs = Infinity
    if (this.#role !== 'leader') {
      this.#preVote(nowMs)
      return
    }
    assert(this.#leadership !== undefined, 'a leader has its followers')
    if (this.#quorumLostAtMs !== undefined && nowMs >= this.#quorumLostAtMs) {
      this.#becomeFollower(this.term, undefined, nowMs)
      return
    }
    if (this.#transfer !== undefined && nowMs >= this.#transfer.untilMs) this.#transfer = undefined
    for (const follower of this.#leadership.followers.values()) follower.resume()
    this.#outReplicate = true
    this.#leaderDeadline()
  }

  #leaderDeadline(deferredUntilMs = Infinity): void {
    this.#deadlineMs = Math.min(
      this.#deadlineMs,
      deferredUntilMs,
      this.#quorumLostAtMs ?? Infinity,
      this.#transfer?.untilMs ?? Infinity,
    )
  }

  /** Thesis 6.2: a leader that can't reach a majority must not seem to be one for long. */
  #checkQuorum(nowMs: number): void {
    if (this.#leadership === undefined) return
    if (this.#leadership.hasQuorum) {
      this.#quorumLostAtMs = undefined
    } else if (this.#quorumLostAtMs === undefined) {
      this.#quorumLostAtMs = nowMs + this.#timing.quorumMs
      this.#leaderDeadline()
    }
  }

  /** This voter's place among those that may campaign, 0 first. */
  #rank(): number {
    const rivals = this.voters.filter((voter) => voter !== this.#lost)
    return Math.max(0, rivals.indexOf(this.self))
  }

  #waitForTurn(nowMs: number): void {
    this.#deadlineMs = Math.min(this.#deadlineMs, nowMs + this.#rank() * this.#timing.rankStepMs)
  }

  #waitToRetry(nowMs: number): void {
    const { retryMs, rankStepMs } = this.#timing
    this.#deadlineMs = nowMs + retryMs * (0.5 + this.#random()) + this.#rank() * rankStepMs
  }

  // ── Elections (thesis 3.4, 9.6) ─────────────────────────────────────────────────────────────────────────────────────

  get #mayCampaign(): boolean {
    return this.#fit && !this.#hardState.suspect && this.voters.includes(this.self)
  }

  #preVote(nowMs: number): void {
    this.#waitToRetry(nowMs)
    if (!this.#mayCampaign) return
    this.#setRole('pre-candidate')
    this.#setLeader(undefined)
    this.#votes = new Set([this.self])
    if (this.#isMajority(this.#votes.size)) {
      this.#campaign(nowMs)
      return
    }
    const term = asLeaderEpoch(this.term + 1)
    for (const voter of this.voters) {
      if (voter !== this.self) this.#send(voter, { kind: 'pre-vote', term, end: this.#log.end })
    }
  }

  #onPreVote(from: NodeId, message: PreVoteRequest): void {
    const granted =
      message.term > this.term &&
      this.#leader === undefined &&
      !this.#hardState.suspect &&
      comparePositions(message.end, this.#log.end) >= 0
    this.#send(from, {
      kind: 'pre-vote-reply',
      term: this.term,
      forTerm: message.term,
      granted,
    })
  }

  #onPreVoteReply(from: NodeId, message: PreVoteReply, nowMs: number): void {
    if (message.term > this.term) {
      this.#becomeFollower(message.term, undefined, nowMs)
      return
    }
    if (this.#role !== 'pre-candidate' || message.forTerm !== this.term + 1) return
    if (!message.granted) return
    this.#votes.add(from)
    if (this.#isMajority(this.#votes.size)) this.#campaign(nowMs)
  }

  /** The vote for itself first; the requests leave once it is durable (law R2). */
  #campaign(nowMs: number): void {
    const term = asLeaderEpoch(this.term + 1)
    this.#enterTerm({ ...this.#hardState, term, votedFor: this.self })
    this.#setRole('candidate')
    this.#setLeader(undefined)
    this.#votes = new Set()
    this.#votesRequested = false
    this.#voteLogStart = this.#log.logStart
    this.#waitToRetry(nowMs)
  }

  #requestVotes(nowMs: number): void {
    if (this.#role !== 'candidate' || this.#votesRequested) return
    const message: VoteRequest = { kind: 'vote', term: this.term, end: this.#log.end }
    const promised = this.#durability.voteRequest(message, this.self)
    if (promised === undefined) return
    this.#votesRequested = true
    for (const voter of this.voters) if (voter !== this.self) this.#send(voter, promised)
    this.#countVote(this.self, nowMs)
  }

  #onVoteRequest(from: NodeId, message: VoteRequest, nowMs: number): void {
    if (message.term > this.term) this.#becomeFollower(message.term, undefined, nowMs)
    const { term, votedFor, suspect } = this.#hardState
    const free = votedFor === undefined || votedFor === from
    const upToDate = comparePositions(message.end, this.#log.end) >= 0
    if (message.term < term || suspect || !free || !upToDate || this.#role === 'leader') {
      this.#send(from, { kind: 'vote-refusal', term })
      return
    }
    if (votedFor === undefined) this.#saveHardState({ ...this.#hardState, votedFor: from })
    this.#grant = from
    if (this.#role !== 'follower') this.#setRole('follower')
    this.#waitToRetry(nowMs)
    this.#sayGrant()
  }

  #sayGrant(): void {
    if (this.#grant === undefined) return
    const promised = this.#durability.voteGrant(
      { kind: 'vote-grant', term: this.term, logStart: this.#log.logStart },
      this.#grant,
    )
    if (promised === undefined) return
    this.#send(this.#grant, promised)
    this.#grant = undefined
  }

  #countVote(from: NodeId, nowMs: number): void {
    this.#votes.add(from)
    if (this.#isMajority(this.#votes.size)) this.#lead(nowMs)
  }

  #lead(nowMs: number): void {
    assert(this.#role === 'candidate', `a ${this.#role} won an election`)
    this.#setRole('leader')
    this.#setLeader(this.self)
    if (this.#voteLogStart > this.#log.logStart) this.#log.advanceLogStart(this.#voteLogStart)
    this.#leadership = new Leadership({
      epoch: this.term,
      self: this.self,
      voters: this.voters,
      up: this.#up,
      log: this.#log,
      durability: this.#durability,
    })
    this.#log.startEpoch(this.term)
    this.#outReplicate = true
    this.#deadlineMs = Infinity
    this.#quorumLostAtMs = undefined
    this.#checkQuorum(nowMs)
  }

  #isMajority(count: number): boolean {
    return count > this.voters.length / 2
  }

  // ── Terms and roles ─────────────────────────────────────────────────────────────────────────────────────────────────

  #enterTerm(state: HardState): void {
    assert(state.term > this.term, `term ${state.term} after ${this.term}`)
    this.#saveHardState(state)
    // A change of term cancels what was not said yet (law R2).
    this.#termLeader = undefined
    this.#verified = undefined
    this.#acknowledged = undefined
    this.#acknowledgedLogStart = undefined
    this.#ackOwed = false
    this.#ackRound = 0
    this.#grant = undefined
    this.#outRoleChanged = true
  }

  #saveHardState(state: HardState): void {
    this.#hardState = state
    this.#outHardState = state
  }

  #becomeFollower(term: LeaderEpoch, leader: NodeId | undefined, nowMs: number): void {
    if (term > this.term) this.#enterTerm({ ...this.#hardState, term, votedFor: undefined })
    this.#setRole('follower')
    if (leader !== undefined) this.#termLeader = leader
    if (leader !== undefined && this.#up.has(leader)) {
      this.#follow(leader)
    } else {
      this.#setLeader(undefined)
      this.#waitToRetry(nowMs)
    }
  }

  #follow(leader: NodeId): void {
    this.#setLeader(leader)
    this.#lost = undefined
    this.#deadlineMs = Infinity
  }

  #setRole(role: RaftRole): void {
    if (role === this.#role) return
    if (this.#role === 'leader') {
      this.#leadership = undefined
      this.#transfer = undefined
      this.#quorumLostAtMs = undefined
    }
    this.#role = role
    this.#outRoleChanged = true
  }

  #setLeader(leader: NodeId | undefined): void {
    if (leader === this.#leader) return
    this.#leader = leader
    this.#outRoleChanged = true
  }

  // ── Liveness (law R8) ───────────────────────────────────────────────────────────────────────────────────────────────

  #onClaim(leader: NodeId, epoch: LeaderEpoch, nowMs: number): void {
    if (epoch < this.term || leader === this.self) return
    assert(
      epoch > this.term || this.#role !== 'leader',
      `${leader} claims to lead epoch ${epoch}, which this node leads`,
    )
    this.#becomeFollower(epoch, leader, nowMs)
  }

  #loseLeader(nowMs: number): void {
    if (this.#role === 'leader' || this.#leader === undefined) return
    this.#lost = this.#leader
    this.#setLeader(undefined)
    this.#waitForTurn(nowMs)
  }

  #onPeerUp(peer: NodeId, nowMs: number): void {
    this.#up.add(peer)
    const follower = this.#leadership?.follower(peer)
    if (follower !== undefined) {
      follower.up()
      this.#outReplicate = true
    } else if (this.#role !== 'leader' && this.#leader === undefined) {
      this.#waitForTurn(nowMs)
    }
  }

  #onPeerDown(peer: NodeId, nowMs: number): void {
    this.#up.delete(peer)
    this.#leadership?.follower(peer)?.down()
    this.#checkQuorum(nowMs)
    if (this.#leader === peer) this.#loseLeader(nowMs)
  }

  // ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #onMessage(from: NodeId, message: Message<B>, nowMs: number): void {
    if (!this.voters.includes(from)) return
    switch (message.kind) {
      case 'pre-vote':
        return this.#onPreVote(from, message)
      case 'pre-vote-reply':
        return this.#onPreVoteReply(from, message, nowMs)
      case 'vote':
        return this.#onVoteRequest(from, message, nowMs)
      case 'append':
      case 'install':
        return this.#onLeaderMessage(from, message, nowMs)
      default:
        break
    }
    if (message.term > this.term) {
      this.#becomeFollower(message.term, undefined, nowMs)
      return
    }
    if (message.term < this.term) return
    switch (message.kind) {
      case 'vote-grant':
        if (this.#role !== 'candidate') return
        if (message.logStart > this.#voteLogStart) this.#voteLogStart = message.logStart
        return this.#countVote(from, nowMs)
      case 'ack':
        if (this.#leadership === undefined) return
        this.#leadership.acknowledged(from, message)
        this.#clear(from)
        this.#checkQuorum(nowMs)
        this.#advanceCommit()
        this.#continueTransfer()
        this.#outReplicate = true
        return undefined
      case 'mismatch':
        if (this.#leadership?.mismatched(from, message) === true) this.#outReplicate = true
        return undefined
      case 'deferred':
        this.#leadership?.follower(from)?.defer()
        if (this.#leadership !== undefined) this.#leaderDeadline(nowMs + this.#timing.deferMs)
        return undefined
      case 'clear':
        return this.#onClear(message.at)
      case 'timeout-now':
        if (this.#role !== 'leader' && this.#mayCampaign) this.#campaign(nowMs)
        return undefined
      case 'vote-refusal':
      case 'higher-term':
        return undefined
      default:
        return unreachable(message)
    }
  }

  // ── Following (thesis 3.5; laws R1, R2, R9) ─────────────────────────────────────────────────────────────────────────

  #onLeaderMessage(from: NodeId, message: AppendRequest<B> | InstallRequest, nowMs: number): void {
    if (message.term < this.term) {
      this.#send(from, { kind: 'higher-term', term: this.term })
      return
    }
    assert(
      message.term > this.term || this.#role !== 'leader',
      `two leaders in epoch ${message.term}: ${from} and this node`,
    )
    if (message.term > this.term || this.#role !== 'follower' || this.#leader !== from) {
      this.#becomeFollower(message.term, from, nowMs)
    }
    if (message.kind === 'install') this.#install(message)
    else this.#append(from, message)
  }

  #append(from: NodeId, message: AppendRequest<B>): void {
    const log = this.#log
    if (!log.holds(message.prev)) {
      const { end, logStart } = log
      const epochs = log.epochs.entries.slice()
      this.#send(from, {
        kind: 'mismatch',
        term: this.term,
        prev: message.prev,
        end,
        epochs,
        logStart,
      })
      return
    }
    this.#verify(this.#take(message))
    this.#commitTo(message.commit)
    const logStart = Math.min(message.logStart, this.#commit.offset) as Offset
    if (logStart > log.logStart) log.advanceLogStart(logStart)
    this.#ackRound = Math.max(this.#ackRound, message.round)
    if (message.probe) this.#ackOwed = true
    this.#acknowledge()
  }

  /** Takes what the log does not hold yet, cutting only what conflicts. The end of what the message verifies. */
  #take({ prev, starts, batches }: AppendRequest<B>): Position {
    const log = this.#log
    let at = prev
    for (const { epoch, start } of starts) {
      assert(
        epoch > at.epoch && start === at.offset,
        `epoch start (${epoch}, ${start}) out of place`,
      )
      if (!log.hasEpoch(epoch)) {
        if (comparePositions(log.end, at) > 0) this.#cut(at)
        log.startEpoch(epoch)
      }
      at = { epoch, offset: start }
    }
    const ours = log.endOf(at.epoch)
    const missing = batches.filter((batch) => batch.nextOffset > ours)
    if (missing.length > 0) {
      // A later epoch here begins where the leader's epoch goes on.
      if (log.end.epoch > at.epoch) this.#cut({ epoch: at.epoch, offset: ours })
      log.append(missing)
    }
    const last = batches.at(-1)
    return last === undefined ? at : { epoch: at.epoch, offset: last.nextOffset }
  }

  #cut(to: Position): void {
    assert(
      comparePositions(to, this.#commit) >= 0,
      `truncation to (${to.epoch}, ${to.offset}), below the commit (${this.#commit.epoch}, ${this.#commit.offset})`,
    )
    this.#log.truncate(to)
    this.#durability.cut(to)
  }

  #install({ logStart, epochs }: InstallRequest): void {
    const at: Position = { epoch: epochs.at(-1)?.epoch ?? this.#log.first.epoch, offset: logStart }
    assert(epochs.length > 0, 'an install without an epoch')
    if (!this.#log.holds(at)) {
      assert(logStart >= this.#commit.offset, `an install at ${logStart}, below the commit`)
      this.#log.install(logStart, epochs)
      this.#durability.cut(this.#log.first)
    }
    this.#verify(at)
    this.#commitTo(at)
    this.#ackOwed = true
    this.#acknowledge()
  }

  #verify(upTo: Position): void {
    if (this.#verified === undefined || comparePositions(upTo, this.#verified) > 0) {
      this.#verified = upTo
    }
  }

  /** Law R9: never by the log end, and only with an entry of this leader's epoch. */
  #commitTo(leaders: Position): void {
    const verified = this.#verified
    if (verified === undefined || verified.epoch !== this.term) return
    this.#setCommit(comparePositions(leaders, verified) < 0 ? leaders : verified)
  }

  #acknowledge(): void {
    if (this.#verified === undefined || this.#termLeader === undefined) return
    const promised = this.#durability.acknowledgement({
      term: this.term,
      accepted: this.#verified,
      round: this.#ackRound,
    })
    if (promised === undefined) return
    const news =
      this.#ackOwed ||
      this.#acknowledged === undefined ||
      comparePositions(promised.durable, this.#acknowledged) > 0 ||
      promised.logStart !== this.#acknowledgedLogStart
    if (!news) return
    this.#ackOwed = false
    this.#acknowledged = promised.durable
    this.#acknowledgedLogStart = promised.logStart
    this.#send(this.#termLeader, promised)
  }

  #onClear(at: Position): void {
    if (!this.#hardState.suspect || this.#verified === undefined) return
    const durable = this.#durability.acknowledgeable(this.term, this.#verified)
    if (durable === undefined || comparePositions(durable, at) < 0) return
    this.#saveHardState({ ...this.#hardState, suspect: false })
    this.#ackOwed = true
  }

  // ── Leading ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #onDurable(nowMs: number): void {
    this.#requestVotes(nowMs)
    this.#sayGrant()
    if (this.#leadership !== undefined) this.#advanceCommit()
    else this.#acknowledge()
  }

  #advanceCommit(): void {
    const committed = this.#leadership?.committed()
    if (committed !== undefined) this.#setCommit(committed)
  }

  #setCommit(to: Position): void {
    if (comparePositions(to, this.#commit) <= 0) return
    const wasEstablished = this.established
    this.#commit = to
    this.#outCommitted = to
    this.#outReplicate = true
    if (this.established !== wasEstablished) this.#outRoleChanged = true
  }

  #clear(node: NodeId): void {
    const at = this.#leadership?.clearance(node)
    if (at !== undefined) this.#send(node, { kind: 'clear', term: this.term, at })
  }

  #beginTransfer(to: NodeId, nowMs: number): void {
    if (this.#leadership?.follower(to) === undefined) return
    this.#transfer = { to, untilMs: nowMs + this.#timing.transferMs, told: false }
    this.#leaderDeadline()
    this.#continueTransfer()
  }

  #continueTransfer(): void {
    const transfer = this.#transfer
    if (transfer === undefined || transfer.told) return
    const follower = this.#leadership?.follower(transfer.to)
    if (follower === undefined || comparePositions(follower.match, this.#log.end) < 0) return
    transfer.told = true
    this.#send(transfer.to, { kind: 'timeout-now', term: this.term })
  }

  #send(to: NodeId, message: FreeMessage<B> | Promised): void {
    this.#out.push({ to, message })
  }
}

const NO_FOLLOWERS: ReadonlyMap<NodeId, Progress> = new Map()
