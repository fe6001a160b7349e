// The partition over a double of its log: one that lags its high watermark, loses leadership, answers unknown, is cut back.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asOffset } from '../base/brand.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import * as header from '../records/batch-header.ts'
import { recordsOf } from '../records/read.ts'
import { at, errorOf, produced, producer, refusal, values } from './testing/asking.ts'
import { batchOf, fixture, NOW_MS, request } from './testing/fixture.ts'

test('what is produced is read back once it is committed, not before', async () => {
  const { log, partition } = fixture()
  log.autoCommit = false
  const first = produced(partition, batchOf(['a', 'b']))
  const second = produced(partition, batchOf(['c']))
  assert.deepEqual([first.baseOffset, second.baseOffset], [0, 2])
  assert.deepEqual(await values(partition.fetch(at(0))), [])
  log.commit(asOffset(2))
  assert.equal(await first.completed, ErrorCode.NONE)
  assert.deepEqual(await values(partition.fetch(at(0))), ['0:a', '1:b'])
  assert.deepEqual(await values(partition.fetch(at(1))), ['0:a', '1:b'])
  assert.deepEqual(await values(partition.fetch(at(2))), [])
  log.commit()
  assert.equal(await second.completed, ErrorCode.NONE)
  assert.deepEqual(await values(partition.fetch(at(2))), ['2:c'])
})

test('whole batches: at least one, and no more than the bytes allow after it', async () => {
  const { partition } = fixture()
  const one = batchOf(['a'])
  await produced(partition, one).completed
  await produced(partition, batchOf(['b'])).completed
  const size = one.length
  assert.deepEqual(await values(partition.fetch(at(0, { maxBytes: 1 }))), ['0:a'])
  assert.deepEqual(await values(partition.fetch(at(0, { maxBytes: 1, minOneBatch: false }))), [])
  assert.deepEqual(await values(partition.fetch(at(0, { maxBytes: 2 * size - 1 }))), ['0:a'])
  assert.deepEqual(await values(partition.fetch(at(0, { maxBytes: 2 * size }))), ['0:a', '1:b'])
})

test('a lost majority and a lost leadership are unknown, never success or "not written"', async () => {
  const { log, partition } = fixture()
  log.autoCommit = false
  const waiting = produced(partition, batchOf(['a']))
  log.failWaiting()
  assert.equal(await waiting.completed, ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND)
  const deposed = produced(partition, batchOf(['b']))
  log.loseLeadership()
  assert.equal(await deposed.completed, ErrorCode.REQUEST_TIMED_OUT)
  assert.equal(refusal(partition, batchOf(['c'])), ErrorCode.NOT_LEADER_OR_FOLLOWER)
  assert.equal(await errorOf(partition.fetch(at(0))), ErrorCode.NOT_LEADER_OR_FOLLOWER)
})

test('a full disk, too few replicas, and bad batches are refused with their own errors', () => {
  const { log, partition } = fixture({ config: { 'min.insync.replicas': 2 } })
  assert.equal(refusal(partition, batchOf(['a'])), ErrorCode.NOT_ENOUGH_REPLICAS)
  assert.equal(partition.produce({ ...request(batchOf(['a'])), acks: 1 }).kind, 'accepted')
  log.refuseWith = 'storage-full'
  const full = refusal(partition, batchOf(['a']), { inSyncReplicas: 2 })
  assert.equal(full, ErrorCode.KAFKA_STORAGE_ERROR)
  log.refuseWith = undefined
  const damaged = batchOf(['a'])
  damaged[damaged.length - 1]! ^= 1
  assert.equal(refusal(partition, damaged, { acks: 1 }), ErrorCode.CORRUPT_MESSAGE)
  assert.equal(refusal(partition, null, { acks: 1 }), ErrorCode.INVALID_RECORD)
  const transactional = batchOf(['a'], { ...producer(0), transactional: true })
  assert.equal(refusal(partition, transactional, { acks: 1 }), ErrorCode.INVALID_TXN_STATE)
})

test('message sizes and timestamps are held to the topic config', () => {
  const { partition } = fixture({ config: { 'max.message.bytes': 100 } })
  assert.equal(refusal(partition, batchOf(['x'.repeat(100)])), ErrorCode.MESSAGE_TOO_LARGE)
  const late = batchOf(['a', 'b'], { timestampsMs: [NOW_MS, NOW_MS + 3_600_001] })
  const result = partition.produce(request(late))
  assert.ok(result.kind === 'refused')
  assert.equal(result.error, ErrorCode.INVALID_TIMESTAMP)
  assert.deepEqual(
    result.recordErrors.map((error) => error.index),
    [1],
  )
})

