// Where damage begins and ends: a segment is good only if its batches end where both its offsets and its bytes end.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asOffset } from '../base/brand.ts'
import { findDamage } from './find-damage.ts'
import { testBatch } from './testing/batches.ts'
import { World } from './testing/world.ts'

test('a segment that is recorded with more bytes, or with fewer, than its batches have is damaged', async () => {
  const world = new World()
  const batches = [0, 1, 2].map((baseOffset) => testBatch({ baseOffset, epoch: 1 }))
  const size = batches[0]!.length
  const file = await world.do(world.env.disk.open('/segment', 'create'))
  await world.do(file.write([...batches, new Uint8Array(100)], 0))
  const segment = { base: asOffset(0), end: asOffset(3), epochAt: () => asLeaderEpoch(1) }
  const find = (bytes: number) => world.do(findDamage(file, { ...segment, bytes }))
  assert.equal(await find(3 * size), undefined)
  assert.deepEqual(await find(3 * size - 10), {
    segment: 0,
    from: 2,
    to: 3,
    position: 2 * size,
    endPosition: 3 * size - 10,
  })
  const more = await find(3 * size + 10)
  assert.ok(more !== undefined && more.endPosition === 3 * size + 10)
})

test('a batch of another epoch than the log has there is damaged, where that is known', async () => {
  const world = new World()
  const batches = [1, 2, 1].map((epoch, baseOffset) => testBatch({ baseOffset, epoch }))
  const bytes = batches.reduce((sum, batch) => sum + batch.length, 0)
  const file = await world.do(world.env.disk.open('/segment', 'create'))
  await world.do(file.write(batches, 0))
  const segment = { base: asOffset(0), end: asOffset(3), bytes }
  const found = await world.do(findDamage(file, { ...segment, epochAt: () => asLeaderEpoch(1) }))
  assert.deepEqual([found?.from, found?.to], [1, 2])
  assert.equal(
    await world.do(findDamage(file, { ...segment, epochAt: () => undefined })),
    undefined,
  )
})
