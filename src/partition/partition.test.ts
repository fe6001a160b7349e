// The partition over a double of its log: one that lags its high watermark, loses leadership, answers unknown, is cut back.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asOffset } from '../base/brand.ts'
import { Limiter } from '../env/limiter.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import * as header from '../records/batch-header.ts'
import { recordsOf } from '../records/read.ts'
import { stampBatches } from '../records/batch-header.ts'
import { ReplicatedLogDouble } from '../replicated/testing/double.ts'
import { StoreError } from '../storage/store.ts'
import type { CommitOutcome } from '../replicated/replicated-log.ts'
import type { FetchAnswer, FetchRequest } from './fetch.ts'
import type { Partition } from './partition.ts'
import type { ProduceAccepted } from './produce.ts'
import { batchOf, fixture, NOW_MS, request } from './testing/fixture.ts'

const producer = (baseSequence: number, producerEpoch = 0) => ({
  producer: { producerId: 5, producerEpoch, baseSequence },
})

function produced(partition: Partition, bytes: Uint8Array): ProduceAccepted {
  const result = partition.produce(request(bytes))
  assert.ok(result.kind === 'accepted', `refused: ${JSON.stringify(result)}`)
  return result
}

function refusal(partition: Partition, bytes: Uint8Array | null, changes = {}): number {
  const result = partition.produce({ ...request(bytes), ...changes })
  assert.ok(result.kind === 'refused', 'it was accepted')
  return result.error
}

const at = (fetchOffset: number, changes: Partial<FetchRequest> = {}): FetchRequest => ({
  fetchOffset: asOffset(fetchOffset),
  currentLeaderEpoch: -1,
  lastFetchedEpoch: -1,
  maxBytes: 1_000_000,
  minOneBatch: true,
  ...changes,
})

async function values(answer: FetchAnswer | Promise<FetchAnswer>): Promise<string[]> {
  const { error, records } = await answer
  assert.equal(error, ErrorCode.NONE)
  const out: string[] = []
  for (const chunk of records?.chunks ?? []) {
    for (const place of header.batchesIn(chunk)) {
      for (const { offset, value } of recordsOf(chunk, place)) {
        out.push(`${offset}:${Buffer.from(value ?? []).toString()}`)
      }
    }
  }
  return out
}

const errorOf = async (answer: FetchAnswer | Promise<FetchAnswer>): Promise<number> =>
  (await answer).error

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

test('producer state rolls back with the log', async () => {
  const { log, partition } = fixture()
  await produced(partition, batchOf(['a'], producer(0))).completed
  log.autoCommit = false
  produced(partition, batchOf(['b'], producer(1)))
  log.loseLeadership()
  log.truncate({ epoch: asLeaderEpoch(1), offset: asOffset(1) })
  assert.equal(partition.producers.inStep, false)
  await partition.producers.settled()
  log.autoCommit = true
  log.lead()
  const again = produced(partition, batchOf(['b'], producer(1)))
  assert.equal(again.baseOffset, 1)
  assert.equal(await again.completed, ErrorCode.NONE)
  assert.deepEqual(await values(partition.fetch(at(0))), ['0:a', '1:b'])
})

test('producer state follows batches that another leader appended', async () => {
  const { log, partition } = fixture({ log: new ReplicatedLogDouble({ follower: true }) })
  const foreign = batchOf(['a', 'b'], producer(0))
  stampBatches(foreign, asOffset(0), asLeaderEpoch(1))
  log.replicate(foreign, asLeaderEpoch(1))
  log.lead()
  const duplicate = produced(partition, batchOf(['a', 'b'], producer(0)))
  assert.equal(duplicate.baseOffset, 0)
  assert.equal(await duplicate.completed, ErrorCode.NONE)
  assert.equal(produced(partition, batchOf(['c'], producer(2))).baseOffset, 2)
})

test('a restart rebuilds producer state from a snapshot and what came after it', async () => {
  const { log, partition } = fixture()
  const filler = 'x'.repeat(900_000)
  let sequence = 0
  for (let i = 0; i < 20; i++) {
    await produced(partition, batchOf([filler], producer(sequence++))).completed
  }
  const snapshot = await log.snapshots.latest(log.logEnd.offset)
  assert.ok(snapshot !== undefined && snapshot.at.offset >= 15 && snapshot.at.offset < 20)
  const restarted = fixture({ log }).partition
  assert.equal(
    refusal(restarted, batchOf(['y'], producer(sequence))),
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
  )
  await restarted.producers.settled()
  const duplicate = produced(restarted, batchOf([filler], producer(sequence - 3)))
  assert.equal(duplicate.baseOffset, sequence - 3)
  assert.equal(produced(restarted, batchOf(['y'], producer(sequence))).baseOffset, sequence)
})

