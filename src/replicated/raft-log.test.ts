// The seam over a group of one voter, whose store's syncs the test drives.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asLogId, asOffset } from '../base/brand.ts'
import { baseOffsetAt, leaderEpochAt } from '../records/batch-header.ts'
import type { AppendResult, ReplicatedLog } from './replicated-log.ts'
import { aloneIn, aloneOver } from './testing/alone.ts'
import { opaqueBatch } from './testing/batches.ts'
import { MemoryStore } from './testing/memory-store.ts'

const id = asLogId('t-0')
const spec = {
  id,
  directory: 't-0',
  config: { segmentBytes: 1 << 20, segmentMs: 1000, indexIntervalBytes: 4096 },
  voters: aloneIn(new MemoryStore()),
}
const hostOver = (store: MemoryStore) => aloneOver(store)

function accepted(result: AppendResult) {
  assert.ok(result.kind === 'accepted', JSON.stringify(result))
  return result
}

/** Lets everything that is ready run, and tells whether the promise is still waiting. */
async function waiting(promise: Promise<unknown>): Promise<boolean> {
  const idle = Symbol('idle')
  const turn = new Promise((resolve) => setImmediate(() => resolve(idle)))
  return (await Promise.race([promise, turn])) === idle
}

async function manual(): Promise<{ store: MemoryStore; log: ReplicatedLog }> {
  const store = new MemoryStore()
  const log = await hostOver(store).open(spec)
  store.autoSync = false
  return { store, log }
}

test('a log opens only after its vote, then its epoch start, are durable', async () => {
  const store = new MemoryStore()
  store.autoSync = false
  const opening = hostOver(store).open(spec)
  const stored = store.get(id)
  assert.ok(stored)
  assert.deepEqual(stored.hardState, { term: 1, votedFor: 1, suspect: false })
  assert.equal(stored.epochs.last, -1)
  assert.ok(await waiting(opening))
  store.sync()
  assert.ok(await waiting(opening))
  assert.deepEqual(stored.durableHardState, { term: 1, votedFor: 1, suspect: false })
  assert.equal(stored.epochs.last, 1)
  store.sync()
  const log = await opening
  assert.deepEqual(log.role, { kind: 'leader', epoch: 1, established: true })
  assert.deepEqual(log.logEnd, { epoch: 1, offset: 0 })
})

test('no process resumes an epoch, even one that died before its epoch start was durable', async () => {
  const store = new MemoryStore()
  await hostOver(store).open(spec)
  store.crash()
  assert.equal((await hostOver(store).open(spec)).role.epoch, 2)
  store.crash()
  store.autoSync = false
  void hostOver(store).open(spec)
  store.sync()
  await waiting(Promise.resolve())
  store.crash()
  assert.equal(store.get(id)?.epochs.last, 2)
  store.autoSync = true
  assert.equal((await hostOver(store).open(spec)).role.epoch, 4)
})

test('an append is stamped in place, seen at once, and committed only when durable', async () => {
  const { store, log } = await manual()
  const seen: string[] = []
  log.observe({
    onAppended: (bytes, base) => seen.push(`appended ${bytes.length} at ${base}`),
    onCommitted: (offset) => seen.push(`committed ${offset}`),
  })
  const first = opaqueBatch(3)
  const a = accepted(log.append(first))
  const second = opaqueBatch(2)
  const b = accepted(log.append(second))
  assert.deepEqual([a.baseOffset, a.end], [0, { epoch: 1, offset: 3 }])
  assert.deepEqual([b.baseOffset, b.end], [3, { epoch: 1, offset: 5 }])
  assert.deepEqual([baseOffsetAt(second, 0), leaderEpochAt(second, 0)], [3, 1])
  assert.equal(log.highWatermark, 0)
  assert.ok(await waiting(Promise.race([a.committed, b.committed])))
  void a.committed.then(() => seen.push('a'))
  void b.committed.then(() => seen.push('b'))
  store.sync()
  assert.deepEqual(await b.committed, { kind: 'committed' })
  assert.equal(log.highWatermark, 5)
  assert.deepEqual(seen, ['appended 69 at 0', 'appended 69 at 3', 'committed 5', 'a', 'b'])
})

