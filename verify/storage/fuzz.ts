// Runs the storage fuzz from the command line:
//
//   node verify/storage/fuzz.ts --seeds 10000 [--from 1] [--jobs 2]    many seeds
//   node verify/storage/fuzz.ts --seed 42 --every-step [...]            one script, a crash at each of its disk steps
//   node verify/storage/fuzz.ts --seed 42 [--rounds 3] [--operations 20] [--without drop,power] [--verbose]
//
// On a failure it tries smaller runs of the same seed and prints the one line that reproduces the smallest.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { CRASHES, FEATURES, type CrashAt, type Feature, type FuzzOptions } from './plan.ts'
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
    'every-step': { type: 'boolean', default: false },
    'crash-at': { type: 'string' },
    verbose: { type: 'boolean', default: false },
    'no-shrink': { type: 'boolean', default: false },
  },
})

const base: Omit<FuzzOptions, 'seed'> = {
  rounds: values.rounds === undefined ? undefined : Number(values.rounds),
  operations: values.operations === undefined ? undefined : Number(values.operations),
  without: values.without?.split(',').filter(isFeature),
  crashAt: parseCrash(values['crash-at']),
}

function isFeature(text: string): text is Feature {
  return FEATURES.some((feature) => feature === text)
}

/** `life:step:how` */
function parseCrash(text: string | undefined): CrashAt | undefined {
  const [life, step, how] = text?.split(':') ?? []
  const kind = CRASHES.find((one) => one === how)
  if (life === undefined || step === undefined || kind === undefined) return undefined
  return { life: Number(life), step: Number(step), how: kind }
}

function reproduction(options: FuzzOptions): string {
  const parts = ['node verify/storage/fuzz.ts', '--seed', String(options.seed)]
  if (options.rounds !== undefined) parts.push('--rounds', String(options.rounds))
  if (options.operations !== undefined) parts.push('--operations', String(options.operations))
  if (options.without !== undefined && options.without.length > 0) {
    parts.push('--without', options.without.join())
  }
  if (options.crashAt !== undefined) {
    const { life, step, how } = options.crashAt
    parts.push('--crash-at', `'${life}:${step}:${how}'`)
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

/** The same script again and again, with a crash at each disk step of each life, in each way. */
async function runEveryStep(options: FuzzOptions): Promise<boolean> {
  const started = performance.now()
  const never: CrashAt = { life: 0, step: 0, how: 'kill' }
  const { steps, failure } = await fuzzSeed({ ...options, crashAt: never })
  if (failure !== undefined) throw failure
  let runs = 0
  for (const [life, count] of steps.slice(0, -1).entries()) {
    for (let step = 1; step <= count; step++) {
      for (const how of CRASHES) {
        const crashed = { ...options, crashAt: { life, step, how } }
        const result = await fuzzSeed(crashed)
        runs++
        if (result.failure === undefined) continue
        console.log(result.notes.slice(-40).join('\n'))
        console.log(describeFailure(result.failure))
        console.log(`FAILED  ${reproduction(crashed)}`)
        return false
      }
    }
  }
  const seconds = (performance.now() - started) / 1000
  console.log(`seed ${options.seed}: ${runs} crashes, 0 failures, ${seconds.toFixed(1)} s`)
  return true
}

async function main(): Promise<boolean> {
  if (values.seed === undefined) {
    const [from, count, jobs] = [Number(values.from), Number(values.seeds), Number(values.jobs)]
    return jobs > 1 ? runJobs(from, count, jobs) : runSeeds(from, count)
  }
  const options = { ...base, seed: Number(values.seed) }
  if (values['every-step']) return runEveryStep(options)
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
