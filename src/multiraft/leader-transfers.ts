// Leaderships that move on purpose (thesis 3.10): the leader lets the other catch up, tells it to campaign at once, and loses to
// it. Nothing is at risk: it is an election like any other, only that everyone is there for it.

import type { LeaderEpoch, LogId, NodeId } from '../base/brand.ts'
import { asNodeId } from '../base/brand.ts'
import type { Clock, Timer, Timers } from '../env/env.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { Reader } from '../protocol/reader.ts'
import { Writer } from '../protocol/writer.ts'
import { CallError, type Calls } from './calls.ts'
import type { RaftGroup } from './group.ts'
import { readGroupId } from './group-id.ts'
import { CallMethod } from './methods.ts'

/**
 * - `done`: the target leads.
 * - `not-leader`: nobody is known to lead, or somebody else took over meanwhile.
 * - `target-unfit`: it is no voter, down, suspect, behind, or its disk stalls; nothing was tried.
 * - `timed-out`: the target did not take it; whether it still will is not known.
 */
export type TransferOutcome = 'done' | 'not-leader' | 'target-unfit' | 'timed-out'

/** By their numbers in answers: never changed. */
const OUTCOMES: readonly TransferOutcome[] = ['done', 'not-leader', 'target-unfit', 'timed-out']

export interface TransferNode {
  readonly nodeId: NodeId
  readonly clock: Clock
  readonly timers: Timers
  readonly calls: Pick<Calls, 'call' | 'handle'>
  /** How long a group lets a transfer take. */
  readonly transferMs: number
  get(id: LogId): RaftGroup | undefined
  groups(): Iterable<RaftGroup>
  leaderOf(id: LogId): { readonly nodeId: NodeId; readonly epoch: LeaderEpoch } | undefined
  /** Up, and its disk answers (law R8). */
  isFit(node: NodeId): boolean
}

const WATCH_MS = 10
/** A follower that held everything so long ago catches up at once. */
const BEHIND_MS_MAX = 1_000
const AT_ONCE_MAX = 64

interface Moving {
  readonly group: RaftGroup
  readonly to: NodeId
  readonly epoch: LeaderEpoch
  readonly untilMs: number
  readonly promise: Promise<TransferOutcome>
  readonly settle: (outcome: TransferOutcome) => void
}

export class LeaderTransfers {
  readonly #node: TransferNode
  readonly #moving = new Map<LogId, Moving>()
  #watching: Timer | undefined
  #closed = false

