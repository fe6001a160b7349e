// What is handed to a connection when, and what is refused.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection } from '../../env/network.ts'
import { Simulation } from '../../env/sim/simulation.ts'
import { FrameReader } from './frames.ts'
import { SendQueue } from './send-queue.ts'

const MARK = 4 << 20

/** A connection that keeps what it is given until the test takes it. */
class FakeConnection implements Connection {
  readonly remote = { host: 'far', port: 1 }
  readonly local = { host: 'near', port: 2 }
  readonly writes: (readonly Uint8Array[])[] = []
  pendingBytes = 0

  write(chunks: readonly Uint8Array[]): boolean {
    this.writes.push(chunks)
    for (const chunk of chunks) this.pendingBytes += chunk.byteLength
    return this.pendingBytes <= 1 << 20
  }

  start(): void {}
  pause(): void {}
  resume(): void {}
  close(): void {}
  destroy(): void {}
}

function setUp(): {
  readonly simulation: Simulation
  readonly connection: FakeConnection
  readonly queue: SendQueue
  readonly drains: number[]
} {
  const simulation = new Simulation(1)
  const connection = new FakeConnection()
  const drains: number[] = []
  const queue: SendQueue = new SendQueue({
    connection,
    timers: simulation.host('a').boot().timers,
    highMarkBytes: MARK,
    onDrain: () => drains.push(queue.pendingBytes),
  })
  return { simulation, connection, queue, drains }
}

test('the frames of one turn leave in one write, uncopied', async () => {
  const { simulation, connection, queue } = setUp()
  const chunks = [Uint8Array.of(1, 2), Uint8Array.of(3)]
  assert.equal(queue.push(chunks), true)
  assert.equal(queue.push([Uint8Array.of(4)]), true)
  assert.equal(connection.writes.length, 0)
  assert.equal(queue.pendingBytes, 20)
  await simulation.run()
  assert.equal(connection.writes.length, 1)
  const [written = []] = connection.writes
  assert.ok(written.includes(chunks[0]!) && written.includes(chunks[1]!))
  assert.equal(queue.pendingBytes, 20, 'the connection has them still')
  const reader = new FrameReader({ frameBytesMax: 100 })
  assert.deepEqual(
    reader.push(Buffer.concat(written)).map((frame) => [...frame]),
    [[1, 2, 3], [4]],
  )
})

test('past the high mark nothing is taken, until half of it has left', async () => {
  const { simulation, connection, queue, drains } = setUp()
  const frame = [new Uint8Array(100_000)]
  let taken = 0
  while (queue.push(frame)) taken += 1
  assert.equal(taken, Math.floor(MARK / 100_008) + 1)
  assert.ok(queue.pendingBytes > MARK && queue.pendingBytes <= MARK + 100_008)
  await simulation.run()
  assert.ok(connection.pendingBytes < (1 << 20) + 200_000, 'the connection is not flooded')
  assert.equal(drains.length, 0)
  let written = 0
  while (queue.pendingBytes > 0) {
    written += connection.pendingBytes
    connection.pendingBytes = 0
    queue.drained()
  }
  assert.equal(written, taken * 100_008)
  assert.equal(drains.length, 1, 'told once')
  assert.ok(drains[0]! < MARK / 2)
  assert.equal(queue.push(frame), true)
})

test('what is queued at the end leaves with finish and is dropped with end', async () => {
  const finished = setUp()
  finished.queue.push([Uint8Array.of(1)])
  finished.queue.finish()
  assert.equal(finished.connection.writes.length, 1)
  assert.equal(finished.queue.push([Uint8Array.of(1)]), false)
  const ended = setUp()
  ended.queue.push([Uint8Array.of(1)])
  ended.queue.end()
  await ended.simulation.run()
  assert.equal(ended.connection.writes.length, 0)
  assert.equal(ended.queue.pendingBytes, 0)
})
