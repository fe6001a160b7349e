// What a scenario works with: a fresh cluster of real processes, a topic, drivers of load, someone who watches, a history, and a
// place for problems and figures. At the end everything is healed, read back and judged.

import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createTopic } from '../../src/client/admin-topics.ts'
import { Cluster } from '../../src/client/cluster.ts'
import { nodeEnv } from '../../src/env/node/node-env.ts'
import { kafkaLibraries } from '../../test/compat/install.ts'
import { runOk, sleep } from '../../test/compat/process.ts'
import { checkHistory } from '../history/check.ts'
import { Recorder } from '../history/recorder.ts'
import { addressesOf } from './addresses.ts'
import { clients, type ClientName } from './clients.ts'
import { nowMs } from './clients/load.ts'
import { Driver, type Delivery } from './driver.ts'
import { Figures } from './figures.ts'
import { Monitor, type Seen } from './monitor.ts'
import { ClusterProcesses } from './nodes.ts'
import { probe } from './probe.ts'
import { readEverything } from './readback.ts'

export interface BenchOptions {
  readonly directory: string
  readonly portBase: number
  readonly nodes: number
  readonly client: ClientName
  readonly repeat: number
  /** Added to the time before each fault. */
  readonly settleMs: number
  readonly proxied: boolean
  /** Java is there: topics are made with Kafka's own tool. */
  readonly java: boolean
  /** Python's librdkafka is there: it reads everything too. */
  readonly librdkafka: boolean
}

export interface TopicOptions {
  readonly partitions: number
  readonly replicationFactor: number
}

export const TOPIC = 'ledger'
const RECORD_BYTES = 200
const WHOLE_MS_MAX = 30_000
const PROBLEMS_SHOWN = 12

export class Bench {
  readonly options: BenchOptions
  readonly env = nodeEnv()
  readonly cluster: ClusterProcesses
  readonly recorder: Recorder
  readonly figures = new Figures()
  readonly problems: string[] = []
  readonly #drivers: Driver[] = []
  #monitor: Monitor | undefined
  #topic: TopicOptions | undefined
  #names = 0

  constructor(options: BenchOptions) {
    this.options = options
    const startedMs = nowMs()
    this.recorder = new Recorder(() => nowMs() - startedMs)
    this.cluster = new ClusterProcesses({
      directory: options.directory,
      nodes: options.nodes,
      portBase: options.portBase,
      proxied: options.proxied,
    })
  }

  get client(): ClientName {
    return this.options.client
  }

  get monitor(): Monitor {
    if (this.#monitor === undefined) throw new Error('no topic yet')
    return this.#monitor
  }

  get partitions(): number[] {
    return Array.from({ length: this.#topic?.partitions ?? 0 }, (_, i) => i)
  }

  /** A line of the report. */
  say(line: string): void {
    console.log(`    ${line}`)
  }

  /** Something that must not be; the scenario goes on. */
  problem(text: string): void {
    this.problems.push(text)
    if (this.problems.length <= PROBLEMS_SHOWN) console.log(`    PROBLEM ${text}`)
  }

  /** Starts the nodes and makes the topic, and waits until all its replicas are in sync. */
  async open(topic: TopicOptions): Promise<void> {
    await this.cluster.open()
    this.#topic = topic
    await this.#makeTopic(topic)
    this.#monitor = new Monitor(this.env, {
      topic: TOPIC,
      ports: new Map(this.cluster.ids.map((id) => [id, this.cluster.kafkaPort(id)])),
      isRunning: (id) => this.cluster.running.includes(id),
    })
    await this.whole()
  }

  async #makeTopic({ partitions, replicationFactor }: TopicOptions): Promise<void> {
    const bootstrap = this.cluster.bootstrap()
    if (this.options.java) {
      const tool = ['-cp', path.join(kafkaLibraries, '*'), 'org.apache.kafka.tools.TopicCommand']
      const what = ['--create', '--topic', TOPIC, '--partitions', String(partitions)]
      const how = ['--replication-factor', String(replicationFactor)]
      await runOk('java', [...tool, '--bootstrap-server', bootstrap, ...what, ...how])
      return
    }
    const cluster = new Cluster(this.env, { bootstrap: addressesOf(bootstrap.split(',')) })
    try {
      await createTopic(cluster, { name: TOPIC, partitions, replicationFactor })
    } finally {
      cluster.close()
    }
  }

  /** A driver of load that is connected. */
  async driver(options: {
    readonly timeoutMs: number
    readonly client?: ClientName
  }): Promise<Driver> {
    const client = options.client ?? this.client
    const driver = new Driver(
      client,
      {
        bootstrap: this.cluster.bootstrap(),
        topic: TOPIC,
        partitions: this.partitions.length,
        name: this.name(client),
        recordBytes: RECORD_BYTES,
        timeoutMs: options.timeoutMs,
      },
      this.recorder,
    )
    this.#drivers.push(driver)
    await driver.ready()
    return driver
  }

  /** Some time without a fault, of no fixed length. */
  async quiet(): Promise<void> {
    await sleep(this.options.settleMs + 200 + Math.random() * 500)
  }

  name(role: string): string {
    return `${role}-${++this.#names}`
  }

