// Positions of one log (law R1): what a truncation makes of the durable position, and which truncations are no truncations.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asOffset } from '../base/brand.ts'
import { append, create, found, position, World } from './testing/world.ts'

/** Epoch 1 from 0 to 4, epoch 3 from 4 to 6, epoch 5 from 6 to 7, all durable. */
async function logOfThreeEpochs(world: World) {
  const store = await world.open()
  const log = create(store)
  for (let i = 0; i < 4; i++) append(log)
  log.startEpoch(asLeaderEpoch(3))
  for (let i = 0; i < 2; i++) append(log)
  log.startEpoch(asLeaderEpoch(5))
  append(log)
  await world.do(store.flush())
  assert.deepEqual(log.durable, position(5, 7))
  return { store, log }
}

const STARTS = [
  [1, 0],
  [3, 4],
  [5, 6],
]

test('until a truncation is durable, the durable position is the last one before it', async () => {
  for (const [to, below] of [
    [position(3, 5), position(3, 4)],
    // At the start of an epoch the last one before it is the end of the epoch before.
    [position(3, 4), position(1, 4)],
    [position(5, 6), position(3, 6)],
    [position(1, 0), position(-1, 0)],
  ] as const) {
    const world = new World()
    const { store, log } = await logOfThreeEpochs(world)
    log.truncate(to)
    assert.deepEqual(log.durable, below)
    await world.do(store.flush())
    assert.deepEqual(log.durable, to)
  }
})

test('a truncation above the durable position leaves that where it is', async () => {
  const world = new World()
  const { store, log } = await logOfThreeEpochs(world)
  for (let i = 0; i < 3; i++) append(log)
  log.truncate(position(5, 9))
  assert.deepEqual(log.durable, position(5, 7))
  await world.do(store.flush())
  assert.deepEqual(log.durable, position(5, 9))
})

test('a truncation to where its epoch does not reach is a mistake of the caller', async () => {
  for (const to of [
    position(1, 5),
    position(3, 7),
    position(5, 8),
    position(3, 3),
    position(5, 5),
    position(0, 1),
  ]) {
    const world = new World()
    const { log } = await logOfThreeEpochs(world)
    assert.throws(() => log.truncate(to), { name: 'AssertionError' }, JSON.stringify(to))
    assert.deepEqual(log.end, position(5, 7))
    assert.deepEqual(
      log.epochs.entries.map(({ epoch, start }) => [epoch, start]),
      STARTS,
    )
  }
})

test('what replaced truncated batches is read, from memory too', async () => {
  const world = new World()
  const store = await world.open()
  const log = create(store)
  const kept = append(log, 60)
  for (let i = 0; i < 3; i++) append(log, 200)
  log.truncate(position(1, 1))
  log.startEpoch(asLeaderEpoch(2))
  const replaced = append(log, 90)
  assert.deepEqual(await world.read(log), Buffer.concat([kept, replaced]))
  await world.do(store.flush())
  assert.deepEqual(await world.read(log), Buffer.concat([kept, replaced]))
})

test('a truncation to the border of two segments needs no look into either', async () => {
  const world = new World()
  const store = await world.open()
  const log = create(store, 'a', {
    segmentBytes: 4000,
    segmentMs: 1_000_000,
    indexIntervalBytes: 512,
  })
  const sent = [append(log, 3000), append(log, 3000)]
  append(log, 3000)
  await world.do(store.flush())
  await world.pass(100)
  const before = world.disk.calls.length
  log.truncate(position(1, 2))
  await world.do(store.flush())
  assert.deepEqual(log.durable, position(1, 2))
  const reads = world.disk.calls.slice(before).filter(({ operation }) => operation === 'read')
  assert.deepEqual(reads, [])
  world.host.powerCut('lose')
  assert.deepEqual(await world.read(found(await world.open())), Buffer.concat(sent))
})

test('nothing is written over truncated bytes of a file before the truncation is durable', async () => {
  const world = new World()
  const store = await world.open()
  const log = create(store)
  const sent = [append(log, 3000), append(log, 3000)]
  await world.do(store.flush())
  await world.pass(100)
  // Has all idle tails written back a while later, that of the first log too.
  append(create(store, 'other'))
  await world.do(store.flush())
  const file = '/data/logs/a.1/00000000000000000000.log'
  const writes = (): number =>
    world.disk.calls.filter(({ operation, path }) => operation === 'write' && path === file).length
  const before = writes()
  world.disk.holds = ({ operation, path }) => operation === 'sync' && path.endsWith('.journal')
  log.truncate(position(1, 1))
  log.startEpoch(asLeaderEpoch(2))
  sent[1] = append(log)
  await world.pass(1000)
  assert.equal(writes(), before)
  world.disk.release()
  await world.do(store.flush())
  await world.pass(1000)
  assert.ok(writes() > before)
  assert.deepEqual(await world.read(log), Buffer.concat(sent))
})

test('a large append waits for the log start before it: nothing touches files before that is durable', async () => {
  const world = new World()
  const store = await world.open()
  const log = create(store, 'a', {
    segmentBytes: 4000,
    segmentMs: 1_000_000,
    indexIntervalBytes: 512,
  })
  for (let i = 0; i < 3; i++) append(log, 3000)
  await world.do(store.flush())
  await world.pass(100)
  const before = world.disk.calls.length
  world.disk.holds = ({ operation, path }) => operation === 'sync' && path.endsWith('.journal')
  log.advanceLogStart(asOffset(2))
  append(log, 3000)
  await world.pass(1000)
  const touched = world.disk.calls.slice(before).filter(({ path }) => path.includes('/logs/'))
  assert.deepEqual(touched, [])
  world.disk.release()
  await world.do(store.flush())
  assert.deepEqual(log.durable, position(1, 4))
})
