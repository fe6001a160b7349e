// What clients are told in a cluster that has lost a leader, a majority, or a partition's only replica: clearly, and in time.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RawClient } from '../broker/testing/raw-client.ts'
import {
  batchOf,
  fetchRequest,
  fetchValues,
  produce,
  produceRequest,
} from '../broker/testing/requests.ts'
import { APIS } from '../protocol/apis.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { ZERO_UUID } from '../protocol/schema.ts'
import { SimCluster } from './testing/sim-cluster.ts'

const ALL = [[1, 2, 3]]

async function metadataOf(cluster: SimCluster, client: RawClient, name: string) {
  const answer = await cluster.settle(
    client.send(APIS.Metadata, 12, {
      topics: [{ name, topicId: ZERO_UUID }],
      allowAutoTopicCreation: true,
      includeTopicAuthorizedOperations: false,
    }),
  )
  const [topic] = answer.topics
  assert.ok(topic !== undefined)
  return topic
}

test('a follower names the leader, and where it is', async () => {
  const cluster = await SimCluster.start()
  await cluster.create('t', { assignments: ALL })
  const client = await cluster.connect(2)
  const { topicId } = await metadataOf(cluster, client, 't')
  const refused = await cluster.settle(
    client.send(APIS.Produce, 12, produceRequest('t', batchOf(['a']))),
  )
  const [answer] = refused.responses[0]!.partitionResponses
  assert.equal(answer?.errorCode, ErrorCode.NOT_LEADER_OR_FOLLOWER)
  const leaderEpoch = cluster.partition(1, 't').leaderEpoch
  assert.deepEqual(answer.currentLeader, { leaderId: 1, leaderEpoch })
  assert.deepEqual(
    refused.nodeEndpoints.map(({ nodeId, host, port }) => [nodeId, host, port]),
    [[1, 'node-1', 9092]],
  )
  const fetched = await cluster.settle(
    client.send(APIS.Fetch, 16, fetchRequest('t', 0, { topicId })),
  )
  const [partition] = fetched.responses[0]!.partitions
  assert.equal(partition?.errorCode, ErrorCode.NOT_LEADER_OR_FOLLOWER)
  assert.deepEqual(partition.currentLeader, { leaderId: 1, leaderEpoch })
  assert.equal(fetched.nodeEndpoints[0]?.host, 'node-1')
})

test('epochs that a client believes in are compared on the leader', async () => {
  const cluster = await SimCluster.start()
  await cluster.create('t', { assignments: ALL })
  const client = await cluster.connect(1)
  const { leaderEpoch } = cluster.partition(1, 't')
  const errors = async (currentLeaderEpoch: number): Promise<(number | undefined)[]> => {
    const request = fetchRequest('t', 0)
    const [topic] = request.topics
    const partitions = topic!.partitions.map((one) => ({ ...one, currentLeaderEpoch }))
    const fetched = await cluster.settle(
      client.send(APIS.Fetch, 11, { ...request, topics: [{ ...topic!, partitions }] }),
    )
    const listed = await cluster.settle(
      client.send(APIS.ListOffsets, 6, {
        replicaId: -1,
        isolationLevel: 0,
        topics: [
          { name: 't', partitions: [{ partitionIndex: 0, currentLeaderEpoch, timestamp: -1 }] },
        ],
      }),
    )
    return [
      fetched.responses[0]?.partitions[0]?.errorCode,
      listed.topics[0]?.partitions[0]?.errorCode,
    ]
  }
  assert.deepEqual(await errors(leaderEpoch), [0, 0])
  const { FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH } = ErrorCode
  assert.deepEqual(await errors(leaderEpoch - 1), [FENCED_LEADER_EPOCH, FENCED_LEADER_EPOCH])
  assert.deepEqual(await errors(leaderEpoch + 1), [UNKNOWN_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH])
})

test('without a majority: who waits hears within 2 s that it is not known, who comes later that nobody leads', async () => {
  const cluster = await SimCluster.start()
  await cluster.create('t', { assignments: ALL })
  const client = await cluster.connect(1)
  assert.equal((await cluster.settle(produce(client, 't', batchOf(['a'])))).errorCode, 0)
  cluster.kill(2)
  cluster.kill(3)
  const lostMs = cluster.simulation.nowMs
  const waiting = await cluster.settle(
    produce(client, 't', batchOf(['b']), { timeoutMs: 30_000 }),
    30_000,
  )
  const tookMs = cluster.simulation.nowMs - lostMs
  assert.ok(tookMs <= 2_000, `${tookMs} ms`)
  const unknown: number[] = [
    ErrorCode.REQUEST_TIMED_OUT,
    ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  ]
  assert.ok(unknown.includes(waiting.errorCode), `error ${waiting.errorCode}`)
  for (const acks of [-1, 1]) {
    const since = cluster.simulation.nowMs
    const later = await cluster.settle(
      client.send(APIS.Produce, 12, produceRequest('t', batchOf(['c']), { acks })),
    )
    const [answer] = later.responses[0]!.partitionResponses
    assert.equal(answer?.errorCode, ErrorCode.NOT_LEADER_OR_FOLLOWER)
    assert.equal(answer.currentLeader.leaderId, -1)
    assert.ok(cluster.simulation.nowMs - since < 100)
  }
  const { partitions } = await metadataOf(cluster, client, 't')
  assert.equal(partitions[0]?.errorCode, ErrorCode.LEADER_NOT_AVAILABLE)
  await cluster.boot(2, 3)
  await cluster.until('it is led again', () => cluster.leaderOf('t') !== undefined)
  const leader = await cluster.connect(cluster.leaderOf('t')!)
  const whole = await cluster.settle(produce(leader, 't', batchOf(['d'])))
  assert.equal(whole.errorCode, 0)
  // What nobody knew of may have survived, once, where it was.
  const values = await cluster.settle(fetchValues(leader, 't', 0))
  assert.ok(['0:a 1:d', '0:a 1:b 2:d'].includes(values.join(' ')), values.join(' '))
})

