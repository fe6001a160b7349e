// Many partitions in each request, as the Java producer sends them and librdkafka does not: every connection owns a share of
// the partitions and keeps a few requests in flight, each with one record for each of its partitions.
// Usage: raw-load.ts HOST:PORT TOPIC PARTITIONS RECORD_BYTES WARMUP_SECONDS SECONDS CONNECTIONS IN_FLIGHT
// Prints one line of JSON, as load.c does; a "record" is one append to one partition.

import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { FrameSplitter } from '../src/protocol/frames.ts'
import { produce } from '../src/protocol/messages/produce.ts'
import { decodeResponse, encodeRequest } from '../src/protocol/requests.ts'
import { buildBatch } from '../src/records/build.ts'

const [address = '', topic = '', ...numbers] = process.argv.slice(2)
const [
  partitions = 256,
  recordBytes = 100,
  warmupSeconds = 2,
  seconds = 10,
  connections = 4,
  inFlight = 4,
] = numbers.map(Number)
const version = 9
const [host = '', port = ''] = address.split(':')

const latenciesMs: number[] = []
let appended = 0
const startMs = performance.now()
const warmEndMs = startMs + warmupSeconds * 1000
const endMs = warmEndMs + seconds * 1000

/** One request for the given partitions; its correlation id sits at byte 8. */
function requestFor(own: readonly number[]): Buffer {
  const partitionData = own.map((index) => ({
    index,
    records: buildBatch([{ key: null, value: randomBytes(recordBytes), timestampMs: Date.now() }]),
  }))
  const body = {
    transactionalId: null,
    acks: -1,
    timeoutMs: 30_000,
    topicData: [{ name: topic, partitionData }],
  }
  return Buffer.concat(
    encodeRequest(produce, version, { correlationId: 0, clientId: 'bench' }, body),
  )
}

function runConnection(own: readonly number[]): Promise<void> {
  const request = requestFor(own)
  const sentAtMs: number[] = []
  const splitter = new FrameSplitter({ frameBytesMax: 1 << 24 })
  let next = 0
  let answered = 0
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), noDelay: true })
    const send = (): void => {
      const frame = Buffer.from(request)
      frame.writeInt32BE(next, 8)
      sentAtMs[next++ % 1024] = performance.now()
      socket.write(frame)
    }
    const receive = (frame: Uint8Array): void => {
      const { correlationId, body } = decodeResponse(produce, version, frame)
      if (correlationId !== answered++) throw new Error(`answer ${correlationId} came out of order`)
      const bad = body.responses
        .flatMap((one) => one.partitionResponses)
        .find(({ errorCode }) => errorCode !== 0)
      if (bad !== undefined)
        throw new Error(`partition ${bad.index} answered error ${bad.errorCode}`)
      const nowMs = performance.now()
      if (nowMs >= warmEndMs && nowMs <= endMs) {
        appended += own.length
        latenciesMs.push(nowMs - (sentAtMs[correlationId % 1024] ?? nowMs))
      }
      if (nowMs < endMs) send()
      else if (answered === next) socket.end()
    }
    socket.on('connect', () => {
      for (let i = 0; i < inFlight; i++) send()
    })
    socket.on('data', (chunk) => {
      try {
        for (const frame of splitter.push(chunk)) receive(frame)
      } catch (error) {
        socket.destroy(error instanceof Error ? error : new Error(String(error)))
      }
    })
    socket.on('error', reject)
    socket.on('close', () =>
      nowIsOver() ? resolve() : reject(new Error('the server closed a connection')),
    )
  })
}

function nowIsOver(): boolean {
  return performance.now() >= endMs
}

const shares = Array.from({ length: connections }, (_, c) =>
  Array.from({ length: partitions }, (_unused, p) => p).filter((p) => p % connections === c),
)
await Promise.all(shares.map(runConnection))
latenciesMs.sort((a, b) => a - b)
const at = (share: number): number =>
  Number((latenciesMs[Math.floor(latenciesMs.length * share)] ?? 0).toFixed(3))
const cpu = process.cpuUsage()
console.log(
  JSON.stringify({
    records: appended,
    failed: 0,
    seconds,
    recordsPerSecond: Math.round(appended / seconds),
    megabytesPerSecond: ((appended / seconds) * recordBytes) / 1e6,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    clientCpuSeconds: (cpu.user + cpu.system) / 1e6,
  }),
)
