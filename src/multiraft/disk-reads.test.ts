// How many reads for replicas that are behind run at once, and which of them goes first.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DiskReads } from './disk-reads.ts'

test('two run at once, the one furthest behind is next, and one that fails makes room too', async () => {
  const reads = new DiskReads()
  const begun: number[] = []
  const ends = new Map<number, { end: () => void; fail: () => void }>()
  const read = (behind: number) =>
    reads.run(behind, () => {
      begun.push(behind)
      return new Promise<number>((resolve, reject) => {
        ends.set(behind, { end: () => resolve(behind), fail: () => reject(new Error('bad')) })
      })
    })
  const results = [1, 2, 3, 5, 4].map(read)
  const settled = Promise.allSettled(results)
  assert.deepEqual(begun, [1, 2])
  ends.get(1)!.fail()
  await assert.rejects(results[0]!, /bad/)
  await new Promise(setImmediate)
  assert.deepEqual(begun, [1, 2, 5])
  for (const behind of [2, 5, 4, 3]) {
    ends.get(behind)!.end()
    await new Promise(setImmediate)
  }
  assert.deepEqual(begun, [1, 2, 5, 4, 3])
  assert.equal((await settled).filter(({ status }) => status === 'fulfilled').length, 4)
})