test('min.insync.replicas refuses acks=all before anything is written, and no other', async () => {
  const cluster = await SimCluster.start()
  await cluster.create('t', { assignments: ALL, configs: { 'min.insync.replicas': '3' } })
  const client = await cluster.connect(1)
  assert.equal((await cluster.settle(produce(client, 't', batchOf(['a'])))).errorCode, 0)
  cluster.kill(3)
  await cluster.until('it is noticed', () => cluster.partition(1, 't').isr.length === 2, 2_000)
  const refused = await cluster.settle(produce(client, 't', batchOf(['b'])))
  assert.equal(refused.errorCode, ErrorCode.NOT_ENOUGH_REPLICAS)
  const taken = await cluster.settle(produce(client, 't', batchOf(['c']), { acks: 1 }))
  assert.deepEqual([taken.errorCode, taken.baseOffset], [0, 1])
  await cluster.boot(3)
  await cluster.until('it is back in sync', () => cluster.partition(1, 't').isr.length === 3, 5_000)
  assert.equal((await cluster.settle(produce(client, 't', batchOf(['d'])))).errorCode, 0)
})

test('with min.insync.replicas above a majority, acks=all waits for all of them', async () => {
  const cluster = await SimCluster.start()
  await cluster.create('t', { assignments: ALL, configs: { 'min.insync.replicas': '3' } })
  await cluster.pass(300)
  const client = await cluster.connect(1)
  const other = await cluster.connect(1)
  cluster.host(3).stallDisk(700)
  const sinceMs = cluster.simulation.nowMs
  const all = produce(client, 't', batchOf(['a']))
  const one = await cluster.settle(produce(other, 't', batchOf(['b']), { acks: 1 }))
  assert.equal(one.errorCode, 0)
  assert.ok(cluster.simulation.nowMs - sinceMs < 300)
  assert.equal((await cluster.settle(all)).errorCode, 0)
  assert.ok(cluster.simulation.nowMs - sinceMs >= 700)
})

test('a partition whose only replica is down is unavailable, not gone, and whole when its node returns', async () => {
  const cluster = await SimCluster.start()
  await cluster.create('single', { assignments: [[3]] })
  const before = await cluster.connect(3)
  assert.equal((await cluster.settle(produce(before, 'single', batchOf(['a'])))).errorCode, 0)
  cluster.kill(3)
  await cluster.until('it is noticed', () => cluster.partition(1, 'single').leader === null, 2_000)
  const client = await cluster.connect(1)
  const { errorCode, partitions } = await metadataOf(cluster, client, 'single')
  assert.equal(errorCode, 0)
  assert.deepEqual(
    partitions.map((one) => [one.errorCode, one.leaderId, one.replicaNodes, one.offlineReplicas]),
    [[ErrorCode.LEADER_NOT_AVAILABLE, -1, [3], [3]]],
  )
  const refused = await cluster.settle(produce(client, 'single', batchOf(['b'])))
  assert.equal(refused.errorCode, ErrorCode.NOT_LEADER_OR_FOLLOWER)
  await cluster.boot(3)
  await cluster.until('it is led', () => cluster.leaderOf('single') === 3)
  const after = await cluster.connect(3)
  assert.equal((await cluster.settle(produce(after, 'single', batchOf(['c'])))).errorCode, 0)
  assert.deepEqual(await cluster.settle(fetchValues(after, 'single', 0)), ['0:a', '1:c'])
})

test('a topic that was just created has a leader in a moment', async () => {
  const cluster = await SimCluster.start()
  const client = await cluster.connect(2)
  const sinceMs = cluster.simulation.nowMs
  for (;;) {
    const { errorCode, partitions } = await metadataOf(cluster, client, 'new')
    if (errorCode === 0 && partitions.every((one) => one.errorCode === 0)) break
    const codes = [errorCode, ...partitions.map((one) => one.errorCode)]
    const expected: number[] = [0, ErrorCode.LEADER_NOT_AVAILABLE]
    assert.ok(
      codes.every((code) => expected.includes(code)),
      codes.join(),
    )
    await cluster.pass(10)
  }
  const tookMs = cluster.simulation.nowMs - sinceMs
  assert.ok(tookMs < 500, `${tookMs} ms`)
})
