// What of a seed's result is told to others: small enough to go from process to process.

import type { Mode } from './plan.ts'
import type { Problem } from './problems.ts'
import type { SeedOptions, SeedResult } from './run.ts'

export interface Summary {
  readonly seed: number
  readonly mode: Mode
  /** Where they were given, not drawn. */
  readonly nodes: number | undefined
  readonly bug: string | undefined
  readonly problems: readonly Problem[]
  readonly traceHash: string
  readonly operations: number
  readonly acknowledged: number
  readonly faults: number
  readonly starts: number
  readonly virtualMs: number
}

const PROBLEMS_MAX = 30
const TEXT_MAX = 2_000

export function summarize(result: SeedResult, options: SeedOptions): Summary {
  const { mode, nodes, bug } = options
  const { seed, traceHash, operations, acknowledged, starts, virtualMs } = result
  const problems = result.problems
    .slice(0, PROBLEMS_MAX)
    .map((problem) => ({ ...problem, text: problem.text.slice(0, TEXT_MAX) }))
  const faults = result.faults.length
  const counts = { operations, acknowledged, faults, starts, virtualMs }
  return { seed, mode, nodes, bug: bug?.name, problems, traceHash, ...counts }
}
