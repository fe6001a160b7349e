// Compacted topics as clients see them: of each key the newest record stays, with its offset; keys are required.

import { check, equal } from '../clients/host.ts'
import { waitFor } from '../process.ts'
import type { Context, Suite } from '../suite.ts'

/** The cleaner looks every 15 s, and tombstones take another look. */
const WAIT_MS = 100_000
const KEYS = 50
const ROUNDS = 80
const VALUE_BYTES = 1_000

export const compactionSuite: Suite = {
  name: 'compaction',
  needs: ['kcat'],
  tests(context) {
    return [
      {
        name: 'the newest record of each key stays, deleted keys go',
        timeoutMs: 2 * WAIT_MS,
        run: () => newestStays(context),
      },
      { name: 'a record without a key is refused', run: () => keyless(context) },
    ]
  },
}

const COMPACTED = [
  { name: 'cleanup.policy', value: 'compact' },
  { name: 'segment.bytes', value: String(1024 * 1024) },
  { name: 'min.cleanable.dirty.ratio', value: '0.01' },
  { name: 'delete.retention.ms', value: '0' },
]

async function newestStays(context: Context): Promise<void> {
  const topic = context.topic('compacted')
  await context.createTopics({ topic, numPartitions: 1, configEntries: COMPACTED })
  const send = (lines: readonly string[]) =>
    context.kcat.kcat(['-P', '-t', topic, '-p', '0', '-K', ':', '-Z'], {
      input: lines.map((line) => `${line}\n`).join(''),
    })
  const newest = new Map<string, string>()
  const lines: string[] = []
  for (let round = 0; round < ROUNDS; round++) {
    for (let key = 0; key < KEYS; key++) {
      const value = `round ${round} `.padEnd(VALUE_BYTES, '.')
      lines.push(`k${key}:${value}`)
      newest.set(`k${key}`, value)
    }
  }
  // Every tenth key is deleted.
  for (let key = 0; key < KEYS; key += 10) {
    lines.push(`k${key}:`)
    newest.delete(`k${key}`)
  }
  // What follows seals the segments before: the last one is never compacted.
  for (let i = 0; i < 2_500; i++) lines.push(`last:${String(i).padEnd(VALUE_BYTES, '.')}`)
  newest.set('last', String(2_499).padEnd(VALUE_BYTES, '.'))
  await send(lines)
  const read = async (): Promise<{ offset: number; key: string; value: string | null }[]> => {
    const args = [
      '-C',
      '-t',
      topic,
      '-p',
      '0',
      '-o',
      'beginning',
      '-e',
      '-q',
      '-f',
      '%o %k %S %s\\n',
    ]
    const text = (await context.kcat.kcat(args)).stdout.toString()
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [offset = '', key = '', bytes = '', ...value] = line.split(' ')
        return { offset: Number(offset), key, value: bytes === '-1' ? null : value.join(' ') }
      })
  }
  const records = await waitFor('compaction', WAIT_MS, async () => {
    const found = await read()
    const deleted = found.some(({ key }) => !newest.has(key))
    return found.length < lines.length / 2 && !deleted ? found : undefined
  })
  equal(records.at(-1)?.offset, lines.length - 1, 'the last offset')
  const offsets = records.map(({ offset }) => offset)
  check(
    offsets.every((offset, i) => i === 0 || offset > offsets[i - 1]!),
    'offsets ascend',
  )
  const seen = new Map(records.map(({ key, value }) => [key, value]))
  for (const [key, value] of newest) equal(seen.get(key), value, `the newest of ${key}`)
}

async function keyless(context: Context): Promise<void> {
  const topic = context.topic('compacted-keys')
  await context.createTopics({ topic, numPartitions: 1, configEntries: COMPACTED })
  const refused = await context.kcat
    .kcat(['-P', '-t', topic, '-p', '0'], { input: 'no key\n' })
    .then(
      () => undefined,
      (error: unknown) => String(error),
    )
  check(refused !== undefined && /validate record/.test(refused), `refused: ${refused}`)
}
