// Law R10: sealed segments written anew for compaction take the place of the old ones as a whole or not at all, while the log
// goes on; every offset stays in some batch.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asOffset, type Offset } from '../base/brand.ts'
import { baseOffsetAt, lastOffsetAt, summarizeBatches } from '../records/batch-header.ts'
import { fillerBatch, isFillerAt } from '../records/filler.ts'
import { StoreError, type SegmentRewriter, type Store, type StoredLog } from './store.ts'
import { SMALL_LOG, SMALL_STORE } from './testing/batches.ts'
import { append, create, found, position, World } from './testing/world.ts'

const LARGE = SMALL_STORE.directBytesMin + 500
const ONE_BATCH_SEGMENTS = { ...SMALL_LOG, segmentBytes: 100 }
const UNCACHED = { tailCacheBytes: 1 }

const filler = (from: number, last: number, epoch = 1): Uint8Array =>
  fillerBatch(asOffset(from), asOffset(last), asLeaderEpoch(epoch))

const range = (from: number, to: number) => ({ from: asOffset(from), to: asOffset(to) })

async function sixSegments(
  world: World,
): Promise<{ store: Store; log: StoredLog; sent: Uint8Array[] }> {
  const store = await world.open(UNCACHED)
  const log = create(store, 'a', ONE_BATCH_SEGMENTS)
  const sent = Array.from({ length: 6 }, () => append(log, LARGE))
  await world.do(store.flush())
  return { store, log, sent }
}

async function begun(
  world: World,
  log: StoredLog,
  from: number,
  to: number,
): Promise<SegmentRewriter> {
  const rewriter = await world.do(log.rewriteSegments(range(from, to)))
  assert.ok(rewriter !== undefined)
  return rewriter
}

const bases = (log: StoredLog): number[] => log.segments().map(({ baseOffset }) => baseOffset)

test('several sealed segments become one, durable when told, and reads go on', async () => {
  const world = new World()
  const { log, sent } = await sixSegments(world)
  const rewriter = await begun(world, log, 1, 4)
  await world.do(rewriter.write(filler(1, 1)))
  await world.do(rewriter.write(Buffer.concat([sent[2]!, filler(3, 3)])))
  const during = log.read({ ...below(log), from: asOffset(1), maxBytes: 1 })
  const committing = rewriter.commit({ tombstonesRemovedBelow: asOffset(4) })
  const after = log.read({ ...below(log), from: asOffset(3), maxBytes: 1 })
  assert.equal(await world.do(committing), true)
  assert.equal((await world.do(Promise.resolve(during))).next, 2)
  assert.equal((await world.do(Promise.resolve(after))).next, 4)
  assert.deepEqual(bases(log), [0, 1, 4, 5])
  const all = Buffer.concat([sent[0]!, filler(1, 1), sent[2]!, filler(3, 3), sent[4]!, sent[5]!])
  assert.deepEqual(await world.read(log), all)
  assert.equal(await world.do(log.seekTimestamp(0, log.end.offset)), 0)
  assert.equal(log.tombstonesRemovedBelow, 4)
  world.host.powerCut('lose')
  const reopened = await world.open(UNCACHED)
  const again = found(reopened)
  assert.deepEqual(bases(again), [0, 1, 4, 5])
  assert.deepEqual(await world.read(again), all)
  assert.equal(again.tombstonesRemovedBelow, 4)
  // And from the checkpoint.
  await world.do(reopened.close())
  world.host.kill()
  assert.equal(found(await world.open()).tombstonesRemovedBelow, 4)
  const names = world.host.files.files().map(({ path }) => path)
  assert.deepEqual(
    names.filter((path) => path.endsWith('.log')).map((path) => Number(path.slice(-6, -4))),
    [0, 1, 4, 5],
  )
  assert.ok(!names.some((path) => path.endsWith('.swap')))
})

const below = (log: StoredLog): { readonly below: Offset } => ({ below: log.end.offset })

