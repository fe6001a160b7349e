// Apache Kafka's own command-line tools, run unchanged in one JVM.

import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { check, equal } from '../clients/host.ts'
import type { ToolResult } from '../client.ts'
import { kafkaLibraries } from '../install.ts'
import { runOk, waitFor } from '../process.ts'
import type { Context, Suite } from '../suite.ts'

const mains = {
  topics: 'org.apache.kafka.tools.TopicCommand',
  configs: 'kafka.admin.ConfigCommand',
  consoleProducer: 'org.apache.kafka.tools.ConsoleProducer',
  consoleConsumer: 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  performance: 'org.apache.kafka.tools.ProducerPerformance',
  consumerPerformance: 'org.apache.kafka.tools.ConsumerPerformance',
  verifiableProducer: 'org.apache.kafka.tools.VerifiableProducer',
  verifiableConsumer: 'org.apache.kafka.tools.VerifiableConsumer',
  offsets: 'org.apache.kafka.tools.GetOffsetShell',
  groups: 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  logDirs: 'org.apache.kafka.tools.LogDirsCommand',
  deleteRecords: 'org.apache.kafka.tools.DeleteRecordsCommand',
  apiVersions: 'org.apache.kafka.tools.BrokerApiVersionsCommand',
  dump: 'org.apache.kafka.tools.DumpLogSegments',
} as const

export const toolsSuite: Suite = {
  name: 'tools',
  needs: ['java'],
  tests(context) {
    return [
      { name: 'TopicCommand', run: () => topics(context) },
      { name: 'ConfigCommand', run: () => configs(context) },
      { name: 'ConsoleProducer and ConsoleConsumer', run: () => console2(context) },
      { name: 'ProducerPerformance and ConsumerPerformance', run: () => performance(context) },
      { name: 'VerifiableProducer and VerifiableConsumer', run: () => verifiable(context) },
      { name: 'GetOffsetShell', run: () => offsets(context) },
      { name: 'ConsumerGroupCommand', run: () => groups(context) },
      { name: 'LogDirsCommand', run: () => logDirs(context) },
      { name: 'DeleteRecordsCommand', run: () => deleteRecords(context) },
      { name: 'BrokerApiVersionsCommand', run: () => apiVersions(context) },
      {
        name: 'DumpLogSegments reads our segments and checks the indexes',
        run: () => dump(context),
      },
    ]
  },
}

async function tool(
  context: Context,
  name: keyof typeof mains,
  args: readonly string[],
  input = '',
): Promise<ToolResult> {
  const result = await context.java.tool(mains[name], args, input)
  if (result.status !== 0)
    throw new Error(
      `${name} ${args.join(' ')} ended with ${result.status}\n${result.out}\n${result.err}`,
    )
  return result
}

/** The verifiable tools end in System.exit and print their summary in a hook of the JVM: they get one of their own. */
async function ownJvm(name: keyof typeof mains, args: readonly string[]): Promise<string> {
  const quiet = [
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-Dorg.apache.logging.log4j.level=OFF',
  ]
  const done = await runOk('java', [
    ...quiet,
    '-cp',
    path.join(kafkaLibraries, '*'),
    mains[name],
    ...args,
  ])
  return done.stdout.toString()
}

/** `--bootstrap-server host:port`, which nearly all of them take. */
function at(context: Context): string[] {
  return ['--bootstrap-server', context.server.bootstrap]
}

async function topics(context: Context): Promise<void> {
  const topic = context.topic('tools-topics')
  const on = [...at(context), '--topic', topic]
  await tool(context, 'topics', [
    '--create',
    ...on,
    '--partitions',
    '2',
    '--config',
    'retention.ms=3600000',
  ])
  const described = (await tool(context, 'topics', ['--describe', ...on])).out
  check(described.includes('PartitionCount: 2'), described)
  check(described.includes('retention.ms=3600000'), described)
  check(/Partition: 1\tLeader: (\d+)\tReplicas: \1\tIsr: \1/.test(described), described)
  await tool(context, 'topics', ['--alter', ...on, '--partitions', '4'])
  check(
    (await tool(context, 'topics', ['--describe', ...on])).out.includes('PartitionCount: 4'),
    'four partitions',
  )
  check(
    (await tool(context, 'topics', ['--list', ...at(context)])).out.split('\n').includes(topic),
    'listed',
  )
  await tool(context, 'topics', ['--delete', ...on])
  check(
    !(await tool(context, 'topics', ['--list', ...at(context)])).out.split('\n').includes(topic),
    'gone',
  )
}

async function configs(context: Context): Promise<void> {
  const topic = context.topic('tools-configs')
  await context.createTopics({ topic, numPartitions: 1 })
  const entity = [...at(context), '--entity-type', 'topics', '--entity-name', topic]
  await tool(context, 'configs', [
    '--alter',
    ...entity,
    '--add-config',
    'max.message.bytes=2000000,segment.bytes=2097152',
  ])
  const described = (await tool(context, 'configs', ['--describe', ...entity])).out
  check(described.includes('max.message.bytes=2000000'), described)
  await tool(context, 'configs', ['--alter', ...entity, '--delete-config', 'segment.bytes'])
  const after = (await tool(context, 'configs', ['--describe', ...entity])).out
  check(!after.includes('segment.bytes=2097152'), after)
}

