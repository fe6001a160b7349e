// How soon a node serves again that was killed with a long log behind it and records on their way: from the start of the
// process to the first answer, and to the latest offset of the partition, for which the log must be known.

import { spawn } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import path from 'node:path'
import kafkajs from 'kafkajs'
import { buildLoader } from '../../bench/loader.ts'
import { FrameSplitter } from '../../src/protocol/frames.ts'
import { listOffsets } from '../../src/protocol/messages/list-offsets.ts'
import { decodeResponse, encodeRequest } from '../../src/protocol/requests.ts'
import { ended, sleep, waitFor } from '../../test/compat/process.ts'
import type { Server } from '../../test/compat/server.ts'

const topic = 'long-log'
const barMs = 1_000

export async function restartWithLongLog(
  server: Server,
  directory: string,
  bytes: number,
  cycles: number,
): Promise<boolean> {
  const loader = await buildLoader()
  const { Kafka, logLevel } = kafkajs
  const admin = new Kafka({ brokers: [server.bootstrap], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: false })
  await admin.disconnect()
  await sleep(1_000)
  const servedMs: number[] = []
  let end = -1
  for (let cycle = 1; cycle <= cycles; cycle++) {
    const target = cycle === 1 ? bytes : 0
    const load = spawn(
      loader,
      [server.bootstrap, topic, '1', '1000', '0', '3600', 'message.timeout.ms=3600000'],
      { stdio: 'ignore' },
    )
    await waitFor(`${bytes} bytes of log`, 600_000, () =>
      logBytes(directory) >= target ? true : undefined,
    )
    await sleep(500)
    await server.kill()
    load.kill('SIGKILL')
    await ended(load)
    const startedMs = performance.now()
    const answeredMs = await server.start()
    const latest = await latestOffset(server.port)
    servedMs.push(performance.now() - startedMs)
    const size = (logBytes(directory) / 2 ** 30).toFixed(2)
    console.log(
      `${size} GiB, ${latest} records: answered after ${answeredMs.toFixed(0)} ms, latest offset after ${servedMs.at(-1)?.toFixed(0)} ms`,
    )
    if (latest < end) throw new Error(`the log end went back from ${end} to ${latest}`)
    end = latest
  }
  const worst = Math.max(...servedMs)
  console.log(`${cycles} restarts after SIGKILL: worst ${worst.toFixed(0)} ms (bar ${barMs} ms)`)
  return worst < barMs
}

/** The bytes of all segment files of the topic. */
function logBytes(directory: string): number {
  let sum = 0
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    if (name.includes(`${topic}-0`) && name.endsWith('.log'))
      sum += statSync(path.join(directory, name)).size
  }
  return sum
}

/** Asks until the partition's latest offset is answered without an error. */
function latestOffset(port: number): Promise<number> {
  const version = 5
  const partition = { partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 }
  const body = {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name: topic, partitions: [partition] }],
  }
  const request = Buffer.concat(
    encodeRequest(listOffsets, version, { correlationId: 1, clientId: 'kill' }, body),
  )
  return new Promise((resolve, reject) => {
    const splitter = new FrameSplitter({ frameBytesMax: 1 << 20 })
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    socket.setTimeout(60_000, () => socket.destroy(new Error('no latest offset within 60 s')))
    socket.on('connect', () => socket.write(request))
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      for (const frame of splitter.push(chunk)) {
        const answer = decodeResponse(listOffsets, version, frame).body.topics[0]?.partitions[0]
        if (answer?.errorCode === 0) {
          socket.destroy()
          resolve(Number(answer.offset))
        } else {
          setTimeout(() => socket.write(request), 2)
        }
      }
    })
  })
}
