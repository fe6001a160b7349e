// What a leader does besides counting: steps down without a quorum (thesis 6.2), hands over (thesis 3.10), asks followers
// that deferred again, tells suspect replicas that they are whole (law R5).

import { asOffset, type NodeId } from '../base/brand.ts'
import { comparePositions } from '../base/position.ts'
import { Leadership } from './leadership.ts'
import type { AppendAck, AppendMismatch, BatchRef } from './messages.ts'
import type { Replica } from './replica.ts'
import type { RaftTiming } from './timing.ts'

interface Transfer {
  readonly to: NodeId
  readonly untilMs: number
  told: boolean
}

export class Leading<B extends BatchRef> {
  readonly leadership: Leadership<B>
  readonly #replica: Replica<B>
  readonly #timing: RaftTiming
  #transfer: Transfer | undefined
  /** Without a quorum: steps down then. */
  #quorumUntilMs = Infinity
  #deferredUntilMs = Infinity
  /** The greatest log start that any replica has acknowledged (law R10): an earlier leader decided it. */
  #logStartHeard = asOffset(0)

  /** Made before the epoch start is appended. */
  constructor(options: {
    readonly replica: Replica<B>
    readonly up: ReadonlySet<NodeId>
    readonly timing: RaftTiming
    readonly nowMs: number
  }) {
    this.#replica = options.replica
    this.#timing = options.timing
    this.leadership = new Leadership(options.replica, options.up)
    this.#checkQuorum(options.nowMs)
  }

  get deadlineMs(): number {
    return Math.min(this.#quorumUntilMs, this.#deferredUntilMs, this.#transfer?.untilMs ?? Infinity)
  }

  get transferring(): boolean {
    return this.#transfer !== undefined
  }

  /** False: it must step down. */
  tick(nowMs: number): boolean {
    if (nowMs >= this.#quorumUntilMs) return false
    if (this.#transfer !== undefined && nowMs >= this.#transfer.untilMs) this.#transfer = undefined
    if (nowMs >= this.#deferredUntilMs) {
      this.#deferredUntilMs = Infinity
      for (const follower of this.leadership.followers.values()) follower.resume()
      this.#replica.out.replicate()
    }
    return true
  }

  peerUp(peer: NodeId): void {
    this.leadership.peerUp(peer)
    this.#replica.out.replicate()
  }

  peerDown(peer: NodeId, nowMs: number): void {
    this.leadership.follower(peer)?.down()
    if (this.#transfer?.to === peer) this.#transfer = undefined
    this.#checkQuorum(nowMs)
  }

  acknowledged(from: NodeId, message: AppendAck, nowMs: number): void {
    this.leadership.acknowledged(from, message)
    if (message.logStart > this.#logStartHeard) this.#logStartHeard = message.logStart
    this.#checkQuorum(nowMs)
    this.advance()
    this.#replica.out.replicate()
  }

  mismatched(from: NodeId, message: AppendMismatch): void {
    const { log } = this.#replica
    if (message.logStart <= log.end.offset) {
      // It can't begin anew below its own start; what lies below one is committed, whether this replica knew it or not.
      this.#replica.setCommit(log.before(message.logStart))
      this.#replica.advanceLogStart(message.logStart)
    }
    if (this.leadership.mismatched(from, message)) this.#replica.out.replicate()
  }

  deferred(from: NodeId, nowMs: number): void {
    this.leadership.follower(from)?.defer()
    this.#deferredUntilMs = Math.min(this.#deferredUntilMs, nowMs + this.#timing.deferMs)
  }

  /** Something was acknowledged, or became durable here. */
  advance(): void {
    const { out, term } = this.#replica
    const committed = this.leadership.committed()
    if (committed !== undefined) this.#replica.setCommit(committed)
    this.#replica.advanceLogStart(this.#logStartHeard)
    for (const { node, at } of this.leadership.clearances()) {
      out.send(node, { kind: 'clear', term, at })
    }
    this.#continueTransfer()
  }

  /** To a follower that can be reached and that may lead; otherwise nothing happens. */
  transfer(to: NodeId, nowMs: number): void {
    const follower = this.leadership.follower(to)
    if (follower === undefined || follower.state === 'down' || follower.suspect) return
    this.#transfer = { to, untilMs: nowMs + this.#timing.transferMs, told: false }
    this.#continueTransfer()
  }

  #continueTransfer(): void {
    const transfer = this.#transfer
    if (transfer === undefined || transfer.told) return
    const { log, out, term, commit } = this.#replica
    const match = this.leadership.follower(transfer.to)?.match
    if (match === undefined || comparePositions(match, log.end) < 0) return
    // What is committed here is answered here; what is not would be answered as unknown.
    if (comparePositions(commit, log.end) < 0) return
    transfer.told = true
    out.send(transfer.to, { kind: 'timeout-now', term })
  }

  #checkQuorum(nowMs: number): void {
    if (this.leadership.hasQuorum) this.#quorumUntilMs = Infinity
    else if (this.#quorumUntilMs === Infinity) this.#quorumUntilMs = nowMs + this.#timing.quorumMs
  }
}
