// The writers and the reader as the harness sees them.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { ended } from '../../test/compat/process.ts'

const python = '/usr/bin/python3'

export interface WriterSpec {
  readonly id: string
  readonly mode: 'bulk' | 'single'
  readonly recordBytes: number
  /** At most this many records a second. */
  readonly rateMax: number
}

export interface Written {
  /** Per partition, for record n, the offset that its acknowledgement named. */
  readonly offsets: readonly (readonly number[])[]
  readonly failed: readonly string[]
}

export class Writer {
  readonly spec: WriterSpec
  acked = 0
  private readonly child: ChildProcess
  private result: Written | undefined
  private said = ''

  constructor(spec: WriterSpec, bootstrap: string, topic: string, partitions: number) {
    this.spec = spec
    const { id, mode, recordBytes, rateMax } = spec
    const args = [bootstrap, topic, partitions, id, recordBytes, mode, rateMax].map(String)
    this.child = spawn(python, [path.join(import.meta.dirname, 'writer.py'), ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    if (this.child.stdout === null || this.child.stderr === null) throw new Error('no pipes')
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      if (line.startsWith('acked ')) this.acked = Number(line.slice(6))
      else this.result = JSON.parse(line) as Written
    })
    this.child.stderr.on(
      'data',
      (chunk: Buffer) => (this.said = (this.said + chunk.toString()).slice(-2000)),
    )
  }

  get running(): boolean {
    return (
      this.child.exitCode === null && this.child.signalCode === null && this.result === undefined
    )
  }

  async finish(): Promise<Written> {
    this.child.stdin?.end()
    await ended(this.child)
    if (this.result === undefined)
      throw new Error(`writer ${this.spec.id} ended without a result\n${this.said}`)
    return this.result
  }

  kill(): void {
    this.child.kill('SIGKILL')
  }
}

export interface Reading {
  readonly read: number
  readonly writers: Readonly<Record<string, readonly number[]>>
  readonly wrong: readonly string[]
  /** After `all`: per writer and partition, for record n, the offset at which it was read. */
  readonly offsets?: Readonly<Record<string, readonly (readonly number[])[]>>
}

export class Reader {
  private readonly child: ChildProcess
  private waiting: ((reading: Reading) => void) | undefined
  private failure: ((error: Error) => void) | undefined
  private said = ''

  constructor(bootstrap: string, topic: string, partitions: number) {
    const args = [path.join(import.meta.dirname, 'reader.py'), bootstrap, topic, String(partitions)]
    this.child = spawn(python, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    if (this.child.stdout === null || this.child.stderr === null) throw new Error('no pipes')
    createInterface({ input: this.child.stdout }).on('line', (line) =>
      this.waiting?.(JSON.parse(line) as Reading),
    )
    this.child.stderr.on(
      'data',
      (chunk: Buffer) => (this.said = (this.said + chunk.toString()).slice(-2000)),
    )
    this.child.on('exit', () => this.failure?.(new Error(`the reader ended\n${this.said}`)))
  }

  ask(command: 'advance' | 'all'): Promise<Reading> {
    return new Promise((resolve, reject) => {
      this.waiting = resolve
      this.failure = reject
      this.child.stdin?.write(`${command}\n`)
    })
  }

  async close(): Promise<void> {
    this.failure = undefined
    this.child.stdin?.end()
    await ended(this.child)
  }
}
