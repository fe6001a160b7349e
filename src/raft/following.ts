// A follower in one term (thesis 3.5; laws R1, R2, R9, R10): takes what the leader sends, cuts only what conflicts, and
// acknowledges what is verified against this leader and durable.

import { assert } from '../base/assert.ts'
import { asOffset, type NodeId, type Offset } from '../base/brand.ts'
import { comparePositions, type Position } from '../base/position.ts'
import type { InstallPoint } from './events.ts'
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
  /** Law R10: this leader had the log begun anew, from there on and with that `tombstonesRemovedBelow`. */
  #begun: { readonly at: Position; readonly below: Offset } | undefined

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
    this.#begun = undefined
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
      log.append(batches.filter((batch) => batch.nextOffset > ours))
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

  install(from: NodeId, point: InstallRequest): void {
    const { log, commit } = this.#replica
    const { logStart, epochs, keep, tombstonesRemovedBelow } = point
    const last = epochs.at(-1)
    assert(last !== undefined, 'an install without an epoch')
    const at: Position = { epoch: last.epoch, offset: logStart }
    const isWhole = log.holds(keep)
    if (!isWhole && (this.#begun?.below !== tombstonesRemovedBelow || !log.holds(at))) {
      if (logStart < log.logStart) {
        // Out of date, or the leader is yet to hear of this start.
        this.#mismatch(from, at)
        return
      }
      assert(keep.offset >= commit.offset, 'an install in place of what is committed')
      this.#beginAnew({ logStart, epochs, tombstonesRemovedBelow })
    }
    this.#verify(isWhole ? keep : at)
    // What lies below a log start is committed; epoch starts at it need not be.
    this.#replica.setCommit(log.before(logStart))
    this.#replica.advanceLogStart(logStart)
    this.#owed = true
    this.acknowledge()
  }

  /** Law R5: the log begins anew at its own start, and the leader hears of it. */
  forgetLog(): void {
    const { log } = this.#replica
    const { end, logStart } = log
    const epochs = log.epochs.entries.filter(({ start }) => start <= logStart)
    // Where this leader had it begun anew before, what it sends still lacks the same tombstones.
    const tombstonesRemovedBelow = this.#begun?.below ?? asOffset(0)
    this.#beginAnew({ logStart, epochs, tombstonesRemovedBelow })
    if (this.#leader !== undefined) this.#mismatch(this.#leader, end)
  }

  /**
   * Law R10. What goes is nothing that this replica is needed for: the leader's tombstones went below a commit that is on a
   * majority, and a log without the position that is to be kept was none of that; nor is a suspect's.
   */
  #beginAnew(point: InstallPoint): void {
    const { log } = this.#replica
    this.#replica.beginAnew(point)
    this.#verified = undefined
    const below = point.tombstonesRemovedBelow
    this.#begun = below > 0 ? { at: log.end, below } : undefined
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
    const begun = this.#begun
    // The leader goes by it from then on, also where this process ends before it is durable.
    if (begun !== undefined && comparePositions(durability.log, begun.at) < 0) return
    const promised = durability.acknowledgement({
      term,
      accepted: this.#verified,
      round: this.#round,
      begunBelow: begun?.below ?? asOffset(0),
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
