// What the Node clients share: the line protocol with the runner (as in host.py), the input file, the digests, and small
// assertions whose messages name what differed.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { isDeepStrictEqual } from 'node:util'

export interface InputRecord {
  readonly index: number
  readonly key: Buffer
  readonly value: Buffer
}

/** Records `from` … `to`-1 of the input file: key length, key, value length, value, lengths as big-endian uint32. */
export function readRecords(path: string, from: number, to: number): InputRecord[] {
  const data = readFileSync(path)
  const records: InputRecord[] = []
  let position = 0
  const next = (): Buffer => {
    const begin = position + 4
    position = begin + data.readUInt32BE(position)
    return data.subarray(begin, position)
  }
  for (let index = 0; index < to; index++) {
    const key = next()
    const value = next()
    if (index >= from) records.push({ index, key, value })
  }
  return records
}

/** SHA-256 over every record of a partition in order; the same in every client. */
export class Digest {
  count = 0
  private readonly sha = createHash('sha256')

  add(key: Buffer | null | undefined, value: Buffer | null | undefined): void {
    this.count++
    for (const part of [key, value]) {
      const length = Buffer.alloc(4)
      length.writeInt32BE(part?.length ?? -1)
      this.sha.update(length)
      if (part) this.sha.update(part)
    }
  }

  result(partition: number): { partition: number; count: number; hash: string } {
    return { partition, count: this.count, hash: this.sha.digest('hex') }
  }
}

/** What one group member was given: per partition the first and last offset and how many records. */
export class Received {
  assigned: number[] = []
  readonly partitions: Record<string, [first: number, last: number, count: number]> = {}

  add(partition: number, offset: number): void {
    const entry = (this.partitions[partition] ??= [offset, offset, 0])
    entry[1] = offset
    entry[2]++
  }

  status(): { assigned: number[]; received: Record<string, number[]> } {
    return { assigned: [...this.assigned].sort((a, b) => a - b), received: this.partitions }
  }
}

export function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message)
}

export function equal(actual: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(actual, expected))
    throw new Error(`${what}: expected ${show(expected)}, got ${show(actual)}`)
}

function show(value: unknown): string {
  return (
    JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part)) ??
    'undefined'
  )
}

export interface Request {
  readonly id: number
  readonly op: string
  readonly topic: string
  readonly group: string
  readonly member: string
  readonly name: string
  readonly file: string
  readonly codec: string
  readonly from: number
  readonly to: number
  readonly partitions: number
  readonly counts: readonly number[]
}

export type Handlers = Readonly<Record<string, (request: Request) => unknown>>

/** Answers requests, one JSON object a line, until standard input ends; then the process exits. */
export function serve(handlers: Handlers): void {
  const answer = async (request: Request): Promise<void> => {
    try {
      const handler = handlers[request.op]
      if (handler === undefined) throw new Error(`unknown op ${request.op}`)
      say({ id: request.id, result: (await handler(request)) ?? null })
    } catch (error) {
      say({ id: request.id, error: describe(error) })
    }
  }
  const lines = createInterface({ input: process.stdin })
  lines.on('line', (line) => void answer(JSON.parse(line) as Request))
  lines.on('close', () => process.exit(0))
}

/** The message, where it was, and what lies below it: some clients bundle the errors of several brokers. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const below =
    error instanceof AggregateError ? error.errors : error.cause === undefined ? [] : [error.cause]
  const at = (error.stack ?? '')
    .split('\n')
    .find((line) => /compat\/clients|dist\/|src\//.test(line))
  const own = `${error.name}: ${error.message} (${at?.trim() ?? 'no stack'}) ${JSON.stringify(error)}`
  return [own, ...below.map(describe)].join(' | ').slice(0, 2000)
}

function say(reply: object): void {
  process.stdout.write(`${JSON.stringify(reply)}\n`)
}
