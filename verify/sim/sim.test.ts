// The simulation itself: a seed decides everything, healthy seeds find nothing, and planted errors are found. (Many seeds are
// run by `npm run check` and CI; every planted error by `npm run sim -- --bugs`.)

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BUGS } from './bugs.ts'
import { CLUSTER_FAULTS, DAMAGE_FAULTS } from './cluster-faults.ts'
import { FAULTS, makePlan } from './plan.ts'
import { Prng } from '../../src/env/sim/prng.ts'
import { runSeed } from './run.ts'

test('a seed decides everything', async () => {
  const first = await runSeed({ seed: 5, mode: 'short' })
  const second = await runSeed({ seed: 5, mode: 'short' })
  const fewer = await runSeed({ seed: 5, mode: 'short', without: new Set([0]) })
  assert.deepEqual([...first.problems, ...fewer.problems], [])
  assert.equal(first.traceHash, second.traceHash)
  assert.notEqual(first.traceHash, fewer.traceHash)
  assert.deepEqual(fewer.faults, first.faults.slice(1), 'the other faults are as they were')
  assert.ok(first.faults.length > 1 && first.acknowledged > 50 && first.starts > 1)
})

test('plans: some without faults, every fault in some, one node, three and five', () => {
  const plans = Array.from({ length: 300 }, (_, i) => makePlan(new Prng(`plan ${i}`), 'full'))
  assert.deepEqual([...new Set(plans.map(({ nodes }) => nodes))].toSorted(), [1, 3, 5])
  assert.ok(plans.some(({ faults }) => faults.length === 0))
  const names = new Set(plans.flatMap(({ faults }) => faults.map(({ name }) => name)))
  assert.deepEqual(
    [...names].toSorted(),
    [...FAULTS, ...CLUSTER_FAULTS, ...DAMAGE_FAULTS].toSorted(),
  )
  for (const { faults } of plans) assert.ok(faults.length === 0 || faults.length >= 5)
})

/** What finds it; a few, because each takes seconds. */
const FOUND: Readonly<Record<string, RegExp>> = {
  'sync-does-nothing': /^(node-failed|lost-write|unseen|vanished)$/,
  'retries-written-twice': /^(duplicate|retry-written)$/,
  'commit-not-done': /^stale-commit$/,
  'answers-swapped': /^wire-order$/,
  'barrier-without-round': /^(stale-read|stale-commit|high-watermark-back)$/,
  'second-cluster': /^(vote-forgotten|node-with-amnesia)$/,
  'suspect-takes-part': /^(vote-forgotten|leader-incomplete|log-mismatch)$/,
}

for (const [name, finds] of Object.entries(FOUND)) {
  test(`finds the planted error ${name}`, async () => {
    const bug = BUGS.find((one) => one.name === name)
    assert.ok(bug !== undefined)
    const names: string[] = []
    for (let seed = 1; seed <= 10; seed++) {
      const { problems } = await runSeed({ seed, mode: 'short', nodes: bug.nodes, bug })
      names.push(...problems.map((problem) => problem.name))
      if (names.some((found) => finds.test(found))) return
    }
    assert.fail(`found only: ${names.join()}`)
  })
}
