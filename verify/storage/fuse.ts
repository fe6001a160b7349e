// Decides at which step of its disk operations a process dies: anywhere, or close behind an operation of one kind, since
// those that matter most (a rename, the sync of a directory) are few among the many.

import type { Prng } from '../../src/env/sim/prng.ts'

const RARE_KINDS = ['syncDirectory', 'rename', 'unlink', 'truncate', 'open', 'sync'] as const

export class Fuse {
  readonly #kind: string | undefined
  #left: number
  #behind: number

  constructor(chance: Prng, stepsMax: number) {
    if (chance.chance(0.5)) {
      this.#kind = undefined
      this.#left = chance.between(1, stepsMax)
      this.#behind = 0
    } else {
      this.#kind = chance.pick(RARE_KINDS)
      this.#left = chance.between(1, chance.pick([2, 6, Math.min(20, stepsMax)]))
      this.#behind = chance.below(6)
    }
  }

  /** Called at each step; true at the one that is the last. */
  burn(operation: string): boolean {
    if (this.#left > 0) {
      if (this.#kind === undefined || operation === this.#kind) this.#left--
      return this.#left === 0 && this.#behind === 0
    }
    this.#behind--
    return this.#behind === 0
  }
}
