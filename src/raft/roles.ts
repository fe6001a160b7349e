// The roles of a replica and what leads from one to the other.
//
//   follower ──deadline──▶ pre-candidate ──majority would vote──▶ candidate ──majority voted──▶ leader
//      ▲                        │  ▲                                 │                            │
//      │                        │  └───────────deadline──────────────┘                            │
//      └── higher term, a leader's message, or (leader) no quorum ◀──────────────────────────────┘
//
// A leader never becomes leader of the same epoch again, not even after a restart (law R2).

import { assert, unreachable } from '../base/assert.ts'
import type { LeaderEpoch, NodeId } from '../base/brand.ts'
import { Elections } from './elections.ts'
import { Following } from './following.ts'
import { Leading } from './leading.ts'
import type {
  AppendRequest,
  BatchRef,
  InstallRequest,
  Message,
  PreVoteReply,
  VoteGrant,
  VoteRequest,
} from './messages.ts'
import type { Replica } from './replica.ts'
import type { RaftTiming } from './timing.ts'
import { Turn } from './turn.ts'

export type RaftRole = 'follower' | 'pre-candidate' | 'candidate' | 'leader'

export interface RolesOptions<B extends BatchRef> {
  readonly replica: Replica<B>
  readonly timing: RaftTiming
  /** Uniform in [0, 1): spreads retries. */
  readonly random: () => number
  readonly nowMs: number
}

export class Roles<B extends BatchRef> {
  readonly #timing: RaftTiming
  readonly #replica: Replica<B>
  readonly #elections: Elections<B>
  readonly #following: Following<B>
  readonly #turn: Turn
  readonly #up = new Set<NodeId>()
  #role: RaftRole = 'follower'
  #leader: NodeId | undefined
  /** In role `leader`, and only then. */
  #leading: Leading<B> | undefined
  /** Law R8: may it campaign? */
  #fit = true

  constructor({ replica, timing, random, nowMs }: RolesOptions<B>) {
    const { self, voters } = replica
    this.#timing = timing
    this.#replica = replica
    this.#elections = new Elections(replica, random)
    this.#following = new Following(replica)
    this.#turn = new Turn({ self, voters, timing, random })
    this.#turn.wait(nowMs)
  }

  get role(): RaftRole {
    return this.#role
  }

  /** Known and, by what this node sees, alive. */
  get leader(): NodeId | undefined {
    return this.#leader
  }

  get leading(): Leading<B> | undefined {
    return this.#leading
  }

  /** When `tick` is due; Infinity: it has nothing to do. */
  get deadlineMs(): number {
    return this.#leading?.deadlineMs ?? this.#turn.deadlineMs
  }

  /** The own epoch start is committed (law R9). */
  get established(): boolean {
    return this.#role === 'leader' && this.#replica.commit.epoch === this.#term
  }

