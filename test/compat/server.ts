// The server under test, behind one interface, so that every suite runs against Chronik and against Apache Kafka alike:
// what passes on both is what Kafka's clients expect, not what we believe they do.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import {
  mkdirSync,
  openSync,
  closeSync,
  existsSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import path from 'node:path'
import { ended, runOk, sleep } from './process.ts'

export interface Server {
  readonly kind: 'chronik' | 'kafka'
  readonly bootstrap: string
  readonly port: number
  /** Undefined while it is not running. */
  readonly pid: number | undefined
  /** Resolves once it answers requests; returns the milliseconds from the start of the process to that answer. */
  start(): Promise<number>
  /** SIGKILL, and waits until the process is gone. The data stays. */
  kill(): Promise<void>
  /** SIGTERM; SIGKILL after 20 s. */
  stop(): Promise<void>
  /** The directory of one partition's segment files, or undefined when there is none. */
  partitionDirectory(topic: string, partition: number): string | undefined
  /** The last lines of the server's own output, for error reports. */
  tail(): string
}

export interface ServerOptions {
  /** A directory of its own; kept between starts. */
  readonly directory: string
  readonly port: number
  /** Further settings: lines of server.properties for Kafka, flags for Chronik. */
  readonly settings?: readonly string[]
  /** Default 1. */
  readonly nodeId?: number
  /** Chronik's, for HTTP. Default: the next one. */
  readonly httpPort?: number
}

const repository = path.resolve(import.meta.dirname, '../..')

abstract class ProcessServer {
  readonly bootstrap: string
  readonly port: number
  protected child: ChildProcess | undefined
  protected readonly options: ServerOptions

  constructor(options: ServerOptions) {
    this.options = options
    this.port = options.port
    this.bootstrap = `127.0.0.1:${options.port}`
    mkdirSync(options.directory, { recursive: true })
  }

  get pid(): number | undefined {
    return this.child?.pid
  }

  protected get logFile(): string {
    return path.join(this.options.directory, 'server.out')
  }

  protected async launch(
    command: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv,
  ): Promise<number> {
    if (this.child !== undefined) throw new Error('the server is already running')
    const out = openSync(this.logFile, 'a')
    const startedMs = performance.now()
    const child = spawn(command, args, {
      stdio: ['ignore', out, out],
      env,
      cwd: this.options.directory,
    })
    closeSync(out)
    this.child = child
    child.once('exit', () => {
      if (this.child === child) this.child = undefined
    })
    await firstAnswer(this.port, 60_000, () => {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(
          `the server ended at its start (${child.exitCode ?? child.signalCode})\n${this.tail()}`,
        )
      }
    })
    return performance.now() - startedMs
  }

  signal(name: NodeJS.Signals): void {
    this.child?.kill(name)
  }

  async kill(): Promise<void> {
    const child = this.child
    if (child === undefined) return
    child.kill('SIGKILL')
    await ended(child)
    this.child = undefined
  }

  async stop(): Promise<void> {
    const child = this.child
    if (child === undefined) return
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
    await ended(child)
    clearTimeout(timer)
    this.child = undefined
  }

  tail(): string {
    if (!existsSync(this.logFile)) return ''
    return readFileSync(this.logFile, 'utf8').slice(-1500)
  }
}

export class ChronikServer extends ProcessServer implements Server {
  readonly kind = 'chronik'

  start(): Promise<number> {
    const args = [
      'start',
      '--node-id',
      String(this.options.nodeId ?? 1),
      '--data-dir',
      path.join(this.options.directory, 'data'),
    ]
    args.push(
      '--kafka',
      this.bootstrap,
      '--http',
      `127.0.0.1:${this.options.httpPort ?? this.port + 1}`,
      ...(this.options.settings ?? []),
    )
    // Another program can take its place, such as the `chronik` of an installed package.
    // It is told apart from a setting of the node, which would refuse a variable of this name.
    const { CHRONIK_BIN: program = path.join(repository, 'bin/chronik'), ...env } = process.env
    return this.launch(program, args, env)
  }

  partitionDirectory(topic: string, partition: number): string | undefined {
    return findDirectory(path.join(this.options.directory, 'data'), `${topic}-${partition}`, 4)
  }
}

