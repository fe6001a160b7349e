// A thousand connections, a hundred of them hostile: garbage, frames that never end, huge announced sizes, well-formed
// headers with random bodies, silence. What do the nine hundred others notice, and what does the server hold in memory?
// The hostile ones have a thread of their own, so that what they do does not hold up the clocks of the others.
//   node bench/connections.ts [--seconds 15] [--rounds 3] [--rate 1] [--port P] [--server chronik|kafka] [--json FILE]
//     [--misdeed N]   only one kind of misdeed

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { isMainThread, Worker } from 'node:worker_threads'
import kafkajs from 'kafkajs'
import { FrameSplitter } from '../src/protocol/frames.ts'
import { produce } from '../src/protocol/messages/produce.ts'
import { decodeResponse, encodeRequest } from '../src/protocol/requests.ts'
import { buildBatch } from '../src/records/build.ts'
import { kafkaLibraries } from '../test/compat/install.ts'
import { sleep, waitFor } from '../test/compat/process.ts'
import { ChronikServer, KafkaServer } from '../test/compat/server.ts'
import { machineLine, sampleProcess } from './machine.ts'

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '15' },
    rounds: { type: 'string', default: '3' },
    rate: { type: 'string', default: '1' },
    port: { type: 'string', default: '19492' },
    server: { type: 'string', default: 'chronik' },
    json: { type: 'string' },
    /** Only one kind of misdeed, by its place in the list. */
    misdeed: { type: 'string' },
  },
})

const goodCount = 900
const badCount = 100
const partitions = 16
const port = Number(options.port)
const version = 9

/** Writes one record `rate` times a second and notes how long each took; ends when told to. */
class GoodConnection {
  readonly latenciesMs: number[] = []
  failure: string | undefined
  private readonly socket: Socket
  private readonly request: Buffer
  private readonly splitter = new FrameSplitter({ frameBytesMax: 1 << 20 })
  private sentMs = 0
  private timer: NodeJS.Timeout | undefined
  private closing = false

  constructor(partition: number) {
    const records = buildBatch([{ key: null, value: randomBytes(100), timestampMs: Date.now() }])
    const topicData = [{ name: 'connections', partitionData: [{ index: partition, records }] }]
    const body = { transactionalId: null, acks: -1, timeoutMs: 30_000, topicData }
    this.request = Buffer.concat(
      encodeRequest(produce, version, { correlationId: 1, clientId: 'good' }, body),
    )
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.socket.on('connect', () => this.later(Math.random()))
    this.socket.on('data', (chunk) => {
      for (const frame of this.splitter.push(chunk)) this.receive(frame)
    })
    this.socket.on('error', (error) => (this.failure ??= error.message))
    this.socket.on('close', () => {
      if (!this.closing) this.failure ??= 'the server closed the connection'
    })
  }

  private later(turns: number): void {
    this.timer = setTimeout(
      () => {
        this.sentMs = performance.now()
        this.socket.write(this.request)
      },
      (1000 / Number(options.rate)) * turns,
    )
  }

  private receive(frame: Uint8Array): void {
    this.latenciesMs.push(performance.now() - this.sentMs)
    const errorCode = decodeResponse(produce, version, frame).body.responses[0]
      ?.partitionResponses[0]?.errorCode
    if (errorCode !== 0) this.failure ??= `error ${errorCode}`
    this.later(0.5 + Math.random())
  }

  close(): void {
    this.closing = true
    clearTimeout(this.timer)
    this.socket.destroy()
  }
}

type Misdeed = (socket: Socket) => void

/** A frame of the announced size of which only a few bytes come. */
function halfFrame(announced: number): Misdeed {
  return (socket) => {
    const head = Buffer.alloc(20)
    head.writeInt32BE(announced, 0)
    head.writeInt16BE(0, 4)
    head.writeInt16BE(version, 6)
    socket.write(head)
  }
}

// Made once: random bytes by the megabyte take long.
const garbage = randomBytes(4096)
const megabyteOfHundred = Buffer.concat([
  Buffer.from([0x05, 0xf5, 0xe1, 0x00]),
  randomBytes(1_000_000),
])
const megabyteOfHugeProduce = Buffer.from(megabyteOfHundred)
megabyteOfHugeProduce.writeInt16BE(0, 4)
megabyteOfHugeProduce.writeInt16BE(version, 6)

const misdeeds: readonly Misdeed[] = [
  (socket) => socket.write(garbage),
  halfFrame(1_000),
  halfFrame(99_000_000),
  halfFrame(-5),
  (socket) => {
    const body = randomBytes(300)
    body.writeInt32BE(body.length - 4, 0)
    body.writeInt16BE(0, 4)
    body.writeInt16BE(version, 6)
    socket.write(body)
  },
  // One megabyte now and then of a frame that announces a hundred.
  (socket) => socket.write(megabyteOfHundred),
  () => {
    // Connected and silent.
  },
  // As the hundred megabytes above, of a request that is served.
  (socket) => socket.write(megabyteOfHugeProduce),
]

