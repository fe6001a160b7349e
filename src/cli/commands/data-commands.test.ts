// The commands that talk to a cluster, end to end against a node in this process: what they print, what they say, how
// they exit.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { NodeClock, NodeRandom, NodeTimers } from '../../env/node/node-clock.ts'
import { NodeNetwork } from '../../env/node/node-network.ts'
import { Chronik } from '../../server/chronik.ts'
import { commands } from '../commands.ts'
import type { DataWorld } from '../data-world.ts'
import { runProgram } from '../program.ts'
import { command as consume } from './consume.ts'
import { command as group } from './group.ts'
import { command as produce } from './produce.ts'
import { command as topic } from './topic.ts'

interface Run {
  readonly code: number
  readonly out: string
  /** What was said to the person, line by line. */
  readonly said: string
}

interface Setting {
  readonly input?: readonly string[]
  readonly answer?: boolean
  readonly environment?: Readonly<Record<string, string>>
  /** The reader of the output goes away after so many writes. */
  readonly writesMax?: number
  /** Ctrl-C once so much was printed. */
  readonly stopAfterWrites?: number
}

let node: Chronik

before(async () => {
  node = await Chronik.start({ config: { 'group.initial.rebalance.delay.ms': '0' } })
})
after(() => node.stop())

/** Runs one command line against the node. */
async function run(args: string, setting: Setting = {}): Promise<Run> {
  const written: string[] = []
  const said: string[] = []
  let stop: (() => void) | undefined
  const output = {
    isClosed: false,
    write: (text: string | Uint8Array): Promise<void> => {
      written.push(typeof text === 'string' ? text : new TextDecoder().decode(text))
      if (written.length === setting.writesMax) output.isClosed = true
      if (written.length === setting.stopAfterWrites) stop?.()
      return Promise.resolve()
    },
  }
  const { answer } = setting
  const world: DataWorld = {
    environment: setting.environment ?? { CHRONIK_BOOTSTRAP: node.bootstrap },
    env: {
      clock: new NodeClock(),
      timers: new NodeTimers(),
      random: new NodeRandom(),
      network: new NodeNetwork(),
    },
    input: inputOf(setting.input ?? []),
    inputIsTerminal: false,
    stopInput: () => undefined,
    output,
    say: (text) => said.push(text),
    progress: undefined,
    ask: answer === undefined ? undefined : () => Promise.resolve(answer),
    onStop: (listener) => {
      stop = listener
      return () => undefined
    },
  }
  const modules = { consume, group, produce, topic }
  const table = Object.entries(modules).map(([name, command]) => ({
    name,
    summary: commands.find((entry) => entry.name === name)?.summary ?? '',
    load: () => Promise.resolve({ command: () => command(() => world) }),
  }))
  const errors = captureStandardError()
  try {
    const code = await runProgram(
      args.split(' ').filter((arg) => arg !== ''),
      table,
    )
    return { code, out: written.join(''), said: [...said, ...errors.lines].join('\n') }
  } finally {
    errors.restore()
  }
}

async function* inputOf(chunks: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Promise.resolve(new TextEncoder().encode(chunk))
}

/** The program reports failures on the process's own standard error. */
function captureStandardError(): { lines: string[]; restore: () => void } {
  const lines: string[] = []
  const original = process.stderr.write.bind(process.stderr)
  process.stderr.write = (chunk: string | Uint8Array) => {
    lines.push(typeof chunk === 'string' ? chunk : new TextDecoder().decode(chunk))
    return true
  }
  return { lines, restore: () => void (process.stderr.write = original) }
}

const sorted = (text: string): string[] => text.trim().split('\n').toSorted()

