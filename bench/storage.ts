// Storage by itself, on the real disk, beside what the disk can do in the same run:
//
//   node bench/storage.ts [--seconds 5] [--directory PATH]
//
// Prints durable MB/s of one log with 1 MB appends (the direct path) interleaved with raw 1 MB write + fdatasync to a
// growing file, durable appends/s over 256 logs at 1 KB, and commit groups/s of single small appends.

import { mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { asLeaderEpoch, asLogId, asOffset } from '../src/base/brand.ts'
import type { DiskFile } from '../src/env/disk.ts'
import { nodeEnv } from '../src/env/node/node-env.ts'
import { stampBatches } from '../src/records/batch-header.ts'
import { openStore } from '../src/storage/open-store.ts'
import type { Store, StoredLog } from '../src/storage/store.ts'
import { testBatch } from '../src/storage/testing/batches.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    directory: { type: 'string', default: `${tmpdir()}/chronik-bench-storage` },
  },
})
const seconds = Number(values.seconds)
const directory = values.directory
const env = nodeEnv()
const MB = 1024 * 1024
const CONFIG = { segmentBytes: 1024 * MB, segmentMs: 604_800_000, indexIntervalBytes: 4096 }
const EPOCH = asLeaderEpoch(1)

const nowMs = (): number => env.clock.monotonicMs()

/** Appends copies of `template`, `inFlight` at a time, until `untilMs`; returns how many became durable. */
function pump(
  log: StoredLog,
  template: Uint8Array,
  inFlight: number,
  untilMs: number,
): Promise<{ readonly appends: number; readonly latenciesMs: number[] }> {
  return new Promise((resolve) => {
    const latenciesMs: number[] = []
    const sent: { readonly end: number; readonly atMs: number }[] = []
    const send = (): void => {
      const bytes = template.slice()
      const summary = stampBatches(bytes, log.end.offset, EPOCH)
      log.append(bytes, summary)
      sent.push({ end: log.end.offset, atMs: nowMs() })
    }
    log.onDurable((durable) => {
      const now = nowMs()
      while (sent.length > 0 && sent[0]!.end <= durable.offset) {
        latenciesMs.push(now - sent.shift()!.atMs)
        if (now < untilMs) send()
      }
      if (sent.length === 0) resolve({ appends: latenciesMs.length, latenciesMs })
    })
    for (let i = 0; i < inFlight; i++) send()
  })
}

function newLog(store: Store, name: string): StoredLog {
  const log = store.create(asLogId(name), { directory: name, config: CONFIG })
  log.startEpoch(EPOCH)
  return log
}

async function raw(forMs: number): Promise<number> {
  const path = `${directory}/raw`
  rmSync(path, { force: true })
  const file: DiskFile = await env.disk.open(path, 'create')
  const chunk = Buffer.from(env.random.bytes(MB))
  const begun = nowMs()
  let at = 0
  for (; nowMs() - begun < forMs; at += MB) {
    await file.write([chunk], at)
    await file.sync()
  }
  const took = nowMs() - begun
  await file.close()
  rmSync(path, { force: true })
  return at / MB / (took / 1000)
}

function percentile(sorted: readonly number[], share: number): string {
  return (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2)
}

function summary(latencies: readonly number[]): string {
  const sorted = latencies.toSorted((a, b) => a - b)
  return `p50 ${percentile(sorted, 0.5)} ms, p99 ${percentile(sorted, 0.99)} ms`
}

async function direct(store: Store): Promise<void> {
  const template = testBatch({ baseOffset: 0, epoch: 1, count: 1000, payloadBytes: MB - 61 })
  for (let round = 0; round < 3; round++) {
    const rawRate = await raw(seconds * 300)
    const log = newLog(store, `direct-${round}`)
    const begun = nowMs()
    const { appends, latenciesMs } = await pump(log, template, 5, begun + seconds * 1000)
    const rate = appends / ((nowMs() - begun) / 1000)
    const rawAfter = await raw(seconds * 300)
    console.log(
      `1 log x 1 MB: ${rate.toFixed(0)} MB/s (${summary(latenciesMs)}); raw 1 MB write + fdatasync: ` +
        `${rawRate.toFixed(0)} and ${rawAfter.toFixed(0)} MB/s; resident ${(env.host.memoryBytes() / MB).toFixed(0)} MB`,
    )
    store.drop(log.id)
  }
}

async function many(store: Store): Promise<void> {
  const template = testBatch({ baseOffset: 0, epoch: 1, payloadBytes: 1024 })
  const begun = nowMs()
  const before = store.stats().syncs
  const logs = Array.from({ length: 256 }, (_, i) => newLog(store, `many-${i}`))
  const results = await Promise.all(
    logs.map((log) => pump(log, template, 4, begun + seconds * 1000)),
  )
  const tookMs = nowMs() - begun
  const appends = results.reduce((sum, result) => sum + result.appends, 0)
  const latencies = results.flatMap((result) => result.latenciesMs)
  const syncs = store.stats().syncs - before
  console.log(
    `256 logs x 1 KB, 4 in flight each: ${((appends / tookMs) * 1000).toFixed(0)} appends/s ` +
      `(${summary(latencies)}), ${((syncs / tookMs) * 1000).toFixed(0)} syncs/s; ` +
      `resident ${(env.host.memoryBytes() / MB).toFixed(0)} MB`,
  )
  for (const log of logs) store.drop(log.id)
}

async function single(store: Store): Promise<void> {
  const template = testBatch({ baseOffset: 0, epoch: 1, payloadBytes: 100 })
  const log = newLog(store, 'single')
  const begun = nowMs()
  const { appends, latenciesMs } = await pump(log, template, 1, begun + seconds * 1000)
  const rate = (appends / (nowMs() - begun)) * 1000
  console.log(`1 log x 100 B, 1 in flight: ${rate.toFixed(0)} groups/s (${summary(latenciesMs)})`)
}

rmSync(directory, { recursive: true, force: true })
mkdirSync(directory, { recursive: true })
let begun = nowMs()
let store = await openStore(env, { directory: `${directory}/store` })
console.log(`open an empty directory: ${(nowMs() - begun).toFixed(1)} ms`)
await single(store)
await many(store)
await direct(store)
await store.close()
begun = nowMs()
store = await openStore(env, { directory: `${directory}/store` })
console.log(`open again: ${(nowMs() - begun).toFixed(1)} ms`)
const [log] = store.logs()
if (log !== undefined) {
  const answer = await log.read({ from: asOffset(0), below: log.end.offset, maxBytes: 1000 })
  console.log(`read after that: ${answer.bytes} bytes`)
}
await store.close()
rmSync(directory, { recursive: true, force: true })