test('LogAppendTime stamps the broker clock and a right CRC', async () => {
  const { partition } = fixture({ config: { 'message.timestamp.type': 'LogAppendTime' } })
  const result = produced(partition, batchOf(['a'], { timestampsMs: [123] }))
  assert.equal(result.logAppendTimeMs, NOW_MS)
  await result.completed
  const { records } = await partition.fetch(at(0))
  const [chunk] = records?.chunks ?? []
  assert.ok(chunk !== undefined)
  assert.deepEqual(
    [...recordsOf(chunk, 0)].map((record) => record.timestampMs),
    [NOW_MS],
  )
  const found = await partition.listOffset({ timestampMs: NOW_MS, currentLeaderEpoch: -1 })
  assert.deepEqual([found.offset, found.timestampMs], [0, NOW_MS])
})

test('what the producer sent passes bit for bit but for base offset and epoch', async () => {
  const { partition } = fixture()
  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
    const sent = batchOf(['some', 'values'], { codec })
    const copy = sent.slice()
    const { baseOffset, completed } = produced(partition, sent)
    await completed
    const { records } = await partition.fetch(at(baseOffset))
    const stored = records?.chunks[0]
    assert.ok(stored !== undefined)
    const unstamped = [...header.batchesIn(copy)].length === 1 ? copy : assert.fail()
    assert.deepEqual(
      Buffer.from(stored.subarray(header.MAGIC_AT)),
      Buffer.from(unstamped.subarray(header.MAGIC_AT)),
    )
  }
})

test('a duplicate answers the original offset once the original is committed', async () => {
  const { log, partition } = fixture()
  log.autoCommit = false
  const original = produced(partition, batchOf(['a', 'b'], producer(0)))
  const duplicate = produced(partition, batchOf(['a', 'b'], producer(0)))
  assert.equal(duplicate.baseOffset, original.baseOffset)
  assert.equal(log.logEnd.offset, 2)
  let answered = false
  void duplicate.completed.then(() => (answered = true))
  await Promise.resolve()
  await Promise.resolve()
  assert.equal(answered, false)
  log.commit()
  assert.equal(await duplicate.completed, ErrorCode.NONE)
  assert.equal(await original.completed, ErrorCode.NONE)
})

test('a duplicate of a batch whose fate is unknown is as unknown', async () => {
  const { log, partition } = fixture()
  log.autoCommit = false
  produced(partition, batchOf(['a'], producer(0)))
  const duplicate = produced(partition, batchOf(['a'], producer(0)))
  log.loseLeadership()
  assert.equal(await duplicate.completed, ErrorCode.REQUEST_TIMED_OUT)
})

test('gaps, old epochs and new epochs that do not start at 0 are refused', async () => {
  const { partition } = fixture()
  produced(partition, batchOf(['a'], producer(0)))
  const outOfOrder = ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
  assert.equal(refusal(partition, batchOf(['c'], producer(2))), outOfOrder)
  assert.equal(refusal(partition, batchOf(['c'], producer(1, 1))), outOfOrder)
  produced(partition, batchOf(['b'], producer(0, 1)))
  assert.equal(refusal(partition, batchOf(['c'], producer(1, 0))), ErrorCode.INVALID_PRODUCER_EPOCH)
})

test('waiting readers are woken by commits, elections and the end of the partition', async () => {
  const { log, partition } = fixture()
  log.autoCommit = false
  let wakes = 0
  const listener = { onProgress: () => wakes++ }
  partition.addListener(listener)
  produced(partition, batchOf(['a']))
  assert.equal(wakes, 0)
  log.commit()
  assert.equal(wakes, 1)
  log.loseLeadership()
  assert.equal(wakes, 2)
  log.close()
  assert.ok(wakes > 2)
  const before = wakes
  partition.removeListener(listener)
  partition.close()
  assert.equal(wakes, before)
})

test('offsets out of range: only an established leader says so', async () => {
  const { log, partition } = fixture()
  await produced(partition, batchOf(['a'])).completed
  assert.equal(await errorOf(partition.fetch(at(2))), ErrorCode.OFFSET_OUT_OF_RANGE)
  log.loseLeadership()
  log.lead({ established: false })
  assert.equal(await errorOf(partition.fetch(at(2))), ErrorCode.OFFSET_NOT_AVAILABLE)
  assert.deepEqual(await values(partition.fetch(at(0))), ['0:a'])
  log.commit()
  assert.equal(await errorOf(partition.fetch(at(2))), ErrorCode.OFFSET_OUT_OF_RANGE)
})

