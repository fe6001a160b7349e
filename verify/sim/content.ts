// What the simulated clients send: every record has a token of its own, and its content follows from nothing else that a
// reader would have to know, so that a reader can tell whose it is and whether it is whole.

import { assert } from '../../src/base/assert.ts'
import { crc32c } from '../../src/base/crc32c.ts'
import type { Prng } from '../../src/env/sim/prng.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const SEPARATOR = 10
const NOISE_BYTES = 64 * 1024

export interface Content {
  readonly key: Uint8Array | null
  readonly value: Uint8Array
  readonly crc: number
}

export class ContentMaker {
  readonly #chance: Prng
  readonly #noise: Uint8Array

  constructor(chance: Prng) {
    this.#chance = chance
    const words = new Uint32Array(NOISE_BYTES / 4)
    for (let i = 0; i < words.length; i++) words[i] = chance.next()
    this.#noise = new Uint8Array(words.buffer)
  }

  make(token: string, bytes: number): Content {
    const head = encoder.encode(`${token}\n`)
    const value = new Uint8Array(Math.max(head.length, bytes))
    value.set(head)
    // Half of them compress well, half don't at all.
    if (this.#chance.chance(0.5)) value.fill(97 + this.#chance.below(26), head.length)
    else {
      for (let at = head.length; at < value.length;) {
        const from = this.#chance.below(NOISE_BYTES)
        const piece = this.#noise.subarray(from, from + value.length - at)
        value.set(piece, at)
        at += piece.length
      }
    }
    const key = this.#chance.chance(0.7) ? encoder.encode(token) : null
    return { key, value, crc: crcOf(key, value) }
  }
}

export function crcOf(key: Uint8Array | null, value: Uint8Array | null): number {
  const seed = key === null ? 1 : crc32c(key)
  return value === null ? seed : crc32c(value, seed)
}

/** What a reader knows of a record without having seen it sent. */
export function tokenOf(value: Uint8Array | null): string {
  assert(value !== null, 'no simulated client sends a record without a value')
  const end = value.indexOf(SEPARATOR)
  return decoder.decode(end < 0 ? value.subarray(0, 64) : value.subarray(0, end))
}
