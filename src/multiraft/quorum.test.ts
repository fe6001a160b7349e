// How far the voters of a group are: as its leader knows it, and as another node hears it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asNodeId, type NodeId } from '../base/brand.ts'
import { CallError, type CallHandler } from './calls.ts'
import { QuorumDescriptions } from './quorum.ts'
import { LoneGroup } from './testing/lone-group.ts'
import { ManualTimers } from './testing/manual-timers.ts'

const one = asNodeId(1)

class Node {
  readonly group: LoneGroup
  readonly time = new ManualTimers()
  leader: NodeId | undefined
  handler: CallHandler | undefined
  asked: string[] = []
  answer: () => Promise<Uint8Array> = () => Promise.resolve(new Uint8Array())
  readonly quorums: QuorumDescriptions

  constructor(group: LoneGroup, leader: number | undefined) {
    this.group = group
    this.leader = leader === undefined ? undefined : asNodeId(leader)
    this.quorums = new QuorumDescriptions({
      nodeId: one,
      clock: { nowMs: () => 1_000_000 + group.nowMs, monotonicMs: () => group.nowMs },
      calls: {
        handle: (_, handler) => (this.handler = handler),
        call: (to, _, body) => {
          this.asked.push(`${Buffer.from(body).toString()} of ${to}`)
          return this.answer()
        },
      },
      get: (id) => (id === group.group.id ? group.group : undefined),
      leaderOf: () =>
        this.leader === undefined ? undefined : { nodeId: this.leader, epoch: group.raft.term },
    })
  }

  describe(): ReturnType<QuorumDescriptions['describe']> {
    return this.quorums.describe(this.group.group.id)
  }
}

test('a leader says how far each voter is, when it was heard of and when it held everything', async () => {
  const group = new LoneGroup().established()
  group.nowMs += 500
  group.write()
  group.group.pump()
  group.ack(3)
  group.sync()
  const described = await new Node(group, 1).describe()
  assert.ok(described !== undefined)
  const { voters, ...head } = described
  assert.deepEqual(head, { leader: 1, leaderEpoch: 2, highWatermark: 7 })
  const now = 1_000_000 + group.nowMs
  assert.deepEqual(voters, [
    { nodeId: 1, directoryId: 'd1', logEnd: 7, lastHeardMs: now, caughtUpMs: now },
    { nodeId: 2, directoryId: 'd2', logEnd: 6, lastHeardMs: now, caughtUpMs: now - 500 },
    { nodeId: 3, directoryId: 'd3', logEnd: 7, lastHeardMs: now, caughtUpMs: now },
  ])
})

test('of a voter that has acknowledged nothing yet, or is gone, nothing is known but what it held', async () => {
  const group = new LoneGroup({ up: [2] }).established()
  group.comesUp(3)
  group.goesDown(2)
  const described = await new Node(group, 1).describe()
  assert.deepEqual(described?.voters.slice(1), [
    { nodeId: 2, directoryId: 'd2', logEnd: 6, lastHeardMs: -1, caughtUpMs: -1 },
    { nodeId: 3, directoryId: 'd3', logEnd: -1, lastHeardMs: -1, caughtUpMs: -1 },
  ])
})

test('another node asks the leader, and hears the same; where nobody leads there is nobody to ask', async () => {
  const leader = new Node(new LoneGroup().established(), 1)
  const other = new Node(new LoneGroup(), 3)
  other.answer = () => leader.handler!(asNodeId(2), Buffer.from('fake'))
  assert.deepEqual(await other.describe(), await leader.describe())
  assert.deepEqual(other.asked, ['fake of 3'])
  other.leader = undefined
  assert.equal(await other.describe(), undefined)
  assert.equal(other.asked.length, 1)
})

test('who leads no more, or has no such group, knows of no quorum', async () => {
  const follower = new Node(new LoneGroup(), 1)
  assert.equal(await follower.describe(), undefined)
  const other = new Node(new LoneGroup(), 3)
  other.answer = () => follower.handler!(asNodeId(2), Buffer.from('other'))
  assert.equal(await other.describe(), undefined)
})

test('a leader that does not answer is as none; what is no answer is an error', async () => {
  const node = new Node(new LoneGroup(), 3)
  node.answer = () => Promise.reject(new CallError('node 3 went away'))
  assert.equal(await node.describe(), undefined)
  node.answer = () => Promise.reject(new Error('broken'))
  await assert.rejects(node.describe(), /broken/)
  node.answer = () => Promise.resolve(Buffer.from('{"version":2,"quorum":null}'))
  await assert.rejects(node.describe(), /different versions/)
})
