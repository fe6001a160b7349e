// What a history says about each partition, gathered once for all checks.

import type {
  End,
  Final,
  History,
  Poll,
  PartitionName,
  Produce,
  ReadRecord,
  SentRecord,
  Trim,
} from './history.ts'
import { nameOf } from './history.ts'

export interface Sent {
  readonly op: Produce
  readonly record: SentRecord
}

export interface Read {
  readonly op: Poll | Final
  readonly record: ReadRecord
}

export class PartitionFacts {
  readonly name: string
  readonly topic: string
  /** By value. */
  readonly sent = new Map<string, Sent>()
  readonly reads: Read[] = []
  readonly trims: Trim[] = []
  readonly ends: End[] = []
  final: Final | undefined
  /** The topic was deleted, or may have been: nothing is owed. */
  deleted = false
  /** Since this moment records may expire. */
  expiringSince = Infinity
  #known: number[] | undefined

  constructor({ topic, partition }: PartitionName) {
    this.topic = topic
    this.name = nameOf({ topic, partition })
  }

  /** The offsets that are known to hold a record, ascending: acknowledged there, or read there. */
  get known(): readonly number[] {
    if (this.#known === undefined) {
      const offsets = new Set<number>()
      for (const { record } of this.sent.values()) {
        if (record.outcome === 'ok' && record.offset >= 0) offsets.add(record.offset)
      }
      for (const { record } of this.reads) offsets.add(record.offset)
      this.#known = [...offsets].toSorted((a, b) => a - b)
    }
    return this.#known
  }

  /** The first known offset in [from, below), if any. */
  knownWithin(from: number, below: number): number | undefined {
    const { known } = this
    let [low, high] = [0, known.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((known[middle] ?? 0) < from) low = middle + 1
      else high = middle
    }
    const found = known[low]
    return found !== undefined && found < below ? found : undefined
  }

  /** Records below it may be gone on purpose for someone who looks no later than `moment`. */
  mayBeTrimmedBelow(moment: number): number {
    const expires = this.expiringSince < Infinity && moment >= this.expiringSince
    let bound = expires ? this.#expiredBelow() : 0
    for (const trim of this.trims) {
      if (trim.invoked > moment || trim.outcome === 'fail') continue
      bound = Math.max(bound, trim.outcome === 'ok' ? trim.logStart : trim.offset)
    }
    return bound
  }

  /** Records below it must be gone for someone who begins to look at `moment`. */
  mustBeTrimmedBelow(moment: number): number {
    let bound = 0
    for (const trim of this.trims) {
      if (trim.outcome === 'ok' && trim.completed < moment) bound = Math.max(bound, trim.logStart)
    }
    return bound
  }

  /** Retention moves the log start by itself; where it ended up is the most that can have expired. */
  #expiredBelow(): number {
    return this.final?.logStart ?? Infinity
  }
}

export interface Facts {
  readonly history: History
  readonly partitions: ReadonlyMap<string, PartitionFacts>
  /** Some partition was read whole at the end, so every partition not deleted must have been. */
  readonly hasFinals: boolean
}

export function gather(history: History): Facts {
  const partitions = new Map<string, PartitionFacts>()
  const of = (name: PartitionName): PartitionFacts => {
    const key = nameOf(name)
    let facts = partitions.get(key)
    if (facts === undefined) partitions.set(key, (facts = new PartitionFacts(name)))
    return facts
  }
  let hasFinals = false
  for (const op of history) {
    switch (op.kind) {
      case 'produce':
        for (const record of op.records) of(record).sent.set(record.value, { op, record })
        break
      case 'poll':
        for (const record of op.records) of(record).reads.push({ op, record })
        break
      case 'final':
        hasFinals = true
        of(op).final = op
        for (const record of op.records) of(op).reads.push({ op, record })
        break
      case 'trim':
        of(op).trims.push(op)
        break
      case 'end':
        of(op).ends.push(op)
        break
      default:
        break
    }
  }
  markTopics(history, partitions)
  return { history, partitions, hasFinals }
}

function markTopics(history: History, partitions: ReadonlyMap<string, PartitionFacts>): void {
  const deleted = new Set<string>()
  const expiring = new Map<string, number>()
  for (const op of history) {
    if (op.kind === 'delete' && op.outcome !== 'fail') deleted.add(op.topic)
    if (op.kind === 'expiring' && !expiring.has(op.topic)) expiring.set(op.topic, op.invoked)
  }
  for (const facts of partitions.values()) {
    facts.deleted = deleted.has(facts.topic)
    facts.expiringSince = expiring.get(facts.topic) ?? Infinity
  }
}
