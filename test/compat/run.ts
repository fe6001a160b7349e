// `npm run compat [suite…]`: unmodified Kafka clients and Kafka's own tools against a running server.
//   --server chronik|kafka   what to start (Kafka shows that an expectation is Kafka's)
//   --records N              at most N stanzas of the package index in the main job
//   --only PATTERN           only tests whose name matches
//   --directory D, --port P  where the server's data go, and its port
// The last line is `N passed, N failed`; the exit code is 0 only without failures. With CI=true a skip is a failure.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { kafkaLibraries, provide } from './install.ts'
import type { Need } from './install.ts'
import { ChronikServer, KafkaServer, supportedApis } from './server.ts'
import type { Server } from './server.ts'
import { clientNames, clientNeeds, Context } from './suite.ts'
import type { Suite, Test } from './suite.ts'
import { codecSuite } from './suites/codec.ts'
import { compactionSuite } from './suites/compaction.ts'
import { groupsSuite } from './suites/groups.ts'
import { kcatSuite } from './suites/kcat.ts'
import { librarySuites } from './suites/libraries.ts'
import { packagesSuite } from './suites/packages.ts'
import { quickstartSuite } from './suites/quickstart.ts'
import { toolsSuite } from './suites/tools.ts'

const suites: readonly Suite[] = [
  kcatSuite,
  ...librarySuites,
  toolsSuite,
  groupsSuite,
  compactionSuite,
  packagesSuite,
  quickstartSuite,
  codecSuite,
]

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    server: { type: 'string', default: 'chronik' },
    records: { type: 'string', default: '1000000' },
    only: { type: 'string', default: '' },
    directory: { type: 'string' },
    port: { type: 'string' },
  },
})

class Tally {
  passed = 0
  failed = 0
  readonly failures: string[] = []

  pass(line: string): void {
    this.passed++
    console.log(`ok      ${line}`)
  }

  fail(line: string, why: string): void {
    this.failed++
    this.failures.push(line)
    console.log(`FAILED  ${line}\n${why.replace(/^/gm, '        ')}`)
  }

  /** A thing that can't be had on this machine. */
  skip(line: string): void {
    if (process.env['CI'] === 'true') this.fail(line, 'skipped, which CI does not allow')
    else console.log(`skipped ${line}`)
  }
}

async function main(): Promise<number> {
  const unknown = positionals.filter((name) => !suites.some((suite) => suite.name === name))
  if (unknown.length > 0) {
    console.error(
      `no such suite: ${unknown.join(', ')}. There are: ${suites.map(({ name }) => name).join(', ')}`,
    )
    return 2
  }
  const chosen = suites.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
  const tally = new Tally()
  const missing = await install(chosen, tally)
  const directory = options.directory ?? mkdtempSync(path.join(tmpdir(), 'chronik-compat-'))
  mkdirSync(directory, { recursive: true })
  const server = await newServer(path.join(directory, 'server'))
  const available = clientNames.filter((name) =>
    clientNeeds[name].every((need) => !missing.has(need)),
  )
  const context = new Context(server, directory, available, { records: Number(options.records) })
  try {
    console.log(
      `${server.kind} answers after ${Math.round(await server.start())} ms on ${server.bootstrap}`,
    )
    for (const suite of chosen)
      if (!suite.needs.some((need) => missing.has(need))) await runSuite(suite, context, tally)
  } finally {
    await context.close()
    await server.stop()
  }
  if (tally.failed === 0 && options.directory === undefined)
    rmSync(directory, { recursive: true, force: true })
  else console.log(`data and logs are in ${directory}`)
  for (const failure of tally.failures) console.log(`failed: ${failure}`)
  console.log(`${tally.passed} passed, ${tally.failed} failed`)
  return tally.failed === 0 ? 0 : 1
}

/** Installs what the chosen suites need; returns what can't be had. */
async function install(chosen: readonly Suite[], tally: Tally): Promise<Set<Need>> {
  const wanted = new Set(chosen.flatMap((suite) => suite.needs))
  if (chosen.includes(groupsSuite) || chosen.includes(packagesSuite))
    for (const name of clientNames) for (const need of clientNeeds[name]) wanted.add(need)
  if (options.server === 'kafka') wanted.add('java')
  const missing = new Set<Need>()
  for (const need of wanted) {
    const why = await provide(need)
    if (why === undefined) continue
    missing.add(need)
    tally.skip(`everything that needs ${need}: ${why}`)
  }
  return missing
}

async function newServer(directory: string): Promise<Server> {
  const port = options.port === undefined ? await freePort() : Number(options.port)
  if (options.server === 'kafka') return new KafkaServer({ directory, port }, kafkaLibraries)
  return new ChronikServer({ directory, port })
}

/** A port that is free now, and the next one too. */
async function freePort(): Promise<number> {
  for (;;) {
    const first = await listenOnce(0)
    if (first !== undefined && (await listenOnce(first + 1)) !== undefined) return first
  }
}

function listenOnce(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(undefined))
    probe.listen(port, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() =>
        resolve(typeof address === 'object' && address !== null ? address.port : undefined),
      )
    })
  })
}

async function runSuite(suite: Suite, context: Context, tally: Tally): Promise<void> {
  const startedMs = Date.now()
  const apis = await supportedApis(context.server.port)
  let tests: readonly Test[]
  try {
    tests = await suite.tests(context)
  } catch (error) {
    tally.fail(`${suite.name}: preparing`, text(error))
    return
  }
  for (const test of tests) {
    if (!new RegExp(options.only).test(test.name)) continue
    const line = `${suite.name}: ${test.name}`
    const absent = (test.apis ?? []).filter((key) => !apis.has(key))
    if (absent.length > 0)
      console.log(`not yet ${line}: the server does not offer API ${absent.join(', ')}`)
    else await runTest(line, test, context, tally)
  }
  console.log(`        ${suite.name} took ${((Date.now() - startedMs) / 1000).toFixed(1)} s`)
}

async function runTest(line: string, test: Test, context: Context, tally: Tally): Promise<void> {
  const startedMs = Date.now()
  const timeoutMs = test.timeoutMs ?? 60_000
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    await Promise.race([test.run(), late])
    if (context.server.pid === undefined) throw new Error('the server ended during the test')
    tally.pass(`${line} (${((Date.now() - startedMs) / 1000).toFixed(1)} s)`)
  } catch (error) {
    const dead = context.server.pid === undefined
    tally.fail(
      line,
      dead ? `${text(error)}\nthe server is gone; it said:\n${context.server.tail()}` : text(error),
    )
    if (dead) await context.server.start()
  } finally {
    clearTimeout(timer)
  }
}

/** The message, and of the stack only where in our own files it was. */
function text(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const at = error.stack?.split('\n').find((line) => line.includes('/suites/'))
  return at === undefined ? error.message : `${error.message}\n${at.trim()}`
}

// kafkajs computes a negative delay now and then, which Node remarks upon.
process.removeAllListeners('warning')
process.exitCode = await main()
process.exit()
