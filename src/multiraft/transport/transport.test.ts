// Whole transports over the simulated network: sessions, order, and every way in which they end.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asNodeId } from '../../base/brand.ts'
import { NetError } from '../../env/network.ts'
import { Simulation } from '../../env/sim/simulation.ts'
import { allUp, RAFT_PORT, SimNode, startCluster } from './testing/sim-node.ts'
import { Transport } from './transport.ts'

const later = (simulation: Simulation, ms: number): Promise<unknown> =>
  simulation.run({ untilMs: simulation.nowMs + ms })

/** Runs until it holds, and says how many milliseconds that took. */
async function until(
  simulation: Simulation,
  holds: () => boolean,
  withinMs = 30_000,
): Promise<number> {
  const sinceMs = simulation.nowMs
  await simulation.run({ until: holds, untilMs: sinceMs + withinMs })
  assert.ok(holds(), `did not come within ${withinMs} ms`)
  return simulation.nowMs - sinceMs
}

async function pair(seed: number): Promise<{ simulation: Simulation; one: SimNode; two: SimNode }> {
  const simulation = new Simulation(seed)
  const [one, two] = await startCluster(simulation, 2)
  assert.ok(one !== undefined && two !== undefined)
  return { simulation, one, two }
}

test('three nodes find each other; every frame arrives, in order, on its lane', async () => {
  const simulation = new Simulation(1)
  const nodes = await startCluster(simulation, 3)
  for (let i = 0; i < 200; i++) {
    for (const node of nodes) {
      for (const other of nodes) {
        if (node === other) continue
        assert.ok(node.send(other.nodeId, 'control', i, node.nodeId))
        const chunks = [Uint8Array.of(i), new Uint8Array(i * 50), Uint8Array.of(node.nodeId)]
        assert.ok(node.transport.send(other.nodeId, 'data', chunks))
      }
    }
    if (i % 10 === 0) await later(simulation, 0.3)
  }
  await later(simulation, 500)
  for (const node of nodes) {
    for (const other of nodes) {
      if (node === other) continue
      for (const lane of ['control', 'data'] as const) {
        const frames = node.received.filter(
          (f) => f.lane === lane && f.from.nodeId === other.nodeId,
        )
        assert.deepEqual(
          frames.map(({ bytes }) => bytes[0]),
          Array.from({ length: 200 }, (_, i) => i),
        )
        assert.ok(frames.every(({ bytes }) => bytes.at(-1) === other.nodeId))
        assert.ok(frames.every(({ from }) => from.bootId === other.boot))
      }
      assert.equal(node.transport.pendingBytes(other.nodeId, 'data'), 0)
    }
    assert.deepEqual(node.reasons, [])
    assert.ok(
      node.transport.peers().every((peer) => peer.connected && peer.lastError === undefined),
    )
  }
})

test('a killed peer is down at once, whether its kernel sends an end or a reset', async () => {
  const reasons = new Set<string>()
  for (let seed = 0; seed < 12; seed++) {
    const { simulation, one, two } = await pair(seed)
    two.host.kill()
    const tookMs = await until(simulation, () => !one.isUp(2))
    assert.ok(tookMs < 20, `${tookMs} ms`)
    assert.deepEqual(one.heard, ['up 2 b2.1', 'down 2 b2.1'])
    for (const reason of one.reasons) reasons.add(reason)
    assert.equal(one.send(2, 'control', 1), false)
  }
  assert.ok([...reasons].every((reason) => reason.startsWith('lost: ')))
  assert.ok([...reasons].some((reason) => reason.includes('reset')))
  assert.ok([...reasons].some((reason) => reason.includes('ended')))
})

test('a restarted peer is connected in less than 100 ms, under its new boot id', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const { simulation, one, two } = await pair(seed)
    two.host.kill()
    await later(simulation, [0, 1, 30, 700, 5_000][seed % 5] ?? 0)
    await two.start()
    const tookMs = await until(simulation, () => allUp([one, two]))
    assert.ok(tookMs < 100, `seed ${seed}: ${tookMs} ms`)
    assert.deepEqual(one.heard, ['up 2 b2.1', 'down 2 b2.1', 'up 2 b2.2'])
    await later(simulation, 50)
    assert.ok(one.send(2, 'data', 7) && two.send(1, 'data', 8))
    await later(simulation, 50)
    assert.deepEqual([one.heads('data'), two.heads('data')], [[8], [7]])
  }
})

