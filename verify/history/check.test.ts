// The checker finds what is wrong and nothing else: correct histories of a random model are clean, and every kind of planted
// error is found under its own name.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Prng } from '../../src/env/sim/prng.ts'
import type { Anomaly, AnomalyName } from './anomaly.ts'
import { checkHistory } from './check.ts'
import type { Operation } from './history.ts'
import { Model } from './testing/model.ts'
import { plants, type Plant } from './testing/plant.ts'

const SEEDS = 300
const names = (anomalies: readonly Anomaly[]): AnomalyName[] => anomalies.map(({ name }) => name)

test('correct histories are clean', () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    assert.deepEqual(checkHistory(Model.history(seed)), [], `seed ${seed}`)
  }
})

for (const [name, plant] of Object.entries(plants) as [AnomalyName, Plant][]) {
  test(`finds ${name} wherever it is planted`, () => {
    let planted = 0
    for (let seed = 0; seed < SEEDS / 3; seed++) {
      const wrong = plant(Model.history(seed), new Prng(`plant ${seed}`))
      if (wrong === undefined) continue
      planted += 1
      const found = checkHistory(wrong)
      assert.ok(names(found).includes(name), `seed ${seed}: found ${names(found).join()} instead`)
      for (const anomaly of found) assert.ok(anomaly.text.length > 20 && anomaly.where !== '')
    }
    assert.ok(planted > SEEDS / 15, `planted only ${planted} times`)
  })
}

let moment = 0
const span = (process = 'p') => ({
  process,
  invokedMs: moment,
  invoked: moment++,
  completed: moment++,
})
const at = { topic: 't#1', partition: 0 }
const sent = (value: string, offset: number): Operation => ({
  kind: 'produce',
  acks: 'all',
  idempotent: true,
  ordered: true,
  records: [{ ...at, value, offset, outcome: 'ok' }],
  ...span('producer'),
})
const poll = (...values: [number, string][]): Operation => ({
  kind: 'poll',
  records: values.map(([offset, value]) => ({ ...at, offset, value })),
  ...span('reader'),
})

test('a lost write in the middle, and a lost tail, without a final read', () => {
  const history = [sent('a', 0), sent('b', 1), sent('c', 2), sent('d', 3), poll([0, 'a'], [2, 'c'])]
  assert.deepEqual(names(checkHistory(history)), ['lost-write', 'unseen', 'int-poll-skip'])
  assert.match(checkHistory(history)[0]?.text ?? '', /b was acknowledged at offset 1 .* up to 2/)
})

test('an indeterminate write may be there or not, but not in two places', () => {
  const unsure = (outcome: 'indeterminate'): Operation => ({
    ...(sent('a', -1) as Extract<Operation, { kind: 'produce' }>),
    records: [{ ...at, value: 'a', offset: -1, outcome }],
  })
  assert.deepEqual(checkHistory([unsure('indeterminate')]), [])
  assert.deepEqual(checkHistory([unsure('indeterminate'), poll([0, 'a'])]), [])
  const twice = [unsure('indeterminate'), poll([0, 'a'], [1, 'a'])]
  assert.deepEqual(names(checkHistory(twice)), ['duplicate'])
})

test('what was deleted on purpose is no loss, and no skip', () => {
  const trim: Operation = {
    kind: 'trim',
    ...at,
    offset: 2,
    outcome: 'ok',
    logStart: 2,
    ...span('admin'),
  }
  const history = [sent('a', 0), sent('b', 1), trim, sent('c', 2), poll([2, 'c'])]
  const final: Operation = {
    kind: 'final',
    ...at,
    logStart: 2,
    highWatermark: 3,
    records: [{ ...at, offset: 2, value: 'c' }],
    ...span('final'),
  }
  assert.deepEqual(checkHistory([...history, final]), [])
})

test('a group may be given records again after a rebalance, an assigned consumer may not', () => {
  const writes = [sent('a', 0), sent('b', 1)]
  const again = (group?: string): Operation[] =>
    [poll([0, 'a'], [1, 'b']), poll([0, 'a'])].map((op) =>
      group === undefined ? op : ({ ...op, group } as Operation),
    )
  assert.deepEqual(checkHistory([...writes, ...again('g')]), [])
  assert.deepEqual(names(checkHistory([...writes, ...again()])), ['nonmonotonic-poll'])
})

test('a commit that was retried may take effect late, one that was not may not', () => {
  const commit = (offset: number, retried: boolean): Operation => ({
    kind: 'commit',
    group: 'g',
    retried,
    outcome: 'ok',
    positions: [{ ...at, offset }],
    ...span('member'),
  })
  const found = (offset: number): Operation => ({
    kind: 'committed',
    group: 'g',
    positions: [{ ...at, offset }],
    ...span('admin'),
  })
  assert.deepEqual(checkHistory([commit(3, true), commit(5, false), found(3)]), [])
  assert.deepEqual(names(checkHistory([commit(3, false), commit(5, false), found(3)])), [
    'stale-commit',
  ])
  assert.deepEqual(names(checkHistory([commit(3, false), found(-1)])), ['lost-commit'])
})