async function console2(context: Context): Promise<void> {
  const topic = context.topic('tools-console')
  await context.createTopics({ topic, numPartitions: 1 })
  const keyed = ['--reader-property', 'parse.key=true', '--reader-property', 'key.separator=:']
  const lines = Array.from({ length: 500 }, (_, i) => `key${i}:value ${i} äöü`)
  await tool(
    context,
    'consoleProducer',
    [...at(context), '--topic', topic, ...keyed],
    `${lines.join('\n')}\n`,
  )
  const print = [
    '--formatter-property',
    'print.key=true',
    '--formatter-property',
    'key.separator=:',
  ]
  const read = ['--from-beginning', '--max-messages', '500', '--timeout-ms', '20000', ...print]
  const { out } = await tool(context, 'consoleConsumer', [
    ...at(context),
    '--topic',
    topic,
    ...read,
  ])
  equal(out.trim().split('\n'), lines, 'lines')
}

async function performance(context: Context): Promise<void> {
  const topic = context.topic('tools-perf')
  await context.createTopics({ topic, numPartitions: 3 })
  const load = ['--num-records', '50000', '--record-size', '200', '--throughput', '-1']
  const { out } = await tool(context, 'performance', ['--topic', topic, ...load, ...at(context)])
  check(/^50000 records sent/m.test(out), out)
  const count = ['--num-records', '50000', '--timeout', '20000', ...at(context)]
  const read = await tool(context, 'consumerPerformance', ['--topic', topic, ...count])
  const columns = read.out.trim().split('\n').at(-1)?.split(',') ?? []
  check(Number(columns[4]) >= 50_000, read.out)
}

async function verifiable(context: Context): Promise<void> {
  const topic = context.topic('tools-verifiable')
  await context.createTopics({ topic, numPartitions: 2 })
  const producing = [
    '--topic',
    topic,
    '--max-messages',
    '2000',
    '--throughput',
    '-1',
    '--acks',
    '-1',
    ...at(context),
  ]
  const produced = (await ownJvm('verifiableProducer', producing))
    .split('\n')
    .filter((line) => line.startsWith('{'))
  const events = produced.map(
    (line) => JSON.parse(line) as { name: string; acked?: number; sent?: number },
  )
  const summary = events.find(({ name }) => name === 'tool_data')
  equal(
    { sent: summary?.sent, acked: summary?.acked },
    { sent: 2000, acked: 2000 },
    'what the producer says',
  )
  const reading = [
    '--topic',
    topic,
    '--group-id',
    topic,
    '--max-messages',
    '2000',
    '--reset-policy',
    'earliest',
  ]
  const consumed = (await ownJvm('verifiableConsumer', [...reading, ...at(context)])).split('\n')
  const parsed = consumed
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Consumed)
  const total = parsed
    .filter(({ name }) => name === 'records_consumed')
    .reduce((sum, { count }) => sum + (count ?? 0), 0)
  equal(total, 2000, 'records consumed')
  check(
    parsed.some(({ name, success }) => name === 'offsets_committed' && success === true),
    'offsets were committed',
  )
}

interface Consumed {
  readonly name: string
  readonly count?: number
  readonly success?: boolean
}

async function offsets(context: Context): Promise<void> {
  const topic = context.topic('tools-offsets')
  await context.createTopics({ topic, numPartitions: 2 })
  await context.send(topic, 2, 0, 25)
  const get = async (time: string): Promise<string> => {
    return (
      await tool(context, 'offsets', [...at(context), '--topic', topic, '--time', time])
    ).out.trim()
  }
  equal(await get('latest'), `${topic}:0:25\n${topic}:1:25`, 'latest')
  equal(await get('earliest'), `${topic}:0:0\n${topic}:1:0`, 'earliest')
  equal(
    await get('max-timestamp').then((out) => out.split('\n').length),
    2,
    'partitions with a highest timestamp',
  )
  equal(await get('1000'), `${topic}:0:0\n${topic}:1:0`, 'by time')
}

async function groups(context: Context): Promise<void> {
  const topic = context.topic('tools-groups')
  await context.createTopics({ topic, numPartitions: 1 })
  await context.send(topic, 1, 0, 10)
  const group = ['--group', `${topic}-group`]
  const read = [
    '--topic',
    topic,
    '--from-beginning',
    '--max-messages',
    '4',
    '--timeout-ms',
    '20000',
    ...group,
  ]
  await tool(context, 'consoleConsumer', [...at(context), ...read])
  check(
    (await tool(context, 'groups', [...at(context), '--list'])).out.includes(`${topic}-group`),
    'listed',
  )
  const described = (await tool(context, 'groups', [...at(context), '--describe', ...group])).out
  const row = described.split('\n').find((line) => line.includes(` ${topic} `)) ?? ''
  equal(
    row.trim().split(/\s+/).slice(2, 6),
    ['0', '4', '10', '6'],
    `partition, offset, end, lag in:\n${described}`,
  )
  const reset = ['--reset-offsets', ...group, '--topic', topic, '--to-earliest', '--execute']
  await tool(context, 'groups', [...at(context), ...reset])
  const again = (await tool(context, 'groups', [...at(context), '--describe', ...group])).out
  check(/\s0\s+0\s+10\s+10\s/.test(again), again)
}

