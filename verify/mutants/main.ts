// Proves that the tests would notice: takes a part of the source apart at every place where durability, recovery or agreement
// is decided, found in the syntax tree so that none is forgotten, breaks one at a time in a copy, and runs that part's
// tests on it, the test that killed it last time first. `targets.ts` says which parts, places and tests those are.
//
//   node verify/mutants/main.ts [--target storage] [--seeds 400] [--jobs 2] [--only raft/] [--skip 40] [--new] [--write] [--list]
//
// Prints one line per mutant. One that survives is a test that is missing, or changes nothing that can be seen: those
// stand in `equivalent-*.ts` with the reason. `--write` puts what it found into the target's table in docs/; `--new` tries only
// those of which that knows nothing; `--only` those whose place begins so. `--seeds` is for the fuzz.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { findMutants, type Mutant } from './find-mutants.ts'
import {
  describeKiller,
  formatTable,
  parseTable,
  type Killer,
  type KillerTable,
} from './mutant-table.ts'
import { TARGETS, type Stage, type Target } from './targets.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const TEST = /\.test\.ts$/
/** In the output of the test runner: name and file of a test that failed. */
const FAILED_TEST = /^not ok \d+ - (.*)\n[^]*?location: '.*\/([\w-]+\.test\.ts):/m

interface Verdict {
  readonly mutant: Mutant
  readonly outcome: 'killed' | 'survived' | 'equivalent' | 'equivalent, yet killed'
  readonly failure: Failure | undefined
  readonly seconds: number
}

interface Failure {
  readonly killer: Killer
  readonly text: string
}

async function readMutants(target: Target): Promise<Mutant[]> {
  const found: Mutant[] = []
  for (const { folder, only } of target.sources) {
    for (const name of (await readdir(join(ROOT, folder))).toSorted()) {
      if (!name.endsWith('.ts') || TEST.test(name) || !only.test(name)) continue
      const path = join(folder, name)
      const source = await readFile(join(ROOT, path), 'utf8')
      found.push(...findMutants(relative(target.base, path), source, target.rules))
    }
  }
  return found
}

/** A tree like the project's in which only what the target names are copies. */
async function makeTree(parent: string, name: string, { copies }: Target): Promise<string> {
  const tree = join(parent, name)
  await mkdir(join(tree, 'src'), { recursive: true })
  for (const room of await readdir(join(ROOT, 'src'))) {
    if (copies.includes(`src/${room}`)) continue
    await symlink(join(ROOT, 'src', room), join(tree, 'src', room))
  }
  await symlink(join(ROOT, 'node_modules'), join(tree, 'node_modules'))
  await cp(join(ROOT, 'package.json'), join(tree, 'package.json'))
  for (const folder of copies) {
    await mkdir(dirname(join(tree, folder)), { recursive: true })
    await cp(join(ROOT, folder), join(tree, folder), { recursive: true })
  }
  return tree
}

interface Effort {
  readonly target: Target
  readonly seeds: number
  readonly known: KillerTable
}

async function tryMutant(tree: string, mutant: Mutant, effort: Effort): Promise<Verdict> {
  const path = join(tree, effort.target.base, mutant.file)
  const original = await readFile(path, 'utf8')
  await writeFile(path, mutant.apply(original))
  const started = performance.now()
  try {
    const failure = await findFailure(tree, effort, mutant)
    const seconds = (performance.now() - started) / 1000
    const isEquivalent = effort.target.equivalent[mutant.key] !== undefined
    if (failure === undefined) {
      return { mutant, outcome: isEquivalent ? 'equivalent' : 'survived', failure, seconds }
    }
    const outcome = isEquivalent ? 'equivalent, yet killed' : 'killed'
    return { mutant, outcome, failure, seconds }
  } finally {
    await writeFile(path, original)
  }
}

