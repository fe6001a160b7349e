// The read rounds that all groups of a node share (law R9): a leader asks whether it still is one. A call joins the next
// round, that is, one that begins after it; a round asks each node once, and an answer to a round answers all before it.
// A group has at most one call waiting in a round and one for a later round; the callers of a turn share them.

import { assert } from '../../base/assert.ts'
import type { LogId, NodeId } from '../../base/brand.ts'
import type { Clock, Timer, Timers } from '../../env/env.ts'

export interface ReadRoundsOptions {
  readonly env: { readonly clock: Clock; readonly timers: Timers }
  readonly self: NodeId
  readonly timeoutMs: number
  /** The round begins now: ask these nodes. */
  ask(round: number, nodes: ReadonlySet<NodeId>): void
  /** The node has answered this round or a later one, and then knew of the claim and had nothing against it. */
  supports(node: NodeId, round: number, claim: number): boolean
}

interface Waiter {
  readonly group: LogId
  /** Version of the claim that is to be confirmed. */
  readonly claim: number
  readonly voters: readonly NodeId[]
  readonly startedMs: number
  readonly promise: Promise<boolean>
  readonly resolve: (confirmed: boolean) => void
  /** 0 until its round began. */
  round: number
}

export class ReadRounds {
  readonly #options: ReadRoundsOptions
  #round = 0
  #beginning: Timer | undefined
  /** In a round; the next of the same group waits `behind` it. */
  readonly #inRound = new Map<LogId, Waiter>()
  readonly #next = new Map<LogId, Waiter>()
  readonly #behind = new Map<LogId, Waiter>()

  constructor(options: ReadRoundsOptions) {
    this.#options = options
  }

  /** The last that began. */
  get round(): number {
    return this.#round
  }

  get waiting(): number {
    return this.#inRound.size + this.#next.size + this.#behind.size
  }

  confirm(group: LogId, claim: number, voters: readonly NodeId[]): Promise<boolean> {
    const { self, env } = this.#options
    assert(voters.includes(self), 'a leader is a voter')
    if (voters.length === 1) return Promise.resolve(true)
    const queue = this.#inRound.has(group) ? this.#behind : this.#next
    const joined = queue.get(group)
    if (joined !== undefined) {
      assert(joined.claim === claim, 'a claim that was replaced has no callers')
      if (sameVoters(joined.voters, voters)) return joined.promise
      joined.resolve(false)
    }
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const startedMs = env.clock.monotonicMs()
    queue.set(group, { group, claim, voters, startedMs, promise, resolve, round: 0 })
    this.#beginSoon()
    return promise
  }

  /** The node has answered, or what it has against this node's claims has changed. */
  advanced(node: NodeId): void {
    for (const waiter of this.#inRound.values()) {
      if (waiter.voters.includes(node) && this.#isConfirmed(waiter)) this.#end(waiter, true)
    }
  }

  /** The claim is given up, or contested. */
  fail(group: LogId): void {
    for (const queue of [this.#behind, this.#next]) {
      queue.get(group)?.resolve(false)
      queue.delete(group)
    }
    const waiter = this.#inRound.get(group)
    if (waiter !== undefined) this.#end(waiter, false)
  }

  /** Ends what has waited too long. */
  expire(): void {
    const before = this.#options.env.clock.monotonicMs() - this.#options.timeoutMs
    for (const queue of [this.#behind, this.#next]) {
      for (const waiter of queue.values()) {
        if (waiter.startedMs > before) continue
        queue.delete(waiter.group)
        waiter.resolve(false)
      }
    }
    for (const waiter of this.#inRound.values()) {
      if (waiter.startedMs <= before) this.#end(waiter, false)
    }
  }

  close(): void {
    this.#beginning?.cancel()
    for (const queue of [this.#behind, this.#next, this.#inRound]) {
      for (const waiter of queue.values()) waiter.resolve(false)
      queue.clear()
    }
  }

  #beginSoon(): void {
    this.#beginning ??= this.#options.env.timers.soon(() => {
      this.#beginning = undefined
      this.#begin()
    })
  }

  #begin(): void {
    if (this.#next.size === 0) return
    this.#round += 1
    const nodes = new Set<NodeId>()
    for (const waiter of this.#next.values()) {
      waiter.round = this.#round
      this.#inRound.set(waiter.group, waiter)
      for (const voter of waiter.voters) nodes.add(voter)
    }
    this.#next.clear()
    nodes.delete(this.#options.self)
    this.#options.ask(this.#round, nodes)
  }

  #isConfirmed({ voters, round, claim }: Waiter): boolean {
    const { self, supports } = this.#options
    let supporters = 0
    for (const voter of voters) if (voter === self || supports(voter, round, claim)) supporters += 1
    return supporters > voters.length / 2
  }

  #end(waiter: Waiter, confirmed: boolean): void {
    this.#inRound.delete(waiter.group)
    waiter.resolve(confirmed)
    const behind = this.#behind.get(waiter.group)
    if (behind === undefined) return
    this.#behind.delete(waiter.group)
    this.#next.set(waiter.group, behind)
    this.#beginSoon()
  }
}

function sameVoters(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((voter) => b.includes(voter))
}
