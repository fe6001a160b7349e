// The main job on real data: every stanza of Debian's package index, produced with each client in turn and read back by
// every other, compared by digests over each partition's keys, values and order. A client sends each fifth of the records
// with another codec, and each client begins with another one, so that every fifth meets every codec.

import { isDeepStrictEqual } from 'node:util'
import { codecs } from '../client.ts'
import { expectedDigests, packageIndex } from '../packages.ts'
import type { Input } from '../packages.ts'
import type { ClientName, Context, Suite, Test } from '../suite.ts'

const partitions = 3

export const packagesSuite: Suite = {
  name: 'packages',
  needs: [],
  async tests(context) {
    const input = await packageIndex(context.directory, context.options.records)
    console.log(`        ${input.count} stanzas, ${(input.bytes / 1e6).toFixed(0)} MB`)
    const expected = expectedDigests(input, partitions)
    const tests: Test[] = []
    for (const [turn, writer] of context.available.entries()) {
      const topic = context.topic(`packages-${writer}`)
      tests.push({
        name: `${writer} writes`,
        timeoutMs: 240_000,
        run: () => write(context, writer, topic, input, turn),
      })
      for (const reader of context.available) {
        const run = async (): Promise<void> => {
          const counts = expected.map(({ count }) => count)
          const digests = await context.client(reader).consume(topic, counts)
          if (isDeepStrictEqual(digests, expected)) return
          throw new Error(
            `expected ${JSON.stringify(expected)}\n     got ${JSON.stringify(digests)}`,
          )
        }
        tests.push({ name: `${reader} reads what ${writer} wrote`, timeoutMs: 120_000, run })
      }
    }
    return tests
  },
}

async function write(
  context: Context,
  writer: ClientName,
  topic: string,
  input: Input,
  turn: number,
): Promise<void> {
  await context.createTopics({ topic, numPartitions: partitions })
  let acknowledged = 0
  for (let slice = 0; slice < codecs.length; slice++) {
    const codec = codecs[(slice + turn) % codecs.length] ?? 'none'
    const from = Math.floor((input.count * slice) / codecs.length)
    const to = Math.floor((input.count * (slice + 1)) / codecs.length)
    acknowledged += await context
      .client(writer)
      .produce({ topic, file: input.file, codec, from, to, partitions })
  }
  if (acknowledged !== input.count)
    throw new Error(`${acknowledged} of ${input.count} records acknowledged`)
}
