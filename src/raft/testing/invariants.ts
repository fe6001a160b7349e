// What must hold of a group after every step, whatever happens (thesis figure 3.2, and the laws). It watches the replicas
// from outside, and knows all of them.

import type { LeaderEpoch, NodeId, Offset } from '../../base/brand.ts'
import { EpochTable, NO_EPOCH } from '../../base/epoch-table.ts'
import { comparePositions, type Position } from '../../base/position.ts'
import { NOTHING } from '../durability.ts'
import type { Message } from '../messages.ts'
import type { JournalOp, StoredReplica, TestBatch } from './disk-model.ts'

export class Violation extends Error {
  override readonly name = 'Violation'
}

export interface Watched {
  readonly id: NodeId
  readonly accepted: StoredReplica
  readonly durable: StoredReplica
  /** It was damaged at some time. */
  readonly damaged: boolean
}

export class Invariants {
  readonly #voters: () => readonly Watched[]
  /** Election safety: one leader per epoch, and the entry before its epoch start. */
  readonly #leaders = new Map<LeaderEpoch, { readonly node: NodeId; readonly after: Position }>()
  /** Log matching: an epoch's leader alone decides what lies at an offset of its epoch. */
  readonly #batches = new Map<string, string>()
  /** The greatest commit of any leader, and the log that has it. */
  #commit: Position = NOTHING
  #committedEpochs = new EpochTable()
  #committedEnd: Offset = 0 as Offset
  readonly #committed = new Map<Offset, TestBatch>()
  readonly #commits = new Map<NodeId, Position>()

  constructor(voters: () => readonly Watched[]) {
    this.#voters = voters
  }

  get commit(): Position {
    return this.#commit
  }

  get committed(): ReadonlyMap<Offset, TestBatch> {
    return this.#committed
  }

