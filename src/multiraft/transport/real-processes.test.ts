// Transports over the real network, between real processes: this one and a child, which runs this same file and sends
// back every frame it gets.

import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { asNodeId } from '../../base/brand.ts'
import { nodeEnv } from '../../env/node/node-env.ts'
import { Transport, type Lane, type TransportHandlers } from './transport.ts'

const FRAME_BYTES_MAX = 3 << 20
const CHILD = asNodeId(2)
const nothing: TransportHandlers = {
  onFrame() {},
  onPeerUp() {},
  onPeerDown() {},
  onDrain() {},
}

function open(
  [nodeId, port, peerPort]: readonly [number, number, number],
  handlers: Partial<TransportHandlers>,
): Promise<Transport> {
  return Transport.open({
    env: nodeEnv({ log: { level: 'silent' } }),
    self: { nodeId: asNodeId(nodeId), directoryId: `d${nodeId}`, bootId: `${process.pid}` },
    listen: { host: '127.0.0.1', port },
    peers: [{ nodeId: asNodeId(3 - nodeId), host: '127.0.0.1', port: peerPort }],
    frameBytesMax: FRAME_BYTES_MAX,
    handlers: { ...nothing, ...handlers },
  })
}

async function echo(port: number, peerPort: number): Promise<void> {
  const transport = await open([2, port, peerPort], {
    onFrame: (from, lane, frame) => void transport.send(from.nodeId, lane, [frame]),
  })
  process.stdout.write('open\n')
}

class Parent {
  readonly port: number
  readonly childPort: number
  readonly events: { readonly what: string; readonly atMs: number }[] = []
  readonly received: { readonly lane: Lane; readonly frame: Uint8Array }[] = []
  #transport: Transport | undefined
  #wake = (): void => {}
  #child: ChildProcess | undefined

  constructor(ports: readonly [number, number]) {
    this.port = ports[0]
    this.childPort = ports[1]
  }

  get transport(): Transport {
    assert.ok(this.#transport !== undefined)
    return this.#transport
  }

  async start(): Promise<void> {
    const happened = (what: string): void => {
      this.events.push({ what, atMs: performance.now() })
      this.#wake()
    }
    this.#transport = await open([1, this.port, this.childPort], {
      onPeerUp: () => happened('up'),
      onPeerDown: (_, reason) => happened(`down ${reason}`),
      onFrame: (_, lane, frame) => {
        this.received.push({ lane, frame })
        this.#wake()
      },
    })
  }

  /** The child's process id, once it listens. */
  async spawnChild(): Promise<number> {
    const args = [import.meta.filename, 'echo', `${this.childPort}`, `${this.port}`]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child = child
    assert.ok(child.stdout !== null && child.pid !== undefined)
    await once(child.stdout, 'data')
    return child.pid
  }

  async stop(): Promise<void> {
    this.#child?.kill('SIGKILL')
    await this.transport.close()
  }

  async until(holds: () => boolean): Promise<void> {
    const sinceMs = performance.now()
    while (!holds()) {
      assert.ok(performance.now() - sinceMs < 20_000, 'what was awaited did not come')
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 50)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  /** When the event came, as a place in the list of events. */
  async event(at: number, what: RegExp): Promise<number> {
    await this.until(() => this.events.length > at)
    const event = this.events[at]
    assert.match(event?.what ?? '', what)
    return event?.atMs ?? 0
  }

  /** Sends, and waits where it must. */
  async send(lane: Lane, frame: Uint8Array): Promise<void> {
    await this.until(() => this.transport.send(CHILD, lane, [frame]))
  }
}

async function freePorts(): Promise<[number, number]> {
  const { network } = nodeEnv()
  const listeners = await Promise.all(
    [0, 0].map((port) => network.listen({ host: '127.0.0.1', port }, () => {})),
  )
  await Promise.all(listeners.map((listener) => listener.close()))
  const [a, b] = listeners.map(({ address }) => address.port)
  return [a ?? 0, b ?? 0]
}

async function withParent(body: (parent: Parent) => Promise<void>): Promise<void> {
  const parent = new Parent(await freePorts())
  await parent.start()
  try {
    await body(parent)
  } finally {
    await parent.stop()
  }
}

function tests(): void {
  test('real processes: frames of all sizes there and back, both lanes at once', () =>
    withParent(async (parent) => {
      await parent.spawnChild()
      await parent.event(0, /up/)
      const sizes = [1, 100, 65_528, 65_536, 1 << 20, FRAME_BYTES_MAX, 3]
      for (const size of sizes) {
        const frame = new Uint8Array(size).map((_, i) => (i * 31) ^ size)
        await parent.send('data', frame)
        await parent.send('control', frame.subarray(0, 1_000))
      }
      await parent.until(() => parent.received.length === 2 * sizes.length)
      for (const lane of ['data', 'control'] as const) {
        const back = parent.received.filter((frame) => frame.lane === lane)
        assert.equal(back.length, sizes.length)
        for (const [i, { frame }] of back.entries()) {
          const size = sizes[i] ?? 0
          assert.equal(frame.byteLength, lane === 'data' ? size : Math.min(size, 1_000))
          assert.ok(frame.every((byte, at) => byte === (((at * 31) ^ size) & 0xff)))
        }
      }
      assert.ok(parent.received.every(({ frame }) => !(frame instanceof Buffer)))
    }))

  test('real processes: a killed peer is down at once (FIN), and up again soon after its start', async (t) =>
    withParent(async (parent) => {
      const pid = await parent.spawnChild()
      await parent.event(0, /up/)
      for (const wait of [0, 300]) {
        const at = parent.events.length
        const killedMs = performance.now()
        process.kill(wait === 0 ? pid : pidOf(parent), 'SIGKILL')
        const downMs = (await parent.event(at, /down lost/)) - killedMs
        await new Promise((resolve) => setTimeout(resolve, wait))
        await parent.spawnChild()
        const listeningMs = performance.now()
        const upMs = (await parent.event(at + 1, /up/)) - listeningMs
        t.diagnostic(
          `down ${downMs.toFixed(1)} ms after the kill, up ${upMs.toFixed(1)} ms after the start`,
        )
        assert.ok(downMs < 500, `${downMs} ms`)
        assert.ok(upMs < 500, `${upMs} ms`)
      }
    }))

  test('real processes: a peer that dies with bytes unread (RST) is down at once', async (t) =>
    withParent(async (parent) => {
      const pid = await parent.spawnChild()
      await parent.event(0, /up/)
      process.kill(pid, 'SIGSTOP')
      await parent.send('control', new Uint8Array(100_000))
      await new Promise((resolve) => setTimeout(resolve, 50))
      const killedMs = performance.now()
      process.kill(pid, 'SIGKILL')
      const downMs = (await parent.event(1, /down lost/)) - killedMs
      t.diagnostic(`down ${downMs.toFixed(1)} ms after the kill: ${parent.events[1]?.what}`)
      assert.ok(downMs < 500, `${downMs} ms`)
    }))
}

function pidOf(parent: Parent): number {
  return Number(parent.transport.identityOf(CHILD)?.bootId)
}

if (process.argv[2] === 'echo') await echo(Number(process.argv[3]), Number(process.argv[4]))
else tests()
