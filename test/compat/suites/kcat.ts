// kcat: every mode of the tool that people reach for first.

import type { Codec } from '../client.ts'
import { codecs } from '../client.ts'
import type { Context, Suite, Test } from '../suite.ts'
import { runOk, sleep } from '../process.ts'
import { check, equal } from '../clients/host.ts'

export const kcatSuite: Suite = {
  name: 'kcat',
  needs: ['kcat'],
  tests(context) {
    return [
      { name: 'metadata (-L)', run: () => metadata(context) },
      { name: 'metadata as JSON (-L -J)', run: () => metadataJson(context) },
      { name: 'produce creates the topic, consume reads it', run: () => roundTrip(context) },
      ...codecs.map((codec): Test => ({
        name: `codec ${codec}`,
        run: () => withCodec(context, codec),
      })),
      { name: 'keys, headers, nulls', run: () => keysHeadersNulls(context) },
      { name: 'partitions by key', run: () => byKey(context) },
      { name: 'offsets by timestamp (-Q)', run: () => offsetsByTimestamp(context) },
      { name: 'start offsets (-o)', run: () => startOffsets(context) },
      { name: 'acks 0, 1 and all', run: () => allAcks(context) },
      { name: 'a waiting consumer sees a new record at once', run: () => longPoll(context) },
      { name: 'a large message', run: () => large(context) },
      { name: 'an unknown topic is an error', run: () => unknownTopic(context) },
    ]
  },
}

async function metadata(context: Context): Promise<void> {
  const topic = context.topic('kcat-meta')
  await context.createTopics({ topic, numPartitions: 3 })
  const out = (await context.kcat.kcat(['-L', '-t', topic])).stdout.toString()
  check(/1 brokers:/.test(out), out)
  check(out.includes(`at ${context.server.bootstrap}`), `the advertised address: ${out}`)
  check(out.includes(`topic "${topic}" with 3 partitions:`), out)
  check(/partition 0, leader (\d+), replicas: \1, isrs: \1/.test(out), out)
}

async function metadataJson(context: Context): Promise<void> {
  const parsed = JSON.parse((await context.kcat.kcat(['-L', '-J'])).stdout.toString()) as {
    controllerid: number
    brokers: { id: number; name: string }[]
  }
  equal(parsed.brokers.length, 1, 'brokers')
  equal(parsed.controllerid, parsed.brokers[0]?.id, 'controller')
}

async function roundTrip(context: Context): Promise<void> {
  const topic = context.topic('kcat-new')
  await context.kcat.kcat(['-P', '-t', topic], { input: 'one\ntwo\nthree\n' })
  const { stdout } = await context.kcat.kcat(['-C', '-t', topic, '-e', '-q', '-f', '%p %o %s\\n'])
  equal(stdout.toString(), '0 0 one\n0 1 two\n0 2 three\n', 'what was read')
}

async function withCodec(context: Context, codec: Codec): Promise<void> {
  const topic = context.topic(`kcat-${codec}`)
  await context.createTopics({ topic, numPartitions: 1 })
  const lines = `${Array.from({ length: 2000 }, (_, i) => `line ${i} ${'x'.repeat(i % 97)}`).join('\n')}\n`
  await context.kcat.kcat(['-P', '-t', topic, '-z', codec], { input: lines })
  const { stdout } = await context.kcat.kcat(['-C', '-t', topic, '-e', '-q'])
  check(stdout.toString() === lines, 'the lines came back as they were')
}

async function keysHeadersNulls(context: Context): Promise<void> {
  const topic = context.topic('kcat-headers')
  await context.createTopics({ topic, numPartitions: 1 })
  await context.kcat.kcat(['-P', '-t', topic, '-K:', '-H', 'a=1', '-H', 'b=two'], {
    input: 'k:v\n',
  })
  await context.kcat.kcat(['-P', '-t', topic, '-K:', '-Z'], { input: 'gone:\n' })
  const { stdout } = await context.kcat.kcat([
    '-C',
    '-t',
    topic,
    '-e',
    '-q',
    '-f',
    '%k|%s|%S|%h\\n',
  ])
  equal(stdout.toString(), 'k|v|1|a=1,b=two\ngone||-1|\n', 'what was read')
}

async function byKey(context: Context): Promise<void> {
  const topic = context.topic('kcat-keys')
  await context.createTopics({ topic, numPartitions: 8 })
  const lines = Array.from({ length: 400 }, (_, i) => `key${i % 40}:${i}`).join('\n')
  await context.kcat.kcat(['-P', '-t', topic, '-K:'], { input: `${lines}\n` })
  const { stdout } = await context.kcat.kcat(['-C', '-t', topic, '-e', '-q', '-f', '%p %k %s\\n'])
  const homes = new Map<string, Set<string>>()
  const rows = stdout.toString().trim().split('\n')
  for (const row of rows) {
    const [partition = '', key = ''] = row.split(' ')
    homes.set(key, (homes.get(key) ?? new Set()).add(partition))
  }
  equal(rows.length, 400, 'records')
  check(
    [...homes.values()].every((partitions) => partitions.size === 1),
    'each key is in one partition',
  )
}

