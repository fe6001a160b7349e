import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { asLeaderEpoch, asOffset } from './brand.ts'
import { EpochTable, NO_EPOCH } from './epoch-table.ts'
import type { Position } from './position.ts'

type Pair = readonly [epoch: number, start: number]

const tableOf = (...pairs: Pair[]): EpochTable =>
  new EpochTable(
    pairs.map(([epoch, start]) => ({ epoch: asLeaderEpoch(epoch), start: asOffset(start) })),
  )
const pairsOf = (table: EpochTable): Pair[] =>
  table.entries.map(({ epoch, start }) => [epoch, start])
const at = (epoch: number, offset: number): Position => ({
  epoch: asLeaderEpoch(epoch),
  offset: asOffset(offset),
})

test('an epoch start must follow the last one', () => {
  const table = tableOf([2, 5])
  assert.throws(() => table.add({ epoch: asLeaderEpoch(2), start: asOffset(5) }))
  assert.throws(() => table.add({ epoch: asLeaderEpoch(3), start: asOffset(4) }))
  table.add({ epoch: asLeaderEpoch(3), start: asOffset(5) })
  assert.deepEqual(
    pairsOf(table),
    [
      [2, 5],
      [3, 5],
    ],
    'an epoch without data is not collapsed',
  )
})

test('the last epoch of an empty table is none', () => {
  assert.equal(new EpochTable().last, NO_EPOCH)
  assert.equal(tableOf([4, 0]).last, 4)
})

test('truncation goes by epoch: starts at the same offset stay when their epoch does (law R1)', () => {
  const table = tableOf([1, 0], [2, 10], [3, 10], [5, 20])
  table.truncate(at(3, 10))
  assert.deepEqual(pairsOf(table), [
    [1, 0],
    [2, 10],
    [3, 10],
  ])
  table.truncate(at(2, 10))
  assert.deepEqual(pairsOf(table), [
    [1, 0],
    [2, 10],
  ])
  table.truncate(at(1, 10))
  assert.deepEqual(pairsOf(table), [[1, 0]])
})

test('advancing the log start keeps the epoch in force there', () => {
  const table = tableOf([1, 0], [2, 10], [3, 10], [5, 20])
  table.advanceLogStart(asOffset(9))
  assert.deepEqual(pairsOf(table), [
    [1, 0],
    [2, 10],
    [3, 10],
    [5, 20],
  ])
  table.advanceLogStart(asOffset(10))
  assert.deepEqual(
    pairsOf(table),
    [
      [1, 0],
      [2, 10],
      [3, 10],
      [5, 20],
    ],
    'a position (1, 10) is still held',
  )
  table.advanceLogStart(asOffset(11))
  assert.deepEqual(pairsOf(table), [
    [3, 10],
    [5, 20],
  ])
  table.advanceLogStart(asOffset(1000))
  assert.deepEqual(pairsOf(table), [[5, 20]])
})

test('a log holds a position when its epoch has it, borders included', () => {
  const table = tableOf([1, 0], [3, 10], [4, 10])
  const end = asOffset(15)
  for (const [epoch, offset, held] of [
    [1, 0, true],
    [1, 10, true],
    [1, 11, false],
    [2, 5, false],
    [3, 10, true],
    [3, 11, false],
    [4, 10, true],
    [4, 15, true],
    [4, 16, false],
    [5, 15, false],
  ] as const) {
    assert.equal(table.holds(at(epoch, offset), end), held, `(${epoch}, ${offset})`)
  }
})

test('the end of an epoch is that of the largest known one not above it (KIP-320)', () => {
  const table = tableOf([1, 0], [3, 10], [4, 12])
  const end = asOffset(20)
  const endOf = (epoch: number): Pair | undefined => {
    const found = table.endOf(asLeaderEpoch(epoch), end)
    return found === undefined ? undefined : [found.epoch, found.end]
  }
  assert.equal(endOf(0), undefined)
  assert.deepEqual(endOf(1), [1, 10])
  assert.deepEqual(endOf(2), [1, 10])
  assert.deepEqual(endOf(3), [3, 12])
  assert.deepEqual(endOf(4), [4, 20])
  assert.equal(endOf(5), undefined)
})

const history = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.nat(3)), { maxLength: 12 })

test('the epoch at an offset is the one whose data it is', () => {
  fc.assert(
    fc.property(history, (steps) => {
      const table = new EpochTable()
      const epochOf: number[] = []
      let epoch = 0
      for (const [step, records] of steps) {
        epoch += step
        table.add({ epoch: asLeaderEpoch(epoch), start: asOffset(epochOf.length) })
        for (let i = 0; i < records; i++) epochOf.push(epoch)
      }
      for (const [offset, expected] of epochOf.entries()) {
        assert.equal(table.epochAt(asOffset(offset)), expected)
        assert.ok(table.holds(at(expected, offset), asOffset(epochOf.length)))
      }
    }),
  )
})

test('what a truncation leaves holds the position, and nothing above it', () => {
  fc.assert(
    fc.property(history, fc.nat(20), fc.nat(40), (steps, pick, offsetPick) => {
      const table = new EpochTable()
      let epoch = 0
      let end = 0
      for (const [step, records] of steps) {
        epoch += step
        table.add({ epoch: asLeaderEpoch(epoch), start: asOffset(end) })
        end += records
      }
      const entry = table.entries[pick % Math.max(1, table.entries.length)]
      if (entry === undefined) return
      const to = { epoch: entry.epoch, offset: asOffset(entry.start + (offsetPick % 4)) }
      if (!table.holds(to, asOffset(end))) return
      const before = pairsOf(table)
      table.truncate(to)
      assert.ok(table.holds(to, to.offset))
      assert.equal(table.last, to.epoch)
      assert.deepEqual(
        pairsOf(table),
        before.filter(([e]) => e <= to.epoch),
      )
    }),
  )
})
