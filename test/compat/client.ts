// One client library as the runner sees it: a process that answers requests line by line (clients/host.py tells the
// protocol), kept for the whole run. kcat, which is a command and not a library, has an adapter of its own (kcat.ts).

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { ended } from './process.ts'

export type Codec = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
export const codecs: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

export interface ProduceJob {
  readonly topic: string
  /** The input file: key length, key, value length, value, for each record; lengths as big-endian uint32. */
  readonly file: string
  readonly codec: Codec
  /** Records `from` … `to`-1 of the file; record i goes to partition i modulo `partitions`. */
  readonly from: number
  readonly to: number
  readonly partitions: number
}

export interface PartitionDigest {
  readonly partition: number
  readonly count: number
  readonly hash: string
}

export interface MemberStatus {
  readonly assigned: readonly number[]
  /** Per partition: first offset, last offset, number of records, as this member received them. */
  readonly received: Readonly<Record<string, readonly [number, number, number]>>
}

export interface Client {
  readonly name: string
  /** The number of records acknowledged. */
  produce(job: ProduceJob): Promise<number>
  /** Reads `counts[p]` records from the start of partition p. */
  consume(topic: string, counts: readonly number[]): Promise<PartitionDigest[]>
  join(member: string, topic: string, group: string): Promise<void>
  status(member: string): Promise<MemberStatus>
  /** Commits what was received; returns the committed offsets of its partitions, where the client can tell. */
  commit(member: string): Promise<Readonly<Record<string, number>>>
  leave(member: string): Promise<void>
  close(): Promise<void>
}

interface Waiting {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
}

export class HostClient implements Client {
  readonly name: string
  private readonly child: ChildProcess
  private readonly waiting = new Map<number, Waiting>()
  private readonly said: string[] = []
  private nextId = 1

  constructor(name: string, command: string, args: readonly string[]) {
    this.name = name
    // Java's tools write only what the locale can say.
    const env = { ...process.env, LC_ALL: 'C.UTF-8' }
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env })
    if (this.child.stdout === null || this.child.stderr === null) throw new Error('no pipes')
    createInterface({ input: this.child.stdout }).on('line', (line) => this.take(line))
    createInterface({ input: this.child.stderr }).on('line', (line) => {
      this.said.push(line)
      if (this.said.length > 20) this.said.shift()
    })
    this.child.on('error', (error) => this.fail(error))
    this.child.on('exit', (code, signal) =>
      this.fail(new Error(`${name} ended (${code ?? signal})\n${this.said.join('\n')}`)),
    )
  }

  private take(line: string): void {
    if (!line.startsWith('{')) {
      this.said.push(line)
      return
    }
    const reply = JSON.parse(line) as { id: number; result?: unknown; error?: string }
    const waiting = this.waiting.get(reply.id)
    if (waiting === undefined) return
    this.waiting.delete(reply.id)
    if (reply.error === undefined) waiting.resolve(reply.result)
    else waiting.reject(new Error(`${this.name}: ${reply.error}`))
  }

  private fail(error: Error): void {
    for (const { reject } of this.waiting.values()) reject(error)
    this.waiting.clear()
  }

  ask(op: string, fields: object, timeoutMs = 120_000): Promise<unknown> {
    const id = this.nextId++
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id)
        reject(
          new Error(
            `${this.name}: ${op} had no answer in ${timeoutMs} ms\n${this.said.join('\n')}`,
          ),
        )
      }, timeoutMs)
      this.waiting.set(id, {
        resolve: (result) => {
          clearTimeout(timer)
          resolve(result)
        },
        reject: (error) => {
          clearTimeout(timer)
          reject(error)
        },
      })
      this.child.stdin?.write(`${JSON.stringify({ id, op, ...fields })}\n`)
    })
  }

  async produce(job: ProduceJob): Promise<number> {
    return (await this.ask('produce', job)) as number
  }

  async consume(topic: string, counts: readonly number[]): Promise<PartitionDigest[]> {
    return (await this.ask('consume', { topic, counts })) as PartitionDigest[]
  }

  async join(member: string, topic: string, group: string): Promise<void> {
    await this.ask('join', { member, topic, group }, 30_000)
  }

  async status(member: string): Promise<MemberStatus> {
    return (await this.ask('status', { member }, 10_000)) as MemberStatus
  }

  async commit(member: string): Promise<Record<string, number>> {
    return (await this.ask('commit', { member }, 30_000)) as Record<string, number>
  }

  async leave(member: string): Promise<void> {
    await this.ask('leave', { member }, 30_000)
  }

  async scenarios(): Promise<string[]> {
    return (await this.ask('scenarios', {}, 30_000)) as string[]
  }

  async scenario(name: string, topic: string): Promise<void> {
    await this.ask('scenario', { name, topic }, 60_000)
  }

  async close(): Promise<void> {
    this.child.stdin?.end()
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 3_000)
    await ended(this.child)
    clearTimeout(timer)
  }
}

export interface ToolResult {
  readonly status: number
  readonly out: string
  readonly err: string
}

/** The Java client, which can also run the main class of any of Kafka's tools. */
export class JavaClient extends HostClient {
  async tool(main: string, args: readonly string[], input = ''): Promise<ToolResult> {
    return (await this.ask('tool', { main, arguments: args, input }, 60_000)) as ToolResult
  }
}