for (const how of ['kill', 'cut'] as const) {
  test(`a rewrite is there as a whole or not at all, ${how} at any step`, async () => {
    let finished = 0
    for (let step = 0; finished === 0; step++) {
      const world = new World(step)
      const { log, sent } = await sixSegments(world)
      let taken = 0
      world.host.onDiskStep = () => {
        if (taken++ !== step) return
        if (how === 'cut') world.host.powerCut('mix')
        else world.host.kill()
      }
      let done = false
      const working = async (): Promise<void> => {
        const rewriter = await log.rewriteSegments(range(0, 3))
        await rewriter?.write(Buffer.concat([filler(0, 1), sent[2]!]))
        // Meanwhile the log goes on.
        append(log, LARGE)
        await rewriter?.commit({ tombstonesRemovedBelow: asOffset(2) })
        done = true
      }
      void working()
      await world.simulation.run({
        until: () => done || !world.host.alive,
        untilMs: world.simulation.nowMs + 5000,
      })
      world.host.onDiskStep = undefined
      if (world.host.alive) finished++
      world.host.powerCut('mix')
      for (let start = 0; start < 2; start++) {
        const again = found(await world.open(UNCACHED))
        const counts = bases(again)[1] === 3
        if (done) assert.ok(counts)
        assert.equal(again.tombstonesRemovedBelow, counts ? 2 : 0)
        const head = counts ? [filler(0, 1), sent[2]!] : sent.slice(0, 3)
        const bytes = await world.read(again)
        const expected = Buffer.concat([...head, ...sent.slice(3)])
        assert.deepEqual(bytes.subarray(0, expected.length), expected, `step ${step}`)
        world.host.powerCut('mix')
      }
    }
  })
}

test('what can not be rewritten now is refused: active, unaligned, damaged', async () => {
  const world = new World()
  const { log } = await sixSegments(world)
  for (const [from, to] of [
    [0, 6],
    [5, 6],
    [2, 2],
    [4, 2],
    [7, 9],
  ] as const) {
    assert.equal(await world.do(log.rewriteSegments(range(from, to))), undefined, `${from}..${to}`)
  }
  world.host.kill()
  await world.do(world.env.disk.unlink('/data/logs/a.1/00000000000000000002.log'))
  world.host.kill()
  const again = found(await world.open(UNCACHED))
  assert.equal(await world.do(again.rewriteSegments(range(1, 3))), undefined)
  assert.ok((await world.do(again.rewriteSegments(range(3, 5)))) !== undefined)
})

test('segments that are not durable yet are not rewritten', async () => {
  const world = new World()
  const { log } = await sixSegments(world)
  log.truncate(position(1, 4))
  assert.equal(await world.do(log.rewriteSegments(range(0, 4))), undefined)
})

test('a rewrite that the log overtook changes nothing', async () => {
  for (const change of ['truncate', 'log-start', 'install', 'rewrite', 'drop'] as const) {
    const world = new World()
    const { store, log, sent } = await sixSegments(world)
    const rewriter = await begun(world, log, 1, 4)
    await world.do(rewriter.write(filler(1, 3)))
    if (change === 'truncate') log.truncate(position(1, 3))
    if (change === 'log-start') log.advanceLogStart(asOffset(2))
    if (change === 'install') {
      log.install({
        logStart: asOffset(0),
        epochs: [{ epoch: asLeaderEpoch(1), start: asOffset(0) }],
        tombstonesRemovedBelow: asOffset(3),
      })
    }
    if (change === 'drop') store.drop(log.id)
    if (change === 'rewrite') {
      const other = await begun(world, log, 2, 5)
      await world.do(other.write(filler(2, 4)))
      assert.equal(await world.do(other.commit({ tombstonesRemovedBelow: asOffset(0) })), true)
    }
    const committed = await world.do(rewriter.commit({ tombstonesRemovedBelow: asOffset(9) }))
    assert.equal(committed, false, change)
    await world.do(rewriter.abandon())
    await world.pass(100)
    assert.ok(!world.host.files.files().some(({ path }) => path.endsWith('.swap')))
    if (change === 'drop') continue
    assert.equal(log.tombstonesRemovedBelow, change === 'install' ? 3 : 0)
    const expected = {
      truncate: sent.slice(0, 3),
      'log-start': sent.slice(2),
      install: [],
      rewrite: [sent[0]!, sent[1]!, filler(2, 4), sent[5]!],
    }[change]
    assert.deepEqual(await world.read(log), Buffer.concat(expected))
    world.host.powerCut('lose')
    assert.deepEqual(await world.read(found(await world.open())), Buffer.concat(expected))
  }
})

