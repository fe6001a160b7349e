// When the index of a segment is whole, and that nothing is read or written for one that is.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asOffset } from '../base/brand.ts'
import { summarizeBatches } from '../records/batch-header.ts'
import { FileCache } from './file-cache.ts'
import { IndexStore } from './index-store.ts'
import type { BatchSummary } from './store.ts'
import { testBatch } from './testing/batches.ts'
import { World } from './testing/world.ts'

const BATCHES = 6

/** A segment of some batches of one size, and an index that knows the first `covered` of them. */
async function segmentOf(covered: number, intervalBytes = 1) {
  const world = new World()
  const { disk, log } = world.env
  const parts: Uint8Array[] = []
  for (let i = 0; i < BATCHES; i++) parts.push(testBatch({ baseOffset: i, epoch: 1 }))
  const batches: BatchSummary[] = parts.flatMap((part) => [...summarizeBatches(part)])
  await world.do(disk.makeDirectory('/a'))
  const file = await world.do(disk.open('/a/00000000000000000000.log', 'create'))
  await world.do(file.write(parts, 0))
  // Keeps no file open, so that every use of one can be seen.
  const indexes = new IndexStore(disk, new FileCache(disk, 0), log)
  const segment = { directory: '/a', base: asOffset(0), intervalBytes }
  const size = parts[0]!.length
  indexes.onWritten(segment, 0, batches.slice(0, covered))
  const calls = world.disk.calls.length
  const whole = { ...segment, bytes: size * BATCHES }
  return {
    world,
    indexes,
    whole,
    size,
    batches,
    callsSince: () => world.disk.calls.slice(calls).map(({ operation }) => operation),
  }
}

test('an index that lacks batches is brought up to the end of its segment; one that lacks none is left alone', async () => {
  for (const covered of [1, 3, BATCHES]) {
    const { world, indexes, whole, callsSince } = await segmentOf(covered)
    const index = await world.do(indexes.ensure(whole))
    assert.equal(index.coveredTo, whole.bytes)
    assert.equal(index.entries, BATCHES - 1)
    assert.equal(callsSince().length === 0, covered === BATCHES)
  }
})

test('an index that lacks batches is not sealed, unless they may be read', async () => {
  const { world, indexes, whole, callsSince } = await segmentOf(3)
  assert.equal(await world.do(indexes.seal(whole, { scan: false })), false)
  assert.deepEqual(callsSince(), [])
  assert.equal(await world.do(indexes.seal(whole, { scan: true })), true)
})

test('an index that batches are added to while it is written is not sealed', async () => {
  const { world, indexes, whole, size, batches } = await segmentOf(3, 1 << 20)
  world.disk.holds = ({ operation }) => operation === 'truncate'
  const sealing = indexes.seal({ ...whole, bytes: 3 * size }, { scan: false })
  await world.pass(100)
  assert.equal(world.disk.held, 1)
  indexes.onWritten(whole, 3 * size, batches.slice(3, 4))
  world.disk.release()
  assert.equal(await world.do(sealing), false)
})
