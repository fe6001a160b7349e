// What every implementation of the network port must do. Partitions and resets are the simulator's own tests.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Env } from '../env.ts'
import { NetError, type Connection, type NetListener } from '../network.ts'

export interface NetworkSubject {
  readonly server: Env
  readonly client: Env
  /** The server's address as both name it. */
  readonly host: string
}

export type WithNetwork = (body: (subject: NetworkSubject) => Promise<void>) => Promise<void>

export function networkContract(name: string, withNetwork: WithNetwork): void {
  const check = (what: string, body: (subject: NetworkSubject) => Promise<void>): void => {
    test(`${name}: ${what}`, () => withNetwork(body))
  }
  listenContract(check)
  streamContract(check)
  endContract(check)
}

type Check = (what: string, body: (subject: NetworkSubject) => Promise<void>) => void

/** One end of a connection with what came out of it. */
class End {
  readonly connection: Connection
  readonly chunks: Uint8Array[] = []
  received = 0
  drains = 0
  closes = 0
  error: NetError | undefined
  readonly #waiting: { readonly done: () => boolean; readonly resolve: () => void }[] = []

  constructor(connection: Connection) {
    this.connection = connection
    connection.start({
      onData: (chunk) => {
        assert.equal(this.closes, 0, 'data after onClose')
        this.chunks.push(chunk)
        this.received += chunk.byteLength
        this.#wake()
      },
      onClose: (error) => {
        this.closes += 1
        this.error = error
        this.#wake()
      },
      onDrain: () => {
        this.drains += 1
        this.#wake()
      },
    })
  }

  until(done: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      if (done()) resolve()
      else this.#waiting.push({ done, resolve })
    })
  }

  get bytes(): Uint8Array {
    return Buffer.concat(this.chunks)
  }

  #wake(): void {
    for (const waiter of this.#waiting) if (waiter.done()) waiter.resolve()
  }
}

interface Pair {
  readonly listener: NetListener
  readonly near: End
  readonly far: End
}

async function connectPair({ server, client, host }: NetworkSubject): Promise<Pair> {
  const accepted: End[] = []
  let wake = (): void => {}
  const listener = await server.network.listen({ host, port: 0 }, (connection) => {
    accepted.push(new End(connection))
    wake()
  })
  const near = new End(await client.network.connect(listener.address))
  if (accepted.length === 0) await new Promise<void>((resolve) => (wake = resolve))
  const [far] = accepted
  assert.ok(far !== undefined)
  return { listener, near, far }
}

async function endPair({ listener, near, far }: Pair): Promise<void> {
  near.connection.destroy()
  far.connection.destroy()
  await Promise.all([near.until(() => near.closes > 0), far.until(() => far.closes > 0)])
  await listener.close()
  assert.equal(near.closes, 1)
  assert.equal(far.closes, 1)
}

function pattern(bytes: number): Uint8Array {
  const made = new Uint8Array(bytes)
  for (let i = 0; i < bytes; i++) made[i] = (i * 31 + (i >>> 8) * 7) & 0xff
  return made
}

function pause({ timers }: Env, delayMs: number): Promise<void> {
  return new Promise((resolve) => void timers.after(delayMs, resolve))
}

async function failure(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof NetError, `expected a NetError, got ${String(error)}`)
  return error.code
}

function listenContract(check: Check): void {
  check('listen takes a port, refuses one that is taken, gives it back', async (subject) => {
    const { server, client, host } = subject
    const listener = await server.network.listen({ host, port: 0 }, () => {})
    assert.equal(listener.address.host, host)
    assert.ok(listener.address.port > 0)
    const { address } = listener
    assert.equal(await failure(server.network.listen(address, () => {})), 'EADDRINUSE')
    await listener.close()
    assert.equal(await failure(client.network.connect(address)), 'ECONNREFUSED')
    const again = await server.network.listen(address, () => {})
    await again.close()
  })

  check('open connections outlive their listener', async (subject) => {
    const pair = await connectPair(subject)
    await pair.listener.close()
    pair.near.connection.write([pattern(10)])
    await pair.far.until(() => pair.far.received === 10)
    assert.equal(
      await failure(subject.client.network.connect(pair.listener.address)),
      'ECONNREFUSED',
    )
    await endPair(pair)
  })

  check('both ends know their addresses', async (subject) => {
    const pair = await connectPair(subject)
    assert.equal(pair.near.connection.remote.port, pair.listener.address.port)
    assert.equal(pair.far.connection.local.port, pair.listener.address.port)
    assert.equal(pair.far.connection.remote.port, pair.near.connection.local.port)
    await endPair(pair)
  })
}

