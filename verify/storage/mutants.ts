// Proves that the fuzz would notice: takes src/storage apart at every place where durability or recovery is decided,
// found in the syntax tree so that none is forgotten, breaks one at a time in a copy, and runs the fuzz on it.
//
//   node verify/storage/mutants.ts [--seeds 400] [--jobs 2] [--only text] [--skip 40] [--no-unit] [--list]
//
// Prints one line per mutant. One that survives is a test that is missing, or changes nothing that can be seen: those
// stand in `equivalent-mutants.ts` with the reason.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { EQUIVALENT } from './equivalent-mutants.ts'
import { findMutants, type Mutant } from './find-mutants.ts'

const ROOT = join(import.meta.dirname, '..', '..')
/** Tests and their helpers, and what only prints a stopped store's files. */
const LEFT_ALONE = /\.test\.ts$|^testing|^dump/
/** One seed takes some 30 ms; a mutant that makes the store wait for ever is ended. */
const TIMEOUT_MS = 180_000

interface Verdict {
  readonly mutant: Mutant
  readonly outcome: 'killed' | 'survived' | 'equivalent' | 'equivalent, yet killed'
  readonly detail: string
  readonly seconds: number
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
  /** The room's own tests too, where the fuzz passes. */
  readonly unit: boolean
}

async function tryMutant(tree: string, mutant: Mutant, options: Effort): Promise<Verdict> {
  const path = join(tree, 'src/storage', mutant.file)
  const original = await readFile(path, 'utf8')
  await writeFile(path, mutant.apply(original))
  const started = performance.now()
  try {
    const failure =
      (await runFuzz(tree, options.seeds)) ?? (options.unit ? await runUnitTests(tree) : undefined)
    const seconds = (performance.now() - started) / 1000
    const reason = EQUIVALENT[mutant.key]
    if (failure === undefined) {
      return reason === undefined
        ? { mutant, outcome: 'survived', detail: '', seconds }
        : { mutant, outcome: 'equivalent', detail: reason, seconds }
    }
    const outcome = reason === undefined ? 'killed' : 'equivalent, yet killed'
    return { mutant, outcome, detail: failure, seconds }
  } finally {
    await writeFile(path, original)
  }
}

/** What the fuzz said last when it failed; undefined when it passed. */
async function runFuzz(tree: string, seeds: number): Promise<string | undefined> {
  const args = ['verify/storage/fuzz.ts', '--seeds', String(seeds), '--no-shrink']
  const child = spawn(process.execPath, args, {
    cwd: tree,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(tree, '..', 'cache') },
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS)
  const [code, signal] = await once(child, 'exit')
  clearTimeout(timer)
  if (code === 0) return undefined
  const lines = output.trimEnd().split('\n')
  const seed = /--seed (\d+)/.exec(lines.at(-1) ?? '')?.[1]
  const message = lines.findLast((line) => !/^FAILED| {2}|^\s+at /.test(line)) ?? ''
  return signal === null ? `seed ${seed ?? '?'}: ${message.slice(0, 90)}` : 'never ended'
}

/** The room's own tests, for what the fuzz leaves alone, such as the formats of other versions. */
async function runUnitTests(tree: string): Promise<string | undefined> {
  const names = await readdir(join(tree, 'src/storage'))
  const tests = names
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `src/storage/${name}`)
  if (tests.length === 0) return undefined
  const child = spawn(process.execPath, ['--test', '--test-reporter=tap', ...tests], {
    cwd: tree,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS)
  const [code] = await once(child, 'exit')
  clearTimeout(timer)
  if (code === 0) return undefined
  const failed = /not ok \d+ - (.*)/.exec(output)?.[1] ?? 'never ended'
  return `unit test: ${failed.slice(0, 90)}`
}

function report({ mutant, outcome, detail, seconds }: Verdict): void {
  const where = `${mutant.file}:${mutant.line}`.padEnd(26)
  const what = `${mutant.kind}: ${mutant.text}`.slice(0, 84).padEnd(84)
  console.log(
    `${outcome.toUpperCase().padEnd(10)} ${where} ${what} ${seconds.toFixed(1)} s  ${detail}`,
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
      'no-unit': { type: 'boolean', default: false },
    },
  })
  const effort = { seeds: Number(values.seeds), unit: !values['no-unit'] }
  const mutants = (await readMutants())
    .filter((mutant) => mutant.key.includes(values.only))
    .slice(Number(values.skip))
  if (values.list) {
    for (const mutant of mutants) console.log(mutant.key)
    console.log(`${mutants.length} mutants`)
    return true
  }
  const parent = await mkdtemp(join(tmpdir(), 'chronik-mutants-'))
  const verdicts: Verdict[] = []
  try {
    const intact = await runFuzz(await makeTree(parent, 'intact'), effort.seeds)
    if (intact !== undefined) throw new Error(`the fuzz fails without any mutant: ${intact}`)
    const waiting = mutants.values()
    const workers = Array.from({ length: Number(values.jobs) }, async (_, job) => {
      const tree = await makeTree(parent, String(job))
      for (const mutant of waiting) {
        const verdict = await tryMutant(tree, mutant, effort)
        verdicts.push(verdict)
        report(verdict)
      }
    })
    await Promise.all(workers)
  } finally {
    await rm(parent, { recursive: true })
  }
  return summarize(mutants, verdicts, values.only === '' && values.skip === '0')
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
      `${count('survived')} survived, ${seconds.toFixed(0)} s of fuzzing`,
  )
  return count('survived') === 0 && count('equivalent, yet killed') === 0 && stale.length === 0
}

process.exitCode = (await main()) ? 0 : 1
