// What operators see of a real node over HTTP, and that what one node can't do is refused with the reason.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createTopic } from '../client/admin-topics.ts'
import { Cluster } from '../client/cluster.ts'
import { nodeEnv } from '../env/node/node-env.ts'
import { Chronik } from './chronik.ts'

let node: Chronik

before(async () => {
  node = await Chronik.start({ http: { host: '127.0.0.1', port: 0 }, rack: 'a' })
  const [listener] = node.listeners
  assert.ok(listener)
  const cluster = new Cluster(nodeEnv(), {
    bootstrap: [{ host: listener.advertisedHost, port: listener.advertisedPort }],
  })
  await createTopic(cluster, { name: 'orders', partitions: 2 })
  cluster.close()
})
after(() => node.stop())

const url = (path: string) => `http://127.0.0.1:${node.http?.port}/api/v1/cluster${path}`

async function post(path: string, body: unknown): Promise<[status: number, text: string]> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(url(path), { method: 'POST', headers, body: JSON.stringify(body) })
  return [answer.status, await answer.text()]
}

test('the node, its topics and partitions', async () => {
  const status = (await (await fetch(url('?partitions=true'))).json()) as Record<
    string,
    unknown
  > & { readonly nodes: readonly { readonly bootId: string }[] }
  const bootId = status.nodes[0]?.bootId
  assert.match(bootId ?? '', /./)
  assert.equal(status['clusterId'], node.clusterId)
  assert.deepEqual(status['nodes'], [
    {
      nodeId: 1,
      rack: 'a',
      kafka: { PLAINTEXT: node.bootstrap },
      up: true,
      bootId,
      draining: false,
      raft: null,
      http: `127.0.0.1:${node.http?.port}`,
      leaders: 2,
      replicas: 2,
    },
  ])
  const row = { leader: 1, replicas: [1], isr: [1], minInSync: 1, highWatermark: 0, logEnd: 0 }
  assert.deepEqual(status['page'], {
    partitions: [0, 1].map((partition) => ({ topic: 'orders', partition, leaderEpoch: 1, ...row })),
    next: null,
  })
})

test('what can’t be done is refused with the reason', async () => {
  const transfer = (topic: string, partition: number, to?: number) =>
    post('/transfer-leader', { topic, partition, ...(to === undefined ? {} : { to }) })
  const refused = async (answer: Promise<[number, string]>, status: number, message: RegExp) => {
    const [code, text] = await answer
    assert.equal(code, status)
    assert.match(text, message)
  }
  await refused(transfer('none', 0), 404, /there is no topic none/)
  await refused(transfer('orders', 2), 404, /orders has the partitions 0 to 1/)
  await refused(transfer('orders', 0, 9), 404, /there is no node 9; the cluster has 1/)
  await refused(transfer('orders', 0, 1), 409, /orders-0 has one replica/)
  await refused(post('/drain', { node: 1 }), 409, /node 1 is the only one/)
  await refused(post('/drain', { node: 9 }), 404, /there is no node 9/)
  assert.deepEqual(await post('/drain', { node: 1, undo: true }), [200, '{"leaderships":2}\n'])
})
