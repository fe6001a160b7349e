// Leaderships that move on purpose, in a simulated cluster: by hand, back to where they belong, away from a node that drains,
// stops, or whose disk stalls.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RawClient } from '../broker/testing/raw-client.ts'
import { batchOf, produce } from '../broker/testing/requests.ts'
import { errorName } from '../protocol/error-codes.ts'
import { SimCluster } from './testing/sim-cluster.ts'

const ALL = [[1, 2, 3]]

test('a leadership is handed over by hand, asked of any node, and comes back by itself', async () => {
  const cluster = await SimCluster.start()
  await cluster.create('t', { assignments: ALL })
  assert.equal(cluster.leaderOf('t'), 1)
  const epoch = cluster.partition(1, 't').leaderEpoch
  // Until the followers have acknowledged for the first time.
  await cluster.pass(300)
  const moved = await cluster.settle(
    cluster.node(3).admin.transferLeader({ topic: 't', partition: 0, to: 2 }),
  )
  assert.deepEqual(moved, { ok: true, value: { leader: 2, leaderEpoch: epoch + 1 } })
  await cluster.until('all know', () => cluster.leaderOf('t') === 2, 200)
  const back = await cluster.until('it comes back', () => cluster.leaderOf('t') === 1, 11_000)
  assert.ok(back < 11_000)
  assert.equal(cluster.partition(1, 't').leaderEpoch, epoch + 2)
})

test('while a leadership moves, produces are taken or refused, and none ends as unknown', async () => {
  const cluster = await SimCluster.start({ config: { 'auto.leader.rebalance.enable': 'false' } })
  await cluster.create('t', { assignments: ALL })
  await cluster.pass(300)
  const seen = new Map<string, number>()
  let moving = true
  const producing = async (client: RawClient): Promise<void> => {
    while (moving) {
      const { errorCode } = await produce(client, 't', batchOf(['x']))
      const what = errorName(errorCode)
      seen.set(what, (seen.get(what) ?? 0) + 1)
      if (errorCode !== 0) return
    }
  }
  for (const to of [2, 3, 1]) {
    const from = cluster.leaderOf('t')!
    const clients = [await cluster.connect(from), await cluster.connect(from)]
    moving = true
    const done = Promise.all(clients.map(producing))
    await cluster.pass(100)
    const moved = await cluster.settle(
      cluster.node(from).admin.transferLeader({ topic: 't', partition: 0, to }),
    )
    assert.ok(moved.ok, JSON.stringify(moved))
    await cluster.pass(100)
    moving = false
    await cluster.settle(done)
    await cluster.until('all know', () => cluster.leaderOf('t') === to)
  }
  assert.deepEqual([...seen.keys()].toSorted(), ['NONE', 'NOT_LEADER_OR_FOLLOWER'])
})

test('who is down takes nothing over', async () => {
  const cluster = await SimCluster.start()
  await cluster.create('t', { assignments: ALL })
  cluster.kill(2)
  await cluster.until('it is noticed', () => cluster.partition(1, 't').isr.length === 2, 2_000)
  const moved = await cluster.settle(
    cluster.node(1).admin.transferLeader({ topic: 't', partition: 0, to: 2 }),
  )
  assert.ok(!moved.ok && moved.error.code === 'TARGET_UNFIT', JSON.stringify(moved))
  assert.equal(cluster.leaderOf('t'), 1)
})

test('a node that is drained leads nothing, over a restart too, until it is told otherwise', async () => {
  const cluster = await SimCluster.start()
  await cluster.create('t', { partitions: 6 })
  const led = (id: number): number =>
    cluster
      .node(3)
      .admin.partitionsOf('t')
      .filter(({ leader }) => leader === id).length
  assert.equal(led(1), 2)
  const accepted = await cluster.settle(cluster.node(2).admin.drain(1))
  assert.ok(accepted.ok)
  await cluster.until('it is drained', () => led(1) === 0 && led(2) + led(3) === 6, 3_000)
  await cluster.stop(1)
  await cluster.boot(1)
  await cluster.pass(15_000)
  assert.equal(led(1), 0)
  assert.equal(
    cluster
      .node(1)
      .admin.view()
      .nodes.find(({ nodeId }) => nodeId === 1)?.draining,
    true,
  )
  await cluster.settle(cluster.node(2).admin.undrain(1))
  await cluster.until('leaderships return', () => led(1) === 2, 11_000)
})

test('a clean stop hands over first: no moment without a leader that lasts', async () => {
  const cluster = await SimCluster.start()
  await cluster.create('t', { partitions: 3 })
  const stopping = cluster.node(1).stop()
  const leaders = (): (number | null)[] =>
    cluster
      .node(2)
      .admin.partitionsOf('t')
      .map(({ leader }) => leader)
  const took = await cluster.until('others lead', () =>
    leaders().every((id) => id === 2 || id === 3),
  )
  assert.ok(took < 150, `${took} ms`)
  // Before the others could have noticed that it is gone.
  assert.ok(
    cluster
      .node(2)
      .admin.view()
      .nodes.every(({ up }) => up),
  )
  await cluster.settle(stopping)
})

test('a node whose disk stalls gives its leaderships to others, and takes them back', async () => {
  const cluster = await SimCluster.start()
  await cluster.create('t', { assignments: ALL })
  cluster.host(1).stallDisk(5_000)
  // Something must be written for a stall to show.
  await cluster.create('other', { assignments: [[1, 2, 3]] })
  const took = await cluster.until('it is noticed', () => cluster.leaderOf('t') === 2, 4_000)
  assert.ok(took < 3_000, `${took} ms`)
  await cluster.until('it is taken back', () => cluster.leaderOf('t') === 1, 20_000)
})

test('nodes know of each other where they are reached', async () => {
  const cluster = await SimCluster.start()
  const { nodes } = cluster.node(2).admin.view()
  const boots = new Set(nodes.map(({ bootId }) => bootId))
  assert.equal(boots.size, 3)
  for (const { nodeId, raft, up, bootId } of nodes) {
    assert.equal(raft, `node-${nodeId}:9192`)
    assert.ok(up)
    assert.equal(typeof bootId, 'string')
  }
})
