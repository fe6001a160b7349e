// kcat as a client of the suites. It reads and prints text, so records travel between delimiters that the data does not
// contain, and come back with their lengths in front.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { Digest, readRecords } from './clients/host.ts'
import type { Client, MemberStatus, PartitionDigest, ProduceJob } from './client.ts'
import { ended, runOk, sleep } from './process.ts'
import type { Finished, RunOptions } from './process.ts'

const keyDelimiter = '\x1f'
const recordDelimiter = '\x1e'

interface Member {
  readonly child: ChildProcess
  assigned: number[]
  readonly received: Record<string, [number, number, number]>
}

export class KcatClient implements Client {
  readonly name = 'kcat'
  private readonly bootstrap: string
  private readonly members = new Map<string, Member>()

  constructor(bootstrap: string) {
    this.bootstrap = bootstrap
  }

  kcat(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return runOk('kcat', ['-b', this.bootstrap, ...args], { timeoutMs: 60_000, ...options })
  }

  async produce(job: ProduceJob): Promise<number> {
    const records = readRecords(job.file, job.from, job.to)
    for (let partition = 0; partition < job.partitions; partition++) {
      const parts: Buffer[] = []
      for (const { index, key, value } of records) {
        if (index % job.partitions !== partition) continue
        if (parts.length > 0) parts.push(Buffer.from(recordDelimiter))
        parts.push(key, Buffer.from(keyDelimiter), value)
      }
      const delimiters = ['-K', '\\x1f', '-D', '\\x1e']
      const where = ['-P', '-t', job.topic, '-p', String(partition)]
      const how = ['-z', job.codec, '-X', 'acks=all', '-X', 'enable.idempotence=true']
      await this.kcat([...where, ...delimiters, ...how], { input: Buffer.concat(parts) })
    }
    return records.length
  }

  async consume(topic: string, counts: readonly number[]): Promise<PartitionDigest[]> {
    const digests: PartitionDigest[] = []
    for (let partition = 0; partition < counts.length; partition++) {
      const where = ['-C', '-q', '-t', topic, '-p', String(partition), '-o', 'beginning', '-e']
      const { stdout } = await this.kcat([...where, '-f', '%K %S\\n%k%s'])
      digests.push(digestOf(stdout).result(partition))
    }
    return digests
  }

  async join(name: string, topic: string, group: string): Promise<void> {
    const settings = [
      'auto.offset.reset=earliest',
      'session.timeout.ms=10000',
      'heartbeat.interval.ms=500',
    ]
    settings.push('auto.commit.interval.ms=200', 'partition.assignment.strategy=range')
    const options = settings.flatMap((setting) => ['-X', setting])
    const args = ['-b', this.bootstrap, ...options, '-u', '-f', '%p %o\\n', '-G', group, topic]
    const child = spawn('kcat', args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const member: Member = { child, assigned: [], received: {} }
    this.members.set(name, member)
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [partition = '', offset = ''] = line.split(' ')
      const entry = (member.received[partition] ??= [Number(offset), Number(offset), 0])
      entry[1] = Number(offset)
      entry[2]++
    })
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (!/^% Group .* rebalanced/.test(line)) return
      const list = /assigned: (.*)$/.exec(line)?.[1] ?? ''
      member.assigned = [...list.matchAll(/\[(\d+)\]/g)]
        .map((match) => Number(match[1]))
        .sort((a, b) => a - b)
    })
  }

  async status(name: string): Promise<MemberStatus> {
    const { assigned, received } = this.member(name)
    return { assigned, received }
  }

  /** kcat commits by itself, every 200 ms. */
  async commit(): Promise<Record<string, number>> {
    await sleep(600)
    return {}
  }

  async leave(name: string): Promise<void> {
    const { child } = this.member(name)
    child.kill('SIGINT')
    const timer = setTimeout(() => child.kill('SIGKILL'), 15_000)
    await ended(child)
    clearTimeout(timer)
    this.members.delete(name)
  }

  private member(name: string): Member {
    const member = this.members.get(name)
    if (member === undefined) throw new Error(`no member ${name}`)
    return member
  }

  async close(): Promise<void> {
    for (const name of [...this.members.keys()]) await this.leave(name)
  }
}

/** Reads `<key length> <value length>\n<key><value>` over and over; a null key has length -1. */
function digestOf(output: Buffer): Digest {
  const digest = new Digest()
  let at = 0
  while (at < output.length) {
    const lineEnd = output.indexOf(10, at)
    const [keyLength = 0, valueLength = 0] = output
      .toString('latin1', at, lineEnd)
      .split(' ')
      .map(Number)
    const keyEnd = lineEnd + 1 + Math.max(keyLength, 0)
    const valueEnd = keyEnd + Math.max(valueLength, 0)
    const key = keyLength < 0 ? null : output.subarray(lineEnd + 1, keyEnd)
    digest.add(key, valueLength < 0 ? null : output.subarray(keyEnd, valueEnd))
    at = valueEnd
  }
  return digest
}
