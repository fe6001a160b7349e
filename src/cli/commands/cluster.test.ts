// The commands that look at a cluster and move its leaderships: what they print and say, how they exit, and which node
// they ask.

import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { httpApi } from '../../admin/http-api.ts'
import { FakeCluster } from '../../admin/testing/fake-cluster.ts'
import { hostPort } from '../../base/hosts.ts'
import { NetError } from '../../env/network.ts'
import { createLogger } from '../../env/node/logger.ts'
import { NodeClock, NodeRandom, NodeTimers } from '../../env/node/node-clock.ts'
import { NodeNetwork } from '../../env/node/node-network.ts'
import type { AdminWorld, CallHttp } from '../admin-client.ts'
import { runProgram } from '../program.ts'
import { command } from './cluster.ts'

/** By address; whoever is not in it refuses connections. */
const nodes = new Map<string, FakeCluster | NetError | 'starting' | 'a web server'>()
const asked: string[] = []
let one: FakeCluster
let two: FakeCluster

beforeEach(() => {
  nodes.clear()
  asked.length = 0
  one = new FakeCluster()
  two = new FakeCluster()
  nodes.set('127.0.0.1:6092', one)
  nodes.set('127.0.0.1:6093', two)
})

const callHttp: CallHttp = async (address, { method, path, body }) => {
  const at = hostPort(address)
  const node = nodes.get(at)
  asked.push(at)
  if (node === undefined) throw new NetError('ECONNREFUSED', 'connection refused')
  if (node instanceof NetError) throw node
  if (node === 'a web server') return { status: 200, body: '<html></html>' }
  const answer = httpApi({
    readiness: () => ({ ready: false, reason: 'waiting' }),
    cluster: () => (node === 'starting' ? undefined : node),
    guard: { access: 'loopback', names: new Set() },
    log: createLogger({ write: assert.fail }),
  })
  const [name = '', query = ''] = path.split('?')
  return answer({
    method,
    path: name,
    query,
    body: body === undefined ? '' : JSON.stringify(body),
    headers: { host: at, 'content-type': 'application/json' },
    remoteHost: '127.0.0.1',
  })
}

interface Run {
  readonly code: number
  readonly out: string
  readonly said: string
}

async function run(line: string, environment: Record<string, string> = {}): Promise<Run> {
  const written: string[] = []
  const said: string[] = []
  const world: AdminWorld = {
    environment,
    env: {
      clock: new NodeClock(),
      timers: new NodeTimers(),
      random: new NodeRandom(),
      network: new NodeNetwork(),
    },
    output: {
      isClosed: false,
      write: (text) => {
        written.push(typeof text === 'string' ? text : assert.fail('bytes'))
        return Promise.resolve()
      },
    },
    say: (text) => said.push(text),
    callHttp,
  }
  const write = process.stderr.write.bind(process.stderr)
  process.stderr.write = ((text: string) => said.push(text) > 0) as typeof process.stderr.write
  try {
    const load = () => Promise.resolve({ command: () => command(() => world) })
    const code = await runProgram(
      ['cluster', ...line.split(' ')],
      [{ name: 'cluster', summary: '', load }],
    )
    return { code, out: written.join(''), said: said.join('\n') }
  } finally {
    process.stderr.write = write
  }
}

describe('status', () => {
  test('as text', async () => {
    one.addTopic('a', {}, { leader: 2, isr: [2] }, { leader: null, isr: [], logEnd: null })
    one.nodes[1] = { ...one.nodes[1]!, up: false, rack: 'r2' }
    one.nodes[2] = { ...one.nodes[2]!, draining: true }
    const { code, out } = await run('status')
    assert.equal(code, 0)
    assert.equal(
      out,
      `\
cluster     fake
controller  node 2, epoch 7
partitions  3 in 1 topic: 2 under-replicated, 2 under min.insync.replicas, 1 offline
seen by     node 1

node  state    leads  replicas  rack  kafka           raft            http
   1  up           1         3  -     127.0.0.1:9092  127.0.0.1:9192  127.0.0.1:6092
   2  down         1         3  r2    127.0.0.1:9093  127.0.0.1:9193  127.0.0.1:6093
   3  drained      0         3  -     127.0.0.1:9094  127.0.0.1:9194  127.0.0.1:6094
`,
    )
  })

  test('with partitions, of all topics or of one', async () => {
    one.addTopic('b', {}).addTopic('a', { leader: null, highWatermark: null, isr: [2] })
    const all = (await run('status --partitions')).out
    assert.match(all, /a +0 +none +1 +1,2,3 +2 +- +12\nb +0 +1 +1 +1,2,3 +1,2,3 +10 +12\n$/)
    assert.doesNotMatch((await run('status --topic b')).out, /^a /m)
    const none = await run('status --topic c')
    assert.deepEqual([none.code, none.said], [1, 'chronik: there is no topic c\n'])
  })

  test('as JSON, every page of it', async () => {
    one.addTopic('a', ...Array.from({ length: 1201 }, () => ({})))
    const { out } = await run('status --partitions --json')
    const { page, partitions } = JSON.parse(out) as {
      page: { partitions: { partition: number }[]; next: null }
      partitions: { total: number }
    }
    assert.equal(partitions.total, 1201)
    assert.deepEqual(
      page.partitions.map(({ partition }) => partition),
      Array.from({ length: 1201 }, (_, i) => i),
    )
    assert.equal('page' in (JSON.parse((await run('status --json')).out) as object), false)
  })
})