test('a truncation right behind a rewrite finds its place in the new file', async () => {
  for (const together of [true, false]) {
    const world = new World()
    const { log, sent } = await sixSegments(world)
    const rewriter = await begun(world, log, 0, 4)
    await world.do(rewriter.write(Buffer.concat([filler(0, 1), ...sent.slice(2, 4)])))
    const committing = rewriter.commit({ tombstonesRemovedBelow: asOffset(0) })
    if (!together) await world.do(committing)
    log.truncate(position(1, 3))
    log.startEpoch(asLeaderEpoch(2))
    const fresh = append(log, 40)
    await world.do(committing)
    await world.pass(200)
    const bytes = await world.read(log)
    const head = bytes.length < 2 * LARGE ? filler(0, 1) : Buffer.concat(sent.slice(0, 2))
    assert.deepEqual(bytes, Buffer.concat([head, sent[2]!, fresh]))
    world.host.powerCut('lose')
    assert.deepEqual(await world.read(found(await world.open())), bytes)
  }
})

test('a read from inside a filler begins there, for a follower that ends there', async () => {
  const world = new World()
  const { log, sent } = await sixSegments(world)
  const rewriter = await begun(world, log, 0, 4)
  await world.do(rewriter.write(Buffer.concat([filler(0, 2), sent[3]!])))
  await world.do(rewriter.commit({ tombstonesRemovedBelow: asOffset(0) }))
  for (const from of [0, 1, 2]) {
    const request = { ...below(log), from: asOffset(from), maxBytes: 1_000_000 }
    const read = await world.do(Promise.resolve(log.read(request)))
    const bytes = Buffer.concat(read.chunks)
    assert.deepEqual([baseOffsetAt(bytes, 0), lastOffsetAt(bytes, 0)], [from, 2])
    assert.ok(isFillerAt(bytes, 0))
    assert.equal(read.bytes, bytes.length)
    const follower = create(await new World().open(), 'f')
    if (from > 0) {
      follower.install({
        logStart: asOffset(from),
        epochs: [{ epoch: asLeaderEpoch(1), start: asOffset(0) }],
      })
    }
    follower.append(bytes, summarizeBatches(bytes))
    assert.equal(follower.end.offset, 4)
  }
})

test('damage may end inside a filler of the leader', async () => {
  const world = new World()
  const { store } = await sixSegments(world)
  await world.do(store.close())
  world.host.kill()
  await world.do(world.env.disk.unlink('/data/logs/a.1/00000000000000000002.log'))
  world.host.kill()
  const log = found(await world.open(UNCACHED))
  assert.deepEqual(log.damage, { from: 2, to: 3 })
  const leaders = filler(2, 4)
  assert.equal(await world.do(log.repair(leaders, summarizeBatches(leaders))), 3)
  const read = await world.do(
    Promise.resolve(log.read({ ...below(log), from: asOffset(2), maxBytes: 1 })),
  )
  assert.deepEqual(Buffer.concat(read.chunks), Buffer.from(filler(2, 2)))
})

test('a rewrite must be of the log: its offsets, all of them, and its epochs', async () => {
  const world = new World()
  const { log, sent } = await sixSegments(world)
  const attempt = async (batches: Uint8Array): Promise<void> => {
    const rewriter = await begun(world, log, 1, 3)
    try {
      await world.do(rewriter.write(batches))
      await world.do(rewriter.commit({ tombstonesRemovedBelow: asOffset(0) }))
    } finally {
      await world.do(rewriter.abandon())
    }
  }
  await assert.rejects(attempt(sent[2]!), /batch at 2, not 1/)
  await assert.rejects(attempt(sent[1]!), /rewritten up to 2, not 3/)
  await assert.rejects(attempt(filler(1, 3)), /beyond 3/)
  await assert.rejects(attempt(filler(1, 2, 7)), /not of epoch 1/)
  await attempt(filler(1, 2))
  assert.ok(!world.host.files.files().some(({ path }) => path.endsWith('.swap')))
})

test('a full disk, and the end of the store, end a rewrite; the segments stay', async () => {
  const world = new World()
  const { store, log, sent } = await sixSegments(world)
  const { files } = world.host
  const first = await begun(world, log, 0, 2)
  files.capacityBytes = files.usedBytes
  await assert.rejects(
    world.do(first.write(sent[0]!)),
    (error) => error instanceof StoreError && error.code === 'storage-full',
  )
  await world.do(first.abandon())
  files.capacityBytes = Number.MAX_SAFE_INTEGER
  const second = await begun(world, log, 0, 2)
  await world.do(store.close())
  await assert.rejects(
    world.do(second.write(sent[0]!)),
    (error) => error instanceof StoreError && error.code === 'closed',
  )
  world.host.kill()
  assert.deepEqual(await world.read(found(await world.open())), Buffer.concat(sent))
})
