// The simulation itself: a seed decides everything, healthy seeds find nothing, and planted errors are found. (Many seeds are
// run by `npm run check` and CI; every planted error by `npm run sim -- --bugs`.)

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BUGS } from './bugs.ts'
import { FAULTS, makePlan } from './plan.ts'
import { Prng } from '../../src/env/sim/prng.ts'
import { runSeed } from './run.ts'

test('the same seed gives the same trace, another seed another', async () => {
  const first = await runSeed({ seed: 5, mode: 'short' })
  const second = await runSeed({ seed: 5, mode: 'short' })
  const other = await runSeed({ seed: 6, mode: 'short' })
  assert.deepEqual([...first.problems, ...other.problems], [])
  assert.equal(first.traceHash, second.traceHash)
  assert.notEqual(first.traceHash, other.traceHash)
  assert.ok(first.faults.length > 0 && first.acknowledged > 50 && first.starts > 1)
})

test('a fault left out leaves the others as they were', async () => {
  const whole = await runSeed({ seed: 5, mode: 'short' })
  const fewer = await runSeed({ seed: 5, mode: 'short', without: new Set([0]) })
  assert.deepEqual(fewer.faults, whole.faults.slice(1))
})

test('plans: some without faults, and every fault in some', () => {
  const plans = Array.from({ length: 300 }, (_, i) => makePlan(new Prng(`plan ${i}`), 'full'))
  assert.ok(plans.some(({ faults }) => faults.length === 0))
  const names = new Set(plans.flatMap(({ faults }) => faults.map(({ name }) => name)))
  assert.deepEqual([...names].toSorted(), [...FAULTS].toSorted())
  for (const { faults } of plans) assert.ok(faults.length === 0 || faults.length >= 5)
})

/** What finds it; a few, because each takes seconds. */
const FOUND: Readonly<Record<string, RegExp>> = {
  'sync-does-nothing': /^(node-failed|lost-write|unseen|vanished)$/,
  'retries-written-twice': /^duplicate$/,
  'commit-not-done': /^stale-commit$/,
  'answers-swapped': /^wire-order$/,
}

for (const [name, finds] of Object.entries(FOUND)) {
  test(`finds the planted error ${name}`, async () => {
    const bug = BUGS.find((one) => one.name === name)
    assert.ok(bug !== undefined)
    const names: string[] = []
    for (let seed = 1; seed <= 5; seed++) {
      const { problems } = await runSeed({ seed, mode: 'short', bug })
      names.push(...problems.map((problem) => problem.name))
      if (names.some((found) => finds.test(found))) return
    }
    assert.fail(`found only: ${names.join()}`)
  })
}
