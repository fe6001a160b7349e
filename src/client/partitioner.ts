// Which partition a record goes to, as Kafka's Java client decides it: murmur2 of the key, so that every client sends
// a key to the same partition; without a key, one partition at a time, changed with every batch (KIP-480).

import type { Random } from '../env/env.ts'

const SEED = 0x9747b28c | 0
const MIX = 0x5bd1e995

/** MurmurHash2 as in Kafka's `Utils.murmur2`: a signed 32-bit integer. */
export function murmur2(bytes: Uint8Array): number {
  let hash = SEED ^ bytes.length
  const whole = bytes.length & ~3
  for (let i = 0; i < whole; i += 4) {
    let word = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    word = Math.imul(word, MIX)
    word ^= word >>> 24
    hash = Math.imul(hash, MIX) ^ Math.imul(word, MIX)
  }
  const rest = bytes.length - whole
  if (rest === 3) hash ^= bytes[whole + 2]! << 16
  if (rest >= 2) hash ^= bytes[whole + 1]! << 8
  if (rest >= 1) hash = Math.imul(hash ^ bytes[whole]!, MIX)
  hash = Math.imul(hash ^ (hash >>> 13), MIX)
  return hash ^ (hash >>> 15)
}

/** `partitions` is how many the topic has. */
export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fff_ffff) % partitions
}

/** Chooses for records without a key. */
export class StickyPartitioner {
  readonly #random: Random
  readonly #current = new Map<string, number>()

  constructor(random: Random) {
    this.#random = random
  }

  /** `available`: the partitions that have a leader, or all of them when none has; not empty. */
  choose(topic: string, available: readonly number[]): number {
    const current = this.#current.get(topic)
    if (current !== undefined && available.includes(current)) return current
    return this.#move(topic, available)
  }

  /** A batch of the topic is full or was sent: the next records go elsewhere. */
  batchDone(topic: string): void {
    this.#current.delete(topic)
  }

  #move(topic: string, available: readonly number[]): number {
    const next = available[this.#random.below(available.length)] ?? 0
    this.#current.set(topic, next)
    return next
  }
}
