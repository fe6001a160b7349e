// What a cluster of three nodes on this machine takes and costs.
//   node bench/cluster.ts throughput [--seconds 30] [--partitions 16] [--rounds 1]   1 KB records, acks=all, RF 3, fsync everywhere
//   node bench/cluster.ts idle [--partitions 2000]   processor and memory of idle replicas, takeover after a kill

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import kafkajs from 'kafkajs'
import { runOk, sleep, waitFor } from '../test/compat/process.ts'
import { ChronikServer } from '../test/compat/server.ts'
import type { Load } from './cases.ts'
import { buildLoader } from './loader.ts'
import { busySeconds, machineLine, measureDisk, sampleProcess } from './machine.ts'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '30' },
    warmup: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '1' },
    partitions: { type: 'string' },
    port: { type: 'string', default: '19192' },
    directory: { type: 'string' },
  },
})

const NODES = [1, 2, 3]

class Nodes {
  readonly directory = options.directory ?? mkdtempSync(path.join(tmpdir(), 'chronik-cluster-'))
  readonly servers: readonly ChronikServer[]

  constructor() {
    const base = Number(options.port)
    const peers = NODES.map((id) => `${id}@127.0.0.1:${base + 10 + id}`).join(',')
    this.servers = NODES.map(
      (id) =>
        new ChronikServer({
          directory: path.join(this.directory, `node-${id}`),
          port: base + id,
          nodeId: id,
          httpPort: base + 20 + id,
          settings: ['--raft', `127.0.0.1:${base + 10 + id}`, '--peers', peers],
        }),
    )
  }

  get bootstrap(): string[] {
    return this.servers.map(({ bootstrap }) => bootstrap)
  }

  get pids(): number[] {
    return this.servers.flatMap(({ pid }) => pid ?? [])
  }

  async start(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.start()))
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()))
    rmSync(this.directory, { recursive: true, force: true })
  }
}

async function withAdmin<T>(nodes: Nodes, use: (admin: kafkajs.Admin) => Promise<T>): Promise<T> {
  const { Kafka, logLevel } = kafkajs
  const admin = new Kafka({ brokers: nodes.bootstrap, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

/** Resolves once every partition has a leader; with the number of leaderships of each node. */
async function allLed(nodes: Nodes, topic: string): Promise<Map<number, number>> {
  return withAdmin(nodes, (admin) =>
    waitFor('a leader for every partition', 60_000, async () => {
      const leaders = await leadersOf(admin, topic)
      if (leaders === undefined) return undefined
      const led = new Map<number, number>()
      for (const leader of leaders) led.set(leader, (led.get(leader) ?? 0) + 1)
      return led
    }),
  )
}

/** By partition; undefined while some have none (kafkajs then throws). */
async function leadersOf(admin: kafkajs.Admin, topic: string): Promise<number[] | undefined> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    const leaders = (topics[0]?.partitions ?? []).map(({ leader }) => leader)
    return leaders.length > 0 && leaders.every((leader) => leader >= 0) ? leaders : undefined
  } catch (error) {
    if (error instanceof Error && error.name.startsWith('KafkaJS')) return undefined
    throw error
  }
}

async function createTopic(nodes: Nodes, topic: string, numPartitions: number): Promise<void> {
  await withAdmin(nodes, (admin) =>
    admin.createTopics({
      topics: [{ topic, numPartitions, replicationFactor: 3 }],
      waitForLeaders: false,
      timeout: 60_000,
    }),
  )
}

async function throughput(): Promise<void> {
  const loader = await buildLoader()
  const partitions = Number(options.partitions ?? '16')
  for (let round = 0; round < Number(options.rounds); round++) {
    const nodes = new Nodes()
    try {
      await nodes.start()
      const disk = measureDisk(nodes.directory, 5)
      await createTopic(nodes, 'bench', partitions)
      await allLed(nodes, 'bench')
      const before = nodes.pids.map(sampleProcess)
      const busyBefore = busySeconds()
      const startedMs = performance.now()
      const { stdout } = await runOk(
        loader,
        [
          nodes.bootstrap.join(','),
          'bench',
          String(partitions),
          '1000',
          options.warmup,
          options.seconds,
          'queue.buffering.max.messages=20000',
          'max.in.flight=5',
          'linger.ms=5',
        ],
        { timeoutMs: (Number(options.seconds) + 120) * 1000 },
      )
      const seconds = (performance.now() - startedMs) / 1000
      const busy = busySeconds() - busyBefore
      const load = JSON.parse(stdout.toString()) as Load
      const after = nodes.pids.map(sampleProcess)
      const cpu = after.map(({ cpuSeconds }, i) => cpuSeconds - (before[i]?.cpuSeconds ?? 0))
      const servers = cpu.reduce((sum, each) => sum + each, 0)
      const diskAfter = measureDisk(nodes.directory, 5)
      const diskMean = (disk + diskAfter) / 2
      const share = Math.round((100 * load.megabytesPerSecond) / diskMean)
      const memory = after.map(({ residentMegabytes }) => residentMegabytes.toFixed(0)).join('/')
      const others = Math.max(0, (busy - servers - load.clientCpuSeconds) / seconds)
      console.log(
        [
          `${load.megabytesPerSecond.toFixed(1)} MB/s (${share}% of the disk's ${diskMean.toFixed(0)})`,
          `p50 ${load.p50Ms.toFixed(1)} ms, p99 ${load.p99Ms.toFixed(1)} ms, failed ${load.failed}`,
          `servers ${cpu.map((each) => each.toFixed(1)).join(' + ')} CPU s, ${memory} MB`,
          `client ${load.clientCpuSeconds.toFixed(1)} CPU s, others ${others.toFixed(2)} cores`,
        ].join('; '),
      )
    } finally {
      await nodes.stop()
    }
  }
}

async function idle(): Promise<void> {
  const partitions = Number(options.partitions ?? '2000')
  const nodes = new Nodes()
  try {
    await nodes.start()
    const createdMs = performance.now()
    await createTopic(nodes, 'idle', partitions)
    const led = await allLed(nodes, 'idle')
    const tookMs = Math.round(performance.now() - createdMs)
    const leaders = [...led.values()].join('/')
    console.log(
      `${partitions} partitions × 3 created and led after ${tookMs} ms; leaders ${leaders}`,
    )
    await sleep(20_000)
    const before = nodes.pids.map(sampleProcess)
    const startedMs = performance.now()
    await sleep(20_000)
    const seconds = (performance.now() - startedMs) / 1000
    for (const [i, pid] of nodes.pids.entries()) {
      const now = sampleProcess(pid)
      const share = (100 * (now.cpuSeconds - (before[i]?.cpuSeconds ?? 0))) / seconds
      console.log(
        `node ${i + 1}: ${share.toFixed(1)}% of a core, ${now.residentMegabytes.toFixed(0)} MB`,
      )
    }
    const killedMs = performance.now()
    await nodes.servers[0]?.kill()
    await withAdmin(nodes, (admin) =>
      waitFor('all leaderships to be taken over', 60_000, async () => {
        const leaders = await leadersOf(admin, 'idle')
        return leaders?.every((leader) => leader > 1) === true ? true : undefined
      }),
    )
    console.log(
      `all leaderships of node 1 taken over after ${Math.round(performance.now() - killedMs)} ms`,
    )
  } finally {
    await nodes.stop()
  }
}

console.log(machineLine())
const [what = 'throughput'] = positionals
if (what === 'throughput') await throughput()
else if (what === 'idle') await idle()
else throw new Error(`${what}: give throughput or idle`)
