// What a partition knows of its producers, over truncations, restarts, deletions and damage.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asLogId, asOffset } from '../base/brand.ts'
import { Limiter } from '../env/limiter.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { stampBatches } from '../records/batch-header.ts'
import { aloneIn, aloneOver } from '../replicated/testing/alone.ts'
import { ReplicatedLogDouble } from '../replicated/testing/double.ts'
import { MemoryStore } from '../replicated/testing/memory-store.ts'
import { StoreError } from '../storage/store.ts'
import { at, produced, producer, refusal, values } from './testing/asking.ts'
import { batchOf, fixture } from './testing/fixture.ts'

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

test('a deletion that a stopping node overtakes leaves the records, and with them what is known of producers', async () => {
  const { log, partition } = fixture()
  await produced(partition, batchOf(['a'], producer(0))).completed
  const deleting = partition.deleteRecords(-1)
  partition.close()
  assert.equal((await deleting).error, ErrorCode.NOT_LEADER_OR_FOLLOWER)
  assert.equal(log.logStart, 0)
})

test('the log start waits once nobody can keep what is known of producers', async () => {
  const store = new MemoryStore()
  const host = aloneOver(store)
  const opened = await host.open({
    id: asLogId('t-0'),
    directory: 't-0',
    config: { segmentBytes: 1e6, segmentMs: 1e9, indexIntervalBytes: 4096 },
    voters: aloneIn(store),
  })
  const { partition } = fixture({ log: opened })
  await produced(partition, batchOf(['a'], producer(0))).completed
  partition.close()
  void opened.advanceLogStart(asOffset(1))
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(opened.logStart, 0)
})

test('a producer without state goes on anywhere, but not past a batch of its own that was refused or lost', async () => {
  const { log, partition } = fixture()
  const early = (sequence: number): number => refusal(partition, batchOf(['b'], producer(sequence)))
  const tooFew = { inSyncReplicas: 0 }
  assert.equal(
    refusal(partition, batchOf(['a'], producer(7)), tooFew),
    ErrorCode.NOT_ENOUGH_REPLICAS,
  )
  // Sent before the answer came: taken now, it would be before the other for ever.
  assert.equal(early(8), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
  log.autoCommit = false
  assert.equal(produced(partition, batchOf(['a'], producer(7))).baseOffset, 0)
  log.loseLeadership()
  log.truncate({ epoch: asLeaderEpoch(1), offset: asOffset(0) })
  log.lead()
  await partition.producers.settled()
  assert.equal(early(8), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
  assert.equal(produced(partition, batchOf(['a'], producer(7))).baseOffset, 0)
  assert.equal(produced(partition, batchOf(['b'], producer(8))).baseOffset, 1)
  // A new epoch has nothing to wait for.
  assert.equal(produced(partition, batchOf(['c'], producer(0, 1))).baseOffset, 2)
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

test('what was refused here and taken by another leader is not missing', async () => {
  const { log, partition } = fixture()
  const batch = batchOf(['a'], producer(5))
  assert.equal(refusal(partition, batch, { inSyncReplicas: 0 }), ErrorCode.NOT_ENOUGH_REPLICAS)
  log.loseLeadership()
  stampBatches(batch, asOffset(0), asLeaderEpoch(2))
  log.replicate(batch, asLeaderEpoch(2))
  log.lead()
  partition.producers.expire(0)
  assert.equal(produced(partition, batchOf(['b'], producer(9))).baseOffset, 1)
})
