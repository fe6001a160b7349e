// `npm run sim`: runs seeds of the simulation and says what they found.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { BUGS } from './bugs.ts'
import { hunt } from './hunt.ts'
import { Pool, type Summary } from './pool.ts'
import type { Mode } from './plan.ts'
import { runSeed } from './run.ts'
import { shrink } from './shrink.ts'
import { summarize } from './summary.ts'

const HELP = `npm run sim -- [options]

  --seed N      run one seed, with everything that it found
  --seeds N     run N seeds from --from on (default 1)
  --nodes N     that many nodes (default: as the seed draws, mostly 3)
  --mode M      full (30 virtual seconds, the default) or short (5)
  --jobs N      processes (default: one per core)
  --minutes N   begin no more seeds after so many minutes
  --regressions run the seeds that once found something, first
  --log         with --seed: the node's log
  --without L   with --seed: leave out the faults of these numbers (1,4,7)
  --shrink      with --seed: leave out every fault that the failure does without
  --bug NAME    plant an error between the node and its ports
  --bugs        plant each of them in turn (or --bug NAME alone), and say what finds it and after how many seeds (at most
                --seeds, 30, from --from on; short ones, where those can show it)
`

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean' },
      seed: { type: 'string' },
      seeds: { type: 'string' },
      from: { type: 'string', default: '1' },
      nodes: { type: 'string' },
      mode: { type: 'string' },
      jobs: { type: 'string', default: String(Math.min(4, availableParallelism())) },
      minutes: { type: 'string' },
      regressions: { type: 'boolean', default: false },
      log: { type: 'boolean', default: false },
      without: { type: 'string', default: '' },
      shrink: { type: 'boolean', default: false },
      bug: { type: 'string' },
      bugs: { type: 'boolean', default: false },
    },
  })
  const mode = modeOf(values.mode ?? 'full')
  const bug = values.bug === undefined ? undefined : bugOf(values.bug)
  const nodes = values.nodes === undefined ? undefined : Number(values.nodes)
  if (values.bugs) {
    const bugs = bug === undefined ? BUGS : [bug]
    const from = Number(values.from)
    const seedsMax = Number(values.seeds ?? 30)
    const given = values.mode === undefined ? undefined : mode
    const jobs = Number(values.jobs)
    const found = await hunt(bugs, { mode: given, nodes, from, seedsMax, jobs })
    return found.every(({ seeds }) => seeds !== undefined) ? 0 : 1
  }
  if (values.seed !== undefined) {
    const seed = Number(values.seed)
    const without = new Set(
      values.without
        .split(',')
        .filter((text) => text !== '')
        .map(Number),
    )
    const options = { seed, mode, nodes, without, bug }
    if (values.shrink) return shrink(options, say)
    const result = await runSeed({ ...options, ...(values.log ? { log: say } : {}) })
    for (const fault of result.faults) say(`fault: ${fault}`)
    report(summarize(result, options), Infinity)
    return result.problems.length === 0 ? 0 : 1
  }
  if (values.seeds === undefined || values.help) {
    process.stdout.write(HELP)
    return values.help ? 0 : 2
  }
  const minutes = values.minutes === undefined ? Infinity : Number(values.minutes)
  return runMany({
    mode,
    nodes,
    from: Number(values.from),
    count: Number(values.seeds),
    jobs: Number(values.jobs),
    untilMs: Date.now() + minutes * 60_000,
    first: values.regressions ? regressions() : [],
    bug: bug?.name,
  })
}

interface Many {
  readonly mode: Mode
  readonly nodes: number | undefined
  readonly from: number
  readonly count: number
  readonly jobs: number
  readonly untilMs: number
  readonly first: readonly Regression[]
  readonly bug: string | undefined
}

/** Every so many seeds, one is run twice, and the two must be the same. */
const TWICE_EVERY = 25

async function runMany(many: Many): Promise<number> {
  const { mode, nodes, from, count, jobs, untilMs, first, bug } = many
  const startedMs = Date.now()
  const pool = new Pool(jobs)
  let [ran, virtualMs, operations, acknowledged, faults, failed] = [0, 0, 0, 0, 0, 0]
  const one = async (chosen: Regression, twice: boolean): Promise<void> => {
    if (Date.now() > untilMs) return
    const { seed } = chosen
    const task = { ...chosen, bug }
    const summary = await pool.run(task)
    ran += 1
    virtualMs += summary.virtualMs
    operations += summary.operations
    acknowledged += summary.acknowledged
    faults += summary.faults
    const again = twice ? await pool.run(task) : summary
    const differs = again.traceHash !== summary.traceHash
    if (differs) say(`seed ${seed}: two runs differ: ${summary.traceHash}, ${again.traceHash}`)
    if (summary.problems.length > 0) report(summary, 4)
    if (differs || summary.problems.length > 0) failed += 1
  }
  const seeds = Array.from({ length: count }, (_, i) => ({ seed: from + i, mode, nodes }))
  const all = [...first, ...seeds]
  await Promise.all(all.map((task, i) => pool.slot(() => one(task, i % TWICE_EVERY === 0))))
  pool.close()
  const seconds = (Date.now() - startedMs) / 1000
  say(
    `${ran} seeds (${mode}), ${failed} failed; ${operations} operations, ${acknowledged} records acknowledged, ` +
      `${faults} faults; ${(virtualMs / 1000).toFixed(0)} virtual seconds in ${seconds.toFixed(1)} s ` +
      `(${((ran * 60) / seconds).toFixed(0)} seeds a minute, ${(virtualMs / 1000 / seconds).toFixed(1)} virtual seconds a second)`,
  )
  return failed === 0 ? 0 : 1
}

function report(summary: Summary, most: number): void {
  const { seed, mode, nodes, bug, problems } = summary
  const what = `${summary.operations} operations, ${summary.acknowledged} records acknowledged, ${summary.faults} faults`
  say(`seed ${seed} (${mode}): ${what}, ${summary.starts} starts, trace ${summary.traceHash}`)
  for (const { name, where, text } of problems.slice(0, most)) say(`  ${name}: ${where}: ${text}`)
  if (problems.length === 0) return
  if (problems.length > most) say(`  … and ${problems.length - most} more`)
  const given = nodes === undefined ? '' : ` --nodes ${nodes}`
  const planted = bug === undefined ? '' : ` --bug ${bug}`
  say(
    `  again: npm run sim -- --seed ${seed} --mode ${mode}${given}${planted}    (commit ${commit()})`,
  )
}

interface Regression {
  readonly seed: number
  readonly mode: Mode
  readonly nodes: number | undefined
}

/** Seeds that once found something (`seeds.json`), with what it was. */
function regressions(): Regression[] {
  const text = readFileSync(new URL('seeds.json', import.meta.url), 'utf8')
  const seeds = JSON.parse(text) as (Omit<Regression, 'mode'> & { readonly mode: string })[]
  return seeds.map(({ seed, mode, nodes }) => ({ seed, mode: modeOf(mode), nodes }))
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  } catch {
    return 'unknown'
  }
}

function modeOf(text: string): Mode {
  if (text === 'full' || text === 'short') return text
  throw new Error(`--mode ${text}: full or short`)
}

function bugOf(name: string): (typeof BUGS)[number] {
  const found = BUGS.find((bug) => bug.name === name)
  if (found !== undefined) return found
  throw new Error(`--bug ${name}: there are ${BUGS.map((bug) => bug.name).join(', ')}`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.exitCode = await main()
