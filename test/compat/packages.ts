// The real input: every stanza of Debian's package index, keyed by package name, as the clients' input file. Where there is
// no `apt-cache`, or a shorter run is asked for, the first stanzas of what there is.

import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { Digest } from './clients/host.ts'
import type { PartitionDigest } from './client.ts'
import { runOk } from './process.ts'

export interface Input {
  readonly file: string
  readonly count: number
  readonly bytes: number
  readonly keys: readonly Buffer[]
  readonly values: readonly Buffer[]
}

/** Reads the index and writes the input file; at most `limit` stanzas. */
export async function packageIndex(directory: string, limit = Infinity): Promise<Input> {
  const { stdout } = await runOk('apt-cache', ['dumpavail'], { timeoutMs: 60_000 })
  const keys: Buffer[] = []
  const values: Buffer[] = []
  const parts: Buffer[] = []
  for (let at = 0; at < stdout.length && keys.length < limit;) {
    const blank = stdout.indexOf('\n\n', at)
    const end = blank < 0 ? stdout.length : blank + 1
    const value = stdout.subarray(at, end)
    at = blank < 0 ? stdout.length : blank + 2
    const name = /^Package: (.+)$/m.exec(value.toString('utf8'))?.[1]
    if (name === undefined) continue
    const key = Buffer.from(name)
    keys.push(key)
    values.push(value)
    parts.push(length(key), key, length(value), value)
  }
  if (keys.length === 0) throw new Error('apt-cache dumpavail gave no packages: run apt-get update')
  const data = Buffer.concat(parts)
  mkdirSync(directory, { recursive: true })
  const file = path.join(directory, 'packages.bin')
  writeFileSync(file, data)
  return { file, count: keys.length, bytes: data.length, keys, values }
}

function length(part: Buffer): Buffer {
  const out = Buffer.alloc(4)
  out.writeUInt32BE(part.length)
  return out
}

/** What a reader must find when record i went to partition i modulo `partitions`. */
export function expectedDigests(input: Input, partitions: number): PartitionDigest[] {
  const digests = Array.from({ length: partitions }, () => new Digest())
  for (let i = 0; i < input.count; i++) digests[i % partitions]?.add(input.keys[i], input.values[i])
  return digests.map((digest, partition) => digest.result(partition))
}
