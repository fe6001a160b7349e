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

/** At most `seedsMax` seeds for each bug. */
export async function hunt(
  bugs: readonly Bug[],
  { mode, nodes }: { readonly mode: Mode; readonly nodes: number | undefined },
  seedsMax: number,
  jobs: number,
): Promise<Hunted[]> {
  const pool = new Pool(jobs)
  const found = await Promise.all(
    bugs.map(({ name, what, nodes: needed }) =>
      pool.slot(async (): Promise<Hunted> => {
        for (let seed = 1; seed <= seedsMax; seed++) {
          const { problems } = await pool.run({ seed, mode, nodes: nodes ?? needed, bug: name })
          if (problems.length === 0) continue
          return { bug: name, what, seeds: seed, by: [...new Set(problems.map((p) => p.name))] }
        }
        return { bug: name, what, seeds: undefined, by: [] }
      }),
    ),
  )
  pool.close()
  return found
}

/** True when every bug was found. */
export function printHunt(found: readonly Hunted[]): boolean {
  for (const { bug, what, seeds, by } of found) {
    const result = seeds === undefined ? 'NOT FOUND' : `seed ${seeds}: ${by.join(', ')}`
    process.stdout.write(`${bug.padEnd(28)} ${result}\n${' '.repeat(29)}(${what})\n`)
  }
  return found.every(({ seeds }) => seeds !== undefined)
}
