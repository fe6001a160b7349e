// What else must not happen: a group that commits past unread records, a high watermark that moves back, bytes that change,
// a deleted topic that comes back, a producer id given twice.

import { describe, type Anomaly } from './anomaly.ts'
import type { Facts } from './facts.ts'
import { nameOf, type Bytes, type History } from './history.ts'

export function checkCluster(facts: Facts): Anomaly[] {
  const { history } = facts
  return [
    ...groupSkips(facts),
    ...highWatermarks(facts),
    ...changedBytes(history),
    ...resurrectedTopics(history),
    ...reusedIdentities(facts),
  ]
}

/** Records below a group's committed offset were given to some member before the commit. The groups begin at the log start. */
function groupSkips(facts: Facts): Anomaly[] {
  const found: Anomaly[] = []
  const seen = new Map<string, Set<number>>()
  const checkedTo = new Map<string, number>()
  const steps = facts.history
    .filter((op) => op.kind === 'poll' || op.kind === 'commit')
    .toSorted((a, b) => momentOf(a) - momentOf(b))
  for (const op of steps) {
    if (op.kind === 'poll') {
      if (op.group === undefined) continue
      for (const record of op.records)
        setOf(seen, `${op.group} ${nameOf(record)}`).add(record.offset)
      continue
    }
    for (const position of op.positions) {
      const partition = facts.partitions.get(nameOf(position))
      if (partition === undefined || op.outcome === 'fail') continue
      const key = `${op.group} ${partition.name}`
      const given = setOf(seen, key)
      const from = Math.max(checkedTo.get(key) ?? 0, partition.mayBeTrimmedBelow(op.completed))
      for (let offset = partition.knownWithin(from, position.offset); offset !== undefined;) {
        if (!given.has(offset)) {
          const text = `${describe(op)} committed ${position.offset}, and no member was given offset ${offset}`
          found.push({ name: 'group-skip', where: `${op.group} on ${partition.name}`, text })
          break
        }
        offset = partition.knownWithin(offset + 1, position.offset)
      }
      checkedTo.set(key, Math.max(checkedTo.get(key) ?? 0, position.offset))
    }
  }
  return found
}

/** A poll counts when its records were handed out, a commit when it was asked for. */
function momentOf(op: {
  readonly kind: string
  readonly invoked: number
  readonly completed: number
}): number {
  return op.kind === 'poll' ? op.completed : op.invoked
}

function setOf(sets: Map<string, Set<number>>, key: string): Set<number> {
  let set = sets.get(key)
  if (set === undefined) sets.set(key, (set = new Set()))
  return set
}

function highWatermarks(facts: Facts): Anomaly[] {
  const found: Anomaly[] = []
  for (const partition of facts.partitions.values()) {
    const told = [...partition.ends, ...(partition.final === undefined ? [] : [partition.final])]
    const acknowledged = [...partition.sent.values()]
      .filter(({ op, record }) => record.outcome === 'ok' && op.acks !== 0 && record.offset >= 0)
      .map(({ op, record }) => ({ op, end: record.offset + 1 }))
    const floors = [...told.map((op) => ({ op, end: op.highWatermark })), ...acknowledged]
    const inOrder = floors.toSorted((a, b) => a.op.completed - b.op.completed)
    let next = 0
    let floor: (typeof inOrder)[number] | undefined
    for (const op of told.toSorted((a, b) => a.invoked - b.invoked)) {
      for (let at = inOrder[next]; at !== undefined && at.op.completed < op.invoked;) {
        if (floor === undefined || at.end > floor.end) floor = at
        next += 1
        at = inOrder[next]
      }
      if (floor === undefined || op.highWatermark >= floor.end) continue
      const had = `${describe(floor.op)} had ended at ${floor.end}`
      const text = `${describe(op)} was told the high watermark ${op.highWatermark}; ${had}`
      found.push({ name: 'high-watermark-back', where: partition.name, text })
    }
  }
  return found
}

function changedBytes(history: History): Anomaly[] {
  const found: Anomaly[] = []
  const known = new Map<string, { op: Bytes; last: number; crc: number }>()
  for (const op of history) {
    if (op.kind !== 'bytes') continue
    for (const { offset, last, crc } of op.batches) {
      const key = `${nameOf(op)} ${offset}`
      const before = known.get(key)
      if (before === undefined) known.set(key, { op, last, crc })
      else if (before.last !== last || before.crc !== crc) {
        const when = `${describe(before.op)}, then ${describe(op)}`
        const text = `the batch at offset ${offset} is not the one that was served before (${when})`
        found.push({ name: 'changed-bytes', where: nameOf(op), text })
      }
    }
  }
  return found
}

function resurrectedTopics(history: History): Anomaly[] {
  const found: Anomaly[] = []
  const deletes = history.filter((op) => op.kind === 'delete').filter((op) => op.outcome === 'ok')
  for (const op of history) {
    if (op.kind !== 'list' || op.stale === true) continue
    for (const gone of deletes) {
      if (gone.completed >= op.invoked || !op.topics.includes(gone.topic)) continue
      const text = `it was deleted (${describe(gone)}), and ${describe(op)} names it`
      found.push({ name: 'topic-resurrected', where: gone.topic, text })
    }
  }
  return found
}

/** Given out twice, or found on the batches of two producers. */
function reusedIdentities(facts: Facts): Anomaly[] {
  const found: Anomaly[] = []
  const owners = new Map<number, string>()
  const note = (producerId: number, owner: string): void => {
    const before = owners.get(producerId)
    if (before === undefined) owners.set(producerId, owner)
    else if (before !== owner) {
      const text = `producer id ${producerId} went to ${before} and to ${owner}`
      found.push({ name: 'producer-id-reused', where: `producer id ${producerId}`, text })
    }
  }
  for (const op of facts.history) {
    if (op.kind === 'identity')
      note(op.producerId, `${op.process} (${describe(op)}, #${op.invoked})`)
  }
  for (const partition of facts.partitions.values()) {
    for (const { value, producerId = -1 } of partition.final?.records ?? []) {
      const sent = partition.sent.get(value)
      if (producerId >= 0 && sent !== undefined) note(producerId, sent.op.process)
    }
  }
  return found
}
