// Runs the storage fuzz from the command line:
//
//   node verify/storage/fuzz.ts --seeds 10000 [--from 1] [--jobs 2]    many seeds
//   node verify/storage/fuzz.ts --seed 42 [--rounds 3] [--operations 20] [--without drop,power] [--verbose]
//
// On a failure it tries smaller runs of the same seed and prints the one line that reproduces the smallest.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { FEATURES, type Feature, type FuzzOptions } from './plan.ts'
import { describeFailure, fuzzSeed, type FuzzResult } from './run.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '1' },
    rounds: { type: 'string' },
    operations: { type: 'string' },
    without: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    'no-shrink': { type: 'boolean', default: false },
  },
})

const base: Omit<FuzzOptions, 'seed'> = {
  rounds: values.rounds === undefined ? undefined : Number(values.rounds),
  operations: values.operations === undefined ? undefined : Number(values.operations),
  without: values.without?.split(',').filter(isFeature),
}

function isFeature(text: string): text is Feature {
  return FEATURES.some((feature) => feature === text)
}

function reproduction(options: FuzzOptions): string {
  const parts = ['node verify/storage/fuzz.ts', '--seed', String(options.seed)]
  if (options.rounds !== undefined) parts.push('--rounds', String(options.rounds))
  if (options.operations !== undefined) parts.push('--operations', String(options.operations))
  if (options.without !== undefined && options.without.length > 0) {
    parts.push('--without', options.without.join())
  }
  return parts.join(' ')
}

/** Leaves out what is not needed for this failure. */
async function shrink(first: FuzzOptions, failure: unknown): Promise<FuzzOptions> {
  let best = first
  const attempt = async (options: FuzzOptions): Promise<boolean> => {
    const result = await fuzzSeed(options)
    const same = result.failure !== undefined && kindOf(result.failure) === kindOf(failure)
    if (same) best = options
    return same
  }
  for (const feature of FEATURES) {
    await attempt({ ...best, without: [...(best.without ?? []), feature] })
  }
  for (const rounds of [1, 2, 3, 4, 5]) if (await attempt({ ...best, rounds })) break
  for (const operations of [3, 6, 10, 20, 40]) if (await attempt({ ...best, operations })) break
  return best
}

/** The message without its numbers. */
function kindOf(failure: unknown): string {
  return describeFailure(failure).replaceAll(/\d+/g, 'N').slice(0, 60)
}

async function reportFailure(options: FuzzOptions, result: FuzzResult): Promise<void> {
  const smallest = values['no-shrink'] ? options : await shrink(options, result.failure)
  const last = values['no-shrink'] ? result : await fuzzSeed(smallest)
  console.log(last.notes.slice(values.verbose ? -120 : -40).join('\n'))
  console.log(describeFailure(last.failure))
  console.log(`FAILED  ${reproduction(smallest)}    (first seen: ${reproduction(options)})`)
}

async function runSeeds(from: number, count: number): Promise<boolean> {
  const started = performance.now()
  const counts = new Map<string, number>()
  let events = 0
  for (let seed = from; seed < from + count; seed++) {
    const options = { ...base, seed }
    const result = await fuzzSeed(options)
    events += result.events
    for (const [what, times] of result.counts) counts.set(what, (counts.get(what) ?? 0) + times)
    if (result.failure !== undefined) {
      await reportFailure(options, result)
      return false
    }
  }
  const seconds = (performance.now() - started) / 1000
  const totals = [...counts].sort().map(([what, times]) => `${what} ${times}`)
  console.log(totals.join(', '))
  console.log(`${count} seeds from ${from}: 0 failures, ${events} events, ${seconds.toFixed(1)} s`)
  return true
}

/** Splits the seeds over processes: one simulation uses one core. */
async function runJobs(from: number, count: number, jobs: number): Promise<boolean> {
  const share = Math.ceil(count / jobs)
  const ends = Array.from({ length: jobs }, async (_, job) => {
    const first = from + job * share
    const args = ['--from', String(first), '--seeds', String(Math.min(share, from + count - first))]
    const child = spawn(process.execPath, [import.meta.filename, ...args], { stdio: 'inherit' })
    const [code] = await once(child, 'exit')
    return code === 0
  })
  return (await Promise.all(ends)).every(Boolean)
}

async function main(): Promise<boolean> {
  if (values.seed === undefined) {
    const [from, count, jobs] = [Number(values.from), Number(values.seeds), Number(values.jobs)]
    return jobs > 1 ? runJobs(from, count, jobs) : runSeeds(from, count)
  }
  const options = { ...base, seed: Number(values.seed) }
  const result = await fuzzSeed(options)
  if (result.failure !== undefined) {
    await reportFailure(options, result)
    return false
  }
  if (values.verbose) console.log(result.notes.join('\n'))
  console.log(`seed ${options.seed}: passed, ${result.events} events, trace ${result.traceHash}`)
  return true
}

process.exitCode = (await main()) ? 0 : 1
