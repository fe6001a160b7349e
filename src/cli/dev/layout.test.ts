// Where the nodes of a development cluster are, and what they are started with; what can't be is refused.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '../failure.ts'
import { gather } from '../options-gather.ts'
import { startOptions } from '../options-start.ts'
import { type LayoutOptions, layoutOf, nodeEnvironment, startArguments } from './layout.ts'

const layout = (some: Partial<LayoutOptions> = {}) =>
  layoutOf({
    nodes: 3,
    directory: '/d',
    kafkaPort: 9092,
    raftPort: 9192,
    httpPort: 6092,
    ...some,
  })

test('every node is told the same of all, and its own of itself', () => {
  const nodes = layout()
  const flags: Record<string, string[]> = {}
  const [command, stop, ...rest] = startArguments(nodes[1]!, nodes, ['a=1', 'b=2'])
  assert.deepEqual([command, stop], ['start', '--stop-with-stdin'])
  for (let i = 0; i < rest.length; i += 2) (flags[rest[i]!] ??= []).push(rest[i + 1]!)
  const { '--set': sets, ...settings } = flags
  assert.deepEqual(sets, ['a=1', 'b=2'])
  // As the start command reads them.
  const options = startOptions(
    gather({ flags: settings, sets: [], environment: {}, file: undefined }),
  )
  assert.equal(options.nodeId, 2)
  assert.equal(options.dataDir, '/d/node-2')
  assert.deepEqual(options.listeners, [{ name: 'PLAINTEXT', host: '127.0.0.1', port: 9093 }])
  assert.deepEqual(options.http, { host: '127.0.0.1', port: 6093 })
  assert.deepEqual(options.cluster, {
    raft: { host: '127.0.0.1', port: 9193 },
    peers: [1, 2, 3].map((nodeId) => ({ nodeId, host: '127.0.0.1', port: 9191 + nodeId })),
    secretFile: undefined,
  })
})

test('numbers and ports that can’t be are refused', () => {
  const refused = (some: Partial<LayoutOptions>, message: RegExp) =>
    assert.throws(
      () => layout(some),
      (error) => error instanceof Failure && error.exitCode === 2 && message.test(error.message),
    )
  for (const nodes of [0, 2, 4, 6, 8]) refused({ nodes }, /--nodes: .*give 1, 3, 5 or 7/)
  refused({ kafkaPort: 65_534 }, /--kafka-port: there are no ports 65534 to 65536/)
  refused({ httpPort: 0 }, /--http-port: there are no ports 0 to 2/)
  refused({ raftPort: 9094 }, /--kafka-port and --raft-port: the ports of 3 nodes overlap/)
  refused({ httpPort: 9190 }, /--raft-port and --http-port: .*overlap/)
  assert.equal(layout({ nodes: 7, raftPort: 9099 }).at(-1)?.raft.port, 9105)
  assert.equal(layout({ kafkaPort: 65_533 }).at(-1)?.kafka.port, 65_535)
})

test('the environment of the nodes has nothing that contradicts their arguments', () => {
  const kept = { PATH: '/bin', CHRONIK_NUM_PARTITIONS: '3', CHRONIK_LOG_LEVEL: 'debug' }
  const left = {
    CHRONIK_NODE_ID: '9',
    CHRONIK_DATA_DIR: '/x',
    CHRONIK_KAFKA: 'a:1',
    CHRONIK_ADVERTISED_KAFKA: 'a:1',
    CHRONIK_HTTP: 'off',
    CHRONIK_RAFT: 'a:1',
    CHRONIK_PEERS: '1@a:1',
    CHRONIK_PORT_BASE: '1',
    CHRONIK_RACK: 'r',
    CHRONIK_CLUSTER_SECRET_FILE: 's',
  }
  assert.deepEqual(nodeEnvironment({ ...kept, ...left }), kept)
})
