// The simulator's only source of chance: sfc32 (Chris Doty-Humphrey, PractRand), seeded by hashing, split by label so
// that one consumer's draws don't shift another's.

import { assert } from '../../base/assert.ts'
import type { Random } from '../env.ts'

export class Prng implements Random {
  #a: number
  #b: number
  #c: number
  #counter = 1
  readonly #label: string

  constructor(label: string) {
    this.#label = label
    this.#a = hashText(label, 0x9e3779b9)
    this.#b = hashText(label, 0x243f6a88)
    this.#c = hashText(label, 0xb7e15162)
    for (let i = 0; i < 12; i++) this.next()
  }

  /** An independent generator that depends on this one's label only, not on what was drawn from it. */
  split(label: string): Prng {
    return new Prng(`${this.#label}/${label}`)
  }

  /** Uniform in 0 … 2^32-1. */
  next(): number {
    const result = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0
    return result >>> 0
  }

  float(): number {
    return ((this.next() >>> 5) * 2 ** 26 + (this.next() >>> 6)) / 2 ** 53
  }

  below(bound: number): number {
    assert(Number.isInteger(bound) && bound >= 1 && bound <= 2 ** 32, () => `bound ${bound}`)
    return Math.floor((this.next() / 2 ** 32) * bound)
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.next() & 0xff)
  }

  /** Uniform integer in [low, high], both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  chance(probability: number): boolean {
    return this.next() / 2 ** 32 < probability
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)]
    assert(item !== undefined, 'picked from an empty list')
    return item
  }

  /** A duration: mostly near `typical`, sometimes many times as long. */
  latencyMs(typical: number): number {
    const draw = this.next() / 2 ** 32
    const scale = draw < 0.9 ? 0.5 + draw : draw < 0.99 ? 3 : 20
    return typical * scale * (0.5 + this.next() / 2 ** 32)
  }
}

/** FNV-1a over the text, finished as in MurmurHash3. */
function hashText(text: string, seed: number): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