test('a peer that lost its power and came back is told from the one before', async () => {
  for (let seed = 0; seed < 10; seed++) {
    const { simulation, one, two } = await pair(seed)
    two.host.powerCut()
    await later(simulation, seed < 5 ? 500 : 0)
    assert.ok(one.isUp(2), 'nothing was heard of it')
    await two.start()
    const tookMs = await until(simulation, () => allUp([one, two]) && one.heard.length === 3)
    assert.ok(tookMs < 200, `seed ${seed}: ${tookMs} ms`)
    assert.deepEqual(one.heard, ['up 2 b2.1', 'down 2 b2.1', 'up 2 b2.2'])
  }
})

test('a peer without power is silent, then down', async () => {
  const { simulation, one, two } = await pair(3)
  await later(simulation, 20_000)
  assert.ok(allUp([one, two]), 'signs of life keep an idle session')
  two.host.powerCut()
  const tookMs = await until(simulation, () => !one.isUp(2))
  assert.ok(tookMs > 3_000 && tookMs < 6_000, `${tookMs} ms`)
  assert.deepEqual(one.reasons, ['silent'])
})

test('a peer that was away for long is back as soon as it starts, though connects to it were hanging', async () => {
  for (let seed = 0; seed < 10; seed++) {
    const { simulation, one, two } = await pair(seed)
    two.host.powerCut()
    await later(simulation, 8_000 + seed * 77)
    assert.ok(!one.isUp(2))
    await two.start()
    const tookMs = await until(simulation, () => allUp([one, two]))
    assert.ok(tookMs < 60, `seed ${seed}: ${tookMs} ms`)
  }
})

test('sessions that lasted are dialled again after a short pause, those that did not after longer ones', async () => {
  const { simulation, one, two } = await pair(4)
  const tookMs: number[] = []
  for (const lastedMs of [1_500, 1_500, 1_500, 1_500, 1_500, 1_500, 1_500, 1, 1, 1, 1, 1, 1, 1]) {
    await later(simulation, lastedMs)
    simulation.network.reset('n1', 'n2')
    await until(simulation, () => !one.isUp(2) && !two.isUp(1))
    tookMs.push(await until(simulation, () => allUp([one, two])))
  }
  assert.ok(Math.max(...tookMs.slice(0, 7)) < 60, tookMs.join())
  assert.ok(Math.max(...tookMs.slice(7)) > 100, tookMs.join())
})

test('resets in the middle of frames: sessions end on both sides, frames are a prefix', async () => {
  for (let seed = 0; seed < 30; seed++) {
    const { simulation, one, two } = await pair(seed)
    for (let i = 0; i < 40; i++) {
      one.transport.send(two.nodeId, 'data', [Uint8Array.of(i), new Uint8Array(50_000)])
      one.send(2, 'control', i)
    }
    await later(simulation, 0.2 + seed / 10)
    simulation.network.reset('n1', 'n2', seed % 3 === 0 ? 1 : 0.3)
    await later(simulation, 1_000)
    assert.ok(allUp([one, two]), `seed ${seed}`)
    assert.equal(one.reasons.length, two.reasons.length, 'both agree on the sessions')
    for (const lane of ['control', 'data'] as const) {
      const heads = two.heads(lane)
      assert.deepEqual(
        heads,
        Array.from({ length: heads.length }, (_, i) => i),
      )
      if (one.reasons.length === 0) assert.equal(heads.length, 40)
    }
    assert.ok(one.transport.send(two.nodeId, 'data', [Uint8Array.of(99)]))
    await later(simulation, 100)
    assert.equal(two.heads('data').at(-1), 99)
  }
})

