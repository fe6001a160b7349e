// A map whose changes are numbered 1, 2, 3, …, so that a peer that has taken it in up to some version can be told the rest:
// the entries that changed since, in the order of their last change. Version 0 knows nothing, so that "after 0" is the
// whole map. Costs follow the changes; nothing here walks the entries that did not change.

import { assert } from '../../base/assert.ts'

export interface VersionedEntry<K, V> {
  readonly version: number
  readonly key: K
  /** Undefined: removed. */
  readonly value: V | undefined
}

export class VersionedList<K, V> {
  #version = 0
  readonly #entries = new Map<K, VersionedEntry<K, V>>()
  /** Ascending by version; entries that later ones replaced remain until the next sweep. */
  #changes: VersionedEntry<K, V>[] = []
  readonly #removals: VersionedEntry<K, V>[] = []

  /** Of the last change. */
  get version(): number {
    return this.#version
  }

  /** Entries in memory, removed ones that were not pruned included. */
  get size(): number {
    return this.#entries.size
  }

  get(key: K): (VersionedEntry<K, V> & { readonly value: V }) | undefined {
    const entry = this.#entries.get(key)
    return isPresent(entry) ? entry : undefined
  }

  /** What the version set, unless it was replaced or removed since. */
  at(version: number): (VersionedEntry<K, V> & { readonly value: V }) | undefined {
    const change = this.#changes[this.#firstAfter(version - 1)]
    if (change === undefined || change.version !== version) return undefined
    return isPresent(change) && this.#isCurrent(change) ? change : undefined
  }

  set(key: K, value: V): void {
    this.#change({ version: this.#version + 1, key, value })
  }

  /** A removal is a change too; it stays until it is pruned. */
  remove(key: K): void {
    if (this.get(key) === undefined) return
    const removal = { version: this.#version + 1, key, value: undefined }
    this.#change(removal)
    this.#removals.push(removal)
  }

  /** Takes the entry away without a trace: whoever reads the list knows by other means that it is void. */
  forget(key: K): void {
    this.#entries.delete(key)
  }

  /** Every reader has taken in the removals up to the version. */
  prune(through: number): void {
    let pruned = 0
    for (const removal of this.#removals) {
      if (removal.version > through) break
      if (this.#isCurrent(removal)) this.#entries.delete(removal.key)
      pruned += 1
    }
    this.#removals.splice(0, pruned)
  }

  /** The changes after the version that still stand, as long as they fit: `costOf` of all taken is at most `budget`. */
  after(
    version: number,
    budget: number,
    costOf: (key: K) => number,
  ): { readonly through: number; readonly entries: VersionedEntry<K, V>[] } {
    const entries: VersionedEntry<K, V>[] = []
    let left = budget
    for (let i = this.#firstAfter(version); i < this.#changes.length; i++) {
      const change = this.#changes[i]!
      if (!this.#isCurrent(change)) continue
      left -= costOf(change.key)
      if (left < 0) {
        assert(entries.length > 0, 'one entry fits')
        return { through: entries.at(-1)!.version, entries }
      }
      entries.push(change)
    }
    return { through: this.#version, entries }
  }

  #change(entry: VersionedEntry<K, V>): void {
    this.#version = entry.version
    this.#entries.set(entry.key, entry)
    this.#changes.push(entry)
    if (this.#changes.length > 2 * this.#entries.size + 32) {
      this.#changes = this.#changes.filter((change) => this.#isCurrent(change))
    }
  }

  #isCurrent(change: VersionedEntry<K, V>): boolean {
    return this.#entries.get(change.key) === change
  }

  /** The index of the first change above the version. */
  #firstAfter(version: number): number {
    let low = 0
    let high = this.#changes.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#changes[middle]!.version <= version) low = middle + 1
      else high = middle
    }
    return low
  }
}

function isPresent<K, V>(
  entry: VersionedEntry<K, V> | undefined,
): entry is VersionedEntry<K, V> & { readonly value: V } {
  return entry?.value !== undefined
}
