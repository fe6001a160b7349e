// How soon a node answers after its process starts on an empty data directory, and what it holds in memory when idle.
//   node bench/start.ts [--runs 15] [--idle-seconds 10] [--port P] [--server chronik|kafka] [--json FILE]

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { kafkaLibraries } from '../test/compat/install.ts'
import { sleep } from '../test/compat/process.ts'
import { ChronikServer, KafkaServer } from '../test/compat/server.ts'
import { machineLine, sampleProcess } from './machine.ts'

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '15' },
    'idle-seconds': { type: 'string', default: '10' },
    port: { type: 'string', default: '19392' },
    server: { type: 'string', default: 'chronik' },
    json: { type: 'string' },
  },
})

const barStartMs = 400
const barIdleMegabytes = 90

const startsMs: number[] = []
const restartsMs: number[] = []
/** Processor time up to the first answer: what a start costs whatever else the machine does. */
const startsCpuMs: number[] = []
let idleMegabytes = 0
let idleCpuShare = 0
console.log(machineLine())
for (let run = 0; run < Number(options.runs); run++) {
  const directory = mkdtempSync(path.join(tmpdir(), 'chronik-start-'))
  const home = { directory, port: Number(options.port) }
  const server =
    options.server === 'kafka' ? new KafkaServer(home, kafkaLibraries) : new ChronikServer(home)
  startsMs.push(await server.start())
  startsCpuMs.push(sampleProcess(server.pid ?? 0).cpuSeconds * 1000)
  if (run === 0) {
    await sleep(2_000)
    const before = sampleProcess(server.pid ?? 0)
    await sleep(Number(options['idle-seconds']) * 1000)
    const after = sampleProcess(server.pid ?? 0)
    idleMegabytes = after.residentMegabytes
    idleCpuShare = (after.cpuSeconds - before.cpuSeconds) / Number(options['idle-seconds'])
  }
  await server.stop()
  restartsMs.push(await server.start())
  await server.stop()
  rmSync(directory, { recursive: true, force: true })
}

function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0
  return `median ${median.toFixed(0)} ms, best ${sorted[0]?.toFixed(0)} ms, worst ${sorted.at(-1)?.toFixed(0)} ms`
}

console.log(
  `start on an empty data directory to the first answer: ${spread(startsMs)} (bar ${barStartMs} ms)`,
)
console.log(`processor time up to it: ${spread(startsCpuMs)}`)
console.log(`start after a stop in good order: ${spread(restartsMs)}`)
console.log(
  `idle: ${idleMegabytes.toFixed(1)} MB resident (bar ${barIdleMegabytes} MB), ${(idleCpuShare * 100).toFixed(2)}% of a core`,
)
if (options.json !== undefined)
  writeFileSync(
    options.json,
    `${JSON.stringify({ startsMs, startsCpuMs, restartsMs, idleMegabytes, idleCpuShare })}\n`,
  )
