// A list of peers that can't work is refused before anything is opened, with what to do.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type ClusterOptions,
  clusterProblem,
  clusterWarnings,
  type Peer,
  peersText,
} from './cluster-options.ts'
import { checkOptions, OptionsError } from './options.ts'

const here = { host: '127.0.0.1', port: 9192 }
const peer = (nodeId: number, host = '127.0.0.1', port = 9191 + nodeId): Peer => ({
  nodeId,
  host,
  port,
})
const three = [peer(1), peer(2), peer(3)]
const secret = 's'.repeat(16)

const problem = (some: Partial<ClusterOptions>, nodeId = 1) =>
  clusterProblem(nodeId, { raft: here, peers: three, ...some })

test('lists that work', () => {
  assert.equal(problem({}), undefined)
  assert.equal(problem({ peers: [peer(1)] }), undefined)
  assert.equal(problem({ peers: [1, 2, 3, 4, 5, 6, 7].map((id) => peer(id)) }), undefined)
  assert.equal(problem({ raft: { host: 'LocalHost', port: 9192 } }), undefined)
  const remote = [peer(1, 'a'), peer(2, 'b'), peer(3, 'fe80::1')]
  assert.equal(problem({ peers: remote, raft: { host: '0.0.0.0', port: 9192 }, secret }), undefined)
  assert.equal(problem({ peers: remote, raft: { host: 'a', port: 9192 }, secret }), undefined)
})

test('lists that do not', () => {
  const refused = (some: Partial<ClusterOptions>, message: RegExp, nodeId = 1): void =>
    assert.match(problem(some, nodeId) ?? 'accepted', message)
  refused({ peers: [] }, /1 to 7 nodes, and this list has 0/)
  refused({ peers: [1, 2, 3, 4, 5, 6, 7, 8].map((id) => peer(id)) }, /this list has 8/)
  refused({ peers: [...three, peer(3, '127.0.0.1', 1)] }, /node 3 is listed twice/)
  refused({ peers: [peer(1), peer(2, '127.0.0.1', 9192)] }, /nodes 1 and 2 have the same address/)
  refused({ peers: [peer(1, 'a', 1), peer(2, 'A', 1)] }, /the same address a:1/)
  refused({ peers: [peer(1), peer(2 ** 31, '127.0.0.1', 1)] }, /2147483648 is no node id/)
  refused({ peers: [peer(1, '0.0.0.0'), peer(2)] }, /nobody can connect to 0\.0\.0\.0:9192/)
  refused({ peers: [peer(1, '::'), peer(2)] }, /nobody can connect to \[::\]:9192/)
  refused({ peers: [peer(1), peer(2, '127.0.0.1', 0)] }, /node 2 has port 0/)
  refused({ peers: [peer(1), peer(2, 'b')] }, /node 2 at b:9193 can't reach node 1/)
  refused({}, /id 4, which is not in the list 1@127\.0\.0\.1:9192,2@.*; add it as 4@/, 4)
  refused({}, /node 2 is at 127\.0\.0\.1:9193, but its Raft port is 9192/, 2)
  const remote = [peer(1, 'a'), peer(2, 'b')]
  refused({ peers: remote, secret }, /listens on 127\.0\.0\.1:9192, for this machine alone/)
  const open = { host: '0.0.0.0', port: 9192 }
  refused({ peers: remote, raft: open }, /0\.0\.0\.0:9192 can be reached .*--cluster-secret-file/)
  refused({ raft: open }, /0\.0\.0\.0:9192 can be reached .*--cluster-secret-file/)
  refused({ secret: 'short' }, /has 5 characters and needs at least 16/)
})

test('an even number works, with a warning', () => {
  assert.deepEqual(clusterWarnings({ raft: here, peers: three }), [])
  const [warning] = clusterWarnings({ raft: here, peers: three.slice(0, 2) })
  assert.match(warning ?? '', /2 nodes survive the loss of 0, as 1 do; .* loss of 1/)
})

test('a program that embeds a node hears the same', () => {
  const cluster = { raft: here, peers: three }
  assert.throws(
    () => checkOptions({ nodeId: 4, cluster }),
    (error) => error instanceof OptionsError && /which is not in the list/.test(error.message),
  )
  assert.throws(() => checkOptions({ config: { 'broker.rack': 'a' } }), /give it as rack/)
})

test('one address is for one purpose', () => {
  const cluster = { raft: here, peers: [peer(1)] }
  const kafka = { name: 'A', host: '127.0.0.1', port: 9192 }
  const refused = (options: Parameters<typeof checkOptions>[0], message: RegExp) =>
    assert.throws(() => checkOptions(options), message)
  refused({ cluster, listeners: [kafka] }, /listener A and Raft can't both have 127\.0\.0\.1:9192/)
  refused({ cluster, http: { host: '127.0.0.1', port: 9192 } }, /HTTP and Raft can't both/)
  const free = { ...kafka, port: 0 }
  checkOptions({ cluster, listeners: [free], http: { host: '127.0.0.1', port: 0 } })
})

test('the list as it is written', () => {
  assert.equal(peersText([peer(1), peer(2, '::1', 5)]), '1@127.0.0.1:9192,2@[::1]:5')
})
