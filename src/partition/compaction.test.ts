// Compaction over a real store: whatever was written, of each key the newest record stays, in its place, through restarts and
// power cuts; and no value comes back from behind a tombstone.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { asLeaderEpoch, asOffset, type Offset } from '../base/brand.ts'
import * as header from '../records/batch-header.ts'
import { recordsOf } from '../records/read.ts'
import type { StoredLog } from '../storage/store.ts'
import { append, COMPACTION_NOW, Machine, seal, value } from './testing/compactable.ts'
import {
  compactOnce,
  fateOf,
  groupSegments,
  keyOf,
  type CompactionOptions,
  type CompactionResult,
} from './compaction.ts'

const NOW = COMPACTION_NOW

interface Found {
  readonly offset: number
  readonly key: string
  readonly value: string | null
}

/** Everything, and that the batches leave no offset out. */
async function contents(machine: Machine, log: StoredLog): Promise<Found[]> {
  const found: Found[] = []
  let next: number = log.logStart
  for (let from = log.logStart; from < log.end.offset;) {
    const read = await machine.do(
      (async () => log.read({ from, below: log.end.offset, maxBytes: 1 }))(),
    )
    for (const chunk of read.chunks) {
      for (const at of header.batchesIn(chunk)) {
        assert.ok(header.baseOffsetAt(chunk, at) <= next)
        next = header.nextOffsetAt(chunk, at)
        for (const { offset, key, value } of recordsOf(chunk, at)) {
          if (offset < log.logStart) continue
          const text = value === null ? null : Buffer.from(value).toString()
          found.push({ offset, key: Buffer.from(key ?? []).toString(), value: text })
        }
      }
    }
    from = read.next
  }
  assert.equal(next, log.end.offset)
  return found
}

const latest = (found: readonly Found[]): Map<string, string> => {
  const map = new Map<string, string>()
  for (const { key, value } of found) {
    if (value === null) map.delete(key)
    else map.set(key, value)
  }
  return map
}

function compact(
  machine: Machine,
  log: StoredLog,
  options: Partial<CompactionOptions> = {},
): Promise<CompactionResult> {
  return machine.do(
    compactOnce(log, {
      upTo: log.end.offset,
      now: NOW,
      deleteRetentionMs: 1000,
      segmentBytes: 600,
      ...options,
    }),
  )
}

test('of each key the newest record stays where it was', async () => {
  const machine = new Machine()
  const log = await machine.open()
  for (let i = 0; i < 20; i++) append(log, [{ key: `k${i % 3}`, value: value(i) }])
  await seal(machine, log)
  const before = await contents(machine, log)
  const result = await compact(machine, log)
  assert.ok(result.kind === 'compacted')
  assert.equal(result.cleanedTo, result.sealedTo)
  assert.ok(result.bytesAfter < result.bytesBefore / 2)
  const after = await contents(machine, log)
  assert.deepEqual(
    after.map(({ offset }) => offset),
    [17, 18, 19, 20, 21],
  )
  assert.deepEqual(latest(after), latest(before))
  const again = await compact(machine, log)
  assert.ok(again.kind === 'compacted' && again.records === again.kept)
  machine.host.powerCut('lose')
  assert.deepEqual(await contents(machine, await machine.open()), after)
})

test('an idle log, and what lies above the commit, is left alone', async () => {
  const machine = new Machine()
  const log = await machine.open()
  assert.deepEqual(await compact(machine, log), { kind: 'nothing' })
  for (let i = 0; i < 12; i++) append(log, [{ key: 'k', value: value(i) }])
  await seal(machine, log)
  const sealed = log.segments().slice(0, -1)
  const upTo = asOffset(sealed[1]!.endOffset + 1)
  const result = await compact(machine, log, { upTo })
  assert.ok(result.kind === 'compacted')
  assert.equal(result.sealedTo, sealed[1]!.endOffset)
  const after = await contents(machine, log)
  const kept = after.filter(({ key }) => key === 'k').map(({ offset }) => offset)
  assert.deepEqual(kept, [...Array(12).keys()].slice(sealed[1]!.endOffset - 1))
})

test('a tombstone ends older values, stays for delete.retention.ms, and is journaled when it goes', async () => {
  const machine = new Machine()
  const log = await machine.open()
  append(log, [{ key: 'old', value: value(1) }])
  append(log, [{ key: 'young', value: value(2) }])
  append(log, [{ key: 'bound', value: value(3) }])
  append(log, [{ key: 'old', value: null, timestampMs: NOW - 1001 }])
  append(log, [{ key: 'young', value: null, timestampMs: NOW - 1000 }])
  append(log, [{ key: 'bound', value: null, timestampMs: 5 }])
  await seal(machine, log)
  await compact(machine, log, { tombstonesUpTo: asOffset(5) })
  const after = (await contents(machine, log)).filter(({ value: text }) => text === null)
  assert.deepEqual(
    after.map(({ key }) => key),
    ['young', 'bound'],
  )
  assert.equal(log.tombstonesRemovedBelow, 4)
  await compact(machine, log, { now: NOW + 1 })
  assert.equal(log.tombstonesRemovedBelow, 6)
  machine.host.powerCut('lose')
  const again = await machine.open()
  assert.equal(again.tombstonesRemovedBelow, 6)
  assert.deepEqual([...latest(await contents(machine, again)).keys()], ['last', 'active'])
})