test('what produce sends, consume prints: values, keys, JSON, from anywhere', async () => {
  assert.deepEqual(await run('topic create orders --partitions 2'), {
    code: 0,
    out: '',
    said: 'created orders with 2 partitions',
  })
  const sent = await run('produce orders -k : -H source=test', {
    input: ['a:1\nb:', '2\nc:3\nd:last line'],
  })
  assert.deepEqual(
    [sent.code, sent.out, sent.said],
    [0, '', '4 records, 20 bytes written to orders'],
  )
  const values = await run('consume orders --until-end')
  assert.deepEqual([values.code, sorted(values.out)], [0, ['1', '2', '3', 'last line']])
  assert.equal(values.said, '4 records of orders')
  const keyed = await run('consume orders --until-end --print-keys --quiet')
  assert.deepEqual([sorted(keyed.out), keyed.said], [['a\t1', 'b\t2', 'c\t3', 'd\tlast line'], ''])
  const json = await run('consume orders -e --json')
  const lines = sorted(json.out).map((line): unknown => JSON.parse(line))
  assert.equal(lines.length, 4)
  for (const line of lines) {
    assert(typeof line === 'object' && line !== null && 'headers' in line)
    assert.deepEqual(line.headers, { source: 'test' })
  }
  assert.equal((await run('consume orders -e --from end')).out, '')
  assert.equal((await run('consume orders -e --from timestamp:2100-01-01')).out, '')
  assert.equal(sorted((await run('consume orders -e --from timestamp:2000-01-01')).out).length, 4)
  const rest = await Promise.all([0, 1].map((p) => run(`consume orders -e -p ${p} --from 1`)))
  assert.equal(sorted(rest.map(({ out }) => out).join('')).length, 2)
})

test('JSON lines copy a topic', async () => {
  await run('topic create source')
  const input = [
    '{"key": "k", "value": {"n": 1}, "timestamp": 1000}\n{"valueBase64": "/wA=", "headers": {"h": null}}\n',
  ]
  assert.equal((await run('produce source --json --codec zstd', { input })).code, 0)
  const { out } = await run('consume source --json -e')
  assert.equal((await run('produce copy --json', { input: [out] })).code, 0)
  assert.equal((await run('consume copy --json -e')).out, out.replaceAll('"source"', '"copy"'))
})

test('every codec and ack goes', async () => {
  await run('topic create packed')
  const input = [Array.from({ length: 500 }, (_, i) => `line ${i}\n`).join('')]
  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    assert.equal((await run(`produce packed -z ${codec}`, { input })).code, 0)
  }
  for (const acks of ['all', '1', '0']) {
    assert.equal((await run(`produce packed --acks ${acks}`, { input })).code, 0)
  }
  const { out } = await run('consume packed --max 4000 -q')
  assert.equal(out, (input[0] ?? '').repeat(8))
})

test('consume stops at a count, on Ctrl-C, and when its reader goes away', async () => {
  await run('topic create many')
  await run('produce many', { input: ['1\n2\n3\n4\n5\n'] })
  assert.equal((await run('consume many --max 2')).out, '1\n2\n')
  const stopped = await run('consume many', { stopAfterWrites: 1 })
  assert.deepEqual(
    [stopped.code, stopped.out, stopped.said],
    [0, '1\n2\n3\n4\n5\n', '5 records of many'],
  )
  const piped = await run('consume many', { writesMax: 1 })
  assert.deepEqual([piped.code, piped.out, piped.said], [0, '1\n2\n3\n4\n5\n', ''])
})

test('topics: list, describe, alter, delete', async () => {
  await run('topic create plain -p 3 -c retention.ms=1000000')
  await run('produce plain -p 1', { input: ['x\ny\n'] })
  assert.match((await run('topic list')).out, /^topic +partitions +replicas\n(.*\n)*plain +3 +1\n/)
  const described = await run('topic describe plain')
  assert.match(described.out, /offsets {3}2 in 3 partitions\nconfigs {3}retention\.ms=1000000\n/)
  assert.match(described.out, /\n {8}1 +1 +\d+ +1 +1 +0 +2\n/)
  assert.equal((await run('topic alter plain -p 4 --reset-config retention.ms')).code, 0)
  assert.match((await run('topic describe plain')).out, /2 in 4 partitions\nconfigs {3}all default/)
  assert.match((await run('topic describe plain --json')).out, /^\{"name":"plain",.*\}\n$/)
  const refused = await run('topic delete plain')
  assert.deepEqual([refused.code, /--yes/.test(refused.said)], [2, true])
  assert.deepEqual((await run('topic delete plain', { answer: false })).code, 1)
  assert.deepEqual((await run('topic delete plain', { answer: true })).code, 0)
  assert.equal(/plain/.test((await run('topic list --json')).out), false)
})

