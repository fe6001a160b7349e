// Bytes on the Raft port that no healthy peer sends, to a node that listens and to one that dials.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { asNodeId } from '../../base/brand.ts'
import type { Env } from '../../env/env.ts'
import type { Connection } from '../../env/network.ts'
import { Simulation } from '../../env/sim/simulation.ts'
import { acceptance, AcceptorHandshake, DiallerHandshake } from './handshake.ts'
import { decodeMessage, encodeMessage, NONCE_BYTES } from './handshake-messages.ts'
import { hostName, RAFT_PORT, SECRET, SimNode, startCluster } from './testing/sim-node.ts'
import type { Lane } from './transport.ts'

const later = (simulation: Simulation, ms: number): Promise<unknown> =>
  simulation.run({ untilMs: simulation.nowMs + ms })

/** A connection in the test's hand. */
class Raw {
  readonly connection: Connection
  received: number[] = []
  isClosed = false

  constructor(connection: Connection) {
    this.connection = connection
    connection.start({
      onData: (chunk) => this.received.push(...chunk),
      onClose: () => (this.isClosed = true),
    })
  }

  get message(): string {
    const decoded = decodeMessage(Uint8Array.from(this.received))
    if (decoded.kind !== 'message') return decoded.kind
    return decoded.message.kind === 'refused' ? decoded.message.cause : decoded.message.kind
  }
}

/** Node 1 listens; node 2, its peer, is played by the test. */
class Stage {
  readonly lines: string[] = []
  readonly simulation = new Simulation(1, { log: (line) => this.lines.push(line) })
  readonly one = new SimNode(this.simulation, 1, [1, 2])
  readonly #env = this.simulation.host('n2').boot()

  async connect(): Promise<Raw> {
    const address = { host: hostName(1), port: RAFT_PORT }
    const connecting = this.#env.network.connect(address).then((connection) => new Raw(connection))
    return this.simulation.settle(connecting)
  }

