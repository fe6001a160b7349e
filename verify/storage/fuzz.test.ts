// A short run of the storage fuzz for every check; `node verify/storage/fuzz.ts` runs many more seeds.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeFailure, fuzzSeed } from './run.ts'

const SEEDS = 60

test(`storage keeps what it reported durable, ${SEEDS} seeds`, async () => {
  const counts = new Map<string, number>()
  for (let seed = 1; seed <= SEEDS; seed++) {
    const result = await fuzzSeed({ seed })
    if (result.failure !== undefined) {
      const reproduce = `node verify/storage/fuzz.ts --seed ${seed}`
      assert.fail(`${describeFailure(result.failure)}\n${reproduce}`)
    }
    for (const [what, times] of result.counts) counts.set(what, (counts.get(what) ?? 0) + times)
  }
  for (const what of [
    'small',
    'large',
    'truncate',
    'epoch',
    'log-start',
    'install',
    'straddling',
    'rewrite',
    'rewrite void',
    'drop',
    'hard-state',
    'snapshot found',
    'read from disk',
    'read from memory',
    'recoveries',
    'recoveries crashed',
    'power cuts',
    'kills',
    'refused',
    'full and back',
    'damage refused',
    'healed',
    'repairs crashed',
  ]) {
    assert.ok((counts.get(what) ?? 0) > 0, `never happened: ${what}`)
  }
})

test('a seed decides everything', async () => {
  for (const seed of [1, 2, 3]) {
    assert.equal((await fuzzSeed({ seed })).traceHash, (await fuzzSeed({ seed })).traceHash)
  }
})
