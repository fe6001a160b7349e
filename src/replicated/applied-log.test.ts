// What is applied of a log that is compacted while it is followed, and of one that begins anew (law R10).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asNodeId, asOffset } from '../base/brand.ts'
import { leaderEpochAt } from '../records/batch-header.ts'
import { buildBatch } from '../records/build.ts'
import { fillerBatch } from '../records/filler.ts'
import { AppliedLog } from './applied-log.ts'
import { readRecordBatches } from './record-batches.ts'
import { ReplicatedLogDouble } from './testing/double.ts'
import { VirtualTime } from './testing/virtual-time.ts'

const text = (bytes: Uint8Array | null): string => new TextDecoder().decode(bytes ?? undefined)

/** Of each key the newest value. */
function follower() {
  const log = new ReplicatedLogDouble()
  const time = new VirtualTime()
  const state = new Map<string, string>()
  const begun = { count: 0 }
  const applied = new AppliedLog<{ key: string; value: string | undefined }>({
    log,
    env: time,
    handlers: {
      decode: (bytes) =>
        readRecordBatches(bytes).map(({ records, next }) => ({
          entries: records.map(({ key, value }) => ({
            key: text(key),
            value: value === null ? undefined : text(value),
          })),
          next,
        })),
      apply: (entries) => {
        for (const { key, value } of entries) {
          if (value === undefined) state.delete(key)
          else state.set(key, value)
        }
      },
      onBegunAnew: () => {
        begun.count++
        state.clear()
      },
    },
  })
  applied.start()
  return { log, time, state, applied, begun }
}

const put = (key: string, value: string | null): Uint8Array =>
  buildBatch([
    { key: Buffer.from(key), value: value === null ? null : Buffer.from(value), timestampMs: 0 },
  ])

test('R10: a log that begins anew without the ends of keys has none of these keys left', async () => {
  const { log, time, state, applied } = follower()
  log.append(put('a', '1'))
  log.append(put('b', '1'))
  await time.settle()
  assert.deepEqual([...state.keys()], ['a', 'b'])
  const kept = log.read({ from: asOffset(1), below: asOffset(2), maxBytes: 1 }).chunks[0]!.slice()
  const epoch = asLeaderEpoch(leaderEpochAt(kept, 0))
  log.loseLeadership({ leader: asNodeId(2) })
  // The tombstone of a lay at 2; the leader has neither it nor the value.
  log.beginAnew(asOffset(3))
  await time.settle()
  assert.deepEqual([...state.keys()], [])
  assert.equal(applied.appliedTo, 0)
  log.replicate(fillerBatch(asOffset(0), asOffset(0), epoch), epoch)
  log.replicate(kept, epoch)
  log.commit()
  await time.settle()
  assert.deepEqual([...state.keys()], ['b'])
})

test('R10: what is compacted past a reader that is behind is read from the beginning', async () => {
  const { log, time, state, begun } = follower()
  log.autoCommit = false
  log.append(put('a', '1'))
  log.append(put('b', '1'))
  log.commit()
  assert.equal(log.highWatermark, 2)
  // Read and not applied yet, when compaction takes the end of a key further on.
  log.tombstonesRemovedBelow = asOffset(5)
  await time.settle()
  assert.equal(begun.count, 1)
  assert.deepEqual([...state.keys()].toSorted(), ['a', 'b'])
})