  get #term(): LeaderEpoch {
    return this.#replica.term
  }

  get #suspect(): boolean {
    return this.#replica.suspect
  }

  setFit(fit: boolean): void {
    this.#fit = fit
  }

  tick(nowMs: number): void {
    if (nowMs < this.deadlineMs) return
    if (this.#leading !== undefined) {
      if (!this.#leading.tick(nowMs)) this.#becomeFollower(this.#term, undefined, nowMs)
    } else if (this.#role === 'candidate' && !this.#elections.requested) {
      // Its own vote is not durable yet: another election would only wait for the same disk.
      this.#turn.retry(nowMs)
    } else {
      this.#preVote(nowMs)
    }
  }

  durable(nowMs: number): void {
    this.#elections.sayGrant()
    if (this.#role === 'candidate') {
      this.#elections.requestVotes()
      if (this.#elections.won) this.#lead(nowMs)
    } else if (this.#leading !== undefined) {
      this.#advance()
    } else {
      this.#following.acknowledge()
    }
  }

  /** As leader. */
  #advance(): void {
    const wasEstablished = this.established
    this.#leading?.advance()
    if (this.established !== wasEstablished) this.#replica.out.roleChanged()
  }

  // Elections

  get #mayCampaign(): boolean {
    return this.#fit && !this.#suspect && this.#replica.voters.includes(this.#replica.self)
  }

  #preVote(nowMs: number): void {
    this.#turn.again(nowMs)
    if (!this.#mayCampaign) return
    this.#setRole('pre-candidate')
    this.#setLeader(undefined)
    this.#elections.beginPreVote()
    if (this.#elections.won) this.#campaign(nowMs)
  }

  #onPreVoteReply(from: NodeId, message: PreVoteReply, nowMs: number): void {
    if (message.term > this.#term) {
      this.#becomeFollower(message.term, undefined, nowMs)
      return
    }
    if (this.#role !== 'pre-candidate' || message.forTerm !== this.#term + 1) return
    if (!message.granted) return
    this.#elections.countPreVote(from)
    if (this.#elections.won && this.#mayCampaign) this.#campaign(nowMs)
  }

  /** The requests leave once the vote for itself is durable (law R2). */
  #campaign(nowMs: number): void {
    this.#elections.stand()
    this.#following.newTerm()
    this.#setRole('candidate')
    this.#setLeader(undefined)
    this.#replica.out.roleChanged()
    this.#turn.retry(nowMs)
  }

  #onVoteRequest(from: NodeId, message: VoteRequest, nowMs: number): void {
    if (message.term > this.#term) this.#becomeFollower(message.term, undefined, nowMs)
    const hasLeader = this.#role === 'leader' || this.#following.leader !== undefined
    if (!this.#elections.answerVote(from, message, hasLeader)) return
    this.#setRole('follower')
    this.#turn.retry(nowMs)
  }

  #onVoteGrant(from: NodeId, message: VoteGrant, nowMs: number): void {
    if (this.#role !== 'candidate') return
    this.#elections.countVote(from, message)
    if (this.#elections.won) this.#lead(nowMs)
  }

  #lead(nowMs: number): void {
    assert(this.#role === 'candidate', `a ${this.#role} won an election`)
    const { log } = this.#replica
    this.#setRole('leader')
    this.#setLeader(this.#replica.self)
    // What lies below a log start is committed, whether this replica knew it or not.
    const { logStart } = this.#elections
    this.#replica.setCommit(log.before(logStart))
    this.#replica.advanceLogStart(logStart)
    this.#leading = new Leading({
      replica: this.#replica,
      up: this.#up,
      timing: this.#timing,
      nowMs,
    })
    log.startEpoch(this.#term)
    this.#turn.rest()
    this.#replica.out.replicate()
  }

  // Terms and roles

  /**
   * Law R8: quiet only while the leader's node is up and claims the epoch. A leader that is known by a message alone may
   * have stepped down since; without a claim this replica tries for an election after a while.
   */
  #becomeFollower(
    term: LeaderEpoch,
    leader: NodeId | undefined,
    nowMs: number,
    claimed = false,
  ): void {
    if (term > this.#term) {
      const { hardState, out } = this.#replica
      this.#replica.saveHardState({ ...hardState, term, votedFor: undefined })
      this.#following.newTerm()
      this.#elections.newTerm()
      out.roleChanged()
    }
    this.#setRole('follower')
    if (leader !== undefined) this.#following.ledBy(leader)
    const up = leader !== undefined && this.#up.has(leader)
    this.#setLeader(up ? leader : undefined)
    if (up && claimed) this.#turn.rest()
    else if (up) this.#turn.expectClaim(nowMs)
    else this.#turn.retry(nowMs)
  }

  /** It may have acknowledged what it forgets: law R5. */
  distrust(): void {
    assert(this.#leading === undefined, 'a leader does not forget its log')
    const { hardState } = this.#replica
    this.#setRole('follower')
    this.#replica.saveHardState({ ...hardState, suspect: true })
    this.#following.forgetLog()
  }

  #setRole(role: RaftRole): void {
    if (role === this.#role) return
    this.#leading = undefined
    this.#role = role
    this.#replica.out.roleChanged()
  }

  #setLeader(leader: NodeId | undefined): void {
    if (leader === this.#leader) return
    this.#leader = leader
    this.#replica.out.roleChanged()
  }

  // Liveness (law R8)

  claimed(leader: NodeId, epoch: LeaderEpoch, nowMs: number): void {
    if (leader === this.#replica.self) return
    if (epoch < this.#term) {
      this.#replica.out.send(leader, { kind: 'higher-term', term: this.#term })
      return
    }
    assert(
      epoch > this.#term || this.#role !== 'leader',
      `${leader} claims to lead epoch ${epoch}, which this node leads`,
    )
    this.#becomeFollower(epoch, leader, nowMs, true)
  }

  loseLeader(nowMs: number): void {
    if (this.#role === 'leader' || this.#leader === undefined) return
    this.#turn.leaderLost(this.#leader, nowMs)
    this.#setLeader(undefined)
  }

  /** A candidate asks the newcomer too; who else has no leader takes its turn. */
  peerUp(peer: NodeId, nowMs: number): void {
    this.#up.add(peer)
    if (!this.#replica.voters.includes(peer)) return
    if (this.#leading !== undefined) this.#leading.peerUp(peer)
    else if (this.#role === 'candidate') this.#elections.askVote(peer)
    else if (this.#leader === undefined) this.#turn.wait(nowMs)
  }

  peerDown(peer: NodeId, nowMs: number): void {
    this.#up.delete(peer)
    this.#leading?.peerDown(peer, nowMs)
    if (this.#leader === peer) this.loseLeader(nowMs)
  }

  // Messages

  receive(from: NodeId, message: Message<B>, nowMs: number): void {
    if (!this.#replica.voters.includes(from)) return
    switch (message.kind) {
      case 'pre-vote':
        this.#elections.answerPreVote(from, message, this.#leader !== undefined)
        return
      case 'pre-vote-reply':
        this.#onPreVoteReply(from, message, nowMs)
        return
      case 'vote':
        this.#onVoteRequest(from, message, nowMs)
        return
      case 'append':
      case 'install':
        this.#onLeaderMessage(from, message, nowMs)
        return
      default:
        break
    }
    if (message.term > this.#term) this.#becomeFollower(message.term, undefined, nowMs)
    else if (message.term === this.#term) this.#onTermMessage(from, message, nowMs)
  }

  #onTermMessage(
    from: NodeId,
    message: Exclude<
      Message<B>,
      { kind: 'pre-vote' | 'pre-vote-reply' | 'vote' | 'append' | 'install' }
    >,
    nowMs: number,
  ): void {
    switch (message.kind) {
      case 'vote-grant':
        this.#onVoteGrant(from, message, nowMs)
        return
      case 'ack': {
        const wasEstablished = this.established
        this.#leading?.acknowledged(from, message, nowMs)
        if (this.established !== wasEstablished) this.#replica.out.roleChanged()
        return
      }
      case 'mismatch':
        this.#leading?.mismatched(from, message)
        return
      case 'deferred':
        this.#leading?.deferred(from, nowMs)
        return
      case 'clear':
        this.#following.clear(from, message)
        return
      case 'timeout-now':
        if (this.#following.leader === from && this.#mayCampaign) this.#campaign(nowMs)
        return
      case 'vote-refusal':
      case 'higher-term':
        return
      default:
        unreachable(message)
    }
  }

  #onLeaderMessage(from: NodeId, message: AppendRequest<B> | InstallRequest, nowMs: number): void {
    if (message.term < this.#term) {
      this.#replica.out.send(from, { kind: 'higher-term', term: this.#term })
      return
    }
    assert(
      message.term > this.#term || this.#role !== 'leader',
      `two leaders in epoch ${message.term}: ${from} and this node`,
    )
    if (message.term > this.#term || this.#leader !== from) {
      this.#becomeFollower(message.term, from, nowMs)
    }
    if (message.kind === 'install') this.#following.install(from, message)
    else this.#following.append(from, message)
  }
}
