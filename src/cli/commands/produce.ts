// `chronik produce`: every line of standard input becomes a record.

import { Command, Option } from 'commander'
import type { Cluster } from '../../client/cluster.ts'
import { ProduceError } from '../../client/produce-batch.ts'
import { Producer } from '../../client/producer.ts'
import type { ProducerOptions } from '../../client/producer-options.ts'
import { CODECS, type Codec } from '../../records/codecs.ts'
import {
  assignment,
  type AccessOptions,
  collect,
  timeoutMsOf,
  whole,
  withAccess,
  withCluster,
} from '../cluster-access.ts'
import type { DataWorld } from '../data-world.ts'
import { Failure, usage } from '../failure.ts'
import { bytesText, plural } from '../amounts.ts'
import { linesOf } from '../lines.ts'
import { REPEAT_MS } from '../stopping.ts'
import { realDataWorld } from '../real-data-world.ts'
import { recordFromLine, type InputFormat } from '../record-text.ts'

interface Given extends AccessOptions {
  readonly keySeparator?: string
  readonly json?: boolean
  readonly partition?: string
  readonly header?: readonly string[]
  readonly codec: Codec
  readonly acks: '0' | '1' | 'all'
  readonly quiet?: boolean
}

const helpEnd = `
Lines are sent as they are, without the line feed. With --json each line is an object of which every field may be absent:
  {"key": "k", "value": "text or any JSON", "headers": {"name": "value"}, "partition": 0, "timestamp": "2026-01-31T12:00:00Z"}
"keyBase64" and "valueBase64" carry bytes that are no text. A null or absent value is a tombstone.

Exits with 0 when every record was acknowledged, else with 1 after saying how many were not written and how many may
have been.

Examples:
  echo hello | chronik produce greetings
  chronik produce orders --key-separator : < orders.txt
  chronik consume orders --json --until-end | chronik produce copy --json`

const PROGRESS_MS = 500

export function command(world: () => DataWorld = realDataWorld): Command {
  return withAccess(new Command('produce'))
    .description('Sends lines from standard input to a topic, one record each.')
    .argument('<topic>', 'is created if the nodes create topics by themselves')
    .option('-k, --key-separator <text>', 'what comes before it in a line is the key')
    .option('--json', 'every line is a JSON object')
    .option('-p, --partition <number>', 'send to this partition (default: by key, or in turns)')
    .option('-H, --header <name=value>', 'add a header to every record; may be repeated', collect)
    .addOption(new Option('-z, --codec <codec>', 'compress').choices(CODECS).default('none'))
    .addOption(
      new Option('--acks <acks>', 'who must have it before it counts as written')
        .choices(['all', '1', '0'])
        .default('all'),
    )
    .option('-q, --quiet', 'say nothing but what went wrong')
    .addHelpText('after', helpEnd)
    .action(async (topic: string, given: Given) => {
      const format = formatOf(topic, given)
      const here = world()
      await withCluster(here, given, (cluster) => produceLines(here, cluster, given, format))
    })
}

function formatOf(topic: string, given: Given): InputFormat {
  const { json = false, keySeparator, partition, header = [] } = given
  if (json && keySeparator !== undefined)
    throw usage('--json lines have their key in them; leave --key-separator out')
  if (keySeparator === '') throw usage('--key-separator is empty')
  const headers = header.map((text) => {
    const [name, value] = assignment(text, '--header')
    return { key: Buffer.from(name), value: Buffer.from(value) }
  })
  const index = partition === undefined ? undefined : whole(partition, '--partition')
  return { topic, json, keySeparator, partition: index, headers }
}

/** What became of the records. */
class Tally {
  written = 0
  bytes = 0
  refused = 0
  unknown = 0
  first: ProduceError | undefined

  failed(error: unknown): void {
    if (!(error instanceof ProduceError)) throw error
    this.first ??= error
    if (error.outcome === 'refused') this.refused++
    else this.unknown++
  }

  get summary(): string {
    return `${plural(this.written, 'record')}, ${bytesText(this.bytes)}`
  }
}

async function produceLines(
  world: DataWorld,
  cluster: Cluster,
  given: Given,
  format: InputFormat,
): Promise<void> {
  const producer = new Producer(cluster, producerOptions(given))
  const tally = new Tally()
  const off = onStop(world, producer)
  if (world.inputIsTerminal && given.quiet !== true) {
    world.say(`every line becomes a record of ${format.topic}; Ctrl-D ends`)
  }
  try {
    await sendLines(world, producer, format, tally, given.quiet === true)
  } finally {
    await producer.close()
    off()
  }
  if (world.progress !== undefined && given.quiet !== true) world.progress('')
  if (tally.first !== undefined) {
    const { refused, unknown, written } = tally
    throw new Failure(
      `${tally.first.message}\n${plural(written, 'record')} written, ${refused} not written, ${unknown} may have been written`,
      { cause: tally.first },
    )
  }
  if (given.quiet !== true) world.say(`${tally.summary} written to ${format.topic}`)
}

/** The first Ctrl-C ends the input and waits for what was sent, a second one gives up. */
function onStop(world: DataWorld, producer: Producer): () => void {
  const { clock } = world.env
  let firstAtMs: number | undefined
  return world.onStop(() => {
    const nowMs = clock.monotonicMs()
    if (firstAtMs === undefined) {
      firstAtMs = nowMs
      world.stopInput()
      if (producer.bufferedBytes > 0)
        world.say('waiting for acknowledgements; Ctrl-C again gives up')
    } else if (nowMs - firstAtMs >= REPEAT_MS) {
      producer.abort()
    }
  })
}

async function sendLines(
  world: DataWorld,
  producer: Producer,
  format: InputFormat,
  tally: Tally,
  quiet: boolean,
): Promise<void> {
  const { clock } = world.env
  let nextProgressMs = clock.monotonicMs() + PROGRESS_MS
  let line = 0
  for await (const bytes of linesOf(world.input)) {
    if (tally.first !== undefined) return
    const record = recordFromLine(bytes, ++line, format)
    await producer.whenRoom()
    producer.send(record).then(
      () => {
        tally.written++
        tally.bytes += bytes.length
      },
      (error: unknown) => tally.failed(error),
    )
    if (quiet || world.progress === undefined || clock.monotonicMs() < nextProgressMs) continue
    nextProgressMs = clock.monotonicMs() + PROGRESS_MS
    world.progress(tally.summary)
  }
}

function producerOptions(given: Given): Partial<ProducerOptions> {
  const timeoutMs = timeoutMsOf(given)
  return {
    acks: given.acks === 'all' ? 'all' : given.acks === '1' ? 1 : 0,
    codec: given.codec,
    deliveryTimeoutMs: timeoutMs,
    requestTimeoutMs: Math.min(timeoutMs, 30_000),
  }
}
