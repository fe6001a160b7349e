// Which snapshots count and which stay: a settled one at or above the log start is never lost to later ones.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asLogId, asOffset } from '../base/brand.ts'
import { summarizeBatches } from '../records/batch-header.ts'
import type { StoredLog } from './store.ts'
import { SMALL_LOG, testBatch } from './testing/batches.ts'
import { position, World } from './testing/world.ts'

const body = (text: string): Uint8Array => Buffer.from(text)

async function logTo(end: number): Promise<{ world: World; log: StoredLog }> {
  const world = new World()
  const store = await world.open()
  const log = store.create(asLogId('a'), { directory: 'a', config: SMALL_LOG })
  log.startEpoch(asLeaderEpoch(1))
  for (let at = 0; at < end; at++) {
    const batch = testBatch({ baseOffset: at, epoch: 1 })
    log.append(batch, summarizeBatches(batch))
  }
  return { world, log }
}

async function held(world: World, log: StoredLog): Promise<number[]> {
  const survey = await world.do(log.snapshots.survey())
  return survey.held.map(({ offset }) => offset)
}

test('the newest settled one stays however many come after it, and is found when they are truncated', async () => {
  const { world, log } = await logTo(10)
  await world.do(log.snapshots.save(position(1, 2), body('two')))
  await world.do(log.snapshots.save(position(1, 3), body('three')))
  log.snapshots.settled(position(1, 3))
  for (let at = 4; at <= 9; at++) await world.do(log.snapshots.save(position(1, at), body(`${at}`)))
  assert.deepEqual(await held(world, log), [2, 3, 4, 9])
  log.truncate(position(1, 3))
  const found = await world.do(log.snapshots.latest(asOffset(99)))
  assert.equal(Buffer.from(found?.bytes ?? []).toString(), 'three')
})

test('after a start, when nothing is known to be settled, the oldest stays', async () => {
  const { world, log } = await logTo(10)
  for (let at = 2; at <= 6; at++) await world.do(log.snapshots.save(position(1, at), body(`${at}`)))
  assert.deepEqual(await held(world, log), [2, 6])
})

test('one that was adopted waits above the end, through a power cut, and counts once the log has come there', async () => {
  const { world, log } = await logTo(3)
  await world.do(log.snapshots.adopt(position(1, 5), body('five')))
  await world.do(log.snapshots.save(position(1, 3), body('three')))
  world.host.powerCut('lose')
  const again = (await world.open()).get(asLogId('a'))
  assert.ok(again !== undefined)
  const { held: counting, ahead, read } = await world.do(again.snapshots.survey())
  assert.deepEqual([counting, ahead], [[position(1, 3)], [position(1, 5)]])
  assert.equal(Buffer.from((await world.do(read(ahead[0]!)))?.bytes ?? []).toString(), 'five')
  again.install({
    logStart: asOffset(4),
    epochs: [{ epoch: asLeaderEpoch(1), start: asOffset(0) }],
  })
  assert.deepEqual(await held(world, again), [])
  const batch = testBatch({ baseOffset: 4, epoch: 1 })
  again.append(batch, summarizeBatches(batch))
  assert.deepEqual(await held(world, again), [5])
})

test('what a truncation left above the end goes with the next one', async () => {
  const { world, log } = await logTo(9)
  await world.do(log.snapshots.save(position(1, 8), body('eight')))
  log.truncate(position(1, 4))
  assert.deepEqual((await world.do(log.snapshots.survey())).ahead, [position(1, 8)])
  await world.do(log.snapshots.save(position(1, 4), body('four')))
  const { held: counting, ahead } = await world.do(log.snapshots.survey())
  assert.deepEqual([counting, ahead], [[position(1, 4)], []])
})

test('a damaged one is listed and can not be read', async () => {
  const { world, log } = await logTo(4)
  await world.do(log.snapshots.save(position(1, 2), body('two')))
  await world.do(log.snapshots.save(position(1, 4), body('four')))
  world.host.files
    .files()
    .find(({ path }) => path.endsWith('4-1.snapshot'))
    ?.file.flipBit(28, 1)
  const { held: counting, read } = await world.do(log.snapshots.survey())
  assert.deepEqual(counting, [position(1, 2), position(1, 4)])
  assert.equal(await world.do(read(position(1, 4))), undefined)
  assert.equal((await world.do(log.snapshots.latest(asOffset(4))))?.at.offset, 2)
})
