// A follower in one term (thesis 3.5; laws R1, R2, R9, R10): takes what the leader sends, cuts only what conflicts, and
// acknowledges what is verified against this leader and durable.

import { assert } from '../base/assert.ts'
import type { NodeId, Offset } from '../base/brand.ts'
import { comparePositions, type Position } from '../base/position.ts'
import type { AppendRequest, BatchRef, ClearRequest, InstallRequest } from './messages.ts'
import type { Replica } from './replica.ts'

export class Following<B extends BatchRef> {
  readonly #replica: Replica<B>
  /** Who leads this term, alive or not: acknowledgements go there. */
  #leader: NodeId | undefined
  /** The end of the prefix verified against this term's leader. The log agrees with the leader's up to here. */
  #verified: Position | undefined
  #acknowledged: Position | undefined
  #acknowledgedLogStart: Offset | undefined
  /** The leader wants an answer even without news. */
  #owed = false
  #round = 0

  constructor(replica: Replica<B>) {
    this.#replica = replica
  }

  /** Who leads this term, alive or not. */
  get leader(): NodeId | undefined {
    return this.#leader
  }

  /** A change of term cancels what was not said yet (law R2). */
  newTerm(): void {
    this.#leader = undefined
    this.#verified = undefined
    this.#acknowledged = undefined
    this.#acknowledgedLogStart = undefined
    this.#owed = false
    this.#round = 0
  }

  ledBy(leader: NodeId): void {
    const { term } = this.#replica
    assert(
      this.#leader === undefined || this.#leader === leader,
      `${leader} and ${this.#leader} lead epoch ${term}`,
    )
    this.#leader = leader
  }

  append(from: NodeId, message: AppendRequest<B>): void {
    if (!this.#replica.log.holds(message.prev)) {
      this.#mismatch(from, message.prev)
      return
    }
    this.#verify(this.#take(message))
    this.#commitTo(message.commit)
    this.#replica.advanceLogStart(message.logStart)
    if (message.round > this.#round) this.#round = message.round
    if (message.probe) this.#owed = true
    this.acknowledge()
  }

  /** Takes what the log does not hold yet, cutting only what conflicts. The end of what the message verifies. */
  #take({ prev, starts, batches }: AppendRequest<B>): Position {
    const { log } = this.#replica
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
    const last = batches.at(-1)
    if (last === undefined) return at
    const ours = log.endOf(at.epoch)
    if (last.nextOffset > ours) {
      // A later epoch here begins where the leader's epoch goes on.
      if (log.end.epoch > at.epoch) this.#cut({ epoch: at.epoch, offset: ours })
      const allNew = batches[0]!.nextOffset > ours
      log.append(allNew ? batches : batches.filter((batch) => batch.nextOffset > ours))
    }
    return { epoch: at.epoch, offset: last.nextOffset }
  }

  #cut(to: Position): void {
    assert(
      this.#verified === undefined || comparePositions(to, this.#verified) >= 0,
      'a truncation of what this leader verified',
    )
    this.#replica.cut(to)
  }

  install(from: NodeId, { logStart, epochs }: InstallRequest): void {
    const { log, commit, durability } = this.#replica
    const last = epochs.at(-1)
    assert(last !== undefined, 'an install without an epoch')
    const at: Position = { epoch: last.epoch, offset: logStart }
    if (!log.holds(at)) {
      if (logStart < commit.offset || logStart < log.logStart) {
        // Out of date: what is committed here reaches above it.
        this.#mismatch(from, at)
        return
      }
      log.install(logStart, epochs)
      durability.replaced()
    }
    this.#verify(at)
    // What lies below a log start is committed; epoch starts at it need not be.
    this.#replica.setCommit(log.before(logStart))
    this.#replica.advanceLogStart(logStart)
    this.#owed = true
    this.acknowledge()
  }

  #mismatch(to: NodeId, prev: Position): void {
    const { log, term, out } = this.#replica
    const { end, logStart } = log
    const epochs = log.epochs.entries.slice()
    out.send(to, { kind: 'mismatch', term, prev, end, epochs, logStart })
  }

  #verify(upTo: Position): void {
    if (this.#verified === undefined || comparePositions(upTo, this.#verified) > 0) {
      this.#verified = upTo
    }
  }

  /** Law R9: never by the log end, and only with an entry of this leader's epoch. */
  #commitTo(leaders: Position): void {
    const verified = this.#verified
    if (verified === undefined || verified.epoch !== this.#replica.term) return
    this.#replica.setCommit(comparePositions(leaders, verified) < 0 ? leaders : verified)
  }

  /** Whenever something was verified or became durable: says it, if it is news or was asked for. */
  acknowledge(): void {
    if (this.#verified === undefined || this.#leader === undefined) return
    const { term, durability, out } = this.#replica
    if (!this.#owed && !this.#hasNews()) return
    const promised = durability.acknowledgement({
      term,
      accepted: this.#verified,
      round: this.#round,
    })
    if (promised === undefined) return
    this.#owed = false
    this.#acknowledged = promised.durable
    this.#acknowledgedLogStart = promised.logStart
    out.send(this.#leader, promised)
  }

  #hasNews(): boolean {
    if (this.#acknowledged === undefined) return true
    const { term, durability } = this.#replica
    const durable = durability.acknowledgeable(term, this.#verified!)
    return (
      (durable !== undefined && comparePositions(durable, this.#acknowledged) > 0) ||
      durability.logStart !== this.#acknowledgedLogStart
    )
  }

  /** Law R5. Its vote in this term is spent on the leader: it may have given one that it forgot. */
  clear(from: NodeId, { at }: ClearRequest): void {
    const { hardState, suspect, term, durability } = this.#replica
    if (!suspect || this.#verified === undefined || from !== this.#leader) return
    const durable = durability.acknowledgeable(term, this.#verified)
    if (durable === undefined || comparePositions(durable, at) < 0) return
    this.#replica.saveHardState({ ...hardState, votedFor: from, suspect: false })
    // Said once it is durable.
    this.#owed = true
  }
}
