// Topics that are created before all nodes of the cluster have registered: they get all the replicas that they are to have.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { APIS } from '../protocol/apis.ts'
import { SimCluster } from './testing/sim-cluster.ts'

/** The third node falls when the cluster has been formed and before it has registered. */
async function withoutThird(): Promise<SimCluster> {
  let formed = false
  const cluster = SimCluster.off({
    log: (line) => (formed ||= line.includes('node-3') && line.includes('the cluster is formed')),
  })
  void cluster.begin(1)
  void cluster.begin(2)
  void cluster.begin(3)
  await cluster.until('the cluster is formed', () => formed)
  cluster.host(3).kill()
  await cluster.until('two nodes serve', () => cluster.up.length === 2)
  return cluster
}

test('a node that fell before it registered counts for the replicas of new topics', async () => {
  const cluster = await withoutThird()
  const client = await cluster.connect(1)
  const coordinators = { keyType: 0, coordinatorKeys: ['g'] }
  await cluster.settle(client.send(APIS.FindCoordinator, 4, coordinators))
  await cluster.create('t')
  const replicasOf = (topic: string) => cluster.partition(1, topic).replicas.toSorted()
  assert.deepEqual(replicasOf('t'), [1, 2, 3])
  assert.deepEqual(replicasOf('__consumer_offsets'), [1, 2, 3])
  await cluster.boot(3)
  await cluster.until('the third node is in sync', () => cluster.partition(1, 't').isr.length === 3)
  cluster.kill(1)
  await cluster.until('another leads', () => (cluster.leaderOf('t') ?? 1) !== 1)
})
