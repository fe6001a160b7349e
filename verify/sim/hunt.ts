// Plants each known error in turn and counts the seeds until something finds it.

import type { Bug } from './bugs.ts'
import type { Mode } from './plan.ts'
import { Pool } from './pool.ts'

export interface Hunted {
  readonly bug: string
  readonly what: string
  /** Seeds run until the first that found it; undefined: none did. */
  readonly seeds: number | undefined
  /** The names of what was found. */
  readonly by: readonly string[]
}

export interface HuntOptions {
  /** Undefined: what each needs, mostly short. */
  readonly mode: Mode | undefined
  readonly nodes: number | undefined
  readonly from: number
  /** For each bug. */
  readonly seedsMax: number
  readonly jobs: number
}

/** Each bug until something finds it; says of each as it is done. */
export async function hunt(
  bugs: readonly Bug[],
  { mode, nodes, from, seedsMax, jobs }: HuntOptions,
): Promise<Hunted[]> {
  const pool = new Pool(jobs)
  const found = await Promise.all(
    bugs.map(({ name, what, nodes: needed, mode: own }) =>
      pool.slot(async (): Promise<Hunted> => {
        for (let seeds = 1; seeds <= seedsMax; seeds++) {
          const seed = from + seeds - 1
          const { problems } = await pool.run({
            seed,
            mode: mode ?? own ?? 'short',
            nodes: nodes ?? needed,
            bug: name,
          })
          if (problems.length === 0) continue
          return said({ bug: name, what, seeds, by: [...new Set(problems.map((p) => p.name))] })
        }
        return said({ bug: name, what, seeds: undefined, by: [] })
      }),
    ),
  )
  pool.close()
  return found
}

function said(hunted: Hunted): Hunted {
  const { bug, what, seeds, by } = hunted
  const result = seeds === undefined ? 'NOT FOUND' : `seeds ${seeds}: ${by.join(', ')}`
  process.stdout.write(`${bug.padEnd(28)} ${result}\n${' '.repeat(29)}(${what})\n`)
  return hunted
}