async function logDirs(context: Context): Promise<void> {
  const topic = context.topic('tools-dirs')
  await context.createTopics({ topic, numPartitions: 1 })
  await context.send(topic, 1, 0, 100)
  const { out } = await tool(context, 'logDirs', [
    ...at(context),
    '--describe',
    '--topic-list',
    topic,
  ])
  const json = out.split('\n').find((line) => line.startsWith('{')) ?? ''
  const sizes = [...json.matchAll(/"partition":"([^"]+)","size":(\d+)/g)].map((match) => [
    match[1],
    Number(match[2]) > 300,
  ])
  equal(sizes, [[`${topic}-0`, true]], json)
}

async function deleteRecords(context: Context): Promise<void> {
  const topic = context.topic('tools-delete')
  await context.createTopics({ topic, numPartitions: 1 })
  await context.send(topic, 1, 0, 10)
  const file = path.join(context.directory, 'delete-records.json')
  writeFileSync(
    file,
    JSON.stringify({ version: 1, partitions: [{ topic, partition: 0, offset: 6 }] }),
  )
  const { out } = await tool(context, 'deleteRecords', [...at(context), '--offset-json-file', file])
  check(out.includes(`partition: ${topic}-0\tlow_watermark: 6`), out)
}

async function apiVersions(context: Context): Promise<void> {
  const { out } = await tool(context, 'apiVersions', at(context))
  check(/Produce\(0\): /.test(out) && /Fetch\(1\): 4 to \d+/.test(out), out)
}

/** Several segments, written by small and by large batches, then Kafka's own eyes on every file. */
async function dump(context: Context): Promise<void> {
  const topic = context.topic('tools-dump')
  const configEntries = [{ name: 'segment.bytes', value: '1048576' }]
  await context.createTopics({ topic, numPartitions: 1, configEntries })
  await context.send(topic, 1, 0, 50)
  const load = [
    '--num-records',
    '6000',
    '--record-size',
    '1000',
    '--throughput',
    '-1',
    ...at(context),
  ]
  await tool(context, 'performance', ['--topic', topic, ...load])
  // While a server runs, the last segment's files may be ahead of or behind its log; after a stop in good order they agree.
  await context.server.stop()
  try {
    await dumpFiles(context, topic)
  } finally {
    await context.server.start()
  }
}

async function dumpFiles(context: Context, topic: string): Promise<void> {
  const directory = await waitFor('the segment files', 15_000, () => {
    const found = context.server.partitionDirectory(topic, 0)
    return found !== undefined && existsSync(found) ? found : undefined
  })
  const names = readdirSync(directory).sort()
  const logs = names.filter((name) => name.endsWith('.log'))
  const indexes = names.filter((name) => name.endsWith('.index') || name.endsWith('.timeindex'))
  check(logs.length >= 5, `${logs.length} segments: ${names.join(' ')}`)
  check(indexes.length >= logs.length, `indexes: ${names.join(' ')}`)
  const files = (list: readonly string[]): string[] => [
    '--files',
    list.map((name) => path.join(directory, name)).join(','),
  ]
  const dumped = await tool(context, 'dump', [...files(logs), '--print-data-log'])
  const records = [...dumped.out.matchAll(/^\| offset: (\d+) /gm)].map((match) => Number(match[1]))
  equal(records.length, 6050, 'records dumped')
  check(
    records.every((offset, i) => offset === i),
    'the offsets run from 0 without a hole',
  )
  check(!/isvalid: false/.test(dumped.out), 'every batch is valid')
  const deep = await tool(context, 'dump', [...files(logs), '--deep-iteration'])
  const checked = await tool(context, 'dump', [...files(indexes), '--index-sanity-check'])
  const verified = await tool(context, 'dump', [...files(indexes), '--verify-index-only'])
  for (const { out, err } of [dumped, deep, checked, verified]) {
    // Kafka 4.3 counts the first record of every segment but the first as following offset -1; that is no complaint.
    const lines = `${out}\n${err}`
      .split('\n')
      .filter((line) => !line.startsWith('|') && !/^ +-1 is followed by/.test(line))
    const complaint =
      /(is followed by|mismatch|corrupt|out of order|error|larger than)[^\n]*/i.exec(
        lines.join('\n'),
      )
    check(complaint === null, `DumpLogSegments complains: ${complaint?.[0] ?? ''}`)
  }
}