test('what is transactional stays as it is, and the last batch of a producer keeps its sequence', async () => {
  const machine = new Machine()
  const log = await machine.open()
  const producer = (baseSequence: number) => ({ producerId: 4, producerEpoch: 0, baseSequence })
  append(log, [{ key: 'k', value: value(0) }], { producer: producer(0) })
  append(log, [{ key: 'k', value: value(1) }], { producer: producer(1) })
  append(log, [{ key: 't', value: value(2) }], {
    producer: { producerId: 9, producerEpoch: 1, baseSequence: 0 },
    transactional: true,
  })
  append(log, [{ key: null, value: value(3) }])
  append(log, [{ key: 't', value: value(4) }])
  append(log, [{ key: 'k', value: value(5) }])
  await seal(machine, log)
  await compact(machine, log)
  const offsets = (await contents(machine, log)).map(({ offset }) => offset)
  assert.deepEqual(offsets, [2, 4, 5, 6, 7])
  const read = await machine.do(
    (async () => log.read({ from: asOffset(0), below: asOffset(2), maxBytes: 1e6 }))(),
  )
  const bytes = Buffer.concat(read.chunks)
  const batches = [...header.batchesIn(bytes)].map((at) => [
    header.baseOffsetAt(bytes, at),
    header.producerIdAt(bytes, at),
    header.lastSequenceAt(bytes, at),
    header.recordCountAt(bytes, at),
  ])
  assert.deepEqual(batches, [
    [0, -1, -1, 0],
    [1, 4, 1, 0],
  ])
})

test('fillers stay within one epoch, and below the log start one stands for everything', async () => {
  const machine = new Machine()
  const log = await machine.open()
  append(
    log,
    Array.from({ length: 4 }, (_, i) => ({ key: 'k', value: value(i) })),
  )
  for (let i = 4; i < 6; i++) append(log, [{ key: 'k', value: value(i) }])
  log.startEpoch(asLeaderEpoch(2))
  for (let i = 6; i < 9; i++) append(log, [{ key: 'k', value: value(i) }])
  await seal(machine, log)
  log.advanceLogStart(asOffset(2))
  await machine.settle()
  const result = await compact(machine, log, { segmentBytes: 10_000 })
  assert.equal(result.kind, 'compacted')
  const read = await machine.do(
    (async () => log.read({ from: asOffset(2), below: asOffset(9), maxBytes: 1e6 }))(),
  )
  const bytes = Buffer.concat(read.chunks)
  const batches = [...header.batchesIn(bytes)].map((at) => [
    header.baseOffsetAt(bytes, at),
    header.lastOffsetAt(bytes, at),
    header.leaderEpochAt(bytes, at),
    header.recordCountAt(bytes, at),
  ])
  assert.deepEqual(batches, [
    [2, 5, 1, 0],
    [6, 7, 2, 0],
    [8, 8, 2, 1],
  ])
})

test('with little memory it takes more calls, and comes to the same', async () => {
  const machine = new Machine()
  const log = await machine.open()
  for (let i = 0; i < 60; i++) {
    append(log, [{ key: `k${i % 7}`, value: i % 9 === 0 ? null : value(i), timestampMs: 1 }])
  }
  await seal(machine, log)
  const wanted = latest(await contents(machine, log))
  let dirtyFrom: Offset | undefined
  let calls = 0
  for (;;) {
    const result = await compact(machine, log, {
      keyBytesMax: 150,
      ...(dirtyFrom === undefined ? {} : { dirtyFrom }),
    })
    assert.ok(result.kind === 'compacted')
    calls++
    assert.deepEqual(latest(await contents(machine, log)), wanted)
    if (result.cleanedTo === result.sealedTo) break
    assert.ok(result.cleanedTo > (dirtyFrom ?? 0))
    dirtyFrom = result.cleanedTo
  }
  assert.ok(calls > 3)
  const after = await contents(machine, log)
  assert.equal(after.filter(({ value: text }) => text !== null).length, wanted.size)
})