/** What killed it before, then stage by stage. Without one: whatever fails that any of the files is to be tried with. */
async function findFailure(
  tree: string,
  effort: Effort,
  wanted: Mutant | ReadonlySet<string>,
): Promise<Failure | undefined> {
  const { stages } = effort.target
  const mutant = 'key' in wanted ? wanted : undefined
  const files = 'key' in wanted ? [wanted.file] : [...wanted]
  const known = mutant === undefined ? undefined : effort.known.get(mutant.key)
  for (const stage of stages) {
    const again = await runAgain(tree, stage, known)
    if (again !== undefined) return again
  }
  for (const stage of stages) {
    if (stage.kind === 'fuzz') {
      const failure = await runFuzz(tree, { from: 1, seeds: effort.seeds }, stage.timeoutMs)
      if (failure !== undefined) return failure
      continue
    }
    if (!files.some((file) => stage.files?.test(file) ?? true)) continue
    const failure = await runUnitTests(tree, stage, { first: mutant?.file })
    if (failure !== undefined) return failure
  }
  return undefined
}

async function runAgain(
  tree: string,
  stage: Stage,
  known: Killer | undefined,
): Promise<Failure | undefined> {
  if (stage.kind === 'unit')
    return known?.kind === 'unit' ? runUnitTests(tree, stage, { only: known }) : undefined
  if (known?.kind !== 'fuzz') return undefined
  return runFuzz(tree, { from: known.seed, seeds: 1 }, stage.timeoutMs)
}

async function runFuzz(
  tree: string,
  { from, seeds }: { readonly from: number; readonly seeds: number },
  timeoutMs: number,
): Promise<Failure | undefined> {
  const range = ['--from', String(from), '--seeds', String(seeds)]
  const args = ['verify/storage/fuzz.ts', ...range, '--no-shrink']
  const { output, passed, ended } = await run(tree, args, { timeoutMs })
  if (passed) return undefined
  const lines = output.trimEnd().split('\n')
  const seed = /--seed (\d+)/.exec(lines.at(-1) ?? '')?.[1]
  if (seed === undefined) return { killer: { kind: ended ? 'crash' : 'hang' }, text: '' }
  const message = lines.findLast((line) => !/^FAILED| {2}|^\s+at /.test(line)) ?? ''
  return { killer: { kind: 'fuzz', seed: Number(seed) }, text: message }
}

