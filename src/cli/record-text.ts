// Records as text: lines in, for `produce`; lines out, for `consume`. Plain lines carry bytes as they are; JSON lines
// carry everything, and what `consume --json` prints `produce --json` takes.

import type { ConsumedRecord } from '../client/consumer.ts'
import type { ProducerRecord } from '../client/producer-placement.ts'
import { parseDateMs } from '../env/node/dates.ts'
import type { RecordHeader } from '../records/record-cursor.ts'
import { Failure } from './failure.ts'

export interface InputFormat {
  readonly topic: string
  /** A line is a JSON object. */
  readonly json: boolean
  /** Stands between key and value of a plain line; undefined: there is no key. */
  readonly keySeparator: string | undefined
  /** For every record that does not say otherwise. */
  readonly partition: number | undefined
  readonly headers: readonly RecordHeader[]
}

export interface OutputFormat {
  readonly json: boolean
  /** What to print between key and value; undefined: print no key. */
  readonly keySeparator: string | undefined
}

const encoder = new TextEncoder()

/** `line` counts from 1, for messages. Throws Failure. */
export function recordFromLine(
  bytes: Uint8Array,
  line: number,
  format: InputFormat,
): ProducerRecord {
  if (format.json) return fromJson(bytes, line, format)
  const { topic, partition, headers, keySeparator } = format
  const place = partition === undefined ? {} : { partition }
  if (keySeparator === undefined) return { topic, ...place, key: null, value: bytes, headers }
  const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(keySeparator)
  if (at < 0) throw new Failure(`line ${line} has no key separator ${JSON.stringify(keySeparator)}`)
  const valueAt = at + Buffer.byteLength(keySeparator)
  return { topic, ...place, key: bytes.subarray(0, at), value: bytes.subarray(valueAt), headers }
}

const FIELDS: ReadonlySet<string> = new Set([
  'topic',
  'partition',
  'offset',
  'timestamp',
  'key',
  'keyBase64',
  'value',
  'valueBase64',
  'headers',
])

function fromJson(bytes: Uint8Array, line: number, format: InputFormat): ProducerRecord {
  const wrong = (what: string): Failure => new Failure(`line ${line}: ${what}`)
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString())
  } catch (error) {
    throw wrong(`no JSON (${error instanceof Error ? error.message : String(error)})`)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw wrong(
      'no JSON object; give {"key": …, "value": …, "headers": {…}, "partition": …, "timestamp": …}',
    )
  }
  const fields = new Map<string, unknown>(Object.entries(parsed))
  for (const name of fields.keys()) if (!FIELDS.has(name)) throw wrong(`unknown field "${name}"`)
  const partition = fields.get('partition') ?? format.partition
  if (partition !== undefined && !isIndex(partition))
    throw wrong('the partition is no whole number')
  const timestampMs = timestampFrom(fields.get('timestamp'), wrong)
  return {
    topic: format.topic,
    key: contentFrom(fields, 'key', wrong),
    value: contentFrom(fields, 'value', wrong),
    headers: [...format.headers, ...headersFrom(fields.get('headers'), wrong)],
    ...(partition === undefined ? {} : { partition }),
    ...(timestampMs === undefined ? {} : { timestampMs }),
  }
}

function isIndex(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 31
}

function timestampFrom(value: unknown, wrong: (what: string) => Failure): number | undefined {
  if (value === undefined || value === null) return undefined
  const timestampMs = typeof value === 'string' ? parseDateMs(value) : value
  if (typeof timestampMs === 'number' && Number.isSafeInteger(timestampMs)) return timestampMs
  throw wrong(
    'the timestamp is neither milliseconds since 1970 nor a date like 2026-01-31T12:00:00Z',
  )
}

/** Text as it is, null as null, base64 from the field of that name, any other JSON value as JSON. */
function contentFrom(
  fields: ReadonlyMap<string, unknown>,
  name: 'key' | 'value',
  wrong: (what: string) => Failure,
): Uint8Array | null {
  const base64 = fields.get(`${name}Base64`)
  if (base64 !== undefined) {
    if (typeof base64 !== 'string') throw wrong(`${name}Base64 is no string`)
    return Buffer.from(base64, 'base64')
  }
  return bytesFrom(fields.get(name))
}

function bytesFrom(value: unknown): Uint8Array | null {
  if (value === undefined || value === null) return null
  return encoder.encode(typeof value === 'string' ? value : JSON.stringify(value))
}

/** An object, or a list of [name, value]. */
function headersFrom(value: unknown, wrong: (what: string) => Failure): RecordHeader[] {
  if (value === undefined || value === null) return []
  const pairs: unknown = Array.isArray(value)
    ? value
    : typeof value === 'object'
      ? Object.entries(value)
      : undefined
  if (!Array.isArray(pairs))
    throw wrong('the headers are neither an object nor a list of [name, value]')
  return pairs.map((pair: unknown) => {
    if (!Array.isArray(pair) || pair.length !== 2) throw wrong('a header is no [name, value]')
    const [name, content]: unknown[] = pair
    if (typeof name !== 'string') throw wrong('the name of a header is no string')
    return { key: encoder.encode(name), value: bytesFrom(content) }
  })
}

/** What `consume` prints for a record, with its line feed. */
export function lineFromRecord(record: ConsumedRecord, format: OutputFormat): Uint8Array {
  if (format.json) return encoder.encode(`${jsonFromRecord(record)}\n`)
  const value = record.value ?? new Uint8Array(0)
  const parts = [value, encoder.encode('\n')]
  if (format.keySeparator !== undefined) {
    parts.unshift(record.key ?? new Uint8Array(0), encoder.encode(format.keySeparator))
  }
  return Buffer.concat(parts)
}

/** A record as a JSON object in one line, without a line feed. */
export function jsonFromRecord(record: ConsumedRecord): string {
  return JSON.stringify(toJson(record))
}

function toJson(record: ConsumedRecord): Record<string, unknown> {
  return {
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    timestamp: record.timestampMs,
    ...contentTo('key', record.key),
    ...contentTo('value', record.value),
    ...(record.headers.length === 0 ? {} : { headers: headersTo(record.headers) }),
  }
}

function contentTo(name: 'key' | 'value', bytes: Uint8Array | null): Record<string, unknown> {
  if (bytes === null) return { [name]: null }
  const text = textOf(bytes)
  if (text !== undefined) return { [name]: text }
  return { [`${name}Base64`]: Buffer.from(bytes).toString('base64') }
}

/** An object where it keeps the headers and their order, which a name that is a number or comes twice would not. */
function headersTo(headers: readonly RecordHeader[]): unknown {
  const decode = (bytes: Uint8Array): string =>
    new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
  const pairs = headers.map(({ key, value }): [string, string | null] => [
    decode(key),
    value === null ? null : decode(value),
  ])
  const object = Object.fromEntries(pairs)
  const names = Object.keys(object)
  const kept = names.length === pairs.length && pairs.every(([name], i) => name === names[i])
  return kept ? object : pairs
}

/** Undefined for what is no UTF-8. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    // Not text: the caller prints it as base64.
    return undefined
  }
}
