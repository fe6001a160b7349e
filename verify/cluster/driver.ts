// One driver of load as the harness sees it: a process that sends numbered records when told and reports what became of each
// (clients/load.ts tells the protocol). Everything it reports goes into the history.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { ended } from '../../test/compat/process.ts'
import type { Begun, Body, Recorder } from '../history/recorder.ts'
import type { Outcome } from '../history/history.ts'
import { crcOf } from '../sim/content.ts'
import { clients, type ClientName } from './clients.ts'

export interface DriverOptions {
  readonly bootstrap: string
  readonly topic: string
  readonly partitions: number
  /** Unique in the run. */
  readonly name: string
  readonly recordBytes: number
  /** How long the client may try to deliver a record. */
  readonly timeoutMs: number
}

export interface Delivery {
  readonly n: number
  readonly partition: number
  readonly sentMs: number
  /** Undefined while it is under way. */
  settledMs: number | undefined
  outcome: Outcome | undefined
  offset: number
  text: string
}

interface Open {
  readonly delivery: Delivery
  readonly begun: Begun
}

const encoder = new TextEncoder()

export class Driver {
  readonly client: ClientName
  readonly name: string
  readonly deliveries: Delivery[] = []
  readonly #options: DriverOptions
  readonly #recorder: Recorder
  readonly #child: ChildProcess
  readonly #open = new Map<number, Open>()
  readonly #ready: Promise<void>
  #saidReady: () => void = () => {}
  #saidDone: (() => void) | undefined
  #failed: ((error: Error) => void) | undefined
  #said = ''
  #closing = false

  constructor(client: ClientName, options: DriverOptions, recorder: Recorder) {
    this.client = client
    this.name = options.name
    this.#options = options
    this.#recorder = recorder
    const [command, ...args] = clients[client].command()
    const { bootstrap, topic, partitions, name, recordBytes, timeoutMs } = options
    const given = [bootstrap, topic, partitions, name, recordBytes, timeoutMs].map(String)
    this.#child = spawn(command, [...args, ...given], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#ready = new Promise((resolve, reject) => {
      this.#saidReady = resolve
      this.#failed = reject
    })
    if (this.#child.stdout === null || this.#child.stderr === null) throw new Error('no pipes')
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#take(line))
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#said = (this.#said + chunk.toString()).slice(-2000)
    })
    this.#child.on('error', (error) => this.#failed?.(error))
    this.#child.on('exit', (code, signal) => {
      if (this.#closing) return
      this.#failed?.(new Error(`the driver ${this.name} ended (${code ?? signal})\n${this.#said}`))
    })
  }

  /** Records a second that the client manages easily. */
  get rate(): number {
    return clients[this.client].rate
  }

  ready(): Promise<void> {
    return this.#ready
  }

  /** Sends `count` records at `rate` a second; resolves with them when each is settled. */
  async send(count: number, rate: number): Promise<readonly Delivery[]> {
    const from = this.deliveries.length
    await this.#run(count, rate)
    return this.deliveries.slice(from)
  }

  /** Sends at `rate` a second until `stop`; what it resolves with is `finished` there. */
  start(rate: number): RunningLoad {
    const done = this.#run(1e9, rate)
    done.catch(() => undefined) // told to whoever stops it
    return {
      stop: async () => {
        this.#child.stdin?.write('stop\n')
        await done
      },
    }
  }

  #run(count: number, rate: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#saidDone = resolve
      this.#failed = reject
      this.#child.stdin?.write(`send ${count} ${rate}\n`)
    })
  }

  async close(): Promise<void> {
    this.#closing = true
    this.#child.kill('SIGKILL')
    await ended(this.#child)
  }

  #take(line: string): void {
    const [word = '', first = '', second = '', third = '', ...rest] = line.split(' ')
    switch (word) {
      case 'ready':
        this.#saidReady()
        break
      case 'done':
        this.#saidDone?.()
        break
      case 'sent':
        this.#sent(Number(first), Number(second), Number(third))
        break
      case 'ok':
        this.#settled(Number(first), Number(third), 'ok', Number(second), '')
        break
      case 'no': {
        const outcome = second === 'refused' ? 'fail' : 'indeterminate'
        this.#settled(Number(first), Number(third), outcome, -1, rest.join(' '))
        break
      }
      default:
        this.#said = `${this.#said}${line}\n`.slice(-2000)
    }
  }

  #sent(n: number, partition: number, sentMs: number): void {
    const delivery: Delivery = {
      n,
      partition,
      sentMs,
      settledMs: undefined,
      outcome: undefined,
      offset: -1,
      text: '',
    }
    this.deliveries.push(delivery)
    const begun = this.#recorder.begin(this.name, this.#body(delivery))
    this.#open.set(n, { delivery, begun })
  }

  #settled(n: number, atMs: number, outcome: Outcome, offset: number, text: string): void {
    const open = this.#open.get(n)
    if (open === undefined) throw new Error(`${this.name} settled record ${n} twice, or unsent`)
    this.#open.delete(n)
    Object.assign(open.delivery, { settledMs: atMs, outcome, offset, text })
    this.#recorder.end(open.begun, this.#body(open.delivery))
  }

  #body({ n, partition, outcome, offset }: Delivery): Body {
    const { topic, recordBytes } = this.#options
    const { acks, idempotent, ordered } = clients[this.client]
    const token = `${this.name}/${n}`
    const crc = crcOf(
      encoder.encode(`key-${partition}`),
      encoder.encode(`${token}\n`.padEnd(recordBytes, 'x')),
    )
    const record = {
      topic,
      partition,
      value: token,
      crc,
      outcome: outcome ?? 'indeterminate',
      offset,
    }
    return { kind: 'produce', acks, idempotent, ordered, records: [record] }
  }
}

export interface RunningLoad {
  /** No more records; resolves when each that was sent is settled. */
  stop(): Promise<void>
}