/** Apache Kafka as it comes (KRaft, one node, its defaults), from the jars in `libraries`. */
export class KafkaServer extends ProcessServer implements Server {
  readonly kind = 'kafka'
  private readonly libraries: string

  constructor(options: ServerOptions, libraries: string) {
    super(options)
    this.libraries = libraries
  }

  async start(): Promise<number> {
    const properties = path.join(this.options.directory, 'server.properties')
    const classpath = path.join(this.libraries, '*')
    if (!existsSync(properties)) {
      writeFileSync(properties, this.properties())
      const format = ['-cp', classpath, 'kafka.tools.StorageTool', 'format', '--standalone']
      await runOk('java', [...format, '-t', 'MkU3OEVBNTcwNTJENDM2Qg', '-c', properties], {
        env: { JAVA_TOOL_OPTIONS: '' },
      })
    }
    const args = ['-Xmx1g', '-Xms1g', '-XX:+UseG1GC', '-cp', classpath, 'kafka.Kafka', properties]
    return this.launch('java', args, process.env)
  }

  private properties(): string {
    const controller = `127.0.0.1:${this.port + 1}`
    return [
      'process.roles=broker,controller',
      'node.id=1',
      `listeners=PLAINTEXT://${this.bootstrap},CONTROLLER://${controller}`,
      `advertised.listeners=PLAINTEXT://${this.bootstrap}`,
      'controller.listener.names=CONTROLLER',
      `controller.quorum.bootstrap.servers=${controller}`,
      `log.dirs=${path.join(this.options.directory, 'data')}`,
      'offsets.topic.replication.factor=1',
      'transaction.state.log.replication.factor=1',
      'transaction.state.log.min.isr=1',
      'share.coordinator.state.topic.replication.factor=1',
      ...(this.options.settings ?? []),
      '',
    ].join('\n')
  }

  partitionDirectory(topic: string, partition: number): string | undefined {
    return findDirectory(path.join(this.options.directory, 'data'), `${topic}-${partition}`, 2)
  }
}

/** The first directory of that name, or of that name and an incarnation, at most `depth` levels below `root`. */
function findDirectory(root: string, name: string, depth: number): string | undefined {
  if (!existsSync(root)) return undefined
  const entries = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  for (const entry of entries) {
    const full = path.join(root, entry.name)
    if (entry.name.replace(/\.\d+$/, '') === name) return full
    const below = depth > 1 ? findDirectory(full, name, depth - 1) : undefined
    if (below !== undefined) return below
  }
  return undefined
}

/** ApiVersions v0, correlation id 7, client id null: the smallest request that every broker answers. */
const apiVersionsRequest = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff])

/** Asks ApiVersions every few milliseconds until it is answered. `watch` may throw to give up. */
export async function firstAnswer(
  port: number,
  timeoutMs: number,
  watch: () => void,
): Promise<void> {
  const endMs = Date.now() + timeoutMs
  while (!(await answers(port))) {
    watch()
    if (Date.now() > endMs)
      throw new Error(`nothing answered on port ${port} within ${timeoutMs} ms`)
    await sleep(4)
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    const done = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(2_000, () => done(false))
    socket.on('connect', () => socket.write(apiVersionsRequest))
    socket.on('data', () => done(true))
    socket.on('error', () => done(false))
    socket.on('close', () => done(false))
  })
}

/** The API keys that the server lists, with their version ranges (ApiVersions v0). */
export function supportedApis(
  port: number,
): Promise<Map<number, { readonly min: number; readonly max: number }>> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' })
    let received = Buffer.alloc(0)
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer to ApiVersions in 10 s')))
    socket.on('connect', () => socket.write(apiVersionsRequest))
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return
      socket.destroy()
      const apis = new Map<number, { min: number; max: number }>()
      const count = received.readInt32BE(10)
      for (let i = 0; i < count; i++) {
        const at = 14 + i * 6
        apis.set(received.readInt16BE(at), {
          min: received.readInt16BE(at + 2),
          max: received.readInt16BE(at + 4),
        })
      }
      resolve(apis)
    })
  })
}