async function offsetsByTimestamp(context: Context): Promise<void> {
  const topic = context.topic('kcat-times')
  await context.createTopics({ topic, numPartitions: 1 })
  await context.kcat.kcat(['-P', '-t', topic], { input: 'a\nb\n' })
  await sleep(30)
  const betweenMs = Date.now()
  await sleep(30)
  await context.kcat.kcat(['-P', '-t', topic], { input: 'c\n' })
  const query = async (timestamp: number): Promise<string> => {
    return (await context.kcat.kcat(['-Q', '-t', `${topic}:0:${timestamp}`])).stdout
      .toString()
      .trim()
  }
  equal(await query(betweenMs), `${topic} [0] offset 2`, 'between')
  equal(await query(betweenMs - 3_600_000), `${topic} [0] offset 0`, 'before the first')
  equal(await query(-1), `${topic} [0] offset 3`, 'latest')
  equal(await query(-2), `${topic} [0] offset 0`, 'earliest')
  const { stdout } = await context.kcat.kcat([
    '-C',
    '-t',
    topic,
    '-e',
    '-q',
    '-o',
    `s@${betweenMs}`,
  ])
  equal(stdout.toString(), 'c\n', 'read from a time')
}

async function startOffsets(context: Context): Promise<void> {
  const topic = context.topic('kcat-offsets')
  await context.createTopics({ topic, numPartitions: 1 })
  await context.kcat.kcat(['-P', '-t', topic], { input: '0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n' })
  const read = async (from: string, ...more: string[]): Promise<string> => {
    const args = ['-C', '-t', topic, '-p', '0', '-q', '-e', '-o', from, '-f', '%s', ...more]
    return (await context.kcat.kcat(args)).stdout.toString()
  }
  equal(await read('7'), '789', 'from 7')
  equal(await read('-2'), '89', 'the last two')
  equal(await read('beginning', '-c', '3'), '012', 'the first three')
  equal(await read('end'), '', 'from the end')
  equal(await read('5', '-X', 'fetch.message.max.bytes=80'), '56789', 'with tiny fetches')
}

async function allAcks(context: Context): Promise<void> {
  const topic = context.topic('kcat-acks')
  await context.createTopics({ topic, numPartitions: 1 })
  for (const acks of ['0', '1', 'all']) {
    await context.kcat.kcat(['-P', '-t', topic, '-X', `acks=${acks}`], { input: `${acks}\n` })
    await sleep(100)
  }
  const { stdout } = await context.kcat.kcat(['-C', '-t', topic, '-e', '-q'])
  equal(stdout.toString(), '0\n1\nall\n', 'what was read')
}

/** The consumer asks with a wait of ten seconds; the record must end the wait. */
async function longPoll(context: Context): Promise<void> {
  const topic = context.topic('kcat-poll')
  await context.createTopics({ topic, numPartitions: 1 })
  const waitLong = ['-X', 'fetch.wait.max.ms=10000', '-X', 'fetch.min.bytes=1']
  const consumer = runOk('kcat', [
    '-b',
    context.server.bootstrap,
    '-C',
    '-t',
    topic,
    '-c',
    '1',
    '-q',
    '-u',
    ...waitLong,
  ])
  await sleep(1_500)
  const sentMs = Date.now()
  await context.kcat.kcat(['-P', '-t', topic], { input: 'now\n' })
  equal((await consumer).stdout.toString(), 'now\n', 'what was read')
  const tookMs = Date.now() - sentMs
  check(tookMs < 3_000, `the record took ${tookMs} ms to a waiting consumer`)
}

async function large(context: Context): Promise<void> {
  const topic = context.topic('kcat-large')
  await context.createTopics({ topic, numPartitions: 1 })
  const line = 'y'.repeat(900_000)
  await context.kcat.kcat(['-P', '-t', topic], { input: `${line}\n` })
  const { stdout } = await context.kcat.kcat(['-C', '-t', topic, '-e', '-q'])
  check(stdout.toString() === `${line}\n`, `${stdout.length} bytes came back`)
}

async function unknownTopic(context: Context): Promise<void> {
  const topic = context.topic('kcat-absent')
  const failure = await context.kcat
    .kcat(['-C', '-t', topic, '-e', '-q', '-X', 'allow.auto.create.topics=false'])
    .then(
      () => 'no error',
      (error: Error) => error.message,
    )
  check(/Unknown topic or partition/i.test(failure), failure)
}
