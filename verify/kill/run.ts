// SIGKILL in mid-produce, restart, read everything: real processes, a real disk, idempotent acks=all producers that go on
// through every restart. Afterwards every acknowledged record must be there once, in order, at the offset that its
// acknowledgement named. (A killed process leaves the page cache: what a power cut does is the simulator's subject.)
//
//   node verify/kill/run.ts [--cycles 20] [--seed N] [--server chronik|kafka] [--directory D] [--port P]
//   node verify/kill/run.ts --log-bytes 2g [--cycles 5]    how soon a node with a long log serves again
//
// The last line says what was found; the exit code is 0 only if nothing was lost, doubled or out of order.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import kafkajs from 'kafkajs'
import { kafkaLibraries, provide } from '../../test/compat/install.ts'
import { sleep, waitFor } from '../../test/compat/process.ts'
import { ChronikServer, KafkaServer } from '../../test/compat/server.ts'
import type { Server } from '../../test/compat/server.ts'
import { Reader, Writer } from './children.ts'
import type { Reading, WriterSpec, Written } from './children.ts'
import { restartWithLongLog } from './long-log.ts'

const { values: options } = parseArgs({
  options: {
    cycles: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    server: { type: 'string', default: 'chronik' },
    directory: { type: 'string' },
    port: { type: 'string', default: '19192' },
    'log-bytes': { type: 'string' },
  },
})

const topic = 'kill'
const partitions = 3
const writerSpecs: readonly WriterSpec[] = [
  { id: 'bulk', mode: 'bulk', recordBytes: 1000, rateMax: 20_000 },
  { id: 'small', mode: 'bulk', recordBytes: 60, rateMax: 5_000 },
  { id: 'single', mode: 'single', recordBytes: 300, rateMax: 2_000 },
]

async function main(): Promise<boolean> {
  const why =
    (await provide('confluent')) ?? (options.server === 'kafka' ? await provide('java') : undefined)
  if (why !== undefined) throw new Error(why)
  const directory = options.directory ?? mkdtempSync(path.join(tmpdir(), 'chronik-kill-'))
  mkdirSync(directory, { recursive: true })
  const port = Number(options.port)
  const home = { directory, port }
  const server: Server =
    options.server === 'kafka' ? new KafkaServer(home, kafkaLibraries) : new ChronikServer(home)
  try {
    await server.start()
    const logBytes = options['log-bytes']
    const good =
      logBytes === undefined
        ? await killCycles(server, Number(options.cycles ?? 20))
        : await restartWithLongLog(
            server,
            directory,
            parseBytes(logBytes),
            Number(options.cycles ?? 5),
          )
    if (good && options.directory === undefined) rmSync(directory, { recursive: true, force: true })
    else console.log(`data and logs are in ${directory}`)
    return good
  } finally {
    await server.stop()
  }
}

function parseBytes(text: string): number {
  const match = /^(\d+)([kmg]?)$/i.exec(text)
  if (match === null) throw new Error(`not a size: ${text}; write 500m or 2g`)
  const unit = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }[(match[2] ?? '').toLowerCase()] ?? 1
  return Number(match[1]) * unit
}

/** A small generator, so that a seed gives the same moments again as far as real time allows. */
function randomFrom(seed: number): () => number {
  let state = seed + 0x6d2b79f5
  return () => {
    state = Math.imul(state ^ (state >>> 15), state | 1)
    state ^= state + Math.imul(state ^ (state >>> 7), state | 61)
    return ((state ^ (state >>> 14)) >>> 0) / 2 ** 32
  }
}

async function killCycles(server: Server, cycles: number): Promise<boolean> {
  console.log(`${cycles} cycles, seed ${options.seed}`)
  const random = randomFrom(Number(options.seed))
  const { Kafka, logLevel } = kafkajs
  const admin = new Kafka({ brokers: [server.bootstrap], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await admin.createTopics({
    topics: [{ topic, numPartitions: partitions }],
    waitForLeaders: false,
  })
  await admin.disconnect()
  await sleep(1_000)
  const writers = writerSpecs.map((spec) => new Writer(spec, server.bootstrap, topic, partitions))
  const reader = new Reader(server.bootstrap, topic, partitions)
  const answersMs: number[] = []
  const acksMs: number[] = []
  let reading: Reading | undefined
  try {
    for (let cycle = 1; cycle <= cycles; cycle++) {
      await waitForAcks(server, writers)
      await sleep(20 + random() * 800)
      await server.kill()
      const deadMs = performance.now()
      answersMs.push(await server.start())
      const moved = await waitForAcks(server, writers)
      acksMs.push(moved - deadMs)
      reading = await reader.ask('advance')
      const acked = writers.reduce((sum, writer) => sum + writer.acked, 0)
      console.log(
        `cycle ${cycle}: answered after ${answersMs.at(-1)?.toFixed(0)} ms, ${acked} acknowledged, ${reading.read} read`,
      )
      if (reading.wrong.length > 0 || writers.some((writer) => !writer.running)) break
    }
    const written = await Promise.all(writers.map((writer) => writer.finish()))
    const all = await reader.ask('all')
    await reader.close()
    return report(writers, written, all, answersMs, acksMs)
  } finally {
    for (const writer of writers) writer.kill()
  }
}

/** Waits until every writer has new acknowledgements; returns when that was. */
async function waitForAcks(server: Server, writers: readonly Writer[]): Promise<number> {
  const before = writers.map(({ acked }) => acked)
  await waitFor('acknowledgements for every writer', 60_000, () => {
    if (server.pid === undefined) throw new Error(`the server ended by itself\n${server.tail()}`)
    return writers.every((writer, i) => writer.acked > (before[i] ?? 0) || !writer.running)
      ? true
      : undefined
  })
  return performance.now()
}

function report(
  writers: readonly Writer[],
  written: readonly Written[],
  all: Reading,
  answersMs: readonly number[],
  acksMs: readonly number[],
): boolean {
  const wrong = [...all.wrong]
  let acknowledged = 0
  let lost = 0
  for (const [i, { offsets, failed }] of written.entries()) {
    const id = writers[i]?.spec.id ?? ''
    wrong.push(...failed.slice(0, 5).map((what) => `writer ${id}: ${what}`))
    for (const [partition, list] of offsets.entries()) {
      const found = all.offsets?.[id]?.[partition] ?? []
      acknowledged += list.length
      for (const [number, offset] of list.entries()) {
        const at = found[number] ?? -1
        if (at < 0) lost++
        else if (offset >= 0 && at !== offset)
          wrong.push(`record ${number} of ${id}: acknowledged at ${offset}, read at ${at}`)
      }
    }
  }
  for (const what of wrong.slice(0, 20)) console.log(`WRONG ${what}`)
  const spread = (values: readonly number[]): string => {
    const sorted = [...values].sort((a, b) => a - b)
    return `median ${sorted[Math.floor(sorted.length / 2)]?.toFixed(0)} ms, worst ${sorted.at(-1)?.toFixed(0)} ms`
  }
  console.log(
    `restart to first answer: ${spread(answersMs)}; to new acknowledgements for every producer: ${spread(acksMs)}`,
  )
  const duplicates = all.wrong.filter((what) => what.includes('again or late')).length
  console.log(
    `${answersMs.length} kills, ${acknowledged} acknowledged, ${all.read} read: ` +
      `${lost} lost, ${duplicates} duplicates, ${wrong.length} complaints (seed ${options.seed})`,
  )
  return lost === 0 && wrong.length === 0
}

process.removeAllListeners('warning') // kafkajs computes a negative delay now and then, which Node remarks upon
const good = await main()
process.exit(good ? 0 : 1)