/** Misbehaves in one way over and over, on a new connection whenever the server closes the old one. */
class BadConnection {
  private readonly misdeed: Misdeed
  private socket: Socket | undefined

  constructor(index: number) {
    this.misdeed =
      misdeeds[options.misdeed === undefined ? index % misdeeds.length : Number(options.misdeed)] ??
      (() => {})
    this.open()
    setInterval(() => {
      if (this.socket?.writable === true && this.socket.writableLength === 0)
        this.misdeed(this.socket)
    }, 200)
  }

  private open(): void {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.socket = socket
    socket.on('connect', () => this.misdeed(socket))
    socket.resume()
    socket.on('error', () => socket.destroy()) // being thrown out is what it is for
    socket.on('close', () => setTimeout(() => this.open(), 200))
  }
}

interface Phase {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly requests: number
  readonly residentMegabytes: number
  readonly failures: readonly string[]
}

async function phase(withBad: boolean, pid: number): Promise<Phase> {
  const good: GoodConnection[] = []
  for (let i = 0; i < goodCount; i++) {
    good.push(new GoodConnection(i % partitions))
    if (i % 50 === 0) await sleep(20)
  }
  const bad = withBad
    ? new Worker(import.meta.filename, { argv: process.argv.slice(2) })
    : undefined
  await sleep(3_000)
  for (const connection of good) connection.latenciesMs.length = 0
  let resident = 0
  for (let second = 0; second < Number(options.seconds); second++) {
    await sleep(1_000)
    resident = Math.max(resident, sampleProcess(pid).residentMegabytes)
  }
  const all = good.flatMap(({ latenciesMs }) => latenciesMs).sort((a, b) => a - b)
  const failures = good.flatMap(({ failure }) => failure ?? [])
  for (const connection of good) connection.close()
  await bad?.terminate()
  await sleep(1_000)
  const at = (share: number): number => all[Math.floor(all.length * share)] ?? 0
  return {
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    requests: all.length,
    residentMegabytes: resident,
    failures,
  }
}

async function main(): Promise<void> {
  const directory = mkdtempSync(path.join(tmpdir(), 'chronik-connections-'))
  const home = { directory, port }
  const server =
    options.server === 'kafka' ? new KafkaServer(home, kafkaLibraries) : new ChronikServer(home)
  await server.start()
  const { Kafka, logLevel } = kafkajs
  const admin = new Kafka({ brokers: [server.bootstrap], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await admin.createTopics({
    topics: [{ topic: 'connections', numPartitions: partitions }],
    waitForLeaders: false,
  })
  await waitFor('the topic', 10_000, async () =>
    (await admin.listTopics()).includes('connections') ? true : undefined,
  )
  await admin.disconnect()
  console.log(`${machineLine()}; ${goodCount} good connections, ${options.rate} request/s each`)
  const calm: Phase[] = []
  const attacked: Phase[] = []
  const show = (
    name: string,
    { p50Ms, p99Ms, requests, residentMegabytes, failures }: Phase,
  ): void => {
    const tail = failures.length > 0 ? `, ${failures.length} FAILED: ${failures[0]}` : ''
    console.log(
      `${name} p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms, ${requests} requests, ${residentMegabytes.toFixed(0)} MB${tail}`,
    )
  }
  await phase(false, server.pid ?? 0) // warms both sides up
  for (let round = 0; round < Number(options.rounds); round++) {
    calm.push(await phase(false, server.pid ?? 0))
    show('without the bad ones:', calm[round] as Phase)
    attacked.push(await phase(true, server.pid ?? 0))
    show('with 100 bad ones:   ', attacked[round] as Phase)
  }
  const median = (phases: readonly Phase[]): number =>
    phases.map(({ p99Ms }) => p99Ms).sort((a, b) => a - b)[Math.floor(phases.length / 2)] ?? 0
  const growth =
    Math.max(...attacked.map((p) => p.residentMegabytes)) - (calm[0]?.residentMegabytes ?? 0)
  console.log(
    `p99 of the good ones: ${median(calm).toFixed(2)} ms alone, ${median(attacked).toFixed(2)} ms beside the bad ones ` +
      `(${(median(attacked) / median(calm)).toFixed(2)} times, bar 2); memory grew by ${growth.toFixed(0)} MB (bar 150 MB)`,
  )
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify({ calm, attacked, growth }, null, 2)}\n`)
  await server.stop()
  rmSync(directory, { recursive: true, force: true })
}

process.removeAllListeners('warning') // kafkajs computes a negative delay now and then, which Node remarks upon
if (isMainThread) {
  await main()
  process.exit()
}
for (let i = 0; i < badCount; i++) new BadConnection(i)
