// Votes, asked for and given (thesis 3.4, 3.6.1, 9.6; law R2). A vote, and a request for votes, leaves only once term and
// vote are durable. Logs compare by their accepted ends, synced or not: an acknowledgement is never ahead of them.

import { asLeaderEpoch, type NodeId, type Offset } from '../base/brand.ts'
import { comparePositions } from '../base/position.ts'
import type { BatchRef, PreVoteRequest, VoteGrant, VoteRequest } from './messages.ts'
import type { Replica } from './replica.ts'

export class Elections<B extends BatchRef> {
  readonly #replica: Replica<B>
  readonly #random: () => number
  /** Names the requests of this candidacy; 32 bits. */
  #candidacy = 0
  /** Who would vote, or voted, for this replica. */
  #votes = new Set<NodeId>()
  /** As candidate: the requests have left. */
  #requested = false
  /** The greatest log start of those who voted (law R10). */
  #logStart: Offset
  /** As voter: granted, and to be said once it is durable. */
  #grant: { readonly to: NodeId; readonly candidacy: number } | undefined

  /** `random`: uniform in [0, 1). */
  constructor(replica: Replica<B>, random: () => number) {
    this.#replica = replica
    this.#random = random
    this.#logStart = replica.log.logStart
  }

  /** As candidate: the requests have left. */
  get requested(): boolean {
    return this.#requested
  }

  /** Of a new leader: where its log must begin at least. */
  get logStart(): Offset {
    return this.#logStart
  }

  get won(): boolean {
    return this.#replica.isMajority(this.#votes.size)
  }

  /** What was not said in the last term is not said any more. */
  newTerm(): void {
    this.#grant = undefined
    this.#votes = new Set()
    this.#requested = false
  }

  // Asking

  beginPreVote(): void {
    this.#votes = new Set([this.#replica.self])
    for (const voter of this.#replica.voters) this.askPreVote(voter)
  }

  askPreVote(voter: NodeId): void {
    const { self, term, log, out } = this.#replica
    if (voter === self) return
    out.send(voter, { kind: 'pre-vote', term: asLeaderEpoch(term + 1), end: log.end })
  }

  countPreVote(from: NodeId): void {
    this.#votes.add(from)
  }

  /** The vote for itself first; the requests leave once it is durable. */
  stand(): void {
    const { term, self, log, hardState } = this.#replica
    this.newTerm()
    this.#candidacy = Math.floor(this.#random() * 2 ** 32)
    this.#logStart = log.logStart
    this.#replica.saveHardState({
      ...hardState,
      term: asLeaderEpoch(term + 1),
      votedFor: self,
    })
  }

  /** As candidate, when something became durable. */
  requestVotes(): void {
    if (this.#requested) return
    const { self, voters, term, durability } = this.#replica
    if (!durability.hasVoted(term, self)) return
    this.#requested = true
    for (const voter of voters) this.askVote(voter)
    this.#votes.add(self)
  }

  askVote(voter: NodeId): void {
    const { self, term, log, durability, out } = this.#replica
    if (voter === self) return
    const candidacy = this.#candidacy
    const request: VoteRequest = { kind: 'vote', term, end: log.end, candidacy }
    const promised = durability.voteRequest(request, self)
    if (promised !== undefined) out.send(voter, promised)
  }

  /** A vote for an earlier candidacy in this term, which damage made this replica forget, is none for this one. */
  countVote(from: NodeId, grant: VoteGrant): void {
    if (grant.candidacy !== this.#candidacy) return
    this.#votes.add(from)
    if (grant.logStart > this.#logStart) this.#logStart = grant.logStart
  }

  // Answering

  /** Changes nothing here. Law R8: who has a leader wants no other. */
  answerPreVote(from: NodeId, message: PreVoteRequest, hasLeader: boolean): void {
    const { term, suspect, log, out } = this.#replica
    const granted =
      message.term > term && !hasLeader && !suspect && comparePositions(message.end, log.end) >= 0
    out.send(from, { kind: 'pre-vote-reply', term, forTerm: message.term, granted })
  }

  /**
   * Each request is judged by its own end, also one of whom the vote went to already. `hasLeader`: the term has one, so that
   * a vote would be wasted. True: granted, and said as soon as it is durable.
   */
  answerVote(from: NodeId, message: VoteRequest, hasLeader: boolean): boolean {
    const { hardState, suspect, term, log, out } = this.#replica
    const { votedFor } = hardState
    const free = votedFor === undefined || votedFor === from
    const upToDate = comparePositions(message.end, log.end) >= 0
    if (message.term < term || suspect || hasLeader || !free || !upToDate) {
      out.send(from, { kind: 'vote-refusal', term })
      return false
    }
    if (votedFor === undefined) this.#replica.saveHardState({ ...hardState, votedFor: from })
    this.#grant = { to: from, candidacy: message.candidacy }
    this.sayGrant()
    return true
  }

  sayGrant(): void {
    if (this.#grant === undefined) return
    const { to, candidacy } = this.#grant
    const { term, log, durability, out } = this.#replica
    const grant: VoteGrant = { kind: 'vote-grant', term, candidacy, logStart: log.logStart }
    const promised = durability.voteGrant(grant, to)
    if (promised === undefined) return
    out.send(to, promised)
    this.#grant = undefined
  }
}
