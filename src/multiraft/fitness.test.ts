// When a node calls its disk stalled, whom it tells, and what it makes of what others say (law R8).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asNodeId } from '../base/brand.ts'
import { Fitness } from './fitness.ts'
import { ManualTimers } from './testing/manual-timers.ts'

const two = asNodeId(2)

class Watched {
  readonly time = new ManualTimers()
  /** What the node said of itself, and what it was told to do. */
  readonly trace: string[] = []
  /** Flushes that have not ended. */
  readonly flushes: (() => void)[] = []
  stalls = false
  readonly fitness = new Fitness({
    clock: this.time,
    timers: this.time,
    flush: () =>
      this.stalls ? new Promise<void>((resolve) => this.flushes.push(resolve)) : Promise.resolve(),
    onChanged: (fit) => this.trace.push(fit ? 'fit' : 'unfit'),
    onUnfit: () => this.trace.push('hand over'),
    say: (status) => this.trace.push(`say ${status.join(' ')}`),
  })

  takeTrace(): string[] {
    return this.trace.splice(0)
  }

  recover(): void {
    this.stalls = false
    for (const end of this.flushes.splice(0)) end()
  }
}

test('a disk that answers is asked four times a second, and says nothing after the first word', async () => {
  const watched = new Watched()
  watched.fitness.start()
  await watched.time.pass(5_000)
  assert.deepEqual(watched.takeTrace(), ['say 1 0'])
  assert.ok(watched.fitness.fit)
})

test('a disk that does not answer for a second is stalled: said once, handed over until it answers', async () => {
  const watched = new Watched()
  watched.stalls = true
  watched.fitness.start()
  await watched.time.pass(999)
  assert.deepEqual(watched.takeTrace(), ['say 1 0'])
  await watched.time.pass(1)
  assert.deepEqual(watched.takeTrace(), ['say 1 1', 'unfit', 'hand over'])
  assert.ok(!watched.fitness.fit)
  await watched.time.pass(500)
  assert.deepEqual(watched.takeTrace(), ['hand over', 'hand over'])
  assert.equal(watched.flushes.length, 1)
  watched.recover()
  await watched.time.pass(0)
  assert.deepEqual(watched.takeTrace(), ['say 1 0', 'fit'])
  await watched.time.pass(5_000)
  assert.deepEqual(watched.takeTrace(), [])
})

test('a slow disk that stalls again later is given its second again', async () => {
  const watched = new Watched()
  watched.stalls = true
  watched.fitness.start()
  await watched.time.pass(900)
  watched.recover()
  watched.stalls = true
  await watched.time.pass(900)
  assert.deepEqual(watched.takeTrace(), ['say 1 0'])
  await watched.time.pass(350)
  assert.deepEqual(watched.takeTrace(), ['say 1 1', 'unfit', 'hand over'])
})

test('a node that is about to stop is unfit at once, whatever its disk does', async () => {
  const watched = new Watched()
  watched.fitness.start()
  await watched.time.pass(10)
  watched.fitness.leave()
  assert.deepEqual(watched.takeTrace(), ['say 1 0', 'say 1 1', 'unfit', 'hand over'])
  await watched.time.pass(300)
  assert.ok(!watched.fitness.fit)
})

test('a node that has ended asks and says nothing any more', async () => {
  const watched = new Watched()
  watched.stalls = true
  watched.fitness.start()
  watched.takeTrace()
  watched.fitness.close()
  watched.fitness.leave()
  watched.recover()
  await watched.time.pass(5_000)
  assert.deepEqual(watched.takeTrace(), [])
  assert.equal(watched.time.size, 0)
})

test('a peer is unfit while it says so, in this version or a later one; a new process of it has said nothing', () => {
  const { fitness } = new Watched()
  assert.ok(fitness.isPeerFit(two))
  for (const [status, fit] of [
    [[1, 1], false],
    [[1, 0], true],
    [[2, 3, 7], false],
    [[2, 2], true],
    [[1, 1], false],
    [[], true],
    [[0, 1], true],
  ] as const) {
    fitness.onStatus(two, Uint8Array.from(status))
    assert.equal(fitness.isPeerFit(two), fit, status.join())
  }
  fitness.onStatus(two, Uint8Array.of(1, 1))
  assert.ok(fitness.isPeerFit(asNodeId(3)))
  fitness.peerDown(two)
  assert.ok(fitness.isPeerFit(two))
})
