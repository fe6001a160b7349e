// Random schedules of whole groups against the invariants, and the proof that they would find something: each planted error
// is found. A longer run: RAFT_SEEDS=20000 RAFT_FIRST_SEED=1000 node --test src/raft/random.test.ts

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { Cluster, type Variant } from './testing/cluster.ts'
import { Violation } from './testing/invariants.ts'
import { randomOf, runSchedule } from './testing/schedule.ts'
import * as scripts from './testing/scripts.ts'
import * as variants from './testing/variants.ts'

const SEEDS = Number(process.env['RAFT_SEEDS'] ?? 100)
const FIRST_SEED = Number(process.env['RAFT_FIRST_SEED'] ?? 0)
const STEPS = 800

test(`${SEEDS} random schedules: safe throughout, and of one mind once healed`, () => {
  let committed = 0
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    try {
      committed += runSchedule({ seed, steps: STEPS }).invariants.committed.size
    } catch (error) {
      const again = `RAFT_FIRST_SEED=${seed} RAFT_SEEDS=1 node --test src/raft/random.test.ts`
      throw new Error(`seed ${seed}, again with: ${again}`, { cause: error })
    }
  }
  assert.ok(committed > 10 * SEEDS, `only ${committed} batches were committed`)
})

test('a seed decides everything', () => {
  const trace = (seed: number): string =>
    runSchedule({ seed, steps: 300, traced: true }).trace.join('\n')
  assert.equal(trace(7), trace(7))
  assert.notEqual(trace(7), trace(8))
})

/** Within how many schedules a random one finds it, at most; or the script that does. */
const planted: readonly { variant: Variant; within: number | ((cluster: Cluster) => void) }[] = [
  { variant: variants.promisesBeforeSync, within: 100 },
  { variant: variants.forgetsVotes, within: scripts.voterRestarts },
  { variant: variants.votesByOffset, within: 200 },
  { variant: variants.commitsOldEpochs, within: scripts.figure37 },
  { variant: variants.commitsByLogEnd, within: 200 },
  { variant: variants.truncatesAtMessageEnd, within: 200 },
  { variant: variants.truncatesByOffset, within: 200 },
  { variant: variants.acknowledgesLate, within: 100 },
  { variant: variants.acknowledgesLateVotesByDurableEnd, within: scripts.acknowledgedLate },
  { variant: variants.unnoticedDamage, within: 100 },
  { variant: variants.clearsAtOnce, within: 300 },
  { variant: variants.clearsByMajority, within: scripts.forgottenVote },
  { variant: variants.continuesAcrossTombstones, within: 200 },
  { variant: variants.beginsAnewInAnyCase, within: 300 },
  { variant: variants.grantsNameNoCandidacy, within: scripts.forgottenCandidacy },
]

for (const { variant, within } of planted) {
  test(`found: a core that ${variant.name}`, () => {
    if (typeof within !== 'number') {
      const options = { voters: variant.voters ?? 3, random: randomOf(1) }
      within(new Cluster(options))
      assert.throws(() => within(new Cluster({ ...options, variant })), Violation)
      return
    }
    for (let seed = 0; seed < within; seed++) {
      try {
        runSchedule({ seed, steps: STEPS, variant })
      } catch {
        return
      }
    }
    assert.fail(`${within} schedules did not find it`)
  })
}

test('the generator is uniform enough', () => {
  const random = randomOf(1)
  const counts = Array.from({ length: 10 }, () => 0)
  for (let i = 0; i < 10_000; i++) counts[Math.floor(random() * 10)]!++
  for (const count of counts) assert.ok(count > 900 && count < 1100, counts.join(' '))
})
