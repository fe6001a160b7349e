// kcat as a driver of load (load.ts tells the protocol): one kcat for each record, as from a shell, whose exit code says whether
// it was acknowledged. It does not tell offsets. Only so many run at once; the others wait for their turn.

import { run } from '../../../test/compat/process.ts'
import { Load, loadArguments, NotAcknowledged, type LoadRecord } from './load.ts'

const AT_ONCE_MAX = 64
/** kcat itself waits a little longer for its queue than for a message. */
const END_GRACE_MS = 10_000

const given = loadArguments()
const queue: (() => void)[] = []
let running = 0

async function produce({ partition, key, value }: LoadRecord): Promise<number> {
  const where = ['-P', '-b', given.bootstrap.join(','), '-t', given.topic, '-p', String(partition)]
  const settings = [
    'acks=all',
    'enable.idempotence=true',
    `message.timeout.ms=${given.timeoutMs}`,
    `client.id=${given.name}`,
  ]
  const how = [...settings.flatMap((setting) => ['-X', setting]), '-k', key, '-D', '\\x1e']
  const timeoutMs = given.timeoutMs + END_GRACE_MS
  const done = await run('kcat', [...where, ...how], { input: value, timeoutMs })
  if (done.code === 0 && !/Delivery failed/.test(done.stderr)) return -1
  const text = done.stderr.trim().split('\n').at(-1) ?? ''
  throw new NotAcknowledged('unknown', text === '' ? `ended with ${done.code}` : text)
}

async function inTurn(record: LoadRecord): Promise<number> {
  if (running >= AT_ONCE_MAX) await new Promise<void>((resolve) => queue.push(resolve))
  running++
  try {
    return await produce(record)
  } finally {
    running--
    queue.shift()?.()
  }
}

new Load(given, inTurn).serve()