test('a group goes on where it left off, and shows how far it came', async () => {
  await run('topic create shared -p 2')
  await run('produce shared -p 0', { input: ['1\n2\n3\n'] })
  await run('produce shared -p 1', { input: ['4\n5\n6\n'] })
  const first = await run('consume shared --group readers --max 4')
  assert.deepEqual([first.code, sorted(first.out).length], [0, 4])
  const second = await run('consume shared --group readers --until-end')
  assert.deepEqual(sorted(first.out + second.out), ['1', '2', '3', '4', '5', '6'])
  assert.deepEqual((await run('consume shared --group readers --until-end')).out, '')
  await run('produce shared -p 1', { input: ['7\n'] })
  const described = await run('group describe readers')
  assert.match(described.out, /^group {5}readers\nstate {5}Empty\nmembers {3}0\n/)
  assert.match(described.out, /\nshared +0 +3 +3 +0\nshared +1 +3 +4 +1\n/)
  assert.match((await run('group list')).out, /\nreaders +Empty +consumer\n/)
  assert.match((await run('group list --json')).out, /"groupId":"readers"/)
  assert.match((await run('group describe readers --json')).out, /"committed":3,"end":4/)
  const missing = await run('group describe nobody')
  assert.deepEqual([missing.code, /group list/.test(missing.said)], [1, true], missing.said)
})

test('failures say what to do, with the right exit code', async () => {
  await run('topic create there')
  const cases: readonly [string, 1 | 2, RegExp][] = [
    ['topic create there', 1, /already exists.*--if-not-exists/s],
    ['topic create bad/name', 1, /INVALID_TOPIC_EXCEPTION/],
    ['topic create x --config nonsense=1', 1, /INVALID_CONFIG.*nonsense/s],
    ['topic create x --config nonsense', 2, /name=value/],
    ['topic create x --partitions 0', 2, /--partitions: 0 is no whole number from 1 on/],
    ['topic describe missing', 1, /UNKNOWN_TOPIC_OR_PARTITION.*topic list/s],
    ['topic alter there', 2, /nothing to change/],
    ['topic alter there -p 1', 1, /INVALID_PARTITIONS/],
    ['topic delete missing -y', 1, /UNKNOWN_TOPIC_OR_PARTITION/],
    ['topic', 2, /Usage: chronik topic/],
    ['consume missing', 1, /UNKNOWN_TOPIC_OR_PARTITION/],
    ['consume there --from nonsense', 2, /neither beginning, end/],
    ['consume there --from timestamp:nonsense', 2, /no date/],
    ['consume there --from 17', 1, /OFFSET_OUT_OF_RANGE.*topic describe/s],
    ['consume there -p 9', 2, /partitions 0 to 0/],
    ['consume there --group g -p 0', 2, /leave --partition or --group out/],
    ['consume there --json --print-keys', 2, /leave --print-keys/],
    ['produce there --acks 2', 2, /Allowed choices are all, 1, 0/],
    ['produce there --json -k :', 2, /leave --key-separator out/],
    ['topic list -b nonsense', 2, /--bootstrap: nonsense has no port/],
    [
      'topic list -b 127.0.0.1:1',
      1,
      /nothing listens at 127\.0\.0\.1:1; start a node with "chronik start"/,
    ],
    ['produce there -b 127.0.0.1:1', 1, /nothing listens/],
  ]
  for (const [args, code, message] of cases) {
    const result = await run(args)
    assert.deepEqual([args, result.code], [args, code], result.said)
    assert.match(result.said, message, args)
  }
  const unkeyed = await run('produce there -k :', { input: ['a:1\nno key\n'] })
  assert.deepEqual([unkeyed.code, /line 2 has no key separator/.test(unkeyed.said)], [1, true])
  const beyond = await run('produce there --partition 3', { input: ['x\ny\n'] })
  assert.deepEqual(
    [beyond.code, /0 records written, 2 not written/.test(beyond.said)],
    [1, true],
    beyond.said,
  )
  const nowhere = await run('topic list', { environment: { CHRONIK_BOOTSTRAP: 'host' } })
  assert.deepEqual(
    [nowhere.code, /CHRONIK_BOOTSTRAP: host has no port/.test(nowhere.said)],
    [2, true],
  )
})

test('every command explains itself', async () => {
  for (const args of [
    'produce',
    'consume',
    'topic',
    'topic create',
    'topic list',
    'topic describe',
    'topic delete',
    'topic alter',
    'group',
    'group list',
    'group describe',
  ]) {
    const original = process.stdout.write.bind(process.stdout)
    let help = ''
    process.stdout.write = (chunk: string | Uint8Array) => {
      help += String(chunk)
      return true
    }
    const { code } = await run(`${args} --help`).finally(() => (process.stdout.write = original))
    assert.equal(code, 0, args)
    assert.match(help, new RegExp(`^Usage: chronik ${args} `), args)
  }
})
