// A leader that may have been replaced and has not heard of it: what it must not say (law R9).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { CommitOutcome } from '../replicated/replicated-log.ts'
import { at, errorOf, produced, values } from './testing/asking.ts'
import { batchOf, fixture } from './testing/fixture.ts'

test('a leader that may have been replaced does not say what clients would reset their position for', async () => {
  const { log, partition } = fixture()
  await produced(partition, batchOf(['a'], { timestampsMs: [10] })).completed
  const byTime = (timestampMs: number) =>
    partition.listOffset({ timestampMs, currentLeaderEpoch: -1 })
  log.barrier = { kind: 'unknown', reason: 'leadership-lost' }
  // Another node may have taken and committed records from offset 1 on.
  assert.equal(await errorOf(partition.fetch(at(2))), ErrorCode.NOT_LEADER_OR_FOLLOWER)
  const newer = at(1, { lastFetchedEpoch: 2 })
  assert.equal(await errorOf(partition.fetch(newer)), ErrorCode.NOT_LEADER_OR_FOLLOWER)
  assert.equal((await byTime(11)).error, ErrorCode.NOT_LEADER_OR_FOLLOWER)
  assert.equal((await byTime(-3)).error, ErrorCode.NOT_LEADER_OR_FOLLOWER)
  assert.deepEqual(await partition.deleteRecords(2), {
    error: ErrorCode.NOT_LEADER_OR_FOLLOWER,
    logStart: -1,
  })
  // What was found below the high watermark is right, whoever leads.
  assert.equal((await byTime(10)).offset, 0)
  log.barrier = { kind: 'committed' }
  assert.equal(await errorOf(partition.fetch(at(2))), ErrorCode.OFFSET_OUT_OF_RANGE)
  assert.equal(await errorOf(partition.fetch(newer)), ErrorCode.OFFSET_OUT_OF_RANGE)
  assert.deepEqual([(await byTime(11)).error, (await byTime(11)).offset], [ErrorCode.NONE, -1])
  assert.equal((await byTime(-3)).offset, 0)
  assert.equal((await partition.deleteRecords(2)).error, ErrorCode.OFFSET_OUT_OF_RANGE)
})

test('records that came while the leadership was being confirmed are found', async () => {
  const { log, partition } = fixture()
  const barrier = Promise.withResolvers<CommitOutcome>()
  log.readBarrier = () => barrier.promise
  const fetched = partition.fetch(at(1))
  const listed = partition.listOffset({ timestampMs: 11, currentLeaderEpoch: -1 })
  await produced(partition, batchOf(['a', 'b'], { timestampsMs: [10, 11] })).completed
  barrier.resolve({ kind: 'committed' })
  assert.deepEqual(await values(fetched), ['0:a', '1:b'])
  assert.equal((await listed).offset, 1)
})
