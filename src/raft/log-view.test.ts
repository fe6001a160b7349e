// What a log holds, and what two logs share (law R1).

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { asOffset } from '../base/brand.ts'
import { EpochTable, type EpochStart } from '../base/epoch-table.ts'
import type { Position } from '../base/position.ts'
import { LogView } from './log-view.ts'
import type { BatchRef } from './messages.ts'
import { at, term } from './testing/single.ts'

const start = (epoch: number, offset: number): EpochStart => ({
  epoch: term(epoch),
  start: asOffset(offset),
})

/** Epoch 1 from 0 to 6; epoch 2 got no data; epoch 4 from 6 to 9. */
const logView = (logStart = 0): LogView<BatchRef> =>
  new LogView({
    logStart: asOffset(logStart),
    end: at(4, 9),
    epochs: new EpochTable([start(1, 0), start(2, 6), start(4, 6)]),
  })

test('R1: a log holds a position if it has the epoch and that reaches there', () => {
  const log = logView()
  const held = [at(-1, 0), at(1, 0), at(1, 6), at(2, 6), at(4, 6), at(4, 9)]
  const others = [at(-1, 1), at(1, 7), at(2, 5), at(2, 7), at(3, 6), at(4, 5), at(4, 10), at(5, 9)]
  for (const position of held) assert.ok(log.holds(position), JSON.stringify(position))
  for (const position of others) assert.ok(!log.holds(position), JSON.stringify(position))
  assert.ok(!logView(3).holds(at(-1, 0)), 'a log that begins later can not tell')
})

test('R1: a truncation takes the starts of later epochs with it', () => {
  const log = logView()
  log.truncate(at(2, 6))
  assert.deepEqual(log.end, at(2, 6))
  assert.deepEqual(log.epochs.entries, [start(1, 0), start(2, 6)])
  assert.deepEqual(log.takeOps(), [{ kind: 'truncate', to: at(2, 6) }])
})

test('3.5: what two logs have in common is found by their epochs', () => {
  const common = (end: Position, epochs: readonly EpochStart[]): Position | undefined =>
    logView().commonWith({ end, epochs, logStart: asOffset(0) })
  assert.deepEqual(common(at(4, 7), [start(1, 0), start(2, 6), start(4, 6)]), at(4, 7))
  assert.deepEqual(common(at(4, 12), [start(1, 0), start(2, 6), start(4, 6)]), at(4, 9))
  assert.deepEqual(common(at(2, 8), [start(1, 0), start(2, 6)]), at(2, 6))
  assert.deepEqual(common(at(3, 9), [start(1, 0), start(3, 4)]), at(1, 4), 'an epoch of theirs')
  assert.deepEqual(common(at(3, 9), [start(3, 0)]), at(-1, 0), 'nothing but the beginning')
})

test('R10: of logs that begin later not even the beginning is common', () => {
  const empty = { end: at(-1, 0), epochs: [] }
  assert.equal(logView(3).commonWith({ ...empty, logStart: asOffset(0) }), undefined)
  const other = { end: at(3, 9), epochs: [start(3, 4)], logStart: asOffset(5) }
  assert.equal(logView().commonWith(other), undefined)
})
