// Which settings a transport refuses.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asNodeId } from '../../base/brand.ts'
import { Simulation } from '../../env/sim/simulation.ts'
import { checkConfig, isLoopback, TransportConfigError } from './transport-config.ts'
import type { TransportOptions } from './transport.ts'

const env = new Simulation(1).host('a').boot()

function options(changes: Partial<TransportOptions>): TransportOptions {
  return {
    env,
    self: { nodeId: asNodeId(1), directoryId: 'd', bootId: 'b' },
    listen: { host: '127.0.0.1', port: 0 },
    peers: [{ nodeId: asNodeId(2), host: '::1', port: 1 }],
    frameBytesMax: 100,
    handlers: { onFrame() {}, onPeerUp() {}, onPeerDown() {}, onDrain() {} },
    ...changes,
  }
}

function complaint(changes: Partial<TransportOptions>): string {
  try {
    checkConfig(options(changes))
    return ''
  } catch (error) {
    assert.ok(error instanceof TransportConfigError)
    return error.message
  }
}

test('loopback addresses are known by all their names', () => {
  for (const host of [
    '127.0.0.1',
    '127.9.8.7',
    'localhost',
    '::1',
    '::ffff:127.0.0.1',
    'LOCALHOST',
  ])
    assert.equal(isLoopback(host), true, host)
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.example.org', 'localhost.example.org', ''])
    assert.equal(isLoopback(host), false, host)
})

test('without a secret every address must be a loopback address', () => {
  const secret = new Uint8Array(16)
  const far = [{ nodeId: asNodeId(2), host: 'fe80::1', port: 7 }]
  assert.equal(complaint({}), '')
  assert.match(complaint({ listen: { host: '0.0.0.0', port: 9 } }), /secret is required: 0.0.0.0:9/)
  assert.match(complaint({ peers: far }), /secret is required: \[fe80::1\]:7/)
  assert.equal(complaint({ peers: far, secret }), '')
  assert.match(complaint({ secret: new Uint8Array(0) }), /empty/)
})

test('nodes are listed once, and not as their own peers', () => {
  const peer = (
    nodeId: number,
  ): { nodeId: ReturnType<typeof asNodeId>; host: string; port: number } => ({
    nodeId: asNodeId(nodeId),
    host: 'localhost',
    port: 1,
  })
  assert.match(complaint({ peers: [peer(2), peer(1)] }), /peer of itself/)
  assert.match(complaint({ peers: [peer(2), peer(2)] }), /listed twice/)
  const self = { nodeId: asNodeId(1), directoryId: 'd'.repeat(65), bootId: 'b' }
  assert.match(complaint({ self }), /1 to 64 bytes/)
})
