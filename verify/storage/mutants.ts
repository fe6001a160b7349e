// Proves that the tests would notice: takes src/storage apart at every place where durability or recovery is decided,
// found in the syntax tree so that none is forgotten, breaks one at a time in a copy, and runs the room's unit tests and
// the fuzz on it, the test that killed it last time first.
//
//   node verify/storage/mutants.ts [--seeds 400] [--jobs 2] [--only text] [--skip 40] [--new] [--write] [--list]
//
// Prints one line per mutant. One that survives is a test that is missing, or changes nothing that can be seen: those
// stand in `equivalent-mutants.ts` with the reason. `--write` puts what it found into docs/mutants.md; `--new` tries only those
// of which that knows nothing.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { EQUIVALENT } from './equivalent-mutants.ts'
import { findMutants, type Mutant } from './find-mutants.ts'
import {
  describeKiller,
  formatTable,
  parseTable,
  type Killer,
  type KillerTable,
} from './mutant-table.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const TABLE = join(ROOT, 'docs/mutants.md')
/** Tests and their helpers, and what only prints a stopped store's files. */
const LEFT_ALONE = /\.test\.ts$|^testing|^dump/
/** The unit tests take some two seconds, a seed of the fuzz some 60 ms; what a mutant makes wait for ever is ended. */
const UNIT_TIMEOUT_MS = 60_000
const FUZZ_TIMEOUT_MS = 300_000
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

async function readMutants(): Promise<Mutant[]> {
  const names = (await readdir(join(ROOT, 'src/storage'))).sort()
  const sources = names.filter((name) => name.endsWith('.ts') && !LEFT_ALONE.test(name))
  const found: Mutant[] = []
  for (const name of sources) {
    found.push(...findMutants(name, await readFile(join(ROOT, 'src/storage', name), 'utf8')))
  }
  return found
}

/** A tree like the project's in which only the storage room and the fuzz are copies. */
async function makeTree(parent: string, name: string): Promise<string> {
  const tree = join(parent, name)
  await mkdir(join(tree, 'src'), { recursive: true })
  await mkdir(join(tree, 'verify'), { recursive: true })
  for (const room of ['base', 'env', 'records']) {
    await symlink(join(ROOT, 'src', room), join(tree, 'src', room))
  }
  await symlink(join(ROOT, 'node_modules'), join(tree, 'node_modules'))
  await cp(join(ROOT, 'package.json'), join(tree, 'package.json'))
  await cp(join(ROOT, 'src/storage'), join(tree, 'src/storage'), { recursive: true })
  await cp(join(ROOT, 'verify/storage'), join(tree, 'verify/storage'), { recursive: true })
  return tree
}

interface Effort {
  readonly seeds: number
  readonly known: KillerTable
}

async function tryMutant(tree: string, mutant: Mutant, effort: Effort): Promise<Verdict> {
  const path = join(tree, 'src/storage', mutant.file)
  const original = await readFile(path, 'utf8')
  await writeFile(path, mutant.apply(original))
  const started = performance.now()
  try {
    const failure = await findFailure(tree, effort, mutant)
    const seconds = (performance.now() - started) / 1000
    const isEquivalent = EQUIVALENT[mutant.key] !== undefined
    if (failure === undefined) {
      return { mutant, outcome: isEquivalent ? 'equivalent' : 'survived', failure, seconds }
    }
    const outcome = isEquivalent ? 'equivalent, yet killed' : 'killed'
    return { mutant, outcome, failure, seconds }
  } finally {
    await writeFile(path, original)
  }
}

/** What killed it before, then the quick tests, then seeds. */
async function findFailure(
  tree: string,
  { seeds, known: table }: Effort,
  mutant?: Mutant,
): Promise<Failure | undefined> {
  const known = mutant === undefined ? undefined : table.get(mutant.key)
  const again = known?.kind === 'unit' ? await runUnitTests(tree, { only: known }) : undefined
  const failure = again ?? (await runUnitTests(tree, { first: mutant?.file }))
  if (failure !== undefined) return failure
  const seed = known?.kind === 'fuzz' ? await runFuzz(tree, known.seed, 1) : undefined
  return seed ?? (await runFuzz(tree, 1, seeds))
}

async function runFuzz(tree: string, from: number, seeds: number): Promise<Failure | undefined> {
  const range = ['--from', String(from), '--seeds', String(seeds)]
  const args = ['verify/storage/fuzz.ts', ...range, '--no-shrink']
  const { output, passed, ended } = await run(tree, args, { timeoutMs: FUZZ_TIMEOUT_MS })
  if (passed) return undefined
  const lines = output.trimEnd().split('\n')
  const seed = /--seed (\d+)/.exec(lines.at(-1) ?? '')?.[1]
  if (seed === undefined) return { killer: { kind: ended ? 'crash' : 'hang' }, text: '' }
  const message = lines.findLast((line) => !/^FAILED| {2}|^\s+at /.test(line)) ?? ''
  return { killer: { kind: 'fuzz', seed: Number(seed) }, text: message }
}

