// Data directories as earlier versions wrote them, opened for ever. A new format version adds a folder; none is changed.
// `CHRONIK_WRITE_FIXTURE=v<n> node --test src/storage/fixtures.test.ts` writes the folder of a version that has none yet.

import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { asLeaderEpoch, asLogId, asNodeId, asOffset } from '../base/brand.ts'
import { nodeEnv } from '../env/node/node-env.ts'
import { fillerBatch } from '../records/filler.ts'
import { summarizeBatches } from '../records/batch-header.ts'
import {
  dumpCheckpoint,
  dumpJournalFile,
  dumpOffsetIndex,
  dumpSegment,
  dumpTimeIndex,
} from './dump.ts'
import { STORAGE_VERSION } from './identity.ts'
import { openStore } from './open-store.ts'
import type { StoreOptions } from './options.ts'
import type { Store, StoredLog } from './store.ts'
import { testBatch } from './testing/batches.ts'

const FIXTURES = join(import.meta.dirname, 'fixtures')
const SIZES: Partial<StoreOptions> = {
  journalFileBytes: 8192,
  journalFirstFileBytes: 8192,
  directBytesMin: 2000,
  idleWritebackMs: 3_600_000,
}
const CONFIG = { segmentBytes: 4000, segmentMs: 604_800_000, indexIntervalBytes: 200 }

/** The batches of the fixture's log `a`, by what decides them. */
const BATCHES = [
  [0, 1, 700],
  [2, 1, 2500],
  [4, 1, 30],
  [6, 3, 900],
  [8, 3, 2600],
  [10, 3, 40],
  [12, 3, 50],
] as const

function batchAt([baseOffset, epoch, payloadBytes]: (typeof BATCHES)[number]): Uint8Array {
  return testBatch({
    baseOffset,
    epoch,
    count: 2,
    payloadBytes,
    timestampMs: 1_000_000 + baseOffset,
    seed: baseOffset,
  })
}

async function write(store: Store): Promise<void> {
  const descriptor = Buffer.from('voters')
  const log = store.create(asLogId('a'), { directory: 'topic-0', config: CONFIG, descriptor })
  log.startEpoch(asLeaderEpoch(1))
  const append = (which: number): void => {
    const batch = batchAt(BATCHES[which]!)
    log.append(batch, summarizeBatches(batch))
  }
  append(0)
  append(1)
  append(2)
  await store.flush()
  const wrong = testBatch({ baseOffset: 6, epoch: 1, payloadBytes: 333 })
  log.append(wrong, summarizeBatches(wrong))
  await store.flush()
  log.truncate({ epoch: asLeaderEpoch(1), offset: asOffset(6) })
  log.startEpoch(asLeaderEpoch(2))
  log.startEpoch(asLeaderEpoch(3))
  for (let i = 3; i < BATCHES.length; i++) {
    append(i)
    await store.flush()
  }
  log.saveHardState({ term: 4, votedFor: asNodeId(2), suspect: true })
  log.advanceLogStart(asOffset(2))
  store.create(asLogId('gone'), { directory: 'gone-0', config: CONFIG })
  await store.flush()
  store.drop(asLogId('gone'))
  store.create(asLogId('empty'), { directory: 'empty-0', config: CONFIG })
  await writeInstalled(store)
  await writeCompacted(store)
  await log.snapshots.save(
    { epoch: asLeaderEpoch(3), offset: asOffset(10) },
    Buffer.from('a snapshot'),
  )
  await store.flush()
}

/** A log that was replaced by what starts further on. */
async function writeInstalled(store: Store): Promise<void> {
  const log = store.create(asLogId('installed'), { directory: 'installed-0', config: CONFIG })
  log.startEpoch(asLeaderEpoch(1))
  const old = testBatch({ baseOffset: 0, epoch: 1, payloadBytes: 2500 })
  log.append(old, summarizeBatches(old))
  await store.flush()
  log.install({
    logStart: asOffset(40),
    tombstonesRemovedBelow: asOffset(17),
    epochs: [
      { epoch: asLeaderEpoch(1), start: asOffset(0) },
      { epoch: asLeaderEpoch(5), start: asOffset(40) },
    ],
  })
  const batch = installedBatch()
  log.append(batch, summarizeBatches(batch))
  await store.flush()
}

/** A log of three segments, of which the first two were written anew as one. */
async function writeCompacted(store: Store): Promise<void> {
  const log = store.create(asLogId('compacted'), { directory: 'compacted-0', config: CONFIG })
  log.startEpoch(asLeaderEpoch(1))
  for (let base = 0; base < 3; base++) {
    const batch = testBatch({ baseOffset: base, epoch: 1, payloadBytes: 3900 })
    log.append(batch, summarizeBatches(batch))
    await store.flush()
  }
  const rewriter = await log.rewriteSegments({ from: asOffset(0), to: asOffset(2) })
  await rewriter?.write(fillerBatch(asOffset(0), asOffset(1), asLeaderEpoch(1)))
  assert.ok(await rewriter?.commit({ tombstonesRemovedBelow: asOffset(1) }))
}

const installedBatch = (): Uint8Array => testBatch({ baseOffset: 40, epoch: 5, payloadBytes: 70 })

