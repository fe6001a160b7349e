// The options table: names that can't be confused, precedence, and refusals that say what is wrong, where, and what was
// probably meant.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parse } from 'smol-toml'
import { Failure } from './failure.ts'
import { gather, type Sources } from './options-gather.ts'
import { startOptions } from './options-start.ts'
import { settings } from './options.ts'

const given = (some: Partial<Sources>) =>
  gather({ flags: {}, sets: [], environment: {}, file: undefined, ...some })
const start = (some: Partial<Sources>) => startOptions(given(some))
const toml = (text: string): Partial<Sources> => ({
  file: { name: 'chronik.toml', content: parse(text) },
})
const listeners = (kafka: string[], advertised: string[] = []) =>
  start({ flags: { '--kafka': kafka, '--advertised-kafka': advertised } }).listeners

/** Wrong options end with exit code 2 and a message. */
function refused(action: () => unknown, message: RegExp): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof Failure, String(error))
    assert.equal(error.exitCode, 2)
    assert.match(error.message, message)
    return true
  })
}

test('every setting has its own environment variable, and every flag its own name', () => {
  const environments = settings.map(({ environment }) => environment)
  assert.equal(new Set(environments).size, environments.length)
  const flags = settings.flatMap(({ flag }) => (flag === undefined ? [] : [flag.name]))
  assert.equal(new Set(flags).size, 12)
})

test('with nothing set, a node binds loopback on the known ports', () => {
  const options = start({})
  assert.deepEqual(options.listeners, [{ name: 'PLAINTEXT', host: '127.0.0.1', port: 9092 }])
  assert.deepEqual(options.http, { host: '127.0.0.1', port: 6092 })
  assert.deepEqual([options.nodeId, options.dataDir], [1, 'chronik-data'])
  assert.deepEqual(options.config, {})
  assert.deepEqual([options.cluster, options.rack], [undefined, undefined])
  assert.deepEqual(options.log, { level: 'info', json: false })
})

describe('precedence', () => {
  const file = toml('num.partitions = 2\n[log.retention]\nms = 5\n').file
  const environment = { CHRONIK_NUM_PARTITIONS: '3', CHRONIK_NODE_ID: '7', OTHER: 'x' }

  test('the file before the defaults, nested tables as dotted names', () => {
    assert.deepEqual(start({ file }).config, { 'num.partitions': '2', 'log.retention.ms': '5' })
  })
  test('the environment before the file', () => {
    const options = start({ file, environment })
    assert.equal(options.config['num.partitions'], '3')
    assert.equal(options.nodeId, 7)
  })
  test('flags before the environment', () => {
    const sets = ['num.partitions=4']
    const options = start({ file, environment, sets, flags: { '--node-id': ['8'] } })
    assert.equal(options.config['num.partitions'], '4')
    assert.equal(options.nodeId, 8)
  })
})

describe('the file', () => {
  test('takes text, numbers, booleans and lists', () => {
    const options = start(
      toml(`
http = "off"
listeners = ["A://127.0.0.1:1", "B://127.0.0.1:2"]
auto.create.topics.enable = false
`),
    )
    assert.equal(options.http, undefined)
    assert.deepEqual(
      options.listeners.map(({ name }) => name),
      ['A', 'B'],
    )
    assert.equal(options.config['auto.create.topics.enable'], 'false')
  })
  test('refuses what it does not know, with the place and the nearest name', () => {
    refused(
      () => given(toml('num.partition = 1')),
      /chronik\.toml: num\.partition.*num\.partitions\?/,
    )
    refused(() => given(toml('retention.ms = 1')), /did you mean log\.retention\.ms\?/)
    refused(() => given(toml('zzz = 1')), /docs\/configuration\.md/)
    refused(() => given(toml('node.id = 1979-05-27')), /chronik\.toml: node\.id: give it as text/)
    refused(() => given({ file: { name: 'x', content: 3 } }), /not a table/)
  })
})

describe('the environment', () => {
  test('refuses what it does not know', () => {
    refused(() => given({ environment: { CHRONIK_NODE_IT: '1' } }), /CHRONIK_NODE_ID\?/)
    refused(() => given({ environment: { CHRONIK_LOG_DIRS: 'x' } }), /it is CHRONIK_DATA_DIR/)
  })
  test('leaves what Kubernetes adds for a service named chronik', () => {
    const environment = {
      CHRONIK_SERVICE_HOST: '10.0.0.1',
      CHRONIK_SERVICE_PORT_KAFKA: '9092',
      CHRONIK_PORT: 'tcp://10.0.0.1:9092',
      CHRONIK_PORT_9092_TCP_ADDR: '10.0.0.1',
      CHRONIK_0_SERVICE_PORT: '9092',
    }
    assert.equal(given({ environment }).size, 0)
  })
})

describe('values', () => {
  test('invalid ones are refused wherever they stand, even below another that wins', () => {
    refused(() => given({ flags: { '--node-id': ['x'] } }), /--node-id: .*Not an integer/)
    const environment = { CHRONIK_NODE_ID: '-1' }
    refused(
      () => given({ environment, flags: { '--node-id': ['1'] } }),
      /CHRONIK_NODE_ID: .*at least 0/,
    )
    refused(
      () => given({ sets: ['log.cleanup.policy=shrink'] }),
      /--set log\.cleanup\.policy: .*shrink/,
    )
  })
  test('one place sets a thing once', () => {
    refused(() => given({ flags: { '--node-id': ['1', '2'] } }), /given twice/)
    refused(() => given({ flags: { '--node-id': ['1'] }, sets: ['node.id=1'] }), /given twice/)
    refused(() => given({ sets: ['num.partitions=1', 'num.partitions=2'] }), /given twice/)
    refused(() => given({ sets: ['num.partitions'] }), /name=value/)
    refused(() => given({ sets: ['num.prtitions=1'] }), /did you mean num\.partitions\?/)
  })
})

