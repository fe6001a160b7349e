// An immutable map with cheap changed copies, for state that readers hold on to while it moves on. Two levels of hash
// buckets: a change copies one bucket and the list of buckets, some hundred references for tens of thousands of entries.

const BUCKETS = 512

export class PersistentMap<V> implements ReadonlyMap<string, V> {
  readonly #buckets: readonly ReadonlyMap<string, V>[]
  readonly size: number

  private constructor(buckets: readonly ReadonlyMap<string, V>[], size: number) {
    this.#buckets = buckets
    this.size = size
  }

  static empty<V>(): PersistentMap<V> {
    const none: ReadonlyMap<string, V> = new Map()
    return new PersistentMap<V>(
      Array.from({ length: BUCKETS }, () => none),
      0,
    )
  }

  get(key: string): V | undefined {
    return this.#bucket(key).get(key)
  }

  has(key: string): boolean {
    return this.#bucket(key).has(key)
  }

  /** A copy with the entry set. */
  with(key: string, value: V): PersistentMap<V> {
    const bucket = this.#bucket(key)
    const grown = bucket.has(key) ? 0 : 1
    return this.#replaced(key, new Map(bucket).set(key, value), this.size + grown)
  }

  /** A copy without the entry. */
  without(key: string): PersistentMap<V> {
    const bucket = this.#bucket(key)
    if (!bucket.has(key)) return this
    const rest = new Map(bucket)
    rest.delete(key)
    return this.#replaced(key, rest, this.size - 1)
  }

  *entries(): MapIterator<[string, V]> {
    for (const bucket of this.#buckets) yield* bucket.entries()
  }

  *keys(): MapIterator<string> {
    for (const bucket of this.#buckets) yield* bucket.keys()
  }

  *values(): MapIterator<V> {
    for (const bucket of this.#buckets) yield* bucket.values()
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries()
  }

  forEach(callback: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this.entries()) callback(value, key, this)
  }

  #bucket(key: string): ReadonlyMap<string, V> {
    return this.#buckets[bucketOf(key)]!
  }

  #replaced(key: string, bucket: ReadonlyMap<string, V>, size: number): PersistentMap<V> {
    const buckets = this.#buckets.slice()
    buckets[bucketOf(key)] = bucket
    return new PersistentMap(buckets, size)
  }
}

function bucketOf(key: string): number {
  let hash = 0
  for (let i = 0; i < key.length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0
  return (hash ^ (hash >>> 16)) & (BUCKETS - 1)
}