test('what was not durable is gone after a power cut, and its offsets are taken again', async () => {
  const { store, log } = await manual()
  accepted(log.append(opaqueBatch(1)))
  store.sync()
  const lost = accepted(log.append(opaqueBatch(4)))
  store.crash()
  assert.ok(await waiting(lost.committed))
  store.autoSync = true
  const again = await hostOver(store).open(spec)
  assert.deepEqual([again.logEnd, again.highWatermark], [{ epoch: 2, offset: 1 }, 1])
  assert.equal(accepted(again.append(opaqueBatch(1))).baseOffset, 1)
})

test('whenCommitted waits for a position of its own, in any order', async () => {
  const { store, log } = await manual()
  const order: number[] = []
  const ends = [1, 2, 3].map(() => accepted(log.append(opaqueBatch(1))).end)
  for (const i of [2, 0, 1]) {
    const end = ends[i]
    assert.ok(end)
    void log.whenCommitted(end).then(() => order.push(i))
  }
  const beyond = log.whenCommitted({ epoch: asLeaderEpoch(1), offset: asOffset(4) })
  store.sync()
  assert.ok(await waiting(beyond))
  assert.deepEqual(order, [0, 1, 2])
  assert.deepEqual(await log.whenCommitted({ epoch: asLeaderEpoch(1), offset: asOffset(2) }), {
    kind: 'committed',
  })
})

test('a full disk and a stale epoch refuse the append and leave no trace', async () => {
  const { store, log } = await manual()
  log.observe({ onAppended: () => assert.fail('nothing was appended') })
  assert.deepEqual(log.append(opaqueBatch(1), { expectedEpoch: asLeaderEpoch(2) }), {
    kind: 'rejected',
    reason: 'fenced-epoch',
  })
  store.full = true
  assert.deepEqual(log.append(opaqueBatch(1)), { kind: 'rejected', reason: 'storage-full' })
  assert.equal(log.logEnd.offset, 0)
})

test('closing the host answers what becomes durable; a drop leaves the rest unknown', async () => {
  const store = new MemoryStore()
  const host = hostOver(store)
  const log = await host.open(spec)
  const other = await host.open({ ...spec, id: asLogId('u-0'), directory: 'u-0' })
  store.autoSync = false
  const unsynced = accepted(other.append(opaqueBatch(1))).committed
  const dropping = host.drop(other.id)
  assert.deepEqual(await unsynced, { kind: 'unknown', reason: 'closed' })
  assert.ok(await waiting(dropping))
  store.sync()
  await dropping
  store.autoSync = true
  assert.equal(store.get(other.id), undefined)
  const last = accepted(log.append(opaqueBatch(1))).committed
  let closed = 0
  log.observe({ onClosed: () => closed++ })
  await host.close()
  assert.deepEqual(await last, { kind: 'committed' })
  assert.equal(closed, 1)
  assert.deepEqual(log.append(opaqueBatch(1)), { kind: 'rejected', reason: 'closed' })
})

test('the log start moves to at most the commit and tells the observers', async () => {
  const store = new MemoryStore()
  const log = await hostOver(store).open(spec)
  await accepted(log.append(opaqueBatch(5))).committed
  await accepted(log.append(opaqueBatch(5))).committed
  const starts: number[] = []
  log.observe({ onLogStartChanged: (offset) => starts.push(offset) })
  assert.deepEqual(await log.advanceLogStart(asOffset(5)), { kind: 'committed' })
  assert.deepEqual([log.logStart, starts], [5, [5]])
  await assert.rejects(() => log.advanceLogStart(asOffset(11)), /above the commit/)
})

test('an observer that fails ends the process', async () => {
  const store = new MemoryStore()
  const deaths: string[] = []
  const host = aloneOver(store, {
    fatal(message) {
      deaths.push(message)
      throw new Error(message)
    },
  })
  const log = await host.open(spec)
  store.autoSync = false
  log.observe({
    onAppended: () => {
      throw new Error('lost track')
    },
  })
  assert.throws(() => log.append(opaqueBatch(1)))
  assert.equal(deaths.length, 1)
})
