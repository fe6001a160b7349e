// What survives a change of leader besides the records: the sequences of producers, committed offsets.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchOf, produce } from '../broker/testing/requests.ts'
import { deleteRecords } from '../protocol/messages/delete-records.ts'
import { deleteTopics } from '../protocol/messages/delete-topics.ts'
import { findCoordinator } from '../protocol/messages/find-coordinator.ts'
import { offsetCommit } from '../protocol/messages/offset-commit.ts'
import { offsetFetch } from '../protocol/messages/offset-fetch.ts'
import { ZERO_UUID } from '../protocol/schema.ts'
import { SimCluster } from './testing/sim-cluster.ts'

const ALL = [[1, 2, 3]]
const producer = { producerId: 7, producerEpoch: 0, baseSequence: 0 }

test('a retry is known for one after its records were deleted and its leader is gone, on nodes that restarted too', async () => {
  const cluster = await SimCluster.start()
  await cluster.create('t', { assignments: ALL })
  const first = await cluster.connect(1)
  const batch = () => batchOf(['a', 'b'], { producer })
  const taken = await cluster.settle(produce(first, 't', batch()))
  assert.deepEqual([taken.errorCode, taken.baseOffset], [0, 0])
  const { topics } = await cluster.settle(
    first.send(deleteRecords, 2, {
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, offset: 2 }] }],
      timeoutMs: 5_000,
    }),
  )
  assert.deepEqual(
    [topics[0]?.partitions[0]?.errorCode, topics[0]?.partitions[0]?.lowWatermark],
    [0, 2],
  )
  // The followers hear of it, and lose all that they did not make durable.
  await cluster.pass(1_000)
  for (const id of [2, 3]) {
    cluster.kill(id)
    cluster.host(id).powerCut('lose')
  }
  await cluster.boot(2, 3)
  cluster.kill(1)
  await cluster.until('another leads', () => (cluster.leaderOf('t') ?? 1) !== 1)
  const second = await cluster.connect(cluster.leaderOf('t')!)
  const again = await cluster.settle(produce(second, 't', batch()))
  assert.deepEqual([again.errorCode, again.baseOffset], [0, 0])
  const next = await cluster.settle(
    produce(second, 't', batchOf(['c'], { producer: { ...producer, baseSequence: 2 } })),
  )
  assert.deepEqual([next.errorCode, next.baseOffset], [0, 2])
})

test('committed offsets follow their coordinator, and go with their topic', async () => {
  const cluster = await SimCluster.start()
  await cluster.create('kept', { replicas: 3 })
  await cluster.create('gone', { replicas: 3 })
  const coordinatorOf = async (id: number): Promise<number> => {
    const client = await cluster.connect(id)
    for (;;) {
      const { coordinators } = await cluster.settle(
        client.send(findCoordinator, 4, { keyType: 0, key: '', coordinatorKeys: ['g'] }),
      )
      if (coordinators[0]?.errorCode === 0) return coordinators[0].nodeId
      await cluster.pass(50)
    }
  }
  const old = await coordinatorOf(1)
  const offsets = cluster.node(1).admin.partitionsOf('__consumer_offsets')
  assert.deepEqual(new Set(offsets.map(({ replicas }) => replicas.length)), new Set([3]))
  const partition = (committedOffset: number) => ({
    partitionIndex: 0,
    committedOffset,
    committedLeaderEpoch: -1,
    committedMetadata: '',
  })
  const client = await cluster.connect(old)
  const committed = await cluster.settle(
    client.send(offsetCommit, 8, {
      groupId: 'g',
      generationIdOrMemberEpoch: -1,
      memberId: '',
      groupInstanceId: null,
      topics: ['kept', 'gone'].map((name) => ({
        name,
        topicId: ZERO_UUID,
        partitions: [partition(42)],
      })),
    }),
  )
  assert.deepEqual(
    committed.topics.map(({ partitions }) => partitions[0]?.errorCode),
    [0, 0],
  )
  const survivor = cluster.ids.find((id) => id !== old)!
  cluster.kill(old)
  await cluster.until('it is noticed', () => cluster.partition(survivor, 'kept').isr.length === 2)
  const other = await cluster.connect(survivor)
  await cluster.settle(
    other.send(deleteTopics, 6, {
      topics: [{ name: 'gone', topicId: ZERO_UUID }],
      topicNames: [],
      timeoutMs: 5_000,
    }),
  )
  const now = await coordinatorOf(survivor)
  assert.notEqual(now, old)
  const reader = await cluster.connect(now)
  const fetched = await cluster.settle(
    reader.send(offsetFetch, 8, {
      groupId: '',
      topics: [],
      groups: [{ groupId: 'g', memberId: null, memberEpoch: -1, topics: null }],
      requireStable: true,
    }),
  )
  assert.deepEqual(
    fetched.groups[0]?.topics.map(({ name, partitions }) => [name, partitions[0]?.committedOffset]),
    [['kept', 42]],
  )
})
