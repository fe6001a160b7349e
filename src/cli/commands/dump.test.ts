// The dump of a real data directory, by file, by folder and as a whole.

import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { asLeaderEpoch, asLogId } from '../../base/brand.ts'
import { nodeEnv } from '../../env/node/node-env.ts'
import { stampBatches, summarizeBatches } from '../../records/batch-header.ts'
import { buildBatch } from '../../records/build.ts'
import { openStore } from '../../storage/open-store.ts'
import { Failure } from '../failure.ts'
import { dumpCommand } from './dump.ts'

const folder = mkdtempSync(join(tmpdir(), 'chronik-dump-'))
const data = join(folder, 'data')
after(() => rmSync(folder, { recursive: true }))

async function dump(...args: string[]): Promise<string> {
  let printed = ''
  const output = {
    isClosed: false,
    write: async (text: string | Uint8Array) => void (printed += String(text)),
  }
  const command = dumpCommand({ disk: nodeEnv().disk, workingDirectory: folder, output })
  await command.exitOverride().parseAsync(args, { from: 'user' })
  return printed
}

before(async () => {
  const store = await openStore(nodeEnv({ log: { level: 'silent' } }), { directory: data })
  const config = { segmentBytes: 1024 * 1024, segmentMs: 60_000, indexIntervalBytes: 64 }
  const log = store.create(asLogId('t-0'), { directory: 'greetings-3', config })
  log.startEpoch(asLeaderEpoch(1))
  for (const text of ['hello', 'world']) {
    const batch = buildBatch([{ key: null, value: new TextEncoder().encode(text), timestampMs: 5 }])
    stampBatches(batch, log.end.offset, asLeaderEpoch(1))
    log.append(batch, summarizeBatches(batch))
  }
  await store.flush()
  await store.close()
})

describe('dump', () => {
  test('of a partition’s folder: batches and index entries', async () => {
    const [name = ''] = readdirSync(join(data, 'logs'))
    const text = await dump(`data/logs/${name}`)
    assert.match(text, /offsets 0\.\.0 .*records 1 .* ok\n/)
    assert.match(text, /offsets 1\.\.1 .*records 1 .* ok\n/)
    assert.match(text, /0\.log\n[^]*0\.timeindex\n/)
  })

  test('of records: JSON lines', async () => {
    const [name = ''] = readdirSync(join(data, 'logs'))
    const text = await dump('--records', join(data, 'logs', name, '00000000000000000000.log'))
    const lines = text.trimEnd().split('\n')
    assert.deepEqual(
      lines.map((line) => JSON.parse(line) as unknown),
      ['hello', 'world'].map((value, offset) => {
        return { topic: 'greetings', partition: 3, offset, timestamp: 5, key: null, value }
      }),
    )
  })

  test('of a data directory: checkpoint and journal', async () => {
    const text = await dump(`${data}/`)
    assert.match(text, /checkpoint\n.*next LSN \d+/)
    assert.match(text, /log t-0 .*offsets 0\.\.2\n/)
    assert.match(text, /\.journal\n.*generation/)
    assert.match(text, /create log \d+ {2}t-0 in greetings-3/)
  })

  test('damage is said', async () => {
    const [name = ''] = readdirSync(join(data, 'logs'))
    const bytes = readFileSync(join(data, 'logs', name, '00000000000000000000.log'))
    bytes[bytes.length - 1]! ^= 1
    writeFileSync(join(folder, '00000000000000000000.log'), bytes)
    assert.match(await dump('00000000000000000000.log'), /offsets 1\.\.1 .* WRONG\n/)
    writeFileSync(join(folder, '00000000000000000000.log'), bytes.subarray(0, -1))
    assert.match(await dump('00000000000000000000.log'), /bytes that are no whole batch\n$/)
    writeFileSync(join(folder, 'checkpoint'), 'nonsense')
    await assert.rejects(dump('checkpoint'), Failure)
  })

  test('what can’t be dumped is refused', async () => {
    await assert.rejects(dump('missing'), /there is no .*missing/)
    await assert.rejects(dump(join(data, 'logs')), /holds no segment/)
    await assert.rejects(dump(join(data, 'chronik.json')), /not known by its name/)
  })
})