describe('which node is asked', () => {
  test('the next where one is down, starting, or does not answer', async () => {
    for (const state of [new NetError('ETIMEDOUT', 'no answer'), 'starting' as const]) {
      nodes.set('127.0.0.1:6092', state)
      assert.equal((await run('status')).code, 0)
    }
    nodes.delete('127.0.0.1:6092')
    assert.equal((await run('status')).code, 0)
    assert.deepEqual(asked.slice(-2), ['127.0.0.1:6092', '127.0.0.1:6093'])
  })

  test('the one that an answer names', async () => {
    one.addTopic('a', {})
    two.addTopic('a', {})
    one.failure = { code: 'NOT_LEADER', message: 'node 2 leads', nodeId: 2 }
    const { code, said } = await run('transfer-leader a 0 --to 3 --http 127.0.0.1:6092')
    assert.deepEqual([code, said], [0, 'node 3 leads a-0 in epoch 2'])
    assert.deepEqual([one.asked, two.asked], [['transfer a-0 to 3'], ['transfer a-0 to 3']])
  })

  test('two that send to each other are asked once each', async () => {
    one.failure = { code: 'NOT_LEADER', message: 'node 2 leads', nodeId: 2 }
    two.failure = { code: 'NOT_LEADER', message: 'node 1 leads', nodeId: 1 }
    const { code, said } = await run('drain 1 --http 127.0.0.1:6092')
    assert.equal(code, 1)
    assert.match(said, /6092: node 2 leads; 127\.0\.0\.1:6093: node 1 leads/)
    assert.deepEqual([one.asked, two.asked], [['drain 1'], ['drain 1']])
  })

  test('those of the flag before those of the environment', async () => {
    nodes.set('[::1]:1', one)
    await run('status --http [::1]:1', { CHRONIK_CLUSTER_HTTP: 'b:2' })
    assert.deepEqual(asked, ['[::1]:1'])
    const wrong = await run('status', { CHRONIK_CLUSTER_HTTP: 'b' })
    assert.equal(wrong.code, 2)
    assert.match(wrong.said, /CHRONIK_CLUSTER_HTTP: b has no port/)
  })

  test('where nothing answers, it says what to do', async () => {
    nodes.clear()
    const { code, said } = await run('status')
    assert.equal(code, 1)
    assert.match(said, /nothing answers HTTP at 127\.0\.0\.1:6092, .*6094; .*--http host:port/)
    nodes.set('127.0.0.1:6092', 'a web server')
    assert.match((await run('status')).said, /6092 did not answer as a Chronik node does/)
    nodes.set('127.0.0.1:6092', new NetError('ETIMEDOUT', 'no answer in 10000 ms'))
    assert.match((await run('status')).said, /6092: no answer in 10000 ms; 127\.0\.0\.1:6093: conn/)
  })
})

describe('changes', () => {
  test('a leadership is handed over', async () => {
    one.addTopic('a', {})
    assert.equal((await run('transfer-leader a 0')).said, 'node 2 leads a-0 in epoch 2')
    const json = await run('transfer-leader a 0 --to 3 --json')
    assert.deepEqual([json.out, json.said], ['{"leader":3,"leaderEpoch":3}\n', ''])
  })

  test('a refusal is said once, and nobody else is asked', async () => {
    one.failure = { code: 'TARGET_UNFIT', message: 'node 3 is down' }
    const { code, said } = await run('transfer-leader a 0 --to 3')
    assert.deepEqual([code, said, two.asked], [1, 'chronik: node 3 is down\n', []])
  })

  test('a node is drained until it leads nothing, and leads again', async () => {
    one.addTopic('a', {}, {})
    assert.equal((await run('drain 1')).said, 'node 1 leads nothing any more')
    assert.match((await run('drain 1 --undo')).said, /node 1 may lead again/)
    one.addTopic('b', { isr: [1] })
    const slow = await run('drain 1 --wait-seconds 0.01')
    assert.equal(slow.code, 1)
    assert.match(slow.said, /node 1 still leads 1 partition; draining goes on/)
    assert.match((await run('drain 1 --no-wait')).said, /being drained; it leads 1 partition/)
    const json = await run('drain 1 --no-wait --json')
    assert.deepEqual(JSON.parse(json.out), { node: 1, draining: true, leaderships: 1 })
  })

  test('wrong arguments end with 2', async () => {
    for (const line of [
      'drain one',
      'drain',
      'transfer-leader a',
      'transfer-leader a x',
      'statsu',
    ]) {
      assert.equal((await run(line)).code, 2, line)
    }
    assert.deepEqual(asked, [])
  })
})