  /** Node 2's own port. */
  async listen(onConnection: (connection: Connection) => void): Promise<void> {
    const address = { host: 'n2', port: RAFT_PORT }
    await this.simulation.settle(this.#env.network.listen(address, onConnection))
  }

  /** Up to the proof, which is not sent. */
  async greet(lane: Lane, boot = 'raw'): Promise<{ raw: Raw; proof: Uint8Array }> {
    const raw = await this.connect()
    const handshake = new DiallerHandshake({
      self: { nodeId: asNodeId(2), directoryId: 'd2', bootId: boot },
      to: asNodeId(1),
      lane,
      secret: SECRET,
      nonce: new Uint8Array(NONCE_BYTES).fill(1),
    })
    raw.connection.write([handshake.hello])
    await later(this.simulation, 20)
    const step = handshake.receive(Uint8Array.from(raw.received))
    assert.ok(step.kind === 'verified', step.kind)
    raw.received = []
    return { raw, proof: step.send }
  }

  async dial(lane: Lane, boot = 'raw'): Promise<Raw> {
    const { raw, proof } = await this.greet(lane, boot)
    raw.connection.write([proof])
    await later(this.simulation, 20)
    return raw
  }
}

async function staged(): Promise<Stage> {
  const stage = new Stage()
  await stage.one.start()
  return stage
}

test('strangers get no answer and are closed, one log line for all of them', async () => {
  const stage = await staged()
  for (let i = 0; i < 20; i++) {
    const raw = await stage.connect()
    raw.connection.write([Buffer.from('GET /metrics HTTP/1.1\r\n\r\n')])
    await later(stage.simulation, 20)
    assert.ok(raw.isClosed)
    assert.deepEqual(raw.received, [])
  }
  assert.equal(stage.lines.filter((line) => line.includes('was refused')).length, 1)
  assert.equal(stage.one.transport.counters.handshakesFailed, 20)
})

test('a newer version is refused by name in both logs', async () => {
  const stage = await staged()
  const raw = await stage.connect()
  const hello = encodeMessage({ kind: 'accepted' })
  new DataView(hello.buffer).setUint16(4, 9)
  raw.connection.write([hello])
  await later(stage.simulation, 50)
  assert.equal(raw.message, 'version')
  assert.ok(raw.isClosed)
  assert.ok(stage.lines.some((line) => line.includes('protocol version 9 is newer than 1')))
})

test('who says nothing, or stops in the middle, is closed after five seconds', async () => {
  const stage = await staged()
  const silent = await stage.connect()
  const { raw: half } = await stage.greet('control')
  await later(stage.simulation, 4_500)
  assert.ok(!silent.isClosed && !half.isClosed)
  await later(stage.simulation, 1_000)
  assert.ok(silent.isClosed && half.isClosed)
})

test('connections are bounded: the oldest stranger makes room, and a peer still gets in', async () => {
  const simulation = new Simulation(2)
  const [one, two] = await startCluster(simulation, 2)
  assert.ok(one !== undefined && two !== undefined)
  const flooder = simulation.host('flood').boot()
  const flood: Raw[] = []
  for (let i = 0; i < 100; i++) {
    const address = { host: hostName(1), port: RAFT_PORT }
    flood.push(new Raw(await simulation.settle(flooder.network.connect(address))))
  }
  await later(simulation, 50)
  // One peer: 1 × 2 lanes × 4 + 16, of which two stand.
  assert.equal(flood.filter((raw) => !raw.isClosed).length, 22)
  assert.ok(flood.slice(0, 78).every((raw) => raw.isClosed))
  assert.deepEqual(one.reasons, [])
  two.host.kill()
  await two.start()
  await later(simulation, 100)
  assert.ok(one.isUp(2) && two.isUp(1))
  assert.ok(one.transport.counters.connectionsDropped >= 78)
})

test('arbitrary bytes, also after a good beginning, never disturb the session of others', async () => {
  const simulation = new Simulation(3)
  const [one, two] = await startCluster(simulation, 2)
  assert.ok(one !== undefined && two !== undefined)
  const { network } = simulation.host('fuzz').boot()
  const good = new DiallerHandshake({
    self: { nodeId: asNodeId(2), directoryId: 'd2', bootId: two.boot },
    to: asNodeId(1),
    lane: 'control',
    secret: SECRET,
    nonce: new Uint8Array(NONCE_BYTES),
  }).hello
  const bytes = fc.tuple(fc.nat(good.byteLength), fc.uint8Array({ maxLength: 700 }))
  await fc.assert(
    fc.asyncProperty(bytes, async ([from, noise]) => {
      const address = { host: hostName(1), port: RAFT_PORT }
      const raw = new Raw(await simulation.settle(network.connect(address)))
      raw.connection.write([good.subarray(0, from), noise])
      await later(simulation, 30)
      raw.connection.destroy()
      await later(simulation, 5)
    }),
    { numRuns: 150 },
  )
  assert.deepEqual([one.heard, two.heard], [['up 2 b2.1'], ['up 1 b1.1']])
})

test('a data lane without its control lane is refused', async () => {
  const stage = await staged()
  const data = await stage.dial('data')
  assert.equal(data.message, 'control-first')
  assert.ok(data.isClosed)
  const control = await stage.dial('control')
  assert.equal(control.message, 'accepted')
  assert.equal((await stage.dial('data')).message, 'accepted')
})

test('a newer connection of a lane replaces the older; an older handshake that ends late does not', async () => {
  const stage = await staged()
  const first = await stage.dial('control')
  const late = await stage.greet('control')
  const second = await stage.dial('control')
  assert.equal(second.message, 'accepted')
  assert.ok(first.isClosed && !second.isClosed)
  late.raw.connection.write([late.proof])
  await later(stage.simulation, 50)
  assert.equal(late.raw.message, 'superseded')
  assert.ok(late.raw.isClosed && !second.isClosed)
})

test('while the peer is not up by our own dial, the newest process counts', async () => {
  const stage = await staged()
  const old = await stage.dial('control', 'old')
  const next = await stage.dial('control', 'next')
  assert.ok(old.isClosed && !next.isClosed)
})

test('what our own dial has found counts, also where another process came in meanwhile', async () => {
  const stage = await staged()
  const welcomed: Connection[] = []
  await stage.listen((connection) => {
    const acceptor = new AcceptorHandshake({
      self: { nodeId: asNodeId(2), directoryId: 'd2', bootId: 'ours' },
      isPeer: () => true,
      secret: SECRET,
      nonce: new Uint8Array(NONCE_BYTES).fill(2),
    })
    connection.start({
      onData: (chunk) => {
        const step = acceptor.receive(chunk)
        if (step.kind === 'send') connection.write([step.send])
        else if (step.kind === 'verified' && step.lane === 'control') welcomed.push(connection)
      },
      onClose: () => {},
    })
  })
  await stage.simulation.run({ until: () => welcomed.length === 1 })
  const other = await stage.dial('control', 'other')
  assert.equal(other.message, 'accepted')
  welcomed[0]?.write([acceptance()])
  await later(stage.simulation, 50)
  assert.ok(other.isClosed)
  assert.equal((await stage.dial('control', 'other')).message, 'occupied')
  assert.equal((await stage.dial('control', 'ours')).message, 'accepted')
  assert.deepEqual(stage.one.heard, ['up 2 ours'])
})

test('a connection one way only is ended after some seconds', async () => {
  const stage = await staged()
  const raw = await stage.dial('control')
  await later(stage.simulation, 3_000)
  assert.ok(!raw.isClosed)
  await later(stage.simulation, 3_000)
  assert.ok(raw.isClosed)
  assert.deepEqual(stage.one.heard, [])
})

/** Stands between node 2 and node 1 on node 2's dials, and changes what passes. */
class Proxy {
  /** For the bytes towards node 1. */
  tamper = (chunk: Uint8Array): Uint8Array => chunk

