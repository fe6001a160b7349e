// The order of writes: what one process sent to one partition one after the other lies in the log in that order.

import { describe, type Anomaly } from './anomaly.ts'
import { nameOf, type History, type Produce } from './history.ts'

export function checkSends(history: History): Anomaly[] {
  const produces = history.filter((op) => op.kind === 'produce')
  const found = produces.flatMap((op) => (op.ordered ? insideOne(op) : []))
  for (const ops of Map.groupBy(produces, (op) => op.process).values()) found.push(...between(ops))
  return found
}

interface Extent {
  readonly first: number
  readonly last: number
}

/** The acknowledged offsets of an operation, by partition, in the order sent. */
function offsets(op: Produce): Map<string, number[]> {
  const byPartition = new Map<string, number[]>()
  for (const record of op.records) {
    if (record.outcome !== 'ok' || record.offset < 0) continue
    const name = nameOf(record)
    const list = byPartition.get(name)
    if (list === undefined) byPartition.set(name, [record.offset])
    else list.push(record.offset)
  }
  return byPartition
}

function insideOne(op: Produce): Anomaly[] {
  const found: Anomaly[] = []
  for (const [where, list] of offsets(op)) {
    const at = list.findIndex((offset, i) => i > 0 && offset <= (list[i - 1] ?? -1))
    if (at < 0) continue
    const text = `${describe(op)} sent records in order, and they are at ${list[at - 1]}, then ${list[at]}`
    found.push({ name: 'int-nonmonotonic-send', where, text })
  }
  return found
}

/**
 * Two operations of one process are ordered when the first completed before the second was invoked, or when the producer keeps
 * the order of what it pipelines.
 */
function between(ops: readonly Produce[]): Anomaly[] {
  const found: Anomaly[] = []
  const earlier = new Map<string, { readonly op: Produce; readonly last: number }[]>()
  for (const op of ops.toSorted((a, b) => a.invoked - b.invoked)) {
    for (const [where, list] of offsets(op)) {
      const extent: Extent = { first: Math.min(...list), last: Math.max(...list) }
      const before = earlier.get(where) ?? []
      const clash = before.find(
        (e) => e.last >= extent.first && (op.ordered || e.op.completed < op.invoked),
      )
      if (clash !== undefined) {
        const text = `${describe(clash.op)} went to offset ${clash.last}, the later ${describe(op)} to ${extent.first}`
        found.push({ name: 'nonmonotonic-send', where, text })
      }
      earlier.set(where, kept(before, { op, last: extent.last }))
    }
  }
  return found
}

/** Operations that can still tell something: a completed one with a lower offset than another completed one can't. */
function kept<T extends { readonly op: Produce; readonly last: number }>(
  before: readonly T[],
  next: T,
): T[] {
  const list = before.filter((e) => e.last > next.last || e.op.completed > next.op.invoked)
  return [...list.slice(-64), next]
}
