// Histories made wrong on purpose, one way for each name: what a checker is worth is what it finds.

import type { Prng } from '../../../src/env/sim/prng.ts'
import type { AnomalyName } from '../anomaly.ts'
import type { Final, History, Operation, Poll, Produce, ReadRecord } from '../history.ts'

/** Undefined where this history gives no occasion for it. */
export type Plant = (history: History, chance: Prng) => History | undefined

function pick<T>(chance: Prng, items: readonly T[]): T | undefined {
  return items.length === 0 ? undefined : chance.pick(items)
}

function replaced(history: History, old: Operation, ...by: Operation[]): History {
  return history.flatMap((op) => (op === old ? by : [op]))
}

function finals(history: History): Final[] {
  return history.filter((op) => op.kind === 'final')
}

function produces(history: History): Produce[] {
  return history.filter((op) => op.kind === 'produce')
}

function same(a: ReadRecord, b: { readonly topic: string; readonly partition: number }): boolean {
  return a.topic === b.topic && a.partition === b.partition
}

/** An acknowledged record that the final read has, with that read. */
function acknowledged(
  history: History,
  chance: Prng,
  accept: (op: Produce, read: ReadRecord, final: Final) => boolean = () => true,
): { readonly op: Produce; readonly read: ReadRecord; readonly final: Final } | undefined {
  const sent = new Map(
    produces(history).flatMap((op) =>
      op.records
        .filter((r) => r.outcome === 'ok' && op.acks !== 0 && r.offset >= 0)
        .map((r) => [r.value, { op, offset: r.offset }] as const),
    ),
  )
  const candidates = finals(history).flatMap((final) =>
    final.records.flatMap((read) => {
      const found = sent.get(read.value)
      return found?.offset === read.offset && accept(found.op, read, final)
        ? [{ op: found.op, read, final }]
        : []
    }),
  )
  return pick(chance, candidates)
}

/** Without the value, wherever anyone read it. */
function unread(history: History, value: string): History {
  return history.map((op) =>
    op.kind === 'poll' || op.kind === 'final'
      ? { ...op, records: op.records.filter((record) => record.value !== value) }
      : op,
  )
}

function singlePolls(history: History): { op: Poll; records: ReadRecord[] }[] {
  return history
    .filter((op) => op.kind === 'poll')
    .flatMap((op) =>
      [...Map.groupBy(op.records, (r) => r.partition).values()].map((records) => ({ op, records })),
    )
}

function withRecords(op: Poll, out: readonly ReadRecord[], into: readonly ReadRecord[]): Poll {
  return { ...op, records: [...op.records.filter((r) => !out.includes(r)), ...into] }
}

