// What one seed does: sizes small enough that everything happens in a few hundred operations, and which of the faults.

import type { Prng } from '../../src/env/sim/prng.ts'
import type { StoreOptions } from '../../src/storage/options.ts'
import type { LogConfig } from '../../src/storage/store.ts'

/** Parts of the fuzz that a reproduction can leave out, to see whether they matter. */
export const FEATURES = [
  'large',
  'truncate',
  'drop',
  'log-start',
  'install',
  'rewrite',
  'hard-state',
  'snapshots',
  'reads',
  'power',
  'recovery-crash',
  'full-disk',
  'sync-error',
  'restart-after-sync-error',
  'stall',
  'close',
  'damage',
] as const
export type Feature = (typeof FEATURES)[number]

export const CRASHES = ['kill', 'cut', 'kill, then cut'] as const

/** A crash at one given step, instead of the seed's own ones. */
export interface CrashAt {
  /** Which life of the process, from 0. */
  readonly life: number
  /** Of its disk operations, counted from its start, so that recovery counts too. */
  readonly step: number
  readonly how: (typeof CRASHES)[number]
}

export interface FuzzOptions {
  readonly seed: number
  readonly crashAt?: CrashAt | undefined
  /** Lives of the process. */
  readonly rounds?: number | undefined
  /** Operations per life, at most. */
  readonly operations?: number | undefined
  readonly without?: readonly Feature[] | undefined
}

export interface Plan {
  readonly rounds: number
  readonly operations: number
  readonly features: ReadonlySet<Feature>
  readonly logs: number
  readonly store: Partial<StoreOptions>
  readonly valueBytesSmall: number
  readonly valueBytesLarge: number
}

export function makePlan(chance: Prng, options: FuzzOptions): Plan {
  // Each seed has its own subset of the faults, sometimes none.
  const chosen = FEATURES.filter(() => chance.chance(0.75))
  const rounds = chance.between(3, 8)
  const operations = chance.pick([10, 30, 60, 120])
  const journalFileBytes = chance.pick([8, 16, 32]) * 1024
  const plan = {
    logs: chance.pick([1, 1, 2, 3, 5]),
    valueBytesSmall: chance.pick([20, 100, 400]),
    valueBytesLarge: chance.pick([1_500, 3_000, 6_000]),
    store: {
      journalFileBytes,
      journalFirstFileBytes: chance.pick([4096, journalFileBytes]),
      journalBytesMax: journalFileBytes * chance.pick([4, 6, 12]),
      directBytesMin: chance.pick([300, 1_000, 4_000]),
      groupBytesMax: chance.pick([1_000, 4_000, 16_000]),
      copyForwardBytesMax: chance.pick([0, 300, 2_000]),
      writebackBytes: chance.pick([500, 2_000, 8_000]),
      dirtyBytesMax: chance.pick([4_000, 16_000, 64_000]),
      queuedBytesMax: chance.pick([20_000, 200_000]),
      tailCacheBytes: chance.pick([0, 2_000, 20_000]),
      maxOpenFiles: chance.pick([4, 8, 64]),
      freeBytesMin: 4_096,
      probeMs: chance.pick([5, 20]),
      idleWritebackMs: chance.pick([1, 5, 50]),
    },
  }
  return {
    ...plan,
    rounds: options.rounds ?? rounds,
    operations: options.operations ?? operations,
    features: new Set(chosen.filter((feature) => options.without?.includes(feature) !== true)),
  }
}

export function pickLogConfig(chance: Prng): LogConfig {
  return {
    segmentBytes: chance.pick([600, 2_000, 8_000, 1 << 20]),
    segmentMs: chance.pick([3, 50, 1_000_000]),
    indexIntervalBytes: chance.pick([1, 200, 4_096]),
  }
}
