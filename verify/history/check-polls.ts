// The order of reads: a consumer is given every record of a partition from its place on, once, in order.

import { describe, type Anomaly } from './anomaly.ts'
import type { Facts, PartitionFacts } from './facts.ts'
import { nameOf, type Assign, type Final, type Poll, type ReadRecord } from './history.ts'

export function checkPolls(facts: Facts): Anomaly[] {
  const found: Anomaly[] = []
  const byProcess = Map.groupBy(
    facts.history.filter((op) => op.kind === 'poll' || op.kind === 'assign'),
    (op) => op.process,
  )
  for (const ops of byProcess.values()) found.push(...checkProcess(facts, ops))
  for (const op of facts.history) {
    if (op.kind === 'final') found.push(...checkFinal(facts, op))
  }
  return found
}

/** Where one process stands: the next offset that it must be given. */
interface Place {
  readonly next: number
  readonly poll: Poll | Assign
}

function checkProcess(facts: Facts, ops: readonly (Poll | Assign)[]): Anomaly[] {
  const found: Anomaly[] = []
  let places = new Map<string, Place>()
  for (const op of ops.toSorted((a, b) => a.invoked - b.invoked)) {
    if (op.kind === 'assign') {
      places = new Map()
      for (const position of op.positions) {
        if (position.from === undefined) continue
        places.set(nameOf(position), { next: position.from, poll: op })
      }
      continue
    }
    for (const [where, records] of Map.groupBy(op.records, nameOf)) {
      const partition = facts.partitions.get(where)
      const [first, last] = [records[0], records.at(-1)]
      if (partition === undefined || first === undefined || last === undefined) continue
      found.push(...inside(partition, op, records))
      const place = places.get(where)
      if (place !== undefined) found.push(...across(partition, op, first.offset, place))
      // A group's member may lose a partition and get it back, further on, without a word to the recorder.
      if (op.group === undefined) places.set(where, { next: last.offset + 1, poll: op })
    }
  }
  return found
}

function inside(
  partition: PartitionFacts,
  op: Poll | Final,
  records: readonly ReadRecord[],
): Anomaly[] {
  const found: Anomaly[] = []
  const where = partition.name
  const trimmed = partition.mayBeTrimmedBelow(op.completed)
  for (let i = 1; i < records.length; i++) {
    const [before, offset] = [records[i - 1]?.offset ?? -1, records[i]?.offset ?? -1]
    if (offset <= before) {
      const text = `${describe(op)} got offset ${before}, then ${offset}`
      found.push({ name: 'int-nonmonotonic-poll', where, text })
    }
    const skipped = partition.knownWithin(Math.max(before + 1, trimmed), offset)
    if (skipped === undefined) continue
    const text = `${describe(op)} got offset ${before}, then ${offset}, and not ${skipped}, which was written`
    found.push({ name: 'int-poll-skip', where, text })
  }
  found.push(...untrimmed(partition, op, records))
  return found
}

function across(partition: PartitionFacts, op: Poll, first: number, place: Place): Anomaly[] {
  const where = partition.name
  if (first < place.next) {
    const text = `${describe(op)} got offset ${first} although after the ${describe(place.poll)} it stood at ${place.next}`
    return [{ name: 'nonmonotonic-poll', where, text }]
  }
  const from = Math.max(place.next, partition.mayBeTrimmedBelow(op.completed))
  const skipped = partition.knownWithin(from, first)
  if (skipped === undefined) return []
  const stood = `after the ${describe(place.poll)} it stood at ${place.next}`
  const text = `${describe(op)} got offset ${first} and not ${skipped}, which was written; ${stood}`
  return [{ name: 'poll-skip', where, text }]
}

/** A poll may hand out what was fetched before the records were deleted; only what it asked for later must be gone. */
function untrimmed(
  partition: PartitionFacts,
  op: Poll | Final,
  records: readonly ReadRecord[],
): Anomaly[] {
  if (op.kind === 'poll') return []
  const gone = partition.mustBeTrimmedBelow(op.invoked)
  const back = records.find(({ offset }) => offset < gone)
  if (back === undefined) return []
  const text = `records below ${gone} were deleted, and ${back.value} was read at ${back.offset} (${describe(op)})`
  return [{ name: 'untrimmed', where: partition.name, text }]
}

function checkFinal(facts: Facts, op: Final): Anomaly[] {
  const partition = facts.partitions.get(nameOf(op))
  if (partition === undefined) return []
  const where = partition.name
  const found = inside(partition, op, op.records)
  const allowed =
    partition.expiringSince < Infinity ? Infinity : partition.mayBeTrimmedBelow(op.completed)
  if (op.logStart > allowed) {
    const text = `the log begins at ${op.logStart}, although nobody deleted more than what is below ${allowed}`
    found.push({ name: 'unasked-trim', where, text })
  }
  const gone = partition.mustBeTrimmedBelow(op.invoked)
  if (op.logStart < gone) {
    const text = `records below ${gone} were deleted, and in the end the log begins at ${op.logStart}`
    found.push({ name: 'untrimmed', where, text })
  }
  return found
}