export const plants: Readonly<Partial<Record<AnomalyName, Plant>>> = {
  'lost-write': (history, chance) => {
    const found = acknowledged(
      history,
      chance,
      (_, read, { records }) =>
        records.at(-1) !== read && !records.some((r) => r !== read && r.value === read.value),
    )
    return found === undefined ? undefined : unread(history, found.read.value)
  },
  unseen: (history, chance) => {
    const found = acknowledged(
      history,
      chance,
      (_, read, { records }) =>
        records.at(-1) === read && !records.some((r) => r !== read && r.value === read.value),
    )
    return found === undefined ? undefined : unread(history, found.read.value)
  },
  duplicate: (history, chance) => {
    const found = acknowledged(history, chance, (op) => op.idempotent)
    if (found === undefined) return undefined
    const { final, read } = found
    const again = { ...read, offset: final.highWatermark }
    return replaced(history, final, { ...final, records: [...final.records, again] })
  },
  'inconsistent-offsets': (history, chance) => {
    const found = acknowledged(history, chance)
    if (found === undefined) return undefined
    const { final, read } = found
    const other = { ...read, value: 'another' }
    return replaced(history, final, {
      ...final,
      records: final.records.map((r) => (r === read ? other : r)),
    })
  },
  'nonmonotonic-send': (history, chance) => {
    const one = pick(
      chance,
      produces(history).filter((op) => op.records.some((r) => r.outcome === 'ok' && r.offset > 0)),
    )
    if (one === undefined) return undefined
    const record = one.records.find((r) => r.offset > 0)
    if (record === undefined) return undefined
    const moment = 1e9
    const later: Produce = {
      ...one,
      invoked: moment,
      completed: moment + 1,
      records: [{ ...record, value: 'later', offset: record.offset - 1 }],
    }
    return [...history, later]
  },
  'int-nonmonotonic-send': (history, chance) => {
    const one = pick(
      chance,
      produces(history).filter(
        (op) => op.ordered && op.records.filter((r) => r.offset >= 0).length >= 2,
      ),
    )
    if (one === undefined) return undefined
    const offsets = one.records.map((r) => r.offset).toReversed()
    return replaced(history, one, {
      ...one,
      records: one.records.map((r, i) => ({ ...r, offset: offsets[i] ?? -1 })),
    })
  },
  'nonmonotonic-poll': (history, chance) => {
    const polls = singlePolls(history).filter(({ op }) => op.group === undefined)
    const found = pick(chance, polls)
    if (found === undefined) return undefined
    const { op } = found
    const again: Poll = { ...op, invoked: op.invoked + 0.3, completed: op.completed + 0.3 }
    return replaced(history, op, op, again)
  },
  'int-nonmonotonic-poll': (history, chance) => {
    const found = pick(
      chance,
      singlePolls(history).filter(({ records }) => records.length >= 2),
    )
    if (found === undefined) return undefined
    const { op, records } = found
    return replaced(history, op, withRecords(op, records, records.toReversed()))
  },
  'int-poll-skip': (history, chance) => {
    const polls = singlePolls(history).filter(
      ({ records }) => records.length >= 3 && canMiss(history, records[1]),
    )
    const found = pick(chance, polls)
    if (found === undefined) return undefined
    const { op, records } = found
    return replaced(
      history,
      op,
      withRecords(
        op,
        records,
        records.filter((_, i) => i !== 1),
      ),
    )
  },
  'poll-skip': (history, chance) => {
    const polls = singlePolls(history).filter(
      ({ op, records }) =>
        op.group === undefined && records.length >= 2 && canMiss(history, records[0]),
    )
    const found = pick(chance, polls)
    if (found === undefined) return undefined
    const { op, records } = found
    const [first, ...rest] = records
    if (first === undefined) return undefined
    // It stood before the first record, and is given the second.
    const { topic, partition } = first
    const assign: Operation = {
      ...op,
      kind: 'assign',
      invoked: op.invoked - 0.5,
      completed: op.invoked - 0.4,
      positions: [{ topic, partition, from: first.offset }],
    }
    return replaced(history, op, assign, withRecords(op, records, rest))
  },
  'aborted-read': (history, chance) => {
    const found = acknowledged(history, chance)
    if (found === undefined) return undefined
    const { op, read } = found
    const records = op.records.map((r) =>
      r.value === read.value ? { ...r, outcome: 'fail' as const } : r,
    )
    return replaced(history, op, { ...op, records })
  },
  phantom: (history, chance) => {
    const final = pick(chance, finals(history))
    if (final === undefined) return undefined
    const { topic, partition, highWatermark: offset } = final
    const records = [...final.records, { topic, partition, offset, value: 'from nowhere' }]
    return replaced(history, final, { ...final, records })
  },
  corrupted: (history, chance) => {
    const found = acknowledged(history, chance)
    if (found === undefined) return undefined
    const { final, read } = found
    const records = final.records.map((r) => (r === read ? { ...r, crc: -7 } : r))
    return replaced(history, final, { ...final, records })
  },
  vanished: (history, chance) => {
    const read = history.filter((op) => op.kind === 'poll').flatMap((op) => op.records)
    const candidates = finals(history).flatMap((final) =>
      final.records
        .filter((r) => read.some((other) => same(other, r) && other.offset === r.offset))
        .map((r) => ({ final, r })),
    )
    const found = pick(chance, candidates)
    if (found === undefined) return undefined
    const records = found.final.records.filter((r) => r !== found.r)
    return replaced(history, found.final, { ...found.final, records })
  },
  'changed-bytes': (history, chance) => {
    const op = pick(
      chance,
      history.filter((o) => o.kind === 'bytes').filter((o) => o.batches.length > 0),
    )
    if (op === undefined) return undefined
    const batches = op.batches.map((batch) => ({ ...batch, crc: batch.crc + 1 }))
    return [...history, { ...op, invoked: 1e9, completed: 1e9 + 1, batches }]
  },
  'unasked-trim': (history, chance) => {
    const final = pick(
      chance,
      finals(history).filter((f) => f.records.length > 0),
    )
    if (final === undefined) return undefined
    return replaced(history, final, {
      ...final,
      logStart: final.logStart + 1,
      records: final.records.slice(1),
    })
  },
  untrimmed: (history, chance) => {
    const final = pick(chance, finals(history))
    if (final === undefined) return undefined
    const { topic, partition, process, invokedMs } = final
    const offset = final.logStart + 1
    const trim: Operation = {
      kind: 'trim',
      topic,
      partition,
      process,
      invokedMs,
      offset,
      outcome: 'ok',
      logStart: offset,
      invoked: final.invoked - 0.5,
      completed: final.invoked - 0.4,
    }
    return replaced(history, final, trim, final)
  },
  'high-watermark-back': (history, chance) => {
    const final = pick(
      chance,
      finals(history).filter((f) => f.highWatermark > 0),
    )
    if (final === undefined) return undefined
    const { topic, partition, process, invokedMs, highWatermark } = final
    const end: Operation = {
      kind: 'end',
      topic,
      partition,
      process,
      invokedMs,
      highWatermark: highWatermark - 1,
      invoked: 1e9,
      completed: 1e9 + 1,
    }
    return [...history, end]
  },
  'group-skip': (history, chance) => {
    const final = pick(
      chance,
      finals(history).filter((f) => f.records.length > 0),
    )
    if (final === undefined) return undefined
    const { topic, partition, highWatermark: offset, process, invokedMs } = final
    const commit: Operation = {
      kind: 'commit',
      group: 'idlers',
      process,
      invokedMs,
      retried: false,
      outcome: 'ok',
      positions: [{ topic, partition, offset }],
      invoked: 1e9,
      completed: 1e9 + 1,
    }
    return [...history, commit]
  },
  'stale-commit': (history, chance) => committedAs(history, chance, (offset) => offset - 1),
  'lost-commit': (history, chance) => committedAs(history, chance, () => -1),
  'stale-read': (history, chance) => {
    const op = pick(
      chance,
      history.filter((o) => o.kind === 'read'),
    )
    return op === undefined ? undefined : replaced(history, op, { ...op, value: 'never written' })
  },
  'topic-resurrected': (history, chance) => {
    const op = pick(
      chance,
      history.filter((o) => o.kind === 'delete'),
    )
    if (op === undefined) return undefined
    return [
      ...history,
      { ...op, kind: 'list', topics: [op.topic], invoked: 1e9, completed: 1e9 + 1 },
    ]
  },
  'producer-id-reused': (history, chance) => {
    const op = pick(
      chance,
      history.filter((o) => o.kind === 'identity'),
    )
    return op === undefined ? undefined : [...history, { ...op, invoked: 1e9, completed: 1e9 + 1 }]
  },
}

