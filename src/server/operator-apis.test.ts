// The requests that operators' tools send to a cluster: who votes on its metadata, elections, reassignments, nodes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { METADATA_TOPIC } from '../controller/metadata-image.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { describeCluster } from '../protocol/messages/describe-cluster.ts'
import { describeQuorum } from '../protocol/messages/describe-quorum.ts'
import { electLeaders } from '../protocol/messages/elect-leaders.ts'
import { listPartitionReassignments } from '../protocol/messages/list-partition-reassignments.ts'
import { SimCluster } from './testing/sim-cluster.ts'

test('operators see the voters of the metadata, and bring leaders home', async () => {
  const cluster = await SimCluster.start({ config: { 'auto.leader.rebalance.enable': 'false' } })
  await cluster.create('t', {
    assignments: [
      [1, 2, 3],
      [2, 3, 1],
    ],
  })
  await cluster.pass(500)
  const controller = cluster.node(1).admin.view().controller.leader
  for (const id of cluster.ids) {
    const client = await cluster.connect(id)
    const quorum = await cluster.settle(
      client.send(describeQuorum, 2, {
        topics: [
          { topicName: METADATA_TOPIC, partitions: [{ partitionIndex: 0 }, { partitionIndex: 1 }] },
          { topicName: 't', partitions: [{ partitionIndex: 0 }] },
        ],
      }),
    )
    const [metadata, other] = quorum.topics
    const [known, unknown] = metadata!.partitions
    assert.equal(known?.errorCode, ErrorCode.NONE)
    assert.equal(unknown?.errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    assert.equal(other?.partitions[0]?.errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    assert.equal(known.leaderId, controller)
    const ends = known.currentVoters.map(({ replicaId, logEndOffset }) => [replicaId, logEndOffset])
    assert.deepEqual(
      ends,
      cluster.ids.map((voter) => [voter, known.highWatermark]),
    )
    assert.ok(known.currentVoters.every(({ lastCaughtUpTimestamp }) => lastCaughtUpTimestamp > 0))
    assert.deepEqual(
      quorum.nodes.map(({ nodeId, listeners }) => [nodeId, listeners[0]?.host, listeners[0]?.port]),
      cluster.ids.map((voter) => [voter, `node-${voter}`, 9192]),
    )
    client.close()
  }

  const client = await cluster.connect(3)
  const elect = async (
    topicPartitions: { topic: string; partitions: number[] }[] | null,
    electionType = 0,
  ) => {
    const { errorCode, replicaElectionResults } = await cluster.settle(
      client.send(electLeaders, 2, { electionType, topicPartitions, timeoutMs: 5_000 }),
    )
    return [
      errorCode,
      ...replicaElectionResults.flatMap(({ topic, partitionResult }) =>
        partitionResult.map((one) => `${topic}-${one.partitionId} ${one.errorCode}`),
      ),
    ]
  }
  await cluster.settle(cluster.node(1).admin.transferLeader({ topic: 't', partition: 0, to: 3 }))
  await cluster.until('it moved', () => cluster.leaderOf('t') === 3)
  const both = [{ topic: 't', partitions: [0, 1, 2] }]
  assert.deepEqual(await elect(both, 1), [0, 't-0 84', 't-1 84', 't-2 3'])
  assert.deepEqual(await elect(both, 2), [42, 't-0 42', 't-1 42', 't-2 42'])
  await cluster.pass(300)
  assert.deepEqual(await elect(both), [0, 't-0 0', 't-1 84', 't-2 3'])
  await cluster.until('it is back', () => cluster.leaderOf('t') === 1, 500)
  await cluster.settle(cluster.node(1).admin.transferLeader({ topic: 't', partition: 0, to: 3 }))
  cluster.kill(1)
  await cluster.until('it is noticed', () => cluster.partition(3, 't').isr.length === 2)
  assert.deepEqual(await elect(null), [0, 't-0 80'])

  const listed = await cluster.settle(
    client.send(listPartitionReassignments, 0, { timeoutMs: 1_000, topics: null }),
  )
  assert.deepEqual([listed.errorCode, listed.topics], [0, []])
  const controllerOf = () => cluster.node(3).admin.view().controller.leader
  await cluster.until('another is controller', () => [2, 3].includes(controllerOf() ?? -1))
  const describe = (includeFencedBrokers: boolean) =>
    cluster.settle(
      client.send(describeCluster, 2, {
        includeClusterAuthorizedOperations: false,
        endpointType: 1,
        includeFencedBrokers,
      }),
    )
  const described = await describe(false)
  const { brokers } = await describe(true)
  assert.deepEqual(
    brokers.map(({ brokerId, isFenced }) => [brokerId, isFenced]),
    [
      [1, true],
      [2, false],
      [3, false],
    ],
  )
  assert.deepEqual(
    described.brokers.map(({ brokerId }) => brokerId),
    [2, 3],
  )
  assert.equal(described.clusterId, cluster.node(3).clusterId)
  assert.ok([2, 3].includes(described.controllerId))
})