/** What came with later versions. */
async function checkAdditions(store: Store, version: number): Promise<void> {
  const log = store.get(asLogId('a'))
  assert.equal(Buffer.from(log?.descriptor ?? []).toString(), version < 2 ? '' : 'voters')
  assert.deepEqual(log?.hardState, { term: 4, votedFor: 2, suspect: version >= 2 })
  if (version < 2) return
  const installed = store.get(asLogId('installed'))
  assert.ok(installed !== undefined)
  assert.equal(installed.logStart, 40)
  assert.equal(installed.tombstonesRemovedBelow, 17)
  assert.deepEqual(installed.end, { epoch: 5, offset: 41 })
  assert.deepEqual(await readAll(installed), Buffer.from(installedBatch()))
  const compacted = store.get(asLogId('compacted'))
  assert.ok(compacted !== undefined)
  assert.equal(compacted.tombstonesRemovedBelow, 1)
  assert.deepEqual(
    compacted.segments().map(({ baseOffset, endOffset }) => [baseOffset, endOffset]),
    [
      [0, 2],
      [2, 3],
    ],
  )
  const bytes = await readAll(compacted)
  const filler = fillerBatch(asOffset(0), asOffset(1), asLeaderEpoch(1))
  const last = testBatch({ baseOffset: 2, epoch: 1, payloadBytes: 3900 })
  assert.deepEqual(bytes, Buffer.concat([filler, last]))
}

async function readAll(log: StoredLog): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for (let from = log.logStart; from < log.end.offset;) {
    const answer = await log.read({ from, below: log.end.offset, maxBytes: 1 })
    parts.push(...answer.chunks)
    from = answer.next
  }
  return Buffer.concat(parts)
}

async function inTemporary(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'chronik-fixture-'))
  try {
    await body(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const requested = process.env['CHRONIK_WRITE_FIXTURE']
if (requested !== undefined) {
  test(`write the fixture ${requested}`, async () => {
    const target = join(FIXTURES, requested)
    assert.equal(requested, `v${STORAGE_VERSION}`)
    assert.ok(!existsSync(target), `${target} is there, and fixtures never change`)
    await inTemporary(async (directory) => {
      const live = join(directory, 'live')
      const store = await openStore(nodeEnv(), { ...SIZES, directory: live })
      await write(store)
      // As a kill would leave it: tails in the journal, segments, a checkpoint of the start only.
      cpSync(live, target, { recursive: true, filter: (path) => !path.endsWith('/lock') })
      await store.close()
    })
  })
}

test('there is a fixture of the version that is written now', () => {
  assert.ok(readdirSync(FIXTURES).includes(`v${STORAGE_VERSION}`))
})

for (const version of readdirSync(FIXTURES)) {
  test(`a data directory of ${version} opens with everything in it`, async () => {
    await inTemporary(async (directory) => {
      const copy = join(directory, 'store')
      cpSync(join(FIXTURES, version), copy, { recursive: true })
      for (const round of ['as it is', 'after a clean stop']) {
        const store = await openStore(nodeEnv(), { ...SIZES, directory: copy })
        const ids = [...store.logs()].map((log) => log.id).toSorted()
        const expected = ['a', 'empty', ...(version === 'v1' ? [] : ['compacted', 'installed'])]
        assert.deepEqual(ids, expected.toSorted(), round)
        const log = store.get(asLogId('a'))
        assert.ok(log !== undefined)
        assert.deepEqual(log.end, { epoch: 3, offset: 14 })
        assert.equal(log.logStart, 2)
        await checkAdditions(store, Number(version.slice(1)))
        assert.deepEqual(
          log.epochs.entries.map(({ epoch, start }) => [epoch, start]),
          [
            [1, 0],
            [2, 6],
            [3, 6],
          ],
        )
        assert.deepEqual(await readAll(log), Buffer.concat(BATCHES.slice(1).map(batchAt)))
        const snapshot = await log.snapshots.latest(asOffset(14))
        assert.equal(Buffer.from(snapshot?.bytes ?? []).toString(), 'a snapshot')
        await store.close()
      }
    })
  })
}

test('every file of a data directory can be dumped', () => {
  const root = join(FIXTURES, `v${STORAGE_VERSION}`)
  const lines = (path: string, dump: (bytes: Uint8Array) => Iterable<string>): string =>
    [...dump(readFileSync(join(root, path)))].join('\n')
  assert.match(lines('checkpoint', dumpCheckpoint), /^generation 1 {2}next LSN/)
  const journal = readdirSync(join(root, 'journal'))
    .map((name) => lines(join('journal', name), dumpJournalFile))
    .join('\n')
  for (const word of [
    'create',
    'epoch start',
    'append',
    'truncate',
    'hard state',
    'log start',
    'drop',
    'install',
    'replace',
  ]) {
    assert.match(journal, new RegExp(`\\n {2}${word} log `), word)
  }
  const [folder] = readdirSync(join(root, 'logs')).filter((name) => name.startsWith('topic-0'))
  const files = readdirSync(join(root, 'logs', folder!))
  for (const name of files) {
    const path = join('logs', folder!, name)
    if (name.endsWith('.log'))
      assert.match(lines(path, dumpSegment), /offsets \d+\.\.\d+ .* crc 0x[0-9a-f]{8} ok/)
    if (name.endsWith('.index')) lines(path, (bytes) => dumpOffsetIndex(bytes, 0))
    if (name.endsWith('.timeindex')) lines(path, (bytes) => dumpTimeIndex(bytes, 0))
  }
  const damaged = Buffer.from(testBatch({ baseOffset: 0, epoch: 0 }))
  damaged[70]! ^= 1
  assert.match([...dumpSegment(damaged)][0] ?? '', /WRONG/)
  assert.match([...dumpSegment(damaged.subarray(0, 65))][0] ?? '', /no whole batch/)
})