test('a partition, also of one direction, holds frames back for a while and then ends the session', async () => {
  for (const [from, to] of [
    ['n1', 'n2'],
    ['n2', 'n1'],
  ] as const) {
    const { simulation, one, two } = await pair(5)
    simulation.network.block(from, to)
    one.send(2, 'control', 1)
    two.send(1, 'control', 1)
    await later(simulation, 1_000)
    assert.ok(allUp([one, two]), 'a short one is not noticed here')
    const [deaf, heard] = from === 'n1' ? [two, one] : [one, two]
    assert.deepEqual([deaf.heads('control'), heard.heads('control')], [[], [1]])
    await later(simulation, 8_000)
    assert.ok(!one.isUp(2) && !two.isUp(1), 'both sides know')
    simulation.network.heal()
    const tookMs = await until(simulation, () => allUp([one, two]))
    assert.ok(tookMs < 2_500, `${tookMs} ms`)
    await later(simulation, 10_000)
    assert.ok(allUp([one, two]), 'and it lasts')
    assert.equal(one.reasons.length, 1)
  }
})

test('a short partition delays frames and loses none', async () => {
  const { simulation, one, two } = await pair(6)
  simulation.network.partition([['n1'], ['n2']])
  for (let i = 0; i < 50; i++) one.send(2, i % 2 === 0 ? 'control' : 'data', i)
  await later(simulation, 700)
  simulation.network.heal()
  await later(simulation, 700)
  assert.equal(two.received.length, 50)
  assert.deepEqual(one.reasons, [])
})

test('catch-up on a slow link does not delay the control lane', async () => {
  const { simulation, one, two } = await pair(7)
  simulation.network.setLink('n1', 'n2', { bytesPerMs: 1_000 })
  for (let i = 0; i < 10; i++) {
    one.transport.send(two.nodeId, 'data', [new Uint8Array(1 << 20)])
  }
  await later(simulation, 100)
  one.send(2, 'control', 5)
  const tookMs = await until(simulation, () => two.heads('control').length === 1)
  assert.ok(tookMs < 20, `${tookMs} ms`)
  assert.ok(two.heads('data').length < 10)
})

test('past the high mark send refuses, and tells when half of it has left', async () => {
  const { simulation, one, two } = await pair(8)
  simulation.network.block('n1', 'n2')
  const frame = [new Uint8Array(1 << 20)]
  let taken = 0
  while (one.transport.send(two.nodeId, 'data', frame)) taken += 1
  assert.equal(taken, 32)
  assert.ok(one.transport.pendingBytes(two.nodeId, 'data') > 32 << 20)
  assert.ok(one.send(2, 'control', 1), 'the other lane has room')
  await later(simulation, 500)
  assert.deepEqual(one.heard, ['up 2 b2.1'])
  simulation.network.heal()
  await until(simulation, () => one.heard.includes('room 2 data'))
  assert.ok(one.transport.pendingBytes(two.nodeId, 'data') < 16 << 20)
  assert.ok(one.transport.send(two.nodeId, 'data', frame))
  assert.equal(one.heard.filter((line) => line.startsWith('room')).length, 1)
})

test('a data lane that does not stand yet says when it does', async () => {
  const simulation = new Simulation(9)
  const [one, two] = [new SimNode(simulation, 1, [1, 2]), new SimNode(simulation, 2, [1, 2])]
  await one.start()
  assert.equal(one.send(2, 'control', 1), false)
  await two.start()
  await until(simulation, () => one.isUp(2))
  while (one.send(2, 'data', 1)) await later(simulation, 0.01)
  await until(simulation, () => one.heard.includes('room 2 data'))
  assert.ok(one.send(2, 'data', 1))
})

test('two processes with one node id: the one at its address stays, the other is refused', async () => {
  const { simulation, one, two } = await pair(10)
  const lines: string[] = []
  const thief = simulation.host('elsewhere').boot()
  const options = { ...two.options(thief), listen: { host: 'elsewhere', port: RAFT_PORT } }
  const stolen = await simulation.settle(
    Transport.open({
      ...options,
      self: { ...options.self, bootId: 'thief' },
      handlers: { ...options.handlers, onPeerUp: (peer) => lines.push(`up ${peer.bootId}`) },
    }),
  )
  await later(simulation, 10_000)
  assert.deepEqual(lines, [])
  assert.match(stolen.peers()[0]?.lastError ?? '', /another process of node 2 is connected/)
  assert.deepEqual(one.heard, ['up 2 b2.1'])
  assert.ok(two.isUp(1))
  // It takes its place when the first is gone only where it has the address.
  two.host.kill()
  await later(simulation, 3_000)
  assert.deepEqual(one.heard, ['up 2 b2.1', 'down 2 b2.1'])
  assert.deepEqual(lines, [])
})

