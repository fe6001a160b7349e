// The partitioner's hash against values of Kafka's own `UtilsTest`, and the sticky choice.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Simulation } from '../env/sim/simulation.ts'
import { murmur2, partitionOfKey, StickyPartitioner } from './partitioner.ts'

test('murmur2 gives what Kafka gives', () => {
  const hash = (text: string): number => murmur2(new TextEncoder().encode(text))
  assert.equal(hash('21'), -973932308)
  assert.equal(hash('foobar'), -790332482)
  assert.equal(hash('a-little-bit-long-string'), -985981536)
  assert.equal(hash('a-little-bit-longer-string'), -1486304829)
  assert.equal(hash('lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8'), -58897971)
  assert.equal(hash('abc'), 479470107)
})

test('a negative hash still names a partition', () => {
  for (const key of ['21', 'foobar', 'abc', '']) {
    const partition = partitionOfKey(new TextEncoder().encode(key), 7)
    assert.ok(partition >= 0 && partition < 7)
  }
})

test('the sticky choice stays until its batch is done, and leaves partitions that are not available', () => {
  const sticky = new StickyPartitioner(new Simulation(1).host('a').boot().random)
  const all = Array.from({ length: 50 }, (_, i) => i)
  const first = sticky.choose('t', all)
  assert.equal(sticky.choose('t', all), first)
  assert.notEqual(
    sticky.choose(
      't',
      all.filter((i) => i !== first),
    ),
    first,
  )
  const chosen = new Set<number>()
  for (let i = 0; i < 20; i++) {
    sticky.batchDone('t')
    chosen.add(sticky.choose('t', all))
  }
  assert.ok(chosen.size > 5)
})
