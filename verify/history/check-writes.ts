// Writes against reads: what was acknowledged is there, once, at one place, as it was sent.

import { describe, type Anomaly } from './anomaly.ts'
import type { Facts, PartitionFacts, Read, Sent } from './facts.ts'

export function checkWrites(facts: Facts): Anomaly[] {
  return [...facts.partitions.values()].flatMap((partition) => [
    ...absent(partition, facts.hasFinals),
    ...vanished(partition),
    ...places(partition),
    ...contents(partition),
  ])
}

/** An acks=0 write was promised nothing. */
function isAcknowledged({ op, record }: Sent): boolean {
  return record.outcome === 'ok' && op.acks !== 0
}

/** lost-write and unseen. The final read is what counts where there is one; else anyone's reading does. */
function absent(partition: PartitionFacts, hasFinals: boolean): Anomaly[] {
  if (partition.deleted) return []
  const basis = hasFinals ? (partition.final?.records ?? []) : partition.reads.map((r) => r.record)
  const read = new Set(basis.map((record) => record.value))
  const highest = basis.reduce((max, record) => Math.max(max, record.offset), -1)
  const trimmed = partition.mayBeTrimmedBelow(Infinity)
  const found: Anomaly[] = []
  for (const sent of partition.sent.values()) {
    const { value, offset } = sent.record
    if (!isAcknowledged(sent) || read.has(value)) continue
    if (offset < trimmed && (offset >= 0 || trimmed > 0)) continue
    const lost = offset >= 0 && offset <= highest
    const place = offset < 0 ? 'without an offset' : `at offset ${offset}`
    const text = `${value} was acknowledged ${place} (${describe(sent.op)}), ${
      lost ? `reading went up to ${highest}, and it was not there` : 'and nobody read it'
    }`
    found.push({ name: lost ? 'lost-write' : 'unseen', where: partition.name, text })
  }
  return found
}

/** What a reader saw was committed, whatever its producer was told: it must still be there. */
function vanished(partition: PartitionFacts): Anomaly[] {
  const { final } = partition
  if (final === undefined || partition.deleted) return []
  const there = new Map(final.records.map((record) => [record.offset, record.value]))
  const found: Anomaly[] = []
  const reported = new Set<number>()
  for (const { op, record } of partition.reads) {
    const { offset, value } = record
    if (op.kind === 'final' || offset < final.logStart || reported.has(offset)) continue
    if (there.get(offset) === value) continue
    reported.add(offset)
    const now = there.get(offset) ?? 'nothing'
    const text = `${value} was read at offset ${offset} (${describe(op)}); in the end ${now} is there`
    found.push({ name: 'vanished', where: partition.name, text })
  }
  return found
}

/** duplicate and inconsistent-offsets. */
function places(partition: PartitionFacts): Anomaly[] {
  const offsetsOf = new Map<string, Set<number>>()
  const valuesAt = new Map<number, Set<string>>()
  const note = (value: string, offset: number): void => {
    if (offset < 0) return
    add(offsetsOf, value, offset)
    add(valuesAt, offset, value)
  }
  for (const { record } of partition.sent.values()) {
    if (record.outcome === 'ok') note(record.value, record.offset)
  }
  for (const { record } of partition.reads) note(record.value, record.offset)
  const found: Anomaly[] = []
  for (const [value, offsets] of offsetsOf) {
    const sent = partition.sent.get(value)
    if (offsets.size < 2 || sent === undefined || !sent.op.idempotent) continue
    const text = `${value}, sent once by an idempotent producer (${describe(sent.op)}), is at offsets ${listed(offsets)}`
    found.push({ name: 'duplicate', where: partition.name, text })
  }
  for (const [offset, values] of valuesAt) {
    if (values.size < 2) continue
    const text = `offset ${offset} was ${[...values].join(' and also ')}`
    found.push({ name: 'inconsistent-offsets', where: partition.name, text })
  }
  return found
}

/** aborted-read, phantom and corrupted. */
function contents(partition: PartitionFacts): Anomaly[] {
  const found: Anomaly[] = []
  const reported = new Set<string>()
  for (const read of partition.reads) {
    const wrong = wrongContent(partition, read)
    if (wrong === undefined || reported.has(`${wrong.name} ${read.record.value}`)) continue
    reported.add(`${wrong.name} ${read.record.value}`)
    found.push(wrong)
  }
  return found
}

function wrongContent(partition: PartitionFacts, { op, record }: Read): Anomaly | undefined {
  const where = partition.name
  const what = `${record.value} at offset ${record.offset} (${describe(op)})`
  const sent = partition.sent.get(record.value)
  if (sent === undefined) return { name: 'phantom', where, text: `${what} was sent by nobody` }
  if (sent.record.outcome === 'fail') {
    const text = `${what} was refused to its producer (${describe(sent.op)})`
    return { name: 'aborted-read', where, text }
  }
  if (record.crc !== undefined && sent.record.crc !== undefined && record.crc !== sent.record.crc) {
    return { name: 'corrupted', where, text: `${what} is not what was sent (${describe(sent.op)})` }
  }
  return undefined
}

function add<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key)
  if (set === undefined) map.set(key, new Set([value]))
  else set.add(value)
}

function listed(numbers: ReadonlySet<number>): string {
  return [...numbers].toSorted((a, b) => a - b).join(', ')
}