  /** Milliseconds until a client that starts now, and knows these nodes, has a record acknowledged. */
  probe(partition: number, ids: readonly number[], timeoutMs = 30_000): Promise<number> {
    const bootstrap = this.cluster.bootstrap(ids)
    const where = { bootstrap, topic: TOPIC, partition, name: this.name('probe'), timeoutMs }
    return probe(this.env, this.recorder, where)
  }

  /**
   * Waits until every running node, and these in any case, names a leader and all replicas in sync, for every partition; says
   * when that was.
   */
  async whole(timeoutMs = WHOLE_MS_MAX, ids: readonly number[] = []): Promise<number> {
    const endMs = nowMs() + timeoutMs
    const isWhole = ({ leader, isr, replicas }: Seen) =>
      leader >= 0 && isr.length === replicas.length
    for (;;) {
      const missing = this.partitions.flatMap((partition) =>
        [...new Set([...this.cluster.running, ...ids])]
          .filter((id) => {
            const seen = this.monitor.view(id, partition)
            return seen === undefined || !isWhole(seen)
          })
          .map(
            (id) =>
              `partition ${partition} by node ${id}: ${show(this.monitor.view(id, partition))}`,
          ),
      )
      if (missing.length === 0) return nowMs()
      if (nowMs() > endMs) {
        throw new Error(`not whole again within ${timeoutMs} ms: ${missing.slice(0, 4).join('; ')}`)
      }
      await sleep(5)
    }
  }

  /** Complains about every record of these that was not acknowledged, unless its client gives up by design. */
  requireAcknowledged(what: string, deliveries: readonly Delivery[]): void {
    const failed = deliveries.filter(({ outcome }) => outcome !== 'ok')
    const first = failed[0]
    if (first === undefined) return
    const text = `${what}: ${failed.length} of ${deliveries.length} not acknowledged, the first: ${describe(first)}`
    if (clients[this.client].givesUp) this.say(`(${text}; ${this.client} does not try again)`)
    else this.problem(text)
  }

  /** Reads the whole topic into the history; returns how many records there are. */
  async read(): Promise<number> {
    await this.whole()
    const where = {
      bootstrap: this.cluster.bootstrap(),
      topic: TOPIC,
      partitions: this.partitions.length,
    }
    const { librdkafka } = this.options
    return readEverything(this.env, this.recorder, where, { librdkafka })
  }

  /** Everything healed, all that runs in sync again, all of it read and checked. */
  async judge(): Promise<void> {
    const read = await this.read()
    const history = this.recorder.history()
    const anomalies = checkHistory(history)
    const outcomes = history.flatMap((op) => (op.kind === 'produce' ? op.records : []))
    const count = (outcome: string) =>
      outcomes.filter((record) => record.outcome === outcome).length
    const named = (...names: string[]) =>
      anomalies.filter(({ name }) => names.includes(name)).length
    this.say(
      `${outcomes.length} sent, ${count('ok')} acknowledged, ${count('indeterminate')} unknown, ${read} read: ` +
        `${named('lost-write', 'unseen')} lost, ${named('duplicate')} duplicated, ` +
        `${named('nonmonotonic-send', 'int-nonmonotonic-send', 'nonmonotonic-poll', 'int-nonmonotonic-poll')} reordered, ` +
        `${anomalies.length} anomalies`,
    )
    for (const { name, where: place, text } of anomalies)
      this.problem(`${name} in ${place}: ${text}`)
  }

  async close(): Promise<void> {
    await Promise.all(this.#drivers.map((driver) => driver.close()))
    await this.#monitor?.close()
    if (this.problems.length > 0) this.#keepHistory()
    await this.cluster.close()
  }

  #keepHistory(): void {
    mkdirSync(this.options.directory, { recursive: true })
    const write = (file: string, value: readonly unknown[]): void => {
      const lines = value.map((entry) => `${JSON.stringify(entry)}\n`).join('')
      writeFileSync(path.join(this.options.directory, file), lines)
    }
    write('history.jsonl', this.recorder.history())
    write('metadata.jsonl', this.#monitor?.log ?? [])
    write('problems.jsonl', this.problems)
  }
}

function show(seen: Seen | undefined): string {
  return seen === undefined ? 'no answer' : `leader ${seen.leader}, in sync ${seen.isr.join(' ')}`
}

export function describe({ n, partition, sentMs, settledMs, outcome, text }: Delivery): string {
  const after = settledMs === undefined ? 'never' : `after ${(settledMs - sentMs).toFixed(0)} ms`
  return `record ${n} of partition ${partition}, ${outcome ?? 'open'} ${after} ${text}`.trimEnd()
}

/** The first acknowledgement of a record of the partition that was sent at or after `fromMs`; waits for it. */
export async function nextAcknowledgement(
  driver: Driver,
  partition: number,
  fromMs: number,
  timeoutMs: number,
): Promise<number> {
  const endMs = nowMs() + timeoutMs
  for (;;) {
    let first = Infinity
    for (let i = driver.deliveries.length - 1; i >= 0; i--) {
      const delivery = driver.deliveries[i]
      if (delivery === undefined || delivery.sentMs < fromMs) break
      if (delivery.partition === partition && delivery.outcome === 'ok') {
        first = Math.min(first, delivery.settledMs ?? Infinity)
      }
    }
    if (first < Infinity) return first
    if (nowMs() > endMs) {
      throw new Error(
        `${driver.name}: no acknowledgement on partition ${partition} for ${timeoutMs} ms`,
      )
    }
    await sleep(2)
  }
}
