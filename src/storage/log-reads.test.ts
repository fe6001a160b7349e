// Reads of a log that changes meanwhile, and what readers cost that go on where they were.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asOffset } from '../base/brand.ts'
import { summarizeBatches } from '../records/batch-header.ts'
import type { StoredLog } from './store.ts'
import { testBatch } from './testing/batches.ts'
import { append, create, position, World } from './testing/world.ts'

const LARGE_LOG = { segmentBytes: 1 << 20, segmentMs: 1_000_000_000, indexIntervalBytes: 1 << 29 }
/** Larger than what a scan reads at once. */
const LARGE = 70_000
const NO_CACHE = { tailCacheBytes: 0, dirtyBytesMax: 1 << 20, queuedBytesMax: 1 << 24 }

function appendAt(log: StoredLog, timestampMs: number): Uint8Array {
  const { epoch, offset } = log.end
  const batch = testBatch({ baseOffset: offset, epoch, payloadBytes: 3000, timestampMs })
  log.append(batch.slice(), summarizeBatches(batch))
  return batch
}

/** Three batches in a segment, of which the last two are replaced while `read` waits for the disk. */
async function replacedMeanwhile<T>(
  read: (log: StoredLog) => Promise<T>,
): Promise<{ readonly answer: T; readonly replacement: Uint8Array }> {
  const world = new World()
  const store = await world.open(NO_CACHE)
  const log = create(store, 'a', LARGE_LOG)
  for (const timestampMs of [1000, 2000, 3000]) appendAt(log, timestampMs)
  await world.do(store.flush())
  await world.pass(100)
  world.disk.holds = ({ operation, path }) => operation === 'read' && path.endsWith('.log')
  const reading = read(log)
  await world.pass(100)
  assert.equal(world.disk.held, 1)
  world.disk.holds = () => false
  log.truncate(position(1, 1))
  log.startEpoch(asLeaderEpoch(2))
  const replacement = appendAt(log, 1500)
  world.disk.release()
  return { answer: await world.do(reading), replacement }
}

test('a read that a truncation overtakes answers from what the log is then', async () => {
  const { answer, replacement } = await replacedMeanwhile(async (log) =>
    log.read({ from: asOffset(1), below: asOffset(2), maxBytes: 1 }),
  )
  assert.deepEqual(Buffer.concat(answer.chunks), Buffer.from(replacement))
  const { answer: found } = await replacedMeanwhile((log) => log.seekTimestamp(1600, asOffset(3)))
  assert.equal(found, undefined)
})

test('damage that is cut away while it is looked for is none', async () => {
  const searches: readonly ((log: StoredLog) => Promise<unknown>)[] = [
    async (log) => log.read({ from: asOffset(2), below: asOffset(3), maxBytes: 1 }),
    (log) => log.seekTimestamp(1500, asOffset(3)),
  ]
  for (const search of searches) {
    // Whichever of its reads the truncation overtakes.
    for (let step = 0, overtaken = true; overtaken; step++) {
      const world = new World()
      const store = await world.open(NO_CACHE)
      const log = create(store, 'a', LARGE_LOG)
      for (const timestampMs of [1000, 1000, 2000]) appendAt(log, timestampMs)
      await world.do(store.flush())
      await world.pass(100)
      const path = '/data/logs/a.1/00000000000000000000.log'
      const file = await world.do(world.env.disk.open(path, 'write'))
      await world.do(file.write([Uint8Array.of(7)], 2 * 3061 + 16))
      let left = step
      world.disk.holds = ({ operation }) => operation === 'read' && left-- === 0
      const searching = search(log).then(
        () => 'found',
        (error: unknown) => `failed: ${String(error)}`,
      )
      await world.pass(100)
      overtaken = world.disk.held > 0
      assert.ok(overtaken || step >= 2)
      if (!overtaken) {
        assert.match(await world.do(searching), /^failed: .*damaged/)
        assert.deepEqual(log.damage, { from: 2, to: 3 })
        continue
      }
      log.truncate(position(1, 2))
      world.disk.release()
      assert.equal(await world.do(searching), 'found', `at read ${step}`)
      assert.equal(log.damage, undefined, `at read ${step}`)
      await world.do(store.flush())
      assert.equal(await world.do(log.seekTimestamp(1500, asOffset(2))), undefined)
    }
  }
})

test('readers that go on where they were find their place at once, after a truncation too', async () => {
  const world = new World()
  const store = await world.open(NO_CACHE)
  const log = create(store, 'a', LARGE_LOG)
  for (let i = 0; i < 5; i++) append(log, LARGE)
  await world.do(store.flush())
  await world.pass(1000)
  const readsOf = async (from: number): Promise<number> => {
    const before = world.disk.calls.length
    const request = { from: asOffset(from), below: log.end.offset, maxBytes: 1 }
    const answer = await world.do(Promise.resolve(log.read(request)))
    assert.equal(answer.next, from + 1)
    const calls = world.disk.calls.slice(before)
    assert.ok(
      calls.every(({ operation }) => operation !== 'unlink'),
      'no index was found wrong',
    )
    return calls.filter(({ operation, path }) => operation === 'read' && path.endsWith('.log'))
      .length
  }
  /** Two readers in turn, the second one batch behind. */
  const readOn = async (): Promise<number[]> => {
    const reads: number[] = []
    await readsOf(0)
    for (let from = 1; from < 5; from++) reads.push(await readsOf(from), await readsOf(from - 1))
    return reads
  }
  // One for the header, one for the batch; the second reader begins at the start, where nothing is to be skipped.
  assert.deepEqual(await readOn(), [2, 2, 2, 2, 2, 2, 2, 2])
  log.truncate(position(1, 1))
  log.startEpoch(asLeaderEpoch(2))
  for (let i = 1; i < 5; i++) append(log, LARGE + 1000)
  await world.do(store.flush())
  await world.pass(1000)
  await readsOf(3)
  assert.deepEqual(await readOn(), [2, 2, 2, 2, 2, 2, 2, 2])
})
