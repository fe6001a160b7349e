// Rounds of confirmations: who shares one, who waits for the next, and what ends a wait (law R9).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLogId, asNodeId, type NodeId } from '../../base/brand.ts'
import { ManualTimers } from '../testing/manual-timers.ts'
import { ReadRounds } from './read-rounds.ts'

const A = asLogId('a')
const B = asLogId('b')
const nodes = (...ids: number[]): NodeId[] => ids.map(asNodeId)
const ALL = nodes(1, 2, 3)

class Node {
  readonly time = new ManualTimers()
  /** `round: nodes` of what was asked. */
  readonly asked: string[] = []
  /** The last round that each node has answered. */
  readonly answered = new Map<number, number>()
  readonly rounds = new ReadRounds({
    env: { clock: this.time, timers: this.time },
    self: asNodeId(1),
    timeoutMs: 1_000,
    ask: (round, asked) => this.asked.push(`${round}: ${[...asked].join(' ')}`),
    supports: (node, round) => (this.answered.get(node) ?? 0) >= round,
  })

  confirm(group = A, voters = ALL): { value: boolean | undefined } {
    const followed: { value: boolean | undefined } = { value: undefined }
    void this.rounds.confirm(group, 1, voters).then((value) => (followed.value = value))
    return followed
  }

  async answers(node: number, round: number): Promise<void> {
    this.answered.set(node, round)
    this.rounds.advanced(asNodeId(node))
    await this.time.pass(0)
  }
}

test('all groups of a turn share a round; it is confirmed by a majority, this node included', async () => {
  const node = new Node()
  const a = node.confirm()
  const b = node.confirm(B, nodes(1, 3, 4))
  assert.deepEqual(node.asked, [])
  await node.time.pass(0)
  assert.deepEqual(node.asked, ['1: 2 3 4'])
  await node.answers(2, 1)
  assert.deepEqual([a.value, b.value], [true, undefined])
  await node.answers(4, 1)
  assert.equal(b.value, true)
  assert.equal(node.rounds.waiting, 0)
})

test('a call that comes after its round began waits for the next one, which begins when that has ended', async () => {
  const node = new Node()
  const first = node.confirm()
  await node.time.pass(0)
  const second = node.confirm()
  await node.time.pass(100)
  assert.deepEqual([node.asked, node.rounds.round], [['1: 2 3'], 1])
  await node.answers(2, 1)
  assert.deepEqual([first.value, second.value, node.asked], [true, undefined, ['1: 2 3', '2: 2 3']])
  await node.answers(3, 2)
  assert.equal(second.value, true)
})

test('calls with the same voters are one; with others the earlier one is not confirmed', async () => {
  for (const others of [nodes(1, 2, 4), nodes(1, 2, 3, 4), nodes(1, 2)]) {
    const node = new Node()
    const first = node.confirm()
    const same = node.confirm(A, nodes(3, 1, 2))
    const other = node.confirm(A, others)
    await node.time.pass(0)
    assert.deepEqual([first.value, same.value, other.value], [false, false, undefined])
    assert.deepEqual(node.asked, [`1: ${others.slice(1).join(' ')}`])
  }
})

test('what waits too long ends as not confirmed, in whichever round it is', async () => {
  const node = new Node()
  const first = node.confirm()
  await node.time.pass(500)
  const second = node.confirm()
  const third = node.confirm(B)
  node.rounds.expire()
  await node.time.pass(499)
  node.rounds.expire()
  await node.time.pass(0)
  assert.deepEqual([first.value, second.value, third.value], [undefined, undefined, undefined])
  await node.time.pass(1)
  node.rounds.expire()
  await node.time.pass(0)
  assert.deepEqual([first.value, second.value, third.value], [false, undefined, undefined])
  await node.time.pass(500)
  node.rounds.expire()
  await node.time.pass(0)
  assert.deepEqual([second.value, third.value, node.rounds.waiting], [false, false, 0])
  const fourth = node.confirm()
  await node.time.pass(0)
  const behind = node.confirm()
  await node.time.pass(2_000)
  node.rounds.expire()
  await node.time.pass(0)
  assert.deepEqual([fourth.value, behind.value], [false, false])
})

test('a claim that is given up fails all of its group, and no other', async () => {
  const node = new Node()
  const first = node.confirm()
  await node.time.pass(0)
  const behind = node.confirm()
  const other = node.confirm(B)
  node.rounds.fail(A)
  await node.time.pass(0)
  assert.deepEqual([first.value, behind.value, other.value], [false, false, undefined])
  assert.deepEqual(node.asked, ['1: 2 3', '2: 2 3'])
})

test('a sole voter needs nobody; who ends confirms nothing', async () => {
  const node = new Node()
  const alone = node.confirm(A, nodes(1))
  const b = node.confirm(B)
  node.rounds.close()
  await node.time.pass(0)
  assert.deepEqual([alone.value, b.value, node.asked], [true, false, []])
})