/** The stage's tests, those of the source file `first` first, or the one given, if it is of this stage. */
async function runUnitTests(
  tree: string,
  stage: Extract<Stage, { kind: 'unit' }>,
  choice: {
    readonly only?: { readonly file: string; readonly test: string }
    readonly first?: string | undefined
  },
): Promise<Failure | undefined> {
  const { only } = choice
  const all: string[] = []
  for (const { folder, only: wanted } of stage.tests) {
    const names = (await readdir(join(tree, folder))).toSorted()
    all.push(...names.filter((name) => wanted.test(name)).map((name) => join(folder, name)))
  }
  const first = `/${choice.first?.replace(/\.ts$/, '.test.ts')}`
  const tests = all
    .filter((path) => TEST.test(path) && (only === undefined || path.endsWith(`/${only.file}`)))
    .toSorted((a, b) => Number(b.endsWith(first)) - Number(a.endsWith(first)))
  if (tests.length === 0) return undefined
  const escaped = only?.test.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&')
  const pattern = escaped === undefined ? stage.named : `^${escaped}$`
  const args = [
    '--test',
    '--test-isolation=none',
    '--test-reporter=tap',
    ...(pattern === undefined ? [] : [`--test-name-pattern=${pattern}`]),
    ...tests,
  ]
  const { timeoutMs, environment } = stage
  const limits = { timeoutMs, enough: FAILED_TEST, environment }
  const { output, passed, ended } = await run(tree, args, limits)
  if (passed) return undefined
  const [, name, file] = FAILED_TEST.exec(output) ?? []
  if (name === undefined || file === undefined) {
    return { killer: { kind: ended ? 'crash' : 'hang' }, text: '' }
  }
  return { killer: { kind: 'unit', file, test: name.replaceAll(/\\([\\#])/g, '$1') }, text: '' }
}

/** `enough`: the output that need not be followed by more. */
async function run(
  tree: string,
  args: readonly string[],
  limits: {
    readonly timeoutMs: number
    readonly enough?: RegExp
    readonly environment?: Readonly<Record<string, string>> | undefined
  },
): Promise<{ readonly output: string; readonly passed: boolean; readonly ended: boolean }> {
  const child = spawn(process.execPath, args, {
    cwd: tree,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...limits.environment, NODE_COMPILE_CACHE: join(tree, '..', 'cache') },
  })
  let output = ''
  const take = (chunk: Buffer): void => {
    output += chunk.toString()
    if (limits.enough?.test(output) === true) child.kill('SIGKILL')
  }
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  let ended = true
  const timer = setTimeout(() => {
    ended = false
    child.kill('SIGKILL')
  }, limits.timeoutMs)
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  return { output, passed: code === 0, ended }
}

function report({ mutant, outcome, failure, seconds }: Verdict): void {
  const where = `${mutant.file}:${mutant.line}`.padEnd(26)
  const what = `${mutant.kind}: ${mutant.text}`.slice(0, 84).padEnd(84)
  const by = failure === undefined ? '' : describeKiller(failure.killer)
  const detail = [by, failure?.text ?? ''].filter((part) => part !== '').join(': ')
  console.log(
    `${outcome.toUpperCase().padEnd(10)} ${where} ${what} ${seconds.toFixed(1)} s  ${detail.slice(0, 110)}`,
  )
}

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      target: { type: 'string', default: 'storage' },
      seeds: { type: 'string', default: '400' },
      jobs: { type: 'string', default: '2' },
      only: { type: 'string', default: '' },
      list: { type: 'boolean', default: false },
      skip: { type: 'string', default: '0' },
      new: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
    },
  })
  const target = TARGETS[values.target]
  if (target === undefined) throw new Error(`no target ${values.target}`)
  const { equivalent } = target
  const known = await readTable(target)
  const effort = { target, seeds: Number(values.seeds), known }
  const all = await readMutants(target)
  const isKilled = (key: string): boolean => known.has(key) && known.get(key)?.kind !== 'nobody'
  const mutants = all
    .filter((mutant) => mutant.key.startsWith(values.only))
    .filter((mutant) => !values.new || !(isKilled(mutant.key) || mutant.key in equivalent))
    .slice(Number(values.skip))
  if (values.list) {
    for (const mutant of mutants) console.log(mutant.key)
    console.log(`${mutants.length} mutants`)
    return true
  }
  const parent = await mkdtemp(join(tmpdir(), 'chronik-mutants-'))
  const verdicts: Verdict[] = []
  try {
    const files = new Set(mutants.map((mutant) => mutant.file))
    const intact = await findFailure(await makeTree(parent, 'intact', target), effort, files)
    if (intact !== undefined)
      throw new Error(`the tests fail without any mutant: ${describeKiller(intact.killer)}`)
    const waiting = mutants.values()
    const workers = Array.from({ length: Number(values.jobs) }, async (_, job) => {
      const tree = await makeTree(parent, String(job), target)
      for (const mutant of waiting) {
        const verdict = await tryMutant(tree, mutant, effort)
        verdicts.push(verdict)
        report(verdict)
        if (values.write) await writeTable(target, all, verdict)
      }
    })
    await Promise.all(workers)
  } finally {
    await rm(parent, { recursive: true })
  }
  const whole = values.only === '' && values.skip === '0' && !values.new
  const missing = new Set(whole ? Object.keys(equivalent) : [])
  for (const { key } of mutants) missing.delete(key)
  return summarize(verdicts, missing)
}

const readTable = async ({ table }: Target): Promise<KillerTable> =>
  parseTable(await readFile(join(ROOT, table), 'utf8').catch(() => ''))

/** After each, so that a run that is ended early leaves what it found. */
async function writeTable(
  target: Target,
  all: readonly Mutant[],
  { mutant, failure }: Verdict,
): Promise<void> {
  const table = new Map(await readTable(target))
  table.set(mutant.key, failure?.killer ?? { kind: 'nobody' })
  await writeFile(join(ROOT, target.table), formatTable(all, table, target))
}

/** `missing`: those said to be equivalent that are not there. */
function summarize(verdicts: readonly Verdict[], missing: ReadonlySet<string>): boolean {
  const count = (outcome: string): number =>
    verdicts.filter((one) => one.outcome === outcome).length
  for (const key of missing) console.log(`no such mutant any more: ${key}`)
  const seconds = verdicts.reduce((sum, one) => sum + one.seconds, 0)
  console.log(
    `${verdicts.length} mutants: ${count('killed')} killed, ${count('equivalent')} equivalent, ` +
      `${count('survived')} survived, ${seconds.toFixed(0)} s of testing`,
  )
  return count('survived') === 0 && count('equivalent, yet killed') === 0 && missing.size === 0
}

process.exitCode = (await main()) ? 0 : 1