/** Deleted records are no gap, and neither is one that nobody else read. */
function canMiss(history: History, read: ReadRecord | undefined): boolean {
  return (
    read !== undefined &&
    finals(history).some(
      (final) => same(read, final) && final.records.some((r) => r.offset === read.offset),
    )
  )
}

/** A last reading of a group's offsets, after an acknowledged commit, with another answer. */
function committedAs(
  history: History,
  chance: Prng,
  change: (offset: number) => number,
): History | undefined {
  const commits = history.filter((op) => op.kind === 'commit')
  const last = commits.findLast((op) => op.outcome === 'ok')
  const [position] = last?.positions ?? []
  if (last === undefined || position === undefined || position.offset < 1) return undefined
  const lower = change(position.offset)
  // Any other value that may be there after it would be a fair answer.
  const excused = commits.some(
    (op) =>
      op !== last &&
      op.outcome !== 'fail' &&
      op.positions.some(
        (p) => p.offset === lower && (op.outcome !== 'ok' || op.completed > last.invoked),
      ),
  )
  if (excused) return undefined
  const { process, invokedMs, group } = last
  const moment = 1e9 + chance.below(10)
  return [
    ...history,
    {
      kind: 'committed',
      group,
      process,
      invokedMs,
      invoked: moment,
      completed: moment + 1,
      positions: [{ ...position, offset: lower }],
    },
  ]
}
