// `chronik consume`: prints the records of a topic.

import { Command } from 'commander'
import { describeTopics } from '../../client/admin-topics.ts'
import type { Cluster } from '../../client/cluster.ts'
import { Consumer, type ConsumedRecord } from '../../client/consumer.ts'
import { GroupConsumer } from '../../client/group-consumer.ts'
import {
  findOffsets,
  keyOf,
  type StartFrom,
  type TopicPartition,
} from '../../client/partition-offsets.ts'
import { type AccessOptions, collect, whole, withAccess, withCluster } from '../cluster-access.ts'
import { parseDateMs } from '../../env/node/dates.ts'
import type { DataWorld } from '../data-world.ts'
import { usage } from '../failure.ts'
import { realDataWorld } from '../real-data-world.ts'
import { plural } from '../amounts.ts'
import { lineFromRecord, type OutputFormat } from '../record-text.ts'

interface Given extends AccessOptions {
  readonly from?: string
  readonly partition?: readonly string[]
  readonly max?: string
  readonly untilEnd?: boolean
  readonly group?: string
  readonly json?: boolean
  readonly printKeys?: boolean
  readonly keySeparator?: string
  readonly quiet?: boolean
}

const helpEnd = `
Prints values, one per line, until Ctrl-C; with --json everything about each record, in the form that "chronik produce --json"
takes. With --group the partitions are shared with the other members of the group, and it goes on where the group left off;
--from then says where to start in a partition that the group has not read yet.

Examples:
  chronik consume greetings
  chronik consume orders --from timestamp:2026-01-31T12:00:00Z --print-keys
  chronik consume orders --from end --json | jq .value
  chronik consume orders --group billing --max 100`

const POLL_MS = 200
const COMMIT_MS = 1000

/** Either kind of consumer, as far as printing goes. */
interface Source {
  poll(waitMs: number): Promise<ConsumedRecord[]>
  /** What is assigned now, and the next offset of each where known. */
  assigned(): (TopicPartition & { readonly position: number | undefined })[]
  /** Everything below these offsets was printed. */
  printed(next: ReadonlyMap<string, TopicPartition & { readonly offset: number }>): Promise<void>
  close(): Promise<void>
}

export function command(world: () => DataWorld = realDataWorld): Command {
  return withAccess(new Command('consume'))
    .description('Prints the records of a topic.')
    .argument('<topic>')
    .option(
      '-f, --from <where>',
      'beginning, end, an offset, or timestamp:<date> (default: beginning)',
    )
    .option('-p, --partition <number>', 'only this partition; may be repeated', collect)
    .option('-n, --max <count>', 'stop after so many records')
    .option('-e, --until-end', 'stop at what is the end now')
    .option('-g, --group <name>', 'read as a member of this group, and commit what was printed')
    .option('--json', 'print JSON lines')
    .option('-K, --print-keys', 'print the key before the value')
    .option('-k, --key-separator <text>', 'what to print between them (default: a tab)')
    .option('-q, --quiet', 'say nothing but what went wrong')
    .addHelpText('after', helpEnd)
    .action(async (topic: string, given: Given) => {
      const plan = planOf(topic, given)
      const here = world()
      await withCluster(here, given, (cluster) => consume(here, cluster, plan))
    })
}

interface Plan {
  readonly topic: string
  readonly from: StartFrom
  readonly partitions: readonly number[] | undefined
  readonly max: number
  readonly untilEnd: boolean
  readonly group: string | undefined
  readonly format: OutputFormat
  readonly quiet: boolean
}

function planOf(topic: string, given: Given): Plan {
  const { group, json = false, printKeys = false, keySeparator } = given
  const partitions = given.partition?.map((text) => whole(text, '--partition'))
  const from = startOf(given.from ?? 'beginning')
  if (group !== undefined && partitions !== undefined) {
    throw usage('the group decides who reads which partition; leave --partition or --group out')
  }
  if (group !== undefined && typeof from === 'object') {
    throw usage(
      'with --group, --from is beginning or end: it is for partitions that the group has not read yet',
    )
  }
  if (json && (printKeys || keySeparator !== undefined)) {
    throw usage('--json prints keys anyway; leave --print-keys and --key-separator out')
  }
  const withKeys = printKeys || keySeparator !== undefined
  return {
    topic,
    from,
    partitions,
    max: given.max === undefined ? Infinity : whole(given.max, '--max', 1),
    untilEnd: given.untilEnd === true,
    group,
    format: { json, keySeparator: withKeys ? (keySeparator ?? '\t') : undefined },
    quiet: given.quiet === true,
  }
}

