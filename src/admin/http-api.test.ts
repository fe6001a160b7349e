// The cluster over HTTP: what is answered, what is refused and why, and that pages of other sites get nowhere.

import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { HTTP_BODY_BYTES_MAX, type HttpRequest } from '../env/http.ts'
import type { NetListener } from '../env/network.ts'
import { createLogger } from '../env/node/logger.ts'
import { NodeHttp } from '../env/node/node-http.ts'
import type { ClusterAdmin } from './cluster-admin.ts'
import { httpApi } from './http-api.ts'
import { type Guard, refuse } from './request-guard.ts'
import { FakeCluster } from './testing/fake-cluster.ts'

let cluster: FakeCluster
let admin: ClusterAdmin | undefined
let listener: NetListener
const logged: string[] = []

before(async () => {
  const api = httpApi({
    readiness: () =>
      admin === undefined ? { ready: false, reason: 'waiting for node 2' } : { ready: true },
    cluster: () => admin,
    guard: { access: 'loopback', names: new Set() },
    log: createLogger({ write: (line) => logged.push(line) }),
  })
  listener = await new NodeHttp().listen({ host: '127.0.0.1', port: 0 }, api)
})
after(() => listener.close())

function fresh(): FakeCluster {
  cluster = new FakeCluster()
  admin = cluster
  return cluster
}

interface Answer {
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, unknown>>
  // The body is what is under test: its shape is asserted, not assumed.
  readonly body: unknown
}

function ask(
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const text =
    body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
  const type = text === undefined ? {} : { 'content-type': 'application/json' }
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        port: listener.address.port,
        host: '127.0.0.1',
        method,
        path,
        headers: { ...type, ...headers },
      },
      (response) => {
        let received = ''
        response.on('data', (chunk: Buffer) => (received += chunk.toString()))
        response.on('end', () => {
          const json = response.headers['content-type'] === 'application/json'
          resolve({
            status: response.statusCode,
            headers: response.headers,
            body: json && received !== '' ? JSON.parse(received) : received,
          })
        })
      },
    )
    sent.on('error', reject)
    sent.end(text)
  })
}

const get = (path: string) => ask('GET', `/api/v1/cluster${path}`)
const post = (path: string, body: unknown, headers?: Readonly<Record<string, string>>) =>
  ask('POST', `/api/v1/cluster${path}`, body, headers)

function refused({ status, body }: Answer, wanted: number, code: string, message: RegExp): void {
  const { error } = body as { error?: { code: string; message: string } }
  assert.deepEqual([status, error?.code], [wanted, code])
  assert.match(error?.message ?? '', message)
}

