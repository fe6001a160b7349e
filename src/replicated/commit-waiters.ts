// Those who wait for the commit to reach a position, in log order. Appends arrive in that order, so the queue costs nothing
// beyond the promise of each append; a duplicate waits for the position of its original and is put where it belongs.

import { assert } from '../base/assert.ts'
import { comparePositions, type Position } from '../base/position.ts'
import type { CommitOutcome } from './replicated-log.ts'

export const COMMITTED: CommitOutcome = { kind: 'committed' }

interface Waiter {
  readonly end: Position
  readonly settle: (outcome: CommitOutcome) => void
}

export class CommitWaiters {
  /** Ascending by end, from `#head` on; what lies before it is settled. */
  #queue: (Waiter | undefined)[] = []
  #head = 0

  /** Resolves when `advance` reaches the position, or with what `fail` says. */
  wait(end: Position): Promise<CommitOutcome> {
    return new Promise((settle) => {
      const waiter = { end, settle }
      let at = this.#queue.length
      while (at > this.#head && comparePositions(this.#at(at - 1).end, end) > 0) at--
      if (at === this.#queue.length) this.#queue.push(waiter)
      else this.#queue.splice(at, 0, waiter)
    })
  }

  /** Settles, in order, everyone whose position is at or below the committed one. */
  advance(committed: Position): void {
    while (this.#head < this.#queue.length) {
      const waiter = this.#at(this.#head)
      if (comparePositions(waiter.end, committed) > 0) break
      this.#queue[this.#head++] = undefined
      waiter.settle(COMMITTED)
    }
    if (this.#head === this.#queue.length) {
      this.#queue = []
      this.#head = 0
    } else if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue.splice(0, this.#head)
      this.#head = 0
    }
  }

  /** Settles everyone as unknown: what they wait for may still survive. */
  fail(reason: 'leadership-lost' | 'quorum-lost' | 'closed'): void {
    const queue = this.#queue
    const head = this.#head
    this.#queue = []
    this.#head = 0
    const outcome: CommitOutcome = { kind: 'unknown', reason }
    for (let i = head; i < queue.length; i++) queue[i]?.settle(outcome)
  }

  #at(i: number): Waiter {
    const waiter = this.#queue[i]
    assert(waiter !== undefined, `commit waiter ${i} is settled`)
    return waiter
  }
}