test('epochs fence, and a client from another history learns where it split', async () => {
  const { log, partition } = fixture()
  await produced(partition, batchOf(['a', 'b'])).completed
  log.loseLeadership()
  log.lead()
  await produced(partition, batchOf(['c'])).completed
  const epoch = log.role.epoch
  assert.equal(epoch, 3)
  const fenced = partition.fetch(at(0, { currentLeaderEpoch: 1 }))
  assert.equal(await errorOf(fenced), ErrorCode.FENCED_LEADER_EPOCH)
  const unknown = partition.fetch(at(0, { currentLeaderEpoch: 4 }))
  assert.equal(await errorOf(unknown), ErrorCode.UNKNOWN_LEADER_EPOCH)
  const split = await partition.fetch(at(3, { currentLeaderEpoch: 3, lastFetchedEpoch: 1 }))
  assert.deepEqual(split.diverging, { epoch: 1, endOffset: 2 })
  const absent = await partition.fetch(at(2, { lastFetchedEpoch: 2 }))
  assert.deepEqual(absent.diverging, { epoch: 1, endOffset: 2 })
  const same = partition.fetch(at(2, { currentLeaderEpoch: 3, lastFetchedEpoch: 1 }))
  assert.deepEqual(await values(same), ['2:c'])
  const end = partition.endOfEpoch({ leaderEpoch: 1, currentLeaderEpoch: 3 })
  assert.deepEqual(end, { error: 0, leaderEpoch: 1, endOffset: 2 })
  assert.equal(partition.endOfEpoch({ leaderEpoch: 3, currentLeaderEpoch: 3 }).endOffset, 3)
  assert.equal(partition.endOfEpoch({ leaderEpoch: 9, currentLeaderEpoch: 3 }).endOffset, -1)
})

test('ListOffsets: latest, earliest, by time and the largest time, below the high watermark', async () => {
  const { log, partition } = fixture()
  const times = (...timestampsMs: number[]) => ({ timestampsMs })
  await produced(partition, batchOf(['a', 'b'], times(1000, 3000))).completed
  await produced(partition, batchOf(['c', 'd'], { ...times(2000, 2500), codec: 'gzip' })).completed
  log.autoCommit = false
  produced(partition, batchOf(['e'], times(9000)))
  const offsetAt = async (timestampMs: number) => {
    const answer = await partition.listOffset({ timestampMs, currentLeaderEpoch: -1 })
    assert.equal(answer.error, ErrorCode.NONE)
    return [answer.offset, answer.timestampMs]
  }
  assert.deepEqual(await offsetAt(-1), [4, -1])
  assert.deepEqual(await offsetAt(-2), [0, -1])
  assert.deepEqual(await offsetAt(-4), [0, -1])
  assert.deepEqual(await offsetAt(-5), [-1, -1])
  assert.deepEqual(await offsetAt(-6), [-1, -1])
  assert.deepEqual(await offsetAt(-3), [1, 3000])
  assert.deepEqual(await offsetAt(0), [0, 1000])
  assert.deepEqual(await offsetAt(1001), [1, 3000])
  assert.deepEqual(await offsetAt(3001), [-1, -1])
  log.commit()
  assert.deepEqual(await offsetAt(3001), [4, 9000])
  assert.deepEqual(await offsetAt(-3), [4, 9000])
  await partition.deleteRecords(1)
  assert.deepEqual(await offsetAt(-2), [1, -1])
  assert.deepEqual(await offsetAt(0), [1, 3000])
})

test('the latest offset is confirmed first, and not known before the epoch is committed', async () => {
  const { log, partition } = fixture()
  const latest = () => partition.listOffset({ timestampMs: -1, currentLeaderEpoch: -1 })
  log.barrier = { kind: 'unknown', reason: 'quorum-lost' }
  assert.equal((await latest()).error, ErrorCode.NOT_LEADER_OR_FOLLOWER)
  log.barrier = { kind: 'committed' }
  assert.equal((await latest()).error, ErrorCode.NONE)
  log.loseLeadership()
  assert.equal((await latest()).error, ErrorCode.NOT_LEADER_OR_FOLLOWER)
  log.lead({ established: false })
  assert.equal((await latest()).error, ErrorCode.OFFSET_NOT_AVAILABLE)
})

test('records are deleted up to the high watermark at most', async () => {
  const { log, partition } = fixture()
  await produced(partition, batchOf(['a', 'b'])).completed
  log.autoCommit = false
  produced(partition, batchOf(['c']))
  assert.equal((await partition.deleteRecords(3)).error, ErrorCode.OFFSET_OUT_OF_RANGE)
  assert.equal((await partition.deleteRecords(-2)).error, ErrorCode.OFFSET_OUT_OF_RANGE)
  assert.deepEqual(await partition.deleteRecords(1), { error: 0, logStart: 1 })
  assert.deepEqual(await partition.deleteRecords(0), { error: 0, logStart: 1 })
  assert.deepEqual(await partition.deleteRecords(-1), { error: 0, logStart: 2 })
  assert.equal(await errorOf(partition.fetch(at(1))), ErrorCode.OFFSET_OUT_OF_RANGE)
  log.loseLeadership()
  assert.equal((await partition.deleteRecords(-1)).error, ErrorCode.NOT_LEADER_OR_FOLLOWER)
})

test('retention moves the log start of an established leader only', async () => {
  const { log, clock, partition } = fixture({ config: { 'retention.ms': 1000 } })
  await produced(partition, batchOf(['a'])).completed
  clock.ms += 1001
  log.loseLeadership()
  assert.equal(await partition.applyRetention(), false)
  log.lead({ established: false })
  assert.equal(await partition.applyRetention(), false)
  log.commit()
  assert.equal(await partition.applyRetention(), true)
  assert.equal(log.logStart, 1)
})
