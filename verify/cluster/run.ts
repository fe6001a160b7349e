// Real failures: clusters of real processes, real signals, real clients, by scenario.
//
//   npm run failures                                every scenario, with every client that can be had here
//   npm run failures -- --scenario leader-kill --client java --repeat 50
//   npm run failures -- --scenario cascade --nodes 5
//   npm run failures -- --short                     what CI runs, under five minutes
//   npm run failures -- --list
//
// --settle S waits so many seconds more before each fault: librdkafka goes back to a node that was down only after up to 10 s,
// so that a fault soon after another measures that. --scenario and --client may be given several times. --directory keeps data,
// logs and histories there, --port-base is the first of the 120 ports in use. The last lines say what was measured and what
// was wrong; the exit code is 0 only if nothing was.

import { mkdtempSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { provide } from '../../test/compat/install.ts'
import { Bench } from './bench.ts'
import { clientNames, clients, type ClientName } from './clients.ts'
import type { Figures } from './figures.ts'
import type { Scenario } from './scenario.ts'
import { scenarios, shortSelection } from './scenarios.ts'

const { values: options } = parseArgs({
  options: {
    scenario: { type: 'string', multiple: true },
    client: { type: 'string', multiple: true },
    nodes: { type: 'string' },
    repeat: { type: 'string', default: '1' },
    settle: { type: 'string', default: '0' },
    short: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    directory: { type: 'string' },
    'port-base': { type: 'string', default: '25000' },
    'no-java': { type: 'boolean', default: false },
  },
})

interface Job {
  readonly scenario: Scenario
  readonly client: ClientName
  readonly nodes: number
  readonly repeat: number
}

interface Result {
  readonly job: Job
  readonly problems: readonly string[]
  readonly figures: Figures
  readonly seconds: number
}

function jobs(): Job[] {
  const repeat = Number(options.repeat)
  if (options.short) return [...shortSelection]
  const wanted = options.scenario ?? scenarios.map(({ name }) => name)
  return wanted.flatMap((name) => {
    const scenario = scenarios.find((known) => known.name === name)
    if (scenario === undefined) throw new Error(`there is no scenario ${name}; see --list`)
    const nodes = Number(options.nodes ?? scenario.nodes[0])
    if (!scenario.nodes.includes(nodes)) {
      throw new Error(`${name} is for ${scenario.nodes.join(', ')} nodes`)
    }
    return chosenClients(scenario).map((client) => ({ scenario, client, nodes, repeat }))
  })
}

function chosenClients(scenario: Scenario): ClientName[] {
  const given = options.client
  if (given === undefined) return scenario.anyClient === true ? ['chronik'] : [...clientNames]
  return given.map((name) => {
    const known = clientNames.find((client) => client === name)
    if (known === undefined) throw new Error(`no client ${name}: ${clientNames.join(', ')}`)
    return known
  })
}

/** What can't be had on this machine, and why. With CI=true that is a failure of its own. */
async function missingNeeds(all: readonly Job[]): Promise<Map<string, string>> {
  const missing = new Map<string, string>()
  const needs = new Set([
    ...all.flatMap(({ client }) => clients[client].needs),
    'confluent' as const,
    ...(options['no-java'] ? [] : ['java' as const]),
  ])
  for (const need of needs) {
    const why = await provide(need)
    if (why !== undefined) missing.set(need, why)
  }
  return missing
}

async function runJob(
  job: Job,
  directory: string,
  missing: ReadonlyMap<string, string>,
): Promise<Result> {
  const { scenario, client, nodes, repeat } = job
  console.log(`=== ${title(job)}`)
  const startedMs = performance.now()
  const bench = new Bench({
    directory,
    portBase: Number(options['port-base']),
    nodes,
    client,
    repeat,
    settleMs: Number(options.settle) * 1000,
    proxied: scenario.proxied === true,
    java: !options['no-java'] && !missing.has('java'),
    librdkafka: !missing.has('confluent'),
  })
  try {
    await scenario.run(bench)
    await bench.judge()
  } catch (error) {
    bench.problem(error instanceof Error ? (error.stack ?? error.message) : String(error))
  } finally {
    await bench.close()
  }
  const seconds = (performance.now() - startedMs) / 1000
  const { problems, figures } = bench
  for (const line of figures.lines()) console.log(`    ${line}`)
  console.log(
    `=== ${title(job)}: ${problems.length === 0 ? 'ok' : `FAILED, ${problems.length} problems`}, ${seconds.toFixed(1)} s`,
  )
  return { job, problems, figures, seconds }
}

function title({ scenario, client, nodes, repeat }: Job): string {
  return `${scenario.name}, ${nodes} nodes, ${client}${repeat > 1 ? `, ${repeat} times` : ''}`
}

async function main(): Promise<boolean> {
  if (options.list) {
    for (const { name, what, nodes } of scenarios)
      console.log(`${name.padEnd(14)} ${what} (${nodes.join(', ')} nodes)`)
    return true
  }
  const all = jobs()
  const missing = await missingNeeds(all)
  for (const why of missing.values()) console.log(`left out: ${why}`)
  const root = options.directory ?? mkdtempSync(path.join(tmpdir(), 'chronik-failures-'))
  const results: Result[] = []
  for (const [i, job] of all.entries()) {
    if (clients[job.client].needs.some((need) => missing.has(need))) continue
    const directory = path.join(root, `${i + 1}-${job.scenario.name}-${job.client}`)
    const result = await runJob(job, directory, missing)
    results.push(result)
    if (result.problems.length === 0 && options.directory === undefined) {
      rmSync(directory, { recursive: true, force: true })
    }
  }
  const bad = results.filter(({ problems }) => problems.length > 0)
  for (const { job, problems } of bad) {
    console.log(`FAILED ${title(job)}`)
    for (const problem of problems.slice(0, 5)) console.log(`  ${problem}`)
  }
  if (bad.length > 0) console.log(`data, logs and histories are in ${root}`)
  else if (options.directory === undefined) rmSync(root, { recursive: true, force: true })
  console.log(`${results.length - bad.length} passed, ${bad.length} failed`)
  return bad.length === 0 && (missing.size === 0 || process.env['CI'] !== 'true')
}

process.removeAllListeners('warning')
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => process.exit(128 + constants.signals[signal]))
}
process.exit((await main()) ? 0 : 1)