/** All of the room's own tests, those of the source file `first` first, or the one given. */
async function runUnitTests(
  tree: string,
  choice: {
    readonly only?: { readonly file: string; readonly test: string }
    readonly first?: string | undefined
  },
): Promise<Failure | undefined> {
  const { only } = choice
  const names = await readdir(join(tree, 'src/storage'))
  const wanted = only === undefined ? names : names.filter((name) => name === only.file)
  const first = choice.first?.replace(/\.ts$/, '.test.ts')
  const tests = wanted
    .filter((name) => name.endsWith('.test.ts'))
    .toSorted((a, b) => Number(b === first) - Number(a === first))
  if (tests.length === 0) return undefined
  const pattern = only?.test.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&')
  const args = [
    '--test',
    '--test-isolation=none',
    '--test-reporter=tap',
    ...(pattern === undefined ? [] : [`--test-name-pattern=^${pattern}$`]),
    ...tests.map((name) => `src/storage/${name}`),
  ]
  const limits = { timeoutMs: UNIT_TIMEOUT_MS, enough: FAILED_TEST }
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
  limits: { readonly timeoutMs: number; readonly enough?: RegExp },
): Promise<{ readonly output: string; readonly passed: boolean; readonly ended: boolean }> {
  const child = spawn(process.execPath, args, {
    cwd: tree,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(tree, '..', 'cache') },
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
      seeds: { type: 'string', default: '400' },
      jobs: { type: 'string', default: '2' },
      only: { type: 'string', default: '' },
      list: { type: 'boolean', default: false },
      skip: { type: 'string', default: '0' },
      new: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
    },
  })
  const known = await readTable()
  const effort = { seeds: Number(values.seeds), known }
  const all = await readMutants()
  const mutants = all
    .filter((mutant) => mutant.key.includes(values.only))
    .filter((mutant) => !values.new || !(known.has(mutant.key) || mutant.key in EQUIVALENT))
    .slice(Number(values.skip))
  if (values.list) {
    for (const mutant of mutants) console.log(mutant.key)
    console.log(`${mutants.length} mutants`)
    return true
  }
  const parent = await mkdtemp(join(tmpdir(), 'chronik-mutants-'))
  const verdicts: Verdict[] = []
  try {
    const intact = await findFailure(await makeTree(parent, 'intact'), effort)
    if (intact !== undefined)
      throw new Error(`the tests fail without any mutant: ${describeKiller(intact.killer)}`)
    const waiting = mutants.values()
    const workers = Array.from({ length: Number(values.jobs) }, async (_, job) => {
      const tree = await makeTree(parent, String(job))
      for (const mutant of waiting) {
        const verdict = await tryMutant(tree, mutant, effort)
        verdicts.push(verdict)
        report(verdict)
        if (values.write) await writeTable(all, verdict)
      }
    })
    await Promise.all(workers)
  } finally {
    await rm(parent, { recursive: true })
  }
  return summarize(mutants, verdicts, values.only === '' && values.skip === '0' && !values.new)
}

const readTable = async (): Promise<KillerTable> =>
  parseTable(await readFile(TABLE, 'utf8').catch(() => ''))

/** After each, so that a run that is ended early leaves what it found. */
async function writeTable(all: readonly Mutant[], { mutant, failure }: Verdict): Promise<void> {
  const table = new Map(await readTable())
  if (failure === undefined) table.delete(mutant.key)
  else table.set(mutant.key, failure.killer)
  await writeFile(TABLE, formatTable(all, table, EQUIVALENT))
}

function summarize(
  mutants: readonly Mutant[],
  verdicts: readonly Verdict[],
  all: boolean,
): boolean {
  const count = (outcome: string): number =>
    verdicts.filter((one) => one.outcome === outcome).length
  const keys = new Set(mutants.map((mutant) => mutant.key))
  const stale = all ? Object.keys(EQUIVALENT).filter((key) => !keys.has(key)) : []
  for (const key of stale) console.log(`no such mutant any more: ${key}`)
  const seconds = verdicts.reduce((sum, one) => sum + one.seconds, 0)
  console.log(
    `${verdicts.length} mutants: ${count('killed')} killed, ${count('equivalent')} equivalent, ` +
      `${count('survived')} survived, ${seconds.toFixed(0)} s of testing`,
  )
  return count('survived') === 0 && count('equivalent, yet killed') === 0 && stale.length === 0
}

process.exitCode = (await main()) ? 0 : 1