test('without a usable snapshot the whole log is replayed', async () => {
  const { log, partition } = fixture()
  for (let i = 0; i < 7; i++) await produced(partition, batchOf(['a'], producer(i))).completed
  await log.snapshots.save(log.logEnd, Uint8Array.of(9, 9, 9))
  const { partition: restarted, logger } = fixture({ log })
  await restarted.producers.settled()
  assert.deepEqual(logger.lines, ['a damaged producer snapshot was passed over'])
  assert.equal(produced(restarted, batchOf(['a'], producer(6))).baseOffset, 6)
  assert.equal(produced(restarted, batchOf(['b'], producer(7))).baseOffset, 7)
})

test('producer state is rebuilt once what was damaged can be read again', async () => {
  const { log, partition } = fixture()
  await produced(partition, batchOf(['a'], producer(0))).completed
  partition.close()
  const { partition: again, clock } = fixture({ log })
  const { read } = log
  log.read = () => {
    throw new StoreError('corrupt', 'a flipped bit')
  }
  await again.producers.settled()
  clock.ms += 2_000
  await again.producers.settled()
  assert.equal(refusal(again, batchOf(['a'], producer(0))), ErrorCode.NOT_LEADER_OR_FOLLOWER)
  log.read = read
  clock.ms += 2_000
  await again.producers.settled()
  assert.equal(produced(again, batchOf(['a'], producer(0))).baseOffset, 0)
})

test('producers are not forgotten because the clock was put forward', async () => {
  const { log, clock, partition } = fixture()
  await produced(partition, batchOf(['a'], producer(0))).completed
  clock.jumpedMs = 10_000
  partition.producers.expire(5_000)
  assert.equal(produced(partition, batchOf(['a'], producer(0))).baseOffset, 0)
  clock.ms += 10_000
  partition.producers.expire(5_000)
  assert.equal(produced(partition, batchOf(['a'], producer(0))).baseOffset, log.highWatermark)
})

test('a retry is known after its records were deleted and the node restarted', async () => {
  const { log, partition } = fixture()
  for (let i = 0; i < 3; i++) await produced(partition, batchOf(['a'], producer(i))).completed
  await produced(partition, batchOf(['other'])).completed
  assert.deepEqual(await partition.deleteRecords(-1), { error: ErrorCode.NONE, logStart: 4 })
  const { partition: restarted } = fixture({ log })
  await restarted.producers.settled()
  assert.equal(produced(restarted, batchOf(['a'], producer(2))).baseOffset, 2)
  assert.equal(log.logEnd.offset, 4)
  assert.equal(produced(restarted, batchOf(['b'], producer(3))).baseOffset, 4)
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

test('a partition that rests gets a snapshot, one that is busy does not', async () => {
  const { log, partition } = fixture()
  const latest = async () => (await log.snapshots.latest(log.logEnd.offset))?.at.offset
  const append = () => produced(partition, batchOf(['x'.repeat(700_000)])).completed
  await append()
  partition.producers.saveWhereResting()
  await append()
  partition.producers.saveWhereResting()
  assert.equal(await latest(), undefined)
  partition.producers.saveWhereResting()
  assert.equal(await latest(), 2)
  partition.producers.saveWhereResting()
  await append()
  partition.producers.saveWhereResting()
  partition.producers.saveWhereResting()
  assert.equal(await latest(), 2)
})

test('rebuilds of a node wait for each other', async () => {
  const { log, partition } = fixture()
  await produced(partition, batchOf(['a'], producer(0))).completed
  const rebuilds = new Limiter(1)
  let release = (): void => {}
  rebuilds.run(() => (release = () => rebuilds.release()))
  const { partition: restarted } = fixture({ log, rebuilds })
  await Promise.resolve()
  assert.equal(restarted.producers.inStep, false)
  release()
  await restarted.producers.settled()
  assert.equal(produced(restarted, batchOf(['a'], producer(0))).baseOffset, 0)
})
