// The keys of a group's offset commits that are appended and not yet committed. A deletion of the group or of a topic must
// cover them too: by the time it commits they are there.

import type { OffsetRecord } from './group-records.ts'

export class PendingOffsets {
  readonly #counts = new Map<
    string,
    { readonly topic: string; readonly partition: number; count: number }
  >()

  get size(): number {
    return this.#counts.size
  }

  has(topic: string, partition: number): boolean {
    return this.#counts.has(keyOf(topic, partition))
  }

  keys(): Iterable<{ readonly topic: string; readonly partition: number }> {
    return this.#counts.values()
  }

  /** Counts the records in; the result takes them off again. */
  add(records: readonly OffsetRecord[]): () => void {
    for (const { topic, partition } of records) {
      const key = keyOf(topic, partition)
      const known = this.#counts.get(key)
      if (known === undefined) this.#counts.set(key, { topic, partition, count: 1 })
      else known.count++
    }
    return () => {
      for (const { topic, partition } of records) {
        const key = keyOf(topic, partition)
        const known = this.#counts.get(key)
        if (known !== undefined && --known.count === 0) this.#counts.delete(key)
      }
    }
  }
}

/** No legal topic name has a slash. */
function keyOf(topic: string, partition: number): string {
  return `${topic}/${partition}`
}