describe('listeners', () => {
  test('several, by name, each with its own advertised address', () => {
    const bound = listeners(
      ['127.0.0.1:1', 'lan://0.0.0.0:2', 'V6://[::1]:3'],
      ['LAN://chronik.example:29092', 'V6://host'],
    )
    assert.deepEqual(bound, [
      { name: 'PLAINTEXT', host: '127.0.0.1', port: 1 },
      {
        name: 'LAN',
        host: '0.0.0.0',
        port: 2,
        advertisedHost: 'chronik.example',
        advertisedPort: 29_092,
      },
      { name: 'V6', host: '::1', port: 3, advertisedHost: 'host' },
    ])
  })
  test('the port base moves what is not set', () => {
    const options = start({ flags: { '--port-base': ['19000'] } })
    assert.deepEqual([options.listeners[0]?.port, options.http?.port], [19_000, 19_001])
    const both = start({ flags: { '--port-base': ['19000'], '--http': ['127.0.0.1:1'] } })
    assert.deepEqual([both.listeners[0]?.port, both.http?.port], [19_000, 1])
  })
  test('refusals say what to do', () => {
    refused(() => listeners(['0.0.0.0:1']), /--advertised-kafka PLAINTEXT:\/\/host:port/)
    refused(() => listeners(['127.0.0.1:1'], ['0.0.0.0:1']), /no client can connect/)
    refused(() => listeners(['127.0.0.1:1', '127.0.0.1:2']), /two listeners are named PLAINTEXT/)
    refused(() => listeners(['127.0.0.1:1'], ['LAN://a:1']), /no listener LAN, but PLAINTEXT/)
    refused(() => listeners(['SSL://127.0.0.1:1']), /there is no SSL yet/)
    refused(() => listeners([':9092']), /0\.0\.0\.0 means all/)
    refused(() => listeners(['127.0.0.1']), /no port/)
    refused(() => listeners(['127.0.0.1:65536']), /65536 is no port/)
    refused(() => listeners(['::1:9092']), /no address/)
    refused(() => listeners(['a/b:1']), /no address/)
    refused(() => listeners(['']), /no address/)
    refused(() => listeners(['1A://h:1']), /no listener name/)
  })
})

describe('a cluster', () => {
  const peers = '1@127.0.0.1:9192, 2@localhost:9193,3@[::1]:9194'
  const nodes = [
    { nodeId: 1, host: '127.0.0.1', port: 9192 },
    { nodeId: 2, host: 'localhost', port: 9193 },
    { nodeId: 3, host: '::1', port: 9194 },
  ]
  test('from flags; without --raft a node listens at its own address of the list', () => {
    const flags = { '--node-id': ['2'], '--peers': [peers], '--rack': ['a'] }
    const options = start({ flags })
    const raft = { host: 'localhost', port: 9193 }
    assert.deepEqual(options.cluster, { raft, peers: nodes, secretFile: undefined })
    assert.deepEqual([options.rack, options.config], ['a', {}])
    const wide = start({ flags: { ...flags, '--raft': ['0.0.0.0:9193'] } })
    assert.deepEqual(wide.cluster?.raft, { host: '0.0.0.0', port: 9193 })
  })
  test('from the environment and the file', () => {
    const environment = {
      CHRONIK_PEERS: peers,
      CHRONIK_CLUSTER_SECRET_FILE: 's',
      CHRONIK_RACK: 'r',
    }
    const options = start({ environment })
    assert.deepEqual(options.cluster?.peers, nodes)
    assert.deepEqual([options.cluster?.secretFile, options.rack], ['s', 'r'])
    const file = toml(`
raft = "127.0.0.1:9192"
peers = ["1@127.0.0.1:9192", "2@localhost:9193", "3@[::1]:9194"]
cluster.secret.file = "secret"
broker.rack = "r"
`)
    assert.deepEqual(start(file).cluster, {
      raft: { host: '127.0.0.1', port: 9192 },
      peers: nodes,
      secretFile: 'secret',
    })
    assert.equal(start(file).rack, 'r')
  })
  test('refusals say what to do', () => {
    const flags = (some: Record<string, string>) => () =>
      start({ flags: Object.fromEntries(Object.entries(some).map(([k, v]) => [k, [v]])) })
    refused(flags({ '--raft': 'a:1' }), /--raft: .*no peers are given; .*--peers 1@host:port/)
    refused(flags({ '--cluster-secret-file': 'x' }), /--cluster-secret-file: .*no peers/)
    refused(flags({ '--peers': peers, '--node-id': '4' }), /--peers: .*id 4.*not in the list/)
    refused(flags({ '--peers': '127.0.0.1:9192' }), /names no node; write each as id@host:port/)
    refused(flags({ '--peers': '1@a:1,' }), /"" names no node/)
    refused(flags({ '--peers': '1@a' }), /a has no port/)
    refused(flags({ '--peers': '1@a:1', '--raft': 'a' }), /--raft: a has no port/)
  })
})