test('another directory under the same node id is another process', async () => {
  const { simulation, one, two } = await pair(11)
  two.host.kill()
  await two.start({ self: { nodeId: two.nodeId, directoryId: 'wiped', bootId: 'b' } })
  await until(simulation, () => one.heard.length === 3)
  assert.equal(one.transport.identityOf(two.nodeId)?.directoryId, 'wiped')
})

for (const [name, changes, reason] of [
  ['another secret', { secret: new Uint8Array(16) }, /the cluster secrets differ/],
  ['a peer that is not listed', { peers: [] }, /node 1 is not in the list of peers of node 2/],
  [
    'another node id at the address',
    { self: { nodeId: asNodeId(3), directoryId: 'd', bootId: 'b' } },
    /this is node 3, not node 2/,
  ],
] as const) {
  test(`refused, and said so: ${name}`, async () => {
    const lines: string[] = []
    const simulation = new Simulation(12, { log: (line) => lines.push(line) })
    const [one, two] = [new SimNode(simulation, 1, [1, 2]), new SimNode(simulation, 2, [1, 2])]
    await one.start()
    await two.start(changes)
    await later(simulation, 50_000)
    assert.deepEqual([one.heard, two.heard], [[], []])
    assert.match(one.transport.peers()[0]?.lastError ?? '', reason)
    const refusals = lines.filter(
      (line) => / n1 .*could not be connected/.test(line) && reason.test(line),
    )
    assert.equal(refusals.length, 1, 'once a minute')
    const told = lines.filter((line) => line.includes('was refused') && line.includes(' n2 '))
    assert.ok(told.length >= 1 && told.length <= 2, told.join('\n'))
    assert.ok(two.transport.counters.handshakesFailed > 10, 'it is tried again and again')
  })
}

test('what is queued when a transport closes still arrives; its peers hear the end at once', async () => {
  const { simulation, one, two } = await pair(13)
  one.send(2, 'control', 42)
  await simulation.settle(one.transport.close())
  await until(simulation, () => !two.isUp(1), 20)
  assert.deepEqual(two.heads('control'), [42])
  assert.equal(one.send(2, 'control', 1), false)
  assert.deepEqual(one.heard, ['up 2 b2.1'], 'nothing is said after close')
  await later(simulation, 1_000)
  one.host.kill()
  await one.start()
  assert.equal(one.transport.address.port, RAFT_PORT)
  await until(simulation, () => two.isUp(1))
})

test('a port that is taken is a NetError', async () => {
  const simulation = new Simulation(14)
  const one = new SimNode(simulation, 1, [1, 2])
  const env = one.host.boot()
  await simulation.settle(Transport.open(one.options(env)))
  const second = Transport.open(one.options(env))
  await assert.rejects(simulation.settle(second), (error) => {
    return error instanceof NetError && error.code === 'EADDRINUSE'
  })
})

test('handlers may close the transport', async () => {
  for (const moment of ['onPeerUp', 'onFrame', 'onPeerDown'] as const) {
    const simulation = new Simulation(15)
    const [one, two] = [new SimNode(simulation, 1, [1, 2]), new SimNode(simulation, 2, [1, 2])]
    let calls = 0
    const close = (): void => {
      calls += 1
      void one.transport.close()
    }
    const { handlers } = one.options(simulation.host('spare').boot())
    await one.start({ handlers: { ...handlers, [moment]: close } })
    await two.start()
    await later(simulation, 100)
    two.send(1, 'control', 1)
    two.send(1, 'control', 2)
    await later(simulation, 100)
    if (moment === 'onPeerDown') two.host.kill()
    await later(simulation, 5_000)
    assert.equal(calls, 1, moment)
    assert.ok(one.transport.peers().every((peer) => !peer.connected))
  }
})

test('one seed, one trace', async () => {
  const run = async (): Promise<string> => {
    const simulation = new Simulation(16)
    const nodes = await startCluster(simulation, 3)
    for (const node of nodes) node.send((node.nodeId % 3) + 1, 'data', 1, 2, 3)
    nodes[1]?.host.kill()
    await later(simulation, 2_000)
    await nodes[1]?.start()
    await until(simulation, () => allUp(nodes))
    return simulation.traceHash
  }
  assert.equal(await run(), await run())
})
