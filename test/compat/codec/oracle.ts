// Runs `Oracle.java` on Kafka's jars and talks to it line by line.

import assert from 'node:assert/strict'
import { execFile, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const HERE = import.meta.dirname
const ROOT = join(HERE, '../../..')
const CACHE = join(ROOT, '.cache')

export interface KafkaApi {
  readonly key: number
  readonly name: string
  readonly minVersion: number
  readonly maxVersion: number
  readonly requestHeaders: readonly number[]
  readonly responseHeaders: readonly number[]
}

export interface KafkaError {
  readonly code: number
  readonly name: string
  readonly retriable: boolean
}

interface Waiting {
  readonly resolve: (line: string) => void
  readonly reject: (error: Error) => void
}

/** The jars that pom.xml names, kept under .cache/ for as long as the pom stays the same. */
async function resolveJars(): Promise<string> {
  const pom = join(HERE, 'pom.xml')
  const hash = createHash('sha256')
    .update(await readFile(pom))
    .digest('hex')
    .slice(0, 12)
  const folder = join(CACHE, 'codec-oracle', hash)
  if (existsSync(folder)) return folder
  const partial = `${folder}.partial`
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial, { recursive: true })
  const settings = [`-Dmaven.repo.local=${join(CACHE, 'm2')}`, `-DoutputDirectory=${partial}`]
  try {
    await promisify(execFile)('mvn', [
      '-q',
      '-B',
      '-f',
      pom,
      ...settings,
      'dependency:copy-dependencies',
    ])
  } catch (cause) {
    throw new Error("Kafka's jars could not be fetched; this needs Maven and Java 17", { cause })
  }
  await rename(partial, folder)
  return folder
}

export class Oracle {
  readonly kafkaVersion: string
  readonly #process: ChildProcessWithoutNullStreams
  readonly #waiting: Waiting[] = []

  private constructor(process: ChildProcessWithoutNullStreams, kafkaVersion: string) {
    this.#process = process
    this.kafkaVersion = kafkaVersion
    let complaints = ''
    process.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()))
    createInterface({ input: process.stdout }).on('line', (line) => {
      this.#waiting.shift()?.resolve(line)
    })
    process.on('exit', (code) => {
      for (const { reject } of this.#waiting.splice(0)) {
        reject(new Error(`the oracle ended with ${code}: ${complaints}`))
      }
    })
  }

  static async start(): Promise<Oracle> {
    const folder = await resolveJars()
    const jars = await readdir(folder)
    const clients = jars.find((jar) => jar.startsWith('kafka-clients-'))
    assert.ok(clients, `no kafka-clients in ${folder}`)
    const classPath = jars.map((jar) => join(folder, jar)).join(':')
    const process = spawn('java', ['-cp', classPath, join(HERE, 'Oracle.java')])
    return new Oracle(process, clients.slice('kafka-clients-'.length, -'.jar'.length))
  }

  async convert(
    name: string,
    version: number,
    json: string,
    bytes: Uint8Array,
  ): Promise<{ readonly bytes: Buffer; readonly json: unknown }> {
    const base64 = Buffer.from(bytes).toString('base64')
    const head = JSON.stringify({ op: 'convert', name, version, bytes: base64 })
    const line = await this.#ask(`${head.slice(0, -1)},"json":${json}}`)
    const answer = JSON.parse(line) as { bytes: string; json: unknown; error?: string }
    if (answer.error !== undefined) throw new Error(`Kafka refuses: ${answer.error}`)
    return { bytes: Buffer.from(answer.bytes, 'base64'), json: answer.json }
  }

  async tables(): Promise<{ readonly apis: KafkaApi[]; readonly errors: KafkaError[] }> {
    const answer = JSON.parse(await this.#ask('{"op":"tables"}')) as {
      apis: KafkaApi[]
      errors: KafkaError[]
      error?: string
    }
    if (answer.error !== undefined) throw new Error(answer.error)
    return answer
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return
    const ended = new Promise((resolve) => this.#process.once('exit', resolve))
    this.#process.stdin.end()
    await ended
  }

  #ask(line: string): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#process.exitCode !== null) return reject(new Error('the oracle has ended'))
      this.#waiting.push({ resolve, reject })
      this.#process.stdin.write(`${line}\n`)
    })
  }
}