  leaderElected(node: Watched, epoch: LeaderEpoch, after: Position): void {
    const other = this.#leaders.get(epoch)
    check(other === undefined, () => `${other!.node} and ${node.id} lead epoch ${epoch}`)
    this.#leaders.set(epoch, { node: node.id, after })
    // Who wins an older epoch late lacks what later ones committed, and can commit nothing.
    if (epoch > this.#commit.epoch) this.#complete(node)
  }

  /** Leader completeness (thesis 3.6.3): what is committed is in every later leader's log. */
  #complete(node: Watched): void {
    check(
      holdsSince(node.accepted, this.#commit),
      () => `${node.id} leads without the committed ${show(this.#commit)}`,
    )
  }

  ownAppend(batch: TestBatch): void {
    this.#batches.set(`${batch.epoch}:${batch.baseOffset}`, batch.value)
  }

  /** Before the operation is accepted. */
  operation({ id, accepted }: Watched, op: JournalOp): void {
    switch (op.kind) {
      case 'start-epoch': {
        const leader = this.#leaders.get(op.epoch)
        check(
          leader !== undefined && comparePositions(leader.after, accepted.end) === 0,
          () =>
            `${id} puts M${op.epoch} after ${show(accepted.end)}, its leader after ${show(leader?.after)}`,
        )
        return
      }
      case 'append':
        for (const { epoch, baseOffset, value } of op.batches) {
          const decided = this.#batches.get(`${epoch}:${baseOffset}`)
          check(
            decided === value,
            () => `${id} has ${value} at (${epoch}, ${baseOffset}), not ${decided}`,
          )
        }
        return
      case 'truncate':
        check(
          !holdsSince(accepted, this.#commit) || comparePositions(op.to, this.#commit) >= 0,
          () => `${id} truncates to ${show(op.to)}, below the committed ${show(this.#commit)}`,
        )
        return
      case 'advance-log-start':
        check(op.offset <= this.#commit.offset, () => `${id} moves its log start above the commit`)
        return
      case 'install':
        check(op.logStart <= this.#commit.offset, () => `${id} installs above the commit`)
        this.#begunAnew(id, accepted)
        return
      case 'hard-state':
        return
    }
  }

  /** Law R10: whoever begins its log anew is not needed for anything that is committed; a suspect counts for nothing (law R5). */
  #begunAnew(id: NodeId, accepted: StoredReplica): void {
    const commit = this.#commit
    check(
      accepted.hardState.suspect ||
        comparePositions(commit, NOTHING) === 0 ||
        !holdsSince(accepted, commit),
      () => `${id} begins anew, though it holds the committed ${show(commit)}`,
    )
    const voters = this.#voters()
    const holders = voters.filter(
      (voter) => voter.damaged || (voter.id !== id && holdsSince(voter.durable, commit)),
    )
    check(
      holders.length > voters.length / 2,
      () => `${id} begins anew, and ${show(commit)} is on ${holders.length} alone`,
    )
    this.#commits.delete(id)
  }

  /** Law R2, when it leaves. */
  sent({ id, durable, accepted }: Watched, to: NodeId, message: Message<TestBatch>): void {
    const { hardState } = durable
    const voted = (candidate: NodeId): boolean =>
      hardState.term === message.term && hardState.votedFor === candidate
    switch (message.kind) {
      case 'vote':
        check(voted(id), () => `${id} asks for votes in ${message.term} before its own is durable`)
        return
      case 'vote-grant':
        check(
          voted(to),
          () => `${id} grants ${to} its vote in ${message.term} before that is durable`,
        )
        return
      case 'ack':
        check(
          hardState.term >= message.term,
          () => `${id} acknowledges in a term that is not durable`,
        )
        check(
          accepted.hardState.term === message.term,
          () => `${id} acknowledges in ${message.term}, out of ${accepted.hardState.term}`,
        )
        check(
          comparePositions(message.durable, NOTHING) === 0 || holdsSince(durable, message.durable),
          () => `${id} acknowledges ${show(message.durable)}, which is not durable`,
        )
        check(
          comparePositions(message.durable, message.accepted) <= 0,
          () => `${id} acknowledges beyond what is verified`,
        )
        return
      default:
        return
    }
  }

  /** A replica knows of a new commit. */
  commitKnown(node: Watched, commit: Position, asLeader: boolean): void {
    const { id } = node
    const known = this.#commits.get(id) ?? NOTHING
    check(comparePositions(commit, known) > 0, () => `the commit of ${id} moves back`)
    this.#commits.set(id, commit)
    this.commitCounted(node, commit, asLeader)
  }

  commitCounted(node: Watched, commit: Position, asLeader: boolean): void {
    const { id } = node
    check(holdsSince(node.accepted, commit), () => `${id} commits ${show(commit)}, which it lacks`)
    if (asLeader && comparePositions(commit, this.#commit) > 0) this.#decide(node, commit)
    check(
      comparePositions(commit, this.#commit) <= 0,
      () => `${id} commits ${show(commit)}, above ${show(this.#commit)}, which its leader did`,
    )
    check(
      commit.epoch === NO_EPOCH || this.#decidedHolds(commit),
      () => `${id} commits ${show(commit)}, which is not on the committed log`,
    )
  }

  #decidedHolds(position: Position): boolean {
    const [first] = this.#committedEpochs.entries
    // Older than the log start of whoever committed last.
    if (first === undefined || position.epoch < first.epoch) return true
    return this.#committedEpochs.holds(position, this.#committedEnd)
  }

  #decide(node: Watched, commit: Position): void {
    this.#complete(node)
    const voters = this.#voters()
    const durable = voters.filter((voter) => voter.damaged || holdsSince(voter.durable, commit))
    check(
      durable.length > voters.length / 2,
      () =>
        `${node.id} commits ${show(commit)}, durable on ${durable.map(({ id }) => id).join(', ')} alone`,
    )
    this.#commit = commit
    this.#committedEnd = commit.offset
    this.#committedEpochs = new EpochTable(
      node.accepted.epochs.entries.filter(({ epoch }) => epoch <= commit.epoch),
    )
    const { batches } = node.accepted
    for (let i = batches.length - 1; i >= 0; i--) {
      const batch = batches[i]!
      if (batch.nextOffset > commit.offset) continue
      const other = this.#committed.get(batch.baseOffset)
      if (other !== undefined) {
        check(other.value === batch.value, () => `${batch.value} committed over ${other.value}`)
        return
      }
      this.#committed.set(batch.baseOffset, batch)
    }
  }

  /** A process starts anew: it knows no commit but its log start. */
  restarted(id: NodeId): void {
    this.#commits.delete(id)
  }
}

/** The log holds the position, or once did: its start has passed it by. */
export function holdsSince(log: StoredReplica, position: Position): boolean {
  if (comparePositions(position, NOTHING) === 0) return true
  if (position.offset <= log.logStart) {
    const [first] = log.epochs.entries
    if (first !== undefined && position.epoch <= first.epoch) return true
  }
  return log.holds(position)
}

export function show(position: Position | undefined): string {
  return position === undefined ? 'nowhere' : `(${position.epoch}, ${position.offset})`
}

function check(condition: boolean, what: () => string): void {
  if (!condition) throw new Violation(what())
}