  async open(env: Env): Promise<void> {
    await env.network.listen({ host: 'proxy', port: RAFT_PORT }, (near) => {
      const early: Uint8Array[] = []
      let far: Connection | undefined
      near.start({
        onData: (chunk) =>
          far === undefined ? early.push(chunk) : far.write([this.tamper(chunk)]),
        onClose: () => far?.destroy(),
      })
      void env.network.connect({ host: hostName(1), port: RAFT_PORT }).then((connection) => {
        far = connection
        far.start({ onData: (chunk) => near.write([chunk]), onClose: () => near.destroy() })
        far.write(early)
      })
    })
  }
}

const wrongPayload = (chunk: Uint8Array): Uint8Array => chunk.with(-1, chunk.at(-1)! ^ 1)
const wrongLength = (chunk: Uint8Array): Uint8Array => chunk.with(0, 0x7f)

for (const [name, change, reason] of [
  ['a flipped bit', wrongPayload, /checksum of a frame of 2 bytes does not match/],
  ['a length beyond the limit', wrongLength, /frame of 2130706434 bytes, at most 1048576/],
] as const) {
  test(`${name} in a frame ends the session; the next one is sound`, async () => {
    for (const lane of ['control', 'data'] as const) {
      const simulation = new Simulation(4)
      const proxy = new Proxy()
      await simulation.settle(proxy.open(simulation.host('proxy').boot()))
      const [one, two] = [new SimNode(simulation, 1, [1, 2]), new SimNode(simulation, 2, [1, 2])]
      await one.start()
      await two.start({ peers: [{ nodeId: asNodeId(1), host: 'proxy', port: RAFT_PORT }] })
      await later(simulation, 100)
      assert.ok(two.send(1, lane, 1, 1))
      await later(simulation, 50)
      proxy.tamper = change
      assert.ok(two.send(1, lane, 2, 2))
      await later(simulation, 5)
      assert.equal(one.transport.counters.badFrames, 1)
      assert.match(one.reasons[0] ?? '', reason)
      proxy.tamper = (chunk) => chunk
      await later(simulation, 500)
      assert.deepEqual([one.reasons.length, two.reasons.length], [1, 1])
      assert.ok(two.send(1, lane, 3, 3))
      await later(simulation, 50)
      assert.deepEqual(one.heads(lane), [1, 3])
    }
  })
}

test('who answers a dial with noise, with a newer version, or not at all, is dialled again', async () => {
  const refused = encodeMessage({ kind: 'refused', cause: 'version', reason: 'too old for me' })
  for (const [answer, error] of [
    [Buffer.from('SSH-2.0-OpenSSH_9.9\r\n'), /not the bytes of a Chronik node/],
    [refused, /refused by the other side: too old for me/],
    [encodeMessage({ kind: 'accepted' }), /out of turn/],
    [undefined, /no handshake in 5000 ms/],
  ] as const) {
    const simulation = new Simulation(5)
    const one = new SimNode(simulation, 1, [1, 2])
    let dials = 0
    const { network } = simulation.host('n2').boot()
    const listening = network.listen({ host: 'n2', port: RAFT_PORT }, (connection) => {
      dials += 1
      const raw = new Raw(connection)
      if (answer !== undefined) raw.connection.write([answer])
    })
    await simulation.settle(listening)
    await one.start()
    await later(simulation, 12_000)
    assert.match(one.transport.peers()[0]?.lastError ?? '', error)
    assert.ok(answer === undefined ? dials === 3 : dials > 20 && dials < 80, `${dials} dials`)
    assert.deepEqual(one.heard, [])
  }
})
