// `npm run bench [case…]`: how fast a node takes records, every one of them durable before it is acknowledged, beside Apache
// Kafka as it comes and with flush.messages=1, on the same machine, in turns, with the raw disk measured in between.
//   --seconds N (30)  --warmup N (3)  --rounds N (1)  --disk-seconds N (5)
//   --against LIST    of chronik,kafka,kafka-flush (default: all)
//   --directory D     where data go: the disk that is measured     --port P     --json FILE

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import kafkajs from 'kafkajs'
import { kafkaLibraries, provide } from '../test/compat/install.ts'
import { runOk, sleep, waitFor } from '../test/compat/process.ts'
import { ChronikServer, KafkaServer } from '../test/compat/server.ts'
import type { Server } from '../test/compat/server.ts'
import { cases } from './cases.ts'
import type { Case, Load } from './cases.ts'
import { buildLoader } from './loader.ts'
import { busySeconds, machineLine, measureDisk, sampleProcess } from './machine.ts'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '30' },
    warmup: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '1' },
    'disk-seconds': { type: 'string', default: '5' },
    against: { type: 'string', default: 'chronik,kafka,kafka-flush' },
    directory: { type: 'string' },
    port: { type: 'string', default: '19092' },
    json: { type: 'string' },
  },
})

interface Round extends Load {
  readonly case: string
  readonly server: string
  /** MB/s of the raw disk, the mean of before and after. */
  readonly diskMegabytesPerSecond: number
  readonly serverCpuSeconds: number
  readonly serverResidentMegabytes: number
  /** Cores taken by anything but the server and its client, on average. */
  readonly otherCores: number
}

async function main(): Promise<void> {
  const chosen = cases.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
  if (chosen.length === 0)
    throw new Error(`no such case; there are: ${cases.map(({ name }) => name).join(', ')}`)
  const servers = options.against.split(',')
  const loader = await buildLoader()
  const why = servers.some((name) => name.startsWith('kafka')) ? await provide('java') : undefined
  if (why !== undefined) throw new Error(why)
  const directory = options.directory ?? mkdtempSync(path.join(tmpdir(), 'chronik-bench-'))
  mkdirSync(directory, { recursive: true })
  console.log(machineLine())
  const rounds: Round[] = []
  for (const one of chosen) {
    console.log(`\n${one.name}: ${one.what}`)
    let disk = measureDisk(directory, Number(options['disk-seconds']))
    for (let round = 0; round < Number(options.rounds); round++) {
      for (const server of servers) {
        const result = await runRound(one, server, directory, loader)
        const after = measureDisk(directory, Number(options['disk-seconds']))
        rounds.push({ ...result, diskMegabytesPerSecond: (disk + after) / 2 })
        disk = after
        printRound(rounds.at(-1))
      }
    }
  }
  if (Number(options.rounds) > 1) printMedians(rounds)
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify({ machine: machineLine(), rounds }, null, 2)}\n`)
  rmSync(directory, { recursive: true, force: true })
}

function newServer(name: string, directory: string): Server {
  const port = Number(options.port)
  if (name === 'chronik') return new ChronikServer({ directory, port })
  const settings = name === 'kafka-flush' ? ['log.flush.interval.messages=1'] : []
  return new KafkaServer({ directory, port, settings }, kafkaLibraries)
}

type Measured = Omit<Round, 'diskMegabytesPerSecond'>

async function runRound(
  one: Case,
  name: string,
  directory: string,
  loader: string,
): Promise<Measured> {
  const home = path.join(directory, name)
  const server = newServer(name, home)
  await server.start()
  try {
    await createTopic(server.bootstrap, one)
    await sleep(3_000) // Kafka lists a partition before it takes writes to it
    const pid = server.pid ?? 0
    const before = sampleProcess(pid)
    const busyBefore = busySeconds()
    const startedMs = performance.now()
    const load = await runLoad(one, server.bootstrap, loader)
    const seconds = (performance.now() - startedMs) / 1000
    const after = sampleProcess(pid)
    const serverCpuSeconds = after.cpuSeconds - before.cpuSeconds
    // The client's own count leaves out its warm-up; take it as going on at the same rate.
    const clientCpu = (load.clientCpuSeconds * seconds) / Number(options.seconds)
    const otherCores =
      Math.max(0, busySeconds() - busyBefore - serverCpuSeconds - clientCpu) / seconds
    const serverResidentMegabytes = after.residentMegabytes
    return {
      ...load,
      case: one.name,
      server: name,
      serverCpuSeconds,
      serverResidentMegabytes,
      otherCores,
    }
  } finally {
    await server.stop()
    rmSync(home, { recursive: true, force: true })
    execFileSync('sync')
  }
}

async function createTopic(bootstrap: string, one: Case): Promise<void> {
  const { Kafka, logLevel } = kafkajs
  const admin = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await admin.createTopics({
    topics: [{ topic: 'bench', numPartitions: one.partitions }],
    waitForLeaders: false,
  })
  await waitFor('the topic', 20_000, async () =>
    (await admin.listTopics()).includes('bench') ? true : undefined,
  )
  await admin.disconnect()
}

async function runLoad(one: Case, bootstrap: string, loader: string): Promise<Load> {
  const common = [
    bootstrap,
    'bench',
    String(one.partitions),
    String(one.recordBytes),
    options.warmup,
    options.seconds,
  ]
  const timeoutMs = (Number(options.warmup) + Number(options.seconds) + 60) * 1000
  const [command, args] =
    one.by === 'librdkafka'
      ? [loader, common]
      : [process.execPath, [path.join(import.meta.dirname, 'raw-load.ts'), ...common]]
  const { stdout } = await runOk(command, [...args, ...one.arguments], { timeoutMs })
  return JSON.parse(stdout.toString()) as Load
}

function printRound(round: Round | undefined): void {
  if (round === undefined) return
  const share = Math.round((100 * round.megabytesPerSecond) / round.diskMegabytesPerSecond)
  console.log(
    [
      round.server.padEnd(12),
      `${round.megabytesPerSecond.toFixed(1).padStart(7)} MB/s`,
      `${String(round.recordsPerSecond).padStart(8)} records/s`,
      `p50 ${round.p50Ms.toFixed(2)} ms`,
      `p99 ${round.p99Ms.toFixed(2)} ms`,
      `disk ${round.diskMegabytesPerSecond.toFixed(0)} MB/s (${share}%)`,
      `server ${round.serverCpuSeconds.toFixed(1)} CPU s, ${round.serverResidentMegabytes.toFixed(0)} MB`,
      `client ${round.clientCpuSeconds.toFixed(1)} CPU s`,
      `others ${round.otherCores.toFixed(2)} cores`,
    ].join('  '),
  )
}

function printMedians(rounds: readonly Round[]): void {
  console.log('\nmedians')
  const groups = Map.groupBy(rounds, (round) => `${round.case} ${round.server}`)
  for (const [name, list] of groups) {
    const median = (pick: (round: Round) => number): number => {
      const sorted = list.map(pick).sort((a, b) => a - b)
      return sorted[Math.floor(sorted.length / 2)] ?? 0
    }
    console.log(
      `${name.padEnd(32)} ${median((r) => r.megabytesPerSecond).toFixed(1)} MB/s  ${median((r) => r.recordsPerSecond)} records/s  ` +
        `p50 ${median((r) => r.p50Ms).toFixed(2)} ms  p99 ${median((r) => r.p99Ms).toFixed(2)} ms`,
    )
  }
}

// kafkajs computes a negative delay now and then, which Node remarks upon.
process.removeAllListeners('warning')
await main()