function streamContract(check: Check): void {
  check('bytes arrive whole and in order, both ways', async (subject) => {
    const pair = await connectPair(subject)
    const whole = pattern(3_000_000)
    for (let at = 0, size = 1; at < whole.byteLength; at += size, size = (size * 7) % 99_991) {
      const middle = at + (size >>> 1)
      const chunks = [whole.subarray(at, middle), whole.subarray(middle, at + size)]
      pair.near.connection.write(chunks)
      pair.far.connection.write(chunks)
    }
    await pair.far.until(() => pair.far.received === whole.byteLength)
    await pair.near.until(() => pair.near.received === whole.byteLength)
    assert.ok(Buffer.from(whole).equals(pair.far.bytes))
    assert.ok(Buffer.from(whole).equals(pair.near.bytes))
    assert.equal(pair.near.connection.pendingBytes, 0)
    await endPair(pair)
  })

  check('a receiver that pauses holds the sender up', async (subject) => {
    const pair = await connectPair(subject)
    pair.far.connection.pause()
    await pause(subject.client, 5)
    const before = pair.far.received
    const chunk = pattern(1 << 18)
    let sent = 0
    while (pair.near.connection.write([chunk])) {
      sent += chunk.byteLength
      await pause(subject.client, 1)
      assert.ok(sent < 1 << 28, 'the sender is never held up')
    }
    sent += chunk.byteLength
    assert.ok(pair.near.connection.pendingBytes > 0)
    await pause(subject.client, 20)
    assert.equal(pair.far.received, before, 'data while paused')
    assert.equal(pair.near.drains, 0)
    pair.far.connection.resume()
    await pair.near.until(() => pair.near.drains === 1)
    assert.ok(pair.near.connection.pendingBytes < 1 << 20)
    await pair.far.until(() => pair.far.received === sent)
    await endPair(pair)
  })

  check('nothing is lost before start', async (subject) => {
    const { server, client, host } = subject
    const listener = await server.network.listen({ host, port: 0 }, (connection) => {
      connection.write([pattern(5)])
      const far = new End(connection)
      void far.until(() => far.closes > 0)
    })
    const near = new End(await client.network.connect(listener.address))
    await near.until(() => near.received === 5)
    assert.ok(Buffer.from(pattern(5)).equals(near.bytes))
    near.connection.destroy()
    await near.until(() => near.closes === 1)
    await listener.close()
  })
}

function endContract(check: Check): void {
  check('close sends what is queued, then ends both sides cleanly', async (subject) => {
    const pair = await connectPair(subject)
    pair.near.connection.write([pattern(2_000_000)])
    pair.near.connection.close()
    pair.near.connection.write([pattern(1)])
    await pair.far.until(() => pair.far.closes === 1)
    assert.equal(pair.far.received, 2_000_000)
    assert.equal(pair.far.error, undefined)
    await pair.near.until(() => pair.near.closes === 1)
    assert.equal(pair.near.error, undefined)
    await endPair(pair)
  })

  check('close delivers although the peer keeps sending', async (subject) => {
    const pair = await connectPair(subject)
    pair.far.connection.write([pattern(500_000)])
    pair.near.connection.write([pattern(300_000)])
    pair.near.connection.close()
    await pair.far.until(() => pair.far.closes === 1)
    assert.equal(pair.far.received, 300_000)
    await endPair(pair)
  })

  check('destroy ends both sides', async (subject) => {
    const pair = await connectPair(subject)
    pair.near.connection.destroy()
    pair.near.connection.destroy()
    await pair.near.until(() => pair.near.closes === 1)
    assert.equal(pair.near.error, undefined)
    await pair.far.until(() => pair.far.closes === 1)
    pair.far.connection.write([pattern(10)])
    pair.far.connection.close()
    await endPair(pair)
  })
}