test('what is interrupted has done no harm', async () => {
  const machine = new Machine()
  const log = await machine.open()
  for (let i = 0; i < 30; i++) append(log, [{ key: `k${i % 5}`, value: value(i) }])
  await seal(machine, log)
  const wanted = latest(await contents(machine, log))
  let calls = 0
  const stopped = await compact(machine, log, { isCurrent: () => ++calls < 3 })
  assert.equal(stopped.kind, 'interrupted')
  assert.deepEqual(latest(await contents(machine, log)), wanted)
  let pauses = 0
  const ending = compact(machine, log, {
    pause: () => (++pauses < 4 ? Promise.resolve() : Promise.reject(new Error('the end'))),
  })
  await assert.rejects(ending, /the end/)
  const advanced = compactOnce(log, {
    upTo: log.end.offset,
    now: NOW,
    deleteRetentionMs: 0,
    segmentBytes: 600,
    pause: async () => {
      if (log.logStart === 0) log.advanceLogStart(asOffset(25))
    },
  })
  assert.equal((await machine.do(advanced)).kind, 'interrupted')
  assert.ok(!machine.host.files.files().some(({ path }) => path.endsWith('.swap')))
})

test('a power cut at any step leaves each key its newest value, and no other', async () => {
  let through = false
  for (let step = 0; !through; step += 11) {
    const machine = new Machine(step)
    const log = await machine.open()
    for (let i = 0; i < 24; i++) {
      const tombstone = i % 6 === 5
      append(log, [{ key: `k${i % 6}`, value: tombstone ? null : value(i), timestampMs: 1 }])
      append(log, [{ key: `gone${i % 4}`, value: i < 16 ? value(i) : null, timestampMs: 1 }])
    }
    await seal(machine, log)
    const wanted = latest(await contents(machine, log))
    let taken = 0
    machine.host.onDiskStep = () => {
      if (taken++ === step) machine.host.powerCut('mix')
    }
    const options = { upTo: log.end.offset, now: NOW, deleteRetentionMs: 1, segmentBytes: 2000 }
    void compactOnce(log, options).then(() => (through = true))
    await machine.simulation.run({
      until: () => through || !machine.host.alive,
      untilMs: machine.simulation.nowMs + 5000,
    })
    machine.host.onDiskStep = undefined
    machine.host.powerCut('mix')
    const again = await machine.open()
    assert.deepEqual(latest(await contents(machine, again)), wanted, `step ${step}`)
    assert.equal((await compact(machine, again, { deleteRetentionMs: 1 })).kind, 'compacted')
    assert.deepEqual(latest(await contents(machine, again)), wanted)
  }
})

test('any history comes to its latest values', async () => {
  const entry = fc.record({
    key: fc.constantFrom('a', 'b', 'c', 'd'),
    value: fc.option(fc.string({ maxLength: 120 }), { nil: null }),
    timestampMs: fc.constantFrom(0, NOW - 500, NOW),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(entry, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 25 }),
      fc.constantFrom('none' as const, 'lz4' as const),
      async (batches, codec) => {
        const machine = new Machine()
        const log = await machine.open()
        for (const entries of batches) append(log, entries, { codec })
        await seal(machine, log)
        const before = await contents(machine, log)
        await compact(machine, log)
        const after = await contents(machine, log)
        assert.deepEqual(latest(after), latest(before))
        const keys = after.map(({ key }) => key)
        assert.equal(new Set(keys).size, keys.length)
        for (const one of after) assert.ok(before.some(({ offset }) => offset === one.offset))
        machine.host.kill()
      },
    ),
    { numRuns: 30 },
  )
})

test('which records stay', () => {
  const newest = {
    offsets: new Map([[keyOf(Buffer.from('k')), asOffset(5)]]),
    lastOfProducer: new Map(),
    upTo: asOffset(10),
  }
  const fate = (offset: number, key: string | null, hasValue: boolean, timestampMs = 0): string =>
    fateOf(
      {
        offset: asOffset(offset),
        key: key === null ? null : Buffer.from(key),
        hasValue,
        timestampMs,
      },
      newest,
      { upTo: asOffset(9), before: 100 },
    )
  assert.equal(fate(4, 'k', true), 'outlived')
  assert.equal(fate(4, 'k', false), 'outlived')
  assert.equal(fate(5, 'k', true), 'stays')
  assert.equal(fate(5, 'k', false, 99), 'expired')
  assert.equal(fate(5, 'k', false, 100), 'stays')
  assert.equal(fate(3, 'other', false), 'stays')
  assert.equal(fate(3, null, true), 'outlived')
  assert.equal(fate(10, null, true), 'stays')
})

test('neighbours share a segment as long as they fit', () => {
  const segment = (base: number, end: number, bytes: number) => ({
    baseOffset: asOffset(base),
    endOffset: asOffset(end),
    bytes,
    maxTimestampMs: 0,
  })
  const far = 0x8000_0100
  const segments = [
    segment(0, 10, 60),
    segment(10, 20, 40),
    segment(20, 30, 1),
    segment(30, far, 1),
    segment(far, far + 5, 200),
  ]
  assert.deepEqual(
    groupSegments(segments, 100).map((group) => group.map(({ baseOffset }) => baseOffset)),
    [[0, 10], [20], [30], [far]].map((group) => group.map((base) => asOffset(base))),
  )
})
