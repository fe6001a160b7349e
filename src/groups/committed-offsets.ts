// The committed offsets of one partition of `__consumer_offsets`: the last committed record of every key.

import type { OffsetEntry, OffsetRecord } from './group-records.ts'

export interface CommittedOffset {
  readonly topic: string
  readonly partition: number
  readonly entry: OffsetEntry
}

/** Whether the topic of an offset is gone; `id` is the topic's when it was committed, undefined where not known. */
export type IsGone = (topic: string, id: string | undefined) => boolean

export class CommittedOffsets {
  /** By group, topic and partition; no map in it is empty. */
  readonly #groups = new Map<string, Map<string, Map<number, OffsetEntry>>>()

  apply({ group, topic, partition, entry }: OffsetRecord): void {
    const topics = this.#groups.get(group) ?? new Map<string, Map<number, OffsetEntry>>()
    const partitions = topics.get(topic) ?? new Map<number, OffsetEntry>()
    if (entry !== null) {
      partitions.set(partition, entry)
      topics.set(topic, partitions)
      this.#groups.set(group, topics)
      return
    }
    partitions.delete(partition)
    if (partitions.size === 0) topics.delete(topic)
    if (topics.size === 0) this.#groups.delete(group)
  }

  clear(): void {
    this.#groups.clear()
  }

  get(group: string, topic: string, partition: number): OffsetEntry | undefined {
    return this.#groups.get(group)?.get(topic)?.get(partition)
  }

  has(group: string): boolean {
    return this.#groups.has(group)
  }

  groups(): Iterable<string> {
    return this.#groups.keys()
  }

  *of(group: string): Generator<CommittedOffset, void, void> {
    for (const [topic, partitions] of this.#groups.get(group) ?? []) {
      for (const [partition, entry] of partitions) yield { topic, partition, entry }
    }
  }
}
