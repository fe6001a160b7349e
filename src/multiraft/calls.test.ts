// Calls between two nodes: each is answered once, or fails, and then whether it was done is unknown.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asNodeId, type NodeId } from '../base/brand.ts'
import type { Timers } from '../env/env.ts'
import { Reader } from '../protocol/reader.ts'
import { CallError, Calls } from './calls.ts'

const ONE = asNodeId(1)
const TWO = asNodeId(2)
const METHOD = 7

const textOf = (body: Uint8Array): string => new TextDecoder().decode(body)

class Pair {
  /** Timers that neither ended nor were cancelled. */
  readonly timers = new Set<() => void>()
  /** Frames wait here while the connection is `held`. */
  readonly held: (() => void)[] = []
  state: 'up' | 'held' | 'down' = 'up'
  one: Calls = this.#calls(ONE, TWO, () => this.two)
  readonly two: Calls = this.#calls(TWO, ONE, () => this.one)

  #calls(from: NodeId, peer: NodeId, other: () => Calls): Calls {
    const timers: Timers = {
      after: (_ms, callback) => {
        this.timers.add(callback)
        return { cancel: () => void this.timers.delete(callback) }
      },
      soon: () => assert.fail('nothing is soon'),
    }
    return new Calls({
      timers,
      send: (to, frame) => {
        assert.equal(to, peer)
        const deliver = (): void => {
          const reader = new Reader(Buffer.concat(frame))
          other().receive(from, reader.uint8(), reader)
        }
        if (this.state === 'down') return false
        if (this.state === 'up') setImmediate(deliver)
        else this.held.push(deliver)
        return true
      },
    })
  }

  /** Another process takes the place of the first node's. */
  restartOne(): void {
    this.two.sessionEnded(ONE)
    this.one.close()
    this.one = this.#calls(ONE, TWO, () => this.two)
  }

  call(text: string): Promise<string> {
    return this.one.call(TWO, METHOD, Buffer.from(text), 100).then(textOf)
  }
}

/** What was sent has arrived, and its consequences too. */
async function arrived(): Promise<void> {
  for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve))
}

const failsWith = (call: Promise<unknown>, message: RegExp): Promise<void> =>
  assert.rejects(call, (error) => error instanceof CallError && message.test(error.message))

test('a call comes back with its answer, each with its own', async () => {
  const pair = new Pair()
  const answers: (() => void)[] = []
  pair.two.handle(METHOD, async (from, body) => {
    assert.equal(from, ONE)
    await new Promise<void>((resolve) => answers.push(resolve))
    return Buffer.from(`${textOf(body)}!`)
  })
  const calls = [pair.call('a'), pair.call('b')]
  await arrived()
  for (const answer of answers.toReversed()) answer()
  assert.deepEqual(await Promise.all(calls), ['a!', 'b!'])
  assert.equal(pair.timers.size, 0)
})

test('a handler that fails says why, and so does a node without one', async () => {
  const pair = new Pair()
  await failsWith(pair.call('a'), /no method 7 here yet/)
  pair.two.handle(METHOD, () => Promise.reject(new Error('not today')))
  await failsWith(pair.call('a'), /^not today$/)
})

test('a call fails at once while the node can not be reached, and when it goes away', async () => {
  const pair = new Pair()
  pair.state = 'down'
  await failsWith(pair.call('a'), /node 2 can't be reached/)
  pair.state = 'held'
  const call = pair.call('a')
  pair.one.peerDown(asNodeId(3))
  assert.equal(pair.timers.size, 1)
  pair.one.peerDown(TWO)
  await failsWith(call, /node 2 went away/)
  assert.equal(pair.timers.size, 0)
})

test('a call that takes too long fails; its answer comes too late for anything', async () => {
  const pair = new Pair()
  pair.two.handle(METHOD, (_from, body) => Promise.resolve(body))
  pair.state = 'held'
  const call = pair.call('a')
  for (const due of pair.timers) due()
  await failsWith(call, /did not answer within 100 ms/)
  pair.state = 'up'
  for (const deliver of pair.held) deliver()
  assert.equal(await pair.call('b'), 'b')
})

test('an answer of another node than was asked is none', async () => {
  const pair = new Pair()
  pair.state = 'held'
  const call = pair.call('a')
  // ANSWER, call 1, result "x".
  const answer = (from: NodeId, text: string): void =>
    pair.one.receive(from, 5, new Reader(Buffer.from([0, 0, 0, 1, 0, text.charCodeAt(0)])))
  answer(asNodeId(3), 'x')
  answer(TWO, 'y')
  answer(TWO, 'z')
  assert.equal(await call, 'y')
})

test('one peer has a bounded number of calls in work', async () => {
  const pair = new Pair()
  const answers: (() => void)[] = []
  pair.two.handle(METHOD, async (_from, body) => {
    await new Promise<void>((resolve) => answers.push(resolve))
    return body
  })
  const calls = Array.from({ length: 256 }, (_, i) => pair.call(`${i}`))
  await failsWith(pair.call('one more'), /too many calls in work/)
  for (const answer of answers.splice(0)) answer()
  assert.equal((await Promise.all(calls)).length, 256)
  const next = pair.call('next')
  await arrived()
  for (const answer of answers) answer()
  assert.equal(await next, 'next')
})

test('whoever closes lets none of its calls wait', async () => {
  const pair = new Pair()
  pair.state = 'held'
  const calls = [pair.call('a'), pair.call('b')]
  pair.one.close()
  for (const call of calls) await failsWith(call, /this node is closing/)
  assert.equal(pair.timers.size, 0)
})

test('what a process asked is not answered to the one that took its place', async () => {
  const pair = new Pair()
  const answers: ((body: Uint8Array) => void)[] = []
  pair.two.handle(METHOD, () => new Promise((resolve) => answers.push(resolve)))
  const before = pair.call('of the process before')
  await arrived()
  pair.restartOne()
  await failsWith(before, /closing/)
  // Both count from one on.
  const call = pair.call('of the process now')
  await arrived()
  answers[0]!(Buffer.from('before'))
  await arrived()
  answers[1]!(Buffer.from('now'))
  assert.equal(await call, 'now')
})