  constructor(node: TransferNode) {
    this.#node = node
    node.calls.handle(CallMethod.TRANSFER, (_from, body) => this.#serve(body))
  }

  /** Wherever the group is led. Resolves when the target leads, or it is clear that it will not, within some seconds. */
  async transfer(id: LogId, to: NodeId): Promise<TransferOutcome> {
    const leader = this.#node.leaderOf(id)?.nodeId
    if (leader === undefined) return 'not-leader'
    if (leader === this.#node.nodeId) return this.#here(id, to)
    if (leader === to) return 'done'
    const writer = new Writer(64)
    writer.string(id, false)
    writer.int32(to)
    const body = Buffer.concat(writer.finish())
    const waitMs = 2 * this.#node.transferMs
    try {
      return outcomeOf(await this.#node.calls.call(leader, CallMethod.TRANSFER, body, waitMs))
    } catch (error) {
      if (error instanceof CallError) return 'timed-out'
      throw error
    }
  }

  /**
   * Every leadership of this node that one of the nodes can take goes to the first of its voters that can. Resolves when all
   * have moved or failed to, or after the time.
   */
  async handOver(options: {
    readonly withinMs: number
    readonly allowed?: (node: NodeId) => boolean
  }): Promise<void> {
    const { withinMs, allowed = () => true } = options
    const untilMs = this.#nowMs + withinMs
    const queue = [...this.#node.groups()].values()
    const moveEach = async (): Promise<void> => {
      for (const group of queue) {
        const to = this.#nowMs < untilMs ? this.targetOf(group, allowed) : undefined
        if (to !== undefined) await this.#here(group.id, to)
      }
    }
    const moves = Array.from({ length: AT_ONCE_MAX }, moveEach)
    const { promise: timeUp, resolve } = Promise.withResolvers<void>()
    const timer = this.#node.timers.after(withinMs, resolve)
    await Promise.race([Promise.all(moves), timeUp])
    timer.cancel()
  }

  /** One group's leadership goes where it can, if it can; whether it did shows in the group. */
  moveAway(group: RaftGroup): void {
    const to = this.targetOf(group, () => true)
    if (to !== undefined) void this.#here(group.id, to)
  }

  /** The first voter, in preferred order, that can take the group over from this node; none where it does not lead. */
  targetOf(group: RaftGroup, allowed: (node: NodeId) => boolean): NodeId | undefined {
    return group.voters.find(({ nodeId }) => allowed(nodeId) && this.#canTake(group, nodeId))
      ?.nodeId
  }

  close(): void {
    this.#closed = true
    this.#watching?.cancel()
    for (const { settle } of this.#moving.values()) settle('timed-out')
    this.#moving.clear()
  }

  async #serve(body: Uint8Array): Promise<Uint8Array> {
    const reader = new Reader(body)
    const id = readGroupId(reader)
    const outcome = await this.#here(id, asNodeId(reader.int32()))
    return Uint8Array.of(OUTCOMES.indexOf(outcome))
  }

  /** Only a leader knows of anybody who is caught up. */
  #canTake(group: RaftGroup, node: NodeId): boolean {
    return this.#node.isFit(node) && group.isCaughtUp(node, BEHIND_MS_MAX)
  }

  async #here(id: LogId, to: NodeId): Promise<TransferOutcome> {
    const under = this.#moving.get(id)
    if (under !== undefined) {
      const outcome = await under.promise
      return under.to === to ? outcome : this.#here(id, to)
    }
    const group = this.#node.get(id)
    if (this.#closed || group?.raft.role !== 'leader') return 'not-leader'
    if (to === this.#node.nodeId) return 'done'
    if (!this.#canTake(group, to)) return 'target-unfit'
    const epoch = group.raft.term
    group.transfer(to)
    const { promise, resolve } = Promise.withResolvers<TransferOutcome>()
    const untilMs = this.#nowMs + this.#node.transferMs + 10 * WATCH_MS
    this.#moving.set(id, { group, to, epoch, untilMs, promise, settle: resolve })
    this.#watch()
    return promise
  }

  get #nowMs(): number {
    return this.#node.clock.monotonicMs()
  }

  #watch(): void {
    this.#watching ??= this.#node.timers.after(WATCH_MS, () => {
      this.#watching = undefined
      for (const [id, moving] of this.#moving) {
        const outcome = this.#outcomeOf(id, moving)
        if (outcome === undefined) continue
        this.#moving.delete(id)
        moving.settle(outcome)
      }
      if (this.#moving.size > 0) this.#watch()
    })
  }

  #outcomeOf(id: LogId, { group, to, epoch, untilMs }: Moving): TransferOutcome | undefined {
    if (this.#node.get(id) !== group) return 'not-leader'
    const { raft } = group
    // It called the transfer off: the target went away, or took too long. Or it was elected anew.
    if (raft.acceptsAppends) return 'timed-out'
    const leader = this.#node.leaderOf(id)
    if (leader !== undefined && leader.epoch > epoch) {
      return leader.nodeId === to ? 'done' : 'not-leader'
    }
    return this.#nowMs >= untilMs ? 'timed-out' : undefined
  }
}

function outcomeOf(answer: Uint8Array): TransferOutcome {
  const outcome = answer.length === 1 ? OUTCOMES[answer[0]!] : undefined
  if (outcome === undefined) throw new ProtocolError('a transfer was answered with something else')
  return outcome
}
