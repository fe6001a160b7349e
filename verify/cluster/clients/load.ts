// What the load drivers in Node share: the line protocol with the harness, and sending at a rate.
//
// Arguments: BOOTSTRAP TOPIC PARTITIONS NAME RECORD_BYTES TIMEOUT_MS. Record n goes to partition n modulo PARTITIONS, has the key
// `key-<partition>` and the value `NAME/n`, a line feed, and `x` up to RECORD_BYTES.
// Standard input: `send COUNT RATE` (a second; 0: as fast as can be), `stop` (no more of them). Its end ends the driver.
// Standard output: `ready`; `sent N PARTITION T`; `ok N OFFSET T` (-1: not told); `no N refused|unknown T TEXT`; `done` when
// every record of a `send` is settled. T is the wall clock in milliseconds. The Python and Java drivers speak the same.

import { createInterface } from 'node:readline'
import { performance } from 'node:perf_hooks'

export interface LoadArguments {
  readonly bootstrap: readonly string[]
  readonly topic: string
  readonly partitions: number
  readonly name: string
  readonly recordBytes: number
  readonly timeoutMs: number
}

export interface LoadRecord {
  readonly partition: number
  readonly key: string
  readonly value: string
}

/** Why a record was not acknowledged. */
export class NotAcknowledged extends Error {
  readonly fate: 'refused' | 'unknown'
  constructor(fate: 'refused' | 'unknown', message: string) {
    super(message)
    this.fate = fate
  }
}

export function loadArguments(): LoadArguments {
  const [bootstrap = '', topic = '', partitions, name = '', recordBytes, timeoutMs] =
    process.argv.slice(2)
  return {
    bootstrap: bootstrap.split(','),
    topic,
    partitions: Number(partitions),
    name,
    recordBytes: Number(recordBytes),
    timeoutMs: Number(timeoutMs),
  }
}

export function nowMs(): number {
  return performance.timeOrigin + performance.now()
}

export function recordOf(given: LoadArguments, n: number): LoadRecord {
  const partition = n % given.partitions
  return {
    partition,
    key: `key-${partition}`,
    value: `${given.name}/${n}\n`.padEnd(given.recordBytes, 'x'),
  }
}

const TICK_MS = 4

/** `deliver` resolves with the offset, or rejects, with NotAcknowledged where it knows more than that it failed. */
export class Load {
  readonly #given: LoadArguments
  readonly #deliver: (record: LoadRecord) => Promise<number>
  #next = 0
  #left = 0
  #rate = 0
  #owed = 0
  #lastMs = 0
  #unsettled = 0
  #timer: NodeJS.Timeout | undefined

  constructor(given: LoadArguments, deliver: (record: LoadRecord) => Promise<number>) {
    this.#given = given
    this.#deliver = deliver
  }

  /** Serves the harness until it closes standard input. */
  serve(): void {
    const lines = createInterface({ input: process.stdin })
    lines.on('line', (line) => this.#obey(line))
    lines.on('close', () => process.exit(0))
    say('ready')
  }

  #obey(line: string): void {
    const [word, count, rate] = line.split(' ')
    if (word === 'send') {
      this.#left = Number(count)
      this.#rate = Number(rate) || Infinity
      this.#owed = 1
      this.#lastMs = nowMs()
      this.#timer = setInterval(() => this.#tick(), TICK_MS)
      this.#tick()
    } else if (word === 'stop') {
      this.#left = 0
      this.#finish()
    } else throw new Error(`unknown command: ${line}`)
  }

  #tick(): void {
    const now = nowMs()
    this.#owed += ((now - this.#lastMs) * this.#rate) / 1000
    this.#lastMs = now
    for (; this.#owed >= 1 && this.#left > 0; this.#owed--, this.#left--) this.#send(this.#next++)
    this.#finish()
  }

  #send(n: number): void {
    const record = recordOf(this.#given, n)
    this.#unsettled++
    say(`sent ${n} ${record.partition} ${nowMs()}`)
    this.#deliver(record).then(
      (offset) => this.#settled(`ok ${n} ${offset} ${nowMs()}`),
      (error: unknown) => {
        const fate = error instanceof NotAcknowledged ? error.fate : 'unknown'
        const text = error instanceof Error ? error.message : String(error)
        this.#settled(`no ${n} ${fate} ${nowMs()} ${text.replaceAll('\n', ' ')}`)
      },
    )
  }

  #settled(line: string): void {
    this.#unsettled--
    say(line)
    this.#finish()
  }

  #finish(): void {
    if (this.#left > 0 || this.#timer === undefined) return
    if (this.#unsettled > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
    say('done')
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
