// What can go wrong with a simulated disk while it runs.

import type { DiskErrorCode } from '../disk.ts'
import type { Prng } from './prng.ts'

export type FaultyOperation =
  | 'open'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'rename'
  | 'unlink'
  | 'syncDirectory'

export interface DiskFault {
  readonly operation: FaultyOperation
  /** Files it strikes; all by default. */
  readonly path?: RegExp
  readonly code: DiskErrorCode
  /** Per operation; 1 by default. */
  readonly probability?: number
  /** Gone after striking so often. */
  readonly times?: number
}

export class DiskFaults {
  readonly #chance: Prng
  #rules: { readonly fault: DiskFault; left: number }[] = []
  /** Operations that begin before this virtual time end after it. */
  stalledUntilMs = 0
  /** Syncs take so many times as long as those of a fast disk: a choice of the machine's, not a fault. */
  syncSlowness = 1

  constructor(chance: Prng) {
    this.#chance = chance
  }

  /** Returns what ends the fault. */
  add(fault: DiskFault): () => void {
    const rule = { fault, left: fault.times ?? Number.POSITIVE_INFINITY }
    this.#rules.push(rule)
    return () => {
      this.#rules = this.#rules.filter((other) => other !== rule)
    }
  }

  clear(): void {
    this.#rules = []
    this.stalledUntilMs = 0
  }

  /** The error that this operation must fail with, if any. */
  strike(operation: string, path: string): DiskErrorCode | undefined {
    for (const rule of this.#rules) {
      const { fault } = rule
      if (fault.operation !== operation || rule.left === 0) continue
      if (fault.path !== undefined && !fault.path.test(path)) continue
      if (!this.#chance.chance(fault.probability ?? 1)) continue
      rule.left -= 1
      return fault.code
    }
    return undefined
  }
}