describe('status', () => {
  test('totals, and who leads how many', async () => {
    fresh()
      .addTopic('a', {}, { leader: 2, isr: [2, 3] }, { leader: null, isr: [], highWatermark: null })
      .addTopic('b', { leader: 2, replicas: [2], isr: [2], minInSync: 1 })
    const { status, body } = await get('')
    assert.equal(status, 200)
    const { clusterId, nodeId, controller, nodes, partitions, ...rest } = body as Record<
      string,
      unknown
    >
    assert.deepEqual([clusterId, nodeId], ['fake', 1])
    assert.deepEqual(controller, { leader: 2, epoch: 7 })
    assert.deepEqual(partitions, {
      topics: 2,
      total: 4,
      underReplicated: 2,
      underMinInSync: 1,
      offline: 1,
    })
    assert.deepEqual(rest, {})
    const counts = (nodes as { nodeId: number; leaders: number; replicas: number }[]).map(
      ({ nodeId: id, leaders, replicas }) => [id, leaders, replicas],
    )
    assert.deepEqual(counts, [
      [1, 1, 3],
      [2, 2, 4],
      [3, 0, 3],
    ])
    assert.deepEqual((nodes as unknown[])[0], { ...cluster.nodes[0], leaders: 1, replicas: 3 })
  })

  test('every partition once, in order, whatever the size of the pages', async () => {
    fresh().addTopic('zebra', {}, {}).addTopic('B', {}, {}, {}).addTopic('apple', {})
    const all = ['B/0', 'B/1', 'B/2', 'apple/0', 'zebra/0', 'zebra/1']
    for (const limit of [1, 2, 4, 5, 6, 7]) {
      const seen: string[] = []
      let next: string | null = ''
      while (next !== null) {
        const from: string = next === '' ? '' : `&after=${encodeURIComponent(next)}`
        const { body } = await get(`?partitions=true&limit=${limit}${from}`)
        const { page } = body as {
          page: { partitions: { topic: string; partition: number }[]; next: string | null }
        }
        assert.ok(page.partitions.length <= limit)
        seen.push(...page.partitions.map(({ topic, partition }) => `${topic}/${partition}`))
        next = page.next
      }
      assert.deepEqual(seen, all, `pages of ${limit}`)
    }
    const { body } = await get('?partitions=true&topic=zebra')
    const { page } = body as { page: { partitions: unknown[]; next: null } }
    assert.equal(page.next, null)
    assert.deepEqual(page.partitions[1], { topic: 'zebra', ...cluster.partitionsOf('zebra')[1] })
  })

  test('wrong parameters are refused', async () => {
    fresh()
    refused(await get('?partition=true'), 400, 'BAD_REQUEST', /no parameter partition, but/)
    refused(await get('?partitions=yes'), 400, 'BAD_REQUEST', /true or false/)
    refused(await get('?partitions=true&limit=0'), 400, 'BAD_REQUEST', /from 1 to 5000/)
    refused(await get('?partitions=true&limit=5001'), 400, 'BAD_REQUEST', /from 1 to 5000/)
    refused(await get('?partitions=true&after=a'), 400, 'BAD_REQUEST', /topic\/partition/)
  })

  test('before the node has joined: not ready, with the reason', async () => {
    admin = undefined
    refused(await get(''), 503, 'NOT_READY', /does not know its cluster yet: waiting for node 2/)
    assert.equal((await ask('GET', '/readyz')).status, 503)
    assert.equal((await ask('GET', '/livez')).status, 200)
  })
})

describe('changes', () => {
  test('a leadership is handed over', async () => {
    fresh().addTopic('a', {}, {})
    const { status, body } = await post('/transfer-leader', { topic: 'a', partition: 1, to: 3 })
    assert.deepEqual([status, body], [200, { leader: 3, leaderEpoch: 2 }])
    assert.equal((await post('/transfer-leader', { topic: 'a', partition: 0 })).status, 200)
    assert.deepEqual(cluster.asked, ['transfer a-1 to 3', 'transfer a-0 to 2'])
  })

  test('a node is drained, and takes part again', async () => {
    fresh().addTopic('a', {}, {})
    assert.deepEqual((await post('/drain', { node: 1 })).body, { leaderships: 2 })
    assert.equal(cluster.nodes[0]?.draining, true)
    assert.deepEqual((await post('/drain', { node: 1, undo: true })).body, { leaderships: 0 })
    assert.equal(cluster.nodes[0]?.draining, false)
    assert.deepEqual(cluster.asked, ['drain 1', 'undrain 1'])
  })

  test('every failure has its status, code and message', async () => {
    fresh()
    const statuses = {
      UNKNOWN_TOPIC_OR_PARTITION: 404,
      UNKNOWN_NODE: 404,
      NOT_A_REPLICA: 409,
      TARGET_UNFIT: 409,
      NOT_LEADER: 421,
      NO_LEADER: 503,
      TIMED_OUT: 504,
    } as const
    for (const [code, status] of Object.entries(statuses)) {
      cluster.failure = { code: code as keyof typeof statuses, message: 'because', nodeId: 3 }
      const answer = await post('/drain', { node: 1 })
      assert.deepEqual(answer.body, { error: { code, message: 'because', node: 3 } })
      assert.equal(answer.status, status)
    }
  })

  test('what is asked wrongly is refused, and nothing is done', async () => {
    fresh()
    const bad = async (path: string, body: unknown, message: RegExp) =>
      refused(await post(path, body), 400, 'BAD_REQUEST', message)
    await bad('/drain', '{', /not JSON/)
    await bad('/drain', '[]', /not a JSON object/)
    await bad('/drain', 'null', /not a JSON object/)
    await bad('/drain', {}, /node: give a whole number/)
    await bad('/drain', { node: '1' }, /node: give a whole number/)
    await bad('/drain', { node: 1.5 }, /node: give a whole number/)
    await bad('/drain', { node: -1 }, /node: give a whole number/)
    await bad('/drain', { node: 1, undo: 'no' }, /undo is true or false/)
    await bad('/drain', { node: 1, force: true }, /no field force, but node, undo/)
    await bad('/transfer-leader', { partition: 1 }, /topic: give its name/)
    await bad('/transfer-leader', { topic: 'a' }, /partition: give a whole number/)
    await bad('/transfer-leader', { topic: 'a', partition: 0, to: null }, /to: give a whole/)
    const large = await post('/drain', 'x'.repeat(HTTP_BODY_BYTES_MAX + 1))
    assert.equal(large.status, 413)
    const wrong = await get('/drain')
    refused(wrong, 405, 'METHOD_NOT_ALLOWED', /here there is POST/)
    assert.equal(wrong.headers['allow'], 'POST')
    assert.equal((await get('/nothing')).status, 404)
    assert.equal((await ask('GET', '/api/v1/clusters')).status, 404)
    assert.deepEqual(cluster.asked, [])
  })

  test('a defect is answered and logged, and does not end the node', async () => {
    fresh()
    refused(await post('/drain', { node: 9 }), 500, 'INTERNAL', /log says more/)
    assert.match(logged.join(''), /a defect.*\/drain.*a node that is not there/)
  })
})