function startOf(text: string): StartFrom {
  if (text === 'beginning' || text === 'end') return text
  if (/^\d+$/.test(text)) return { offset: whole(text, '--from') }
  const date = /^timestamp:(.+)$/.exec(text)?.[1]
  if (date !== undefined) {
    const timestampMs = /^\d+$/.test(date) ? Number(date) : parseDateMs(date)
    if (Number.isSafeInteger(timestampMs)) return { timestampMs }
    throw usage(`--from: ${date} is no date; write it like timestamp:2026-01-31T12:00:00Z`)
  }
  throw usage(`--from: ${text} is neither beginning, end, an offset nor timestamp:<date>`)
}

async function consume(world: DataWorld, cluster: Cluster, plan: Plan): Promise<void> {
  const partitions = await partitionsOf(cluster, plan)
  const ends = plan.untilEnd
    ? await findOffsets(
        cluster,
        partitions.map((p) => ({ ...p, at: 'end' as const })),
      )
    : []
  const endOf = new Map(ends.map((end) => [keyOf(end), end.offset]))
  const source =
    plan.group === undefined
      ? alone(cluster, plan, partitions)
      : inGroup(world, cluster, plan, plan.group)
  let stopped = false
  const off = world.onStop(() => (stopped = true))
  try {
    const count = await print(world, source, plan, endOf, () => stopped || world.output.isClosed)
    if (!plan.quiet && !world.output.isClosed)
      world.say(`${plural(count, 'record')} of ${plan.topic}`)
  } finally {
    off()
    await source.close()
  }
}

async function partitionsOf(cluster: Cluster, plan: Plan): Promise<TopicPartition[]> {
  const [topic] = await describeTopics(cluster, [plan.topic])
  const count = topic?.partitions.length ?? 0
  const wanted = plan.partitions ?? Array.from({ length: count }, (_, i) => i)
  for (const partition of wanted) {
    if (partition >= count)
      throw usage(`--partition: ${plan.topic} has the partitions 0 to ${count - 1}`)
  }
  return wanted.map((partition) => ({ topic: plan.topic, partition }))
}

/** Prints until told to stop, enough was printed, or the end is reached; resolves with how many records. */
async function print(
  world: DataWorld,
  source: Source,
  plan: Plan,
  endOf: ReadonlyMap<string, number>,
  stopped: () => boolean,
): Promise<number> {
  const next = new Map<string, TopicPartition & { offset: number }>()
  let count = 0
  while (count < plan.max && !stopped()) {
    const lines: Uint8Array[] = []
    for (const record of await source.poll(POLL_MS)) {
      if (count >= plan.max) break
      if (record.offset >= (endOf.get(keyOf(record)) ?? Infinity)) continue
      lines.push(lineFromRecord(record, plan.format))
      const { topic, partition, offset } = record
      next.set(keyOf(record), { topic, partition, offset: offset + 1 })
      count++
    }
    if (lines.length > 0) await world.output.write(Buffer.concat(lines))
    if (!world.output.isClosed) await source.printed(next)
    if (plan.untilEnd && atEnd(source, endOf)) break
    if (!plan.quiet) world.progress?.(plural(count, 'record'))
  }
  if (!plan.quiet) world.progress?.('')
  return count
}

function atEnd(source: Source, endOf: ReadonlyMap<string, number>): boolean {
  return source
    .assigned()
    .every((partition) => (partition.position ?? -1) >= (endOf.get(keyOf(partition)) ?? 0))
}

function alone(cluster: Cluster, plan: Plan, partitions: readonly TopicPartition[]): Source {
  const consumer = new Consumer(cluster)
  consumer.assign(partitions.map((partition) => ({ ...partition, from: plan.from })))
  return {
    poll: (waitMs) => consumer.poll(waitMs),
    assigned: () => partitions.map((p) => ({ ...p, position: consumer.position(p) })),
    printed: () => Promise.resolve(),
    close: () => Promise.resolve(consumer.close()),
  }
}

function inGroup(world: DataWorld, cluster: Cluster, plan: Plan, groupId: string): Source {
  const consumer = new GroupConsumer(cluster, {
    groupId,
    topics: [plan.topic],
    startAt: plan.from === 'end' ? 'end' : 'beginning',
    autoCommitMs: undefined,
  })
  const { clock } = world.env
  let nextCommitMs = clock.monotonicMs() + COMMIT_MS
  let printed: (TopicPartition & { offset: number })[] = []
  const commit = async (): Promise<void> => {
    const mine = new Set(consumer.assignment.map(keyOf))
    await consumer.tryCommit(printed.filter((position) => mine.has(keyOf(position))))
  }
  return {
    poll: (waitMs) => consumer.poll(waitMs),
    assigned: () => consumer.assignment.map((p) => ({ ...p, position: consumer.position(p) })),
    printed: async (next) => {
      printed = [...next.values()]
      if (clock.monotonicMs() < nextCommitMs) return
      nextCommitMs = clock.monotonicMs() + COMMIT_MS
      await commit()
    },
    close: async () => {
      try {
        await commit()
      } finally {
        await consumer.close()
      }
    },
  }
}