describe('callers', () => {
  const guard: Guard = { access: 'loopback', names: new Set(['node1.example']) }
  const from = (some: Partial<HttpRequest>, to = guard) =>
    refuse(
      {
        method: 'GET',
        path: '/api/v1/cluster',
        query: '',
        body: '',
        remoteHost: '127.0.0.1',
        ...some,
        headers: { host: 'localhost:6092', ...some.headers },
      },
      to,
    )?.status

  test('on this machine, under a name that is ours', () => {
    for (const host of ['localhost', '127.0.0.1:6092', '[::1]:6092', 'NODE1.example:80']) {
      assert.equal(from({ headers: { host } }), undefined, host)
    }
    for (const host of ['evil.example', 'localhost.evil.example:6092', 'node1.example.evil']) {
      assert.equal(from({ headers: { host } }), 403, host)
    }
    for (const host of ['', 'a b', 'http://localhost', 'user@localhost', '[localhost]']) {
      assert.equal(from({ headers: { host } }), 400, host)
    }
    assert.equal(from({ headers: { host: undefined } }), 400)
  })

  test('on other machines, only where the operator says so', () => {
    for (const remoteHost of ['192.168.1.7', 'fe80::1', '', '128.0.0.1']) {
      assert.equal(from({ remoteHost }), 403, remoteHost)
      assert.equal(from({ remoteHost }, { ...guard, access: 'all' }), undefined)
    }
    assert.equal(from({ remoteHost: '::1' }), undefined)
  })

  test('pages of other sites get nowhere', () => {
    const origin = 'http://localhost:6092'
    assert.equal(from({ headers: { origin } }), undefined)
    assert.equal(from({ headers: { origin: 'http://localhost:8080' } }), 403)
    assert.equal(from({ headers: { origin: 'null' } }), 403)
    assert.equal(from({ headers: { 'sec-fetch-site': 'cross-site' } }), 403)
    assert.equal(from({ headers: { 'sec-fetch-site': 'same-site' } }), 403)
    assert.equal(from({ headers: { 'sec-fetch-site': 'none' } }), undefined)
    const method = 'POST'
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx']) {
      assert.equal(from({ method, headers: { 'content-type': type } }), 415, type)
    }
    assert.equal(from({ method }), 415)
    assert.equal(from({ method, headers: { 'content-type': 'application/json' } }), undefined)
    const charset = 'Application/JSON; charset=utf-8'
    assert.equal(from({ method, headers: { 'content-type': charset } }), undefined)
  })

  test('over the wire, a refusal says why, and health is for everybody', async () => {
    fresh()
    const elsewhere = { host: 'evil.example' }
    const refusal = await post('/drain', { node: 1 }, elsewhere)
    refused(refusal, 403, 'FORBIDDEN', /evil\.example is no name of this node/)
    refused(
      await post('/drain', '{"node":1}', { 'content-type': 'text/plain' }),
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      /application\/json/,
    )
    assert.deepEqual(cluster.asked, [])
    assert.equal((await ask('GET', '/readyz', undefined, elsewhere)).status, 200)
  })
})
