// Leaderships that move on purpose: to whom, how it is known that they did, and what is said where they did not (thesis 3.10).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asLogId, asNodeId, type LeaderEpoch, type NodeId } from '../base/brand.ts'
import { Writer } from '../protocol/writer.ts'
import { CallError, type CallHandler } from './calls.ts'
import { LeaderTransfers, type TransferOutcome } from './leader-transfers.ts'
import { LoneGroup } from './testing/lone-group.ts'
import { ManualTimers } from './testing/manual-timers.ts'

const [one, two, three] = [asNodeId(1), asNodeId(2), asNodeId(3)]
const TRANSFER_MS = 1_000

interface Leader {
  readonly nodeId: NodeId
  readonly epoch: LeaderEpoch
}

/** Node 1. Unless told otherwise it leads its groups, with everything on 2 and 3. */
class Node {
  readonly time = new ManualTimers()
  readonly groups: LoneGroup[]
  readonly unfit = new Set<number>()
  readonly asked: string[] = []
  answer: () => Promise<Uint8Array> = () => Promise.resolve(Uint8Array.of(0))
  /** Of the groups that this node does not lead. */
  leader: Leader | undefined
  handler: CallHandler | undefined
  readonly transfers: LeaderTransfers

  constructor(...groups: LoneGroup[]) {
    this.groups = groups
    this.transfers = new LeaderTransfers({
      nodeId: one,
      clock: this.time,
      timers: this.time,
      calls: {
        handle: (_, handler) => (this.handler = handler),
        call: (to, _, body, timeoutMs) => {
          this.asked.push(`${to}, ${Buffer.from(body).toString('hex')}, ${timeoutMs} ms`)
          return this.answer()
        },
      },
      transferMs: TRANSFER_MS,
      get: (id) => this.groups.find(({ group }) => group.id === id)?.group,
      groups: () => this.groups.map(({ group }) => group),
      leaderOf: () => {
        const [first] = this.groups
        if (first?.raft.role === 'leader') return { nodeId: one, epoch: first.raft.term }
        return this.leader
      },
      isFit: (node) => !this.unfit.has(node),
    })
  }

  get group(): LoneGroup {
    return this.groups[0]!
  }

  /** The outcome, once it is known. */
  transfer(to: NodeId): { outcome: TransferOutcome | undefined } {
    return follow(this.transfers.transfer(this.group.group.id, to))
  }

  /** The target was elected, as this replica hears from it. */
  elected(node: NodeId, epoch = 3): void {
    this.leader = { nodeId: node, epoch: asLeaderEpoch(epoch) }
    this.group.receive(node, { kind: 'higher-term', term: asLeaderEpoch(epoch) })
  }

  serve(to: number): Promise<Uint8Array> {
    const writer = new Writer(64)
    writer.string(this.group.group.id, false)
    writer.int32(to)
    return this.handler!(three, Buffer.concat(writer.finish()))
  }
}

function follow(promise: Promise<TransferOutcome>): { outcome: TransferOutcome | undefined } {
  const followed: { outcome: TransferOutcome | undefined } = { outcome: undefined }
  void promise.then((outcome) => (followed.outcome = outcome))
  return followed
}

const leading = (): Node => new Node(new LoneGroup().established())

const timeoutsNow = (group: LoneGroup): number[] =>
  group
    .takeSent()
    .filter(({ message }) => message.kind === 'timeout-now')
    .map(({ to }) => to)

test('the target is told to campaign; it is done when it leads', async () => {
  const node = leading()
  const moving = node.transfer(two)
  await node.time.pass(50)
  assert.deepEqual([timeoutsNow(node.group), moving.outcome], [[2], undefined])
  node.elected(two)
  await node.time.pass(10)
  assert.equal(moving.outcome, 'done')
  assert.equal(node.time.size, 0)
})

test('what leads already is done; what nobody leads can not be moved', async () => {
  const node = leading()
  assert.equal(await node.transfers.transfer(node.group.group.id, one), 'done')
  const follower = new Node(new LoneGroup())
  assert.equal(await follower.transfers.transfer(follower.group.group.id, two), 'not-leader')
  follower.leader = { nodeId: two, epoch: asLeaderEpoch(1) }
  assert.equal(await follower.transfers.transfer(follower.group.group.id, two), 'done')
  assert.deepEqual(follower.asked, [])
})

test('the leader is asked, wherever it is; it has twice the time', async () => {
  const node = new Node(new LoneGroup())
  node.leader = { nodeId: three, epoch: asLeaderEpoch(1) }
  const { id } = node.group.group
  node.answer = () => Promise.resolve(Uint8Array.of(2))
  assert.equal(await node.transfers.transfer(id, two), 'target-unfit')
  assert.deepEqual(node.asked, ['3, 000466616b6500000002, 2000 ms'])
  node.answer = () => Promise.reject(new CallError('node 3 went away'))
  assert.equal(await node.transfers.transfer(id, two), 'timed-out')
  node.answer = () => Promise.reject(new Error('broken'))
  await assert.rejects(node.transfers.transfer(id, two), /broken/)
  for (const answer of [[], [9], [0, 0]]) {
    node.answer = () => Promise.resolve(Uint8Array.from(answer))
    await assert.rejects(node.transfers.transfer(id, two), /something else/)
  }
})

test('another node is answered with the outcome', async () => {
  const node = leading()
  node.unfit.add(2)
  assert.deepEqual(await node.serve(2), Uint8Array.of(2))
  assert.deepEqual(await node.serve(1), Uint8Array.of(0))
  node.elected(three)
  assert.deepEqual(await node.serve(2), Uint8Array.of(1))
})

const UNFIT: Readonly<Record<string, (node: Node) => void>> = {
  'its disk stalls': (node) => node.unfit.add(2),
  'it is behind': (node) => {
    node.group.write()
    node.group.nowMs += 1_001
  },
  'it can not be reached': (node) => node.group.goesDown(2),
}
for (const [why, happens] of Object.entries(UNFIT)) {
  test(`nothing is tried with a target that can't take over: ${why}`, async () => {
    const node = leading()
    happens(node)
    assert.equal(await node.transfers.transfer(node.group.group.id, two), 'target-unfit')
    assert.deepEqual(timeoutsNow(node.group), [])
    assert.ok(node.group.raft.acceptsAppends)
  })
}

test('another is elected instead, the group is gone, the transfer is called off, or nothing is heard of it', async () => {
  const instead = leading()
  const other = instead.transfer(two)
  instead.elected(three)
  await instead.time.pass(10)
  assert.equal(other.outcome, 'not-leader')

  const gone = leading()
  const shut = gone.transfer(two)
  gone.groups.pop()
  await gone.time.pass(10)
  assert.equal(shut.outcome, 'not-leader')

  const calledOff = leading()
  const off = calledOff.transfer(two)
  calledOff.group.goesDown(2)
  await calledOff.time.pass(10)
  assert.equal(off.outcome, 'timed-out')

  const silent = leading()
  const unheard = silent.transfer(two)
  silent.group.receive(two, { kind: 'higher-term', term: asLeaderEpoch(3) })
  silent.leader = { nodeId: two, epoch: asLeaderEpoch(2) }
  await silent.time.pass(TRANSFER_MS + 90)
  assert.equal(unheard.outcome, undefined)
  await silent.time.pass(10)
  assert.equal(unheard.outcome, 'timed-out')
})

test('who asks for a transfer that is under way hears of that; to another node it is tried afterwards', async () => {
  const node = leading()
  const first = node.transfer(two)
  const same = node.transfer(two)
  const other = node.transfer(three)
  await node.time.pass(50)
  assert.deepEqual(timeoutsNow(node.group), [2])
  node.group.goesDown(2)
  await node.time.pass(10)
  assert.deepEqual(
    [first.outcome, same.outcome, other.outcome],
    ['timed-out', 'timed-out', undefined],
  )
  assert.deepEqual(timeoutsNow(node.group), [3])
  node.elected(three)
  await node.time.pass(10)
  assert.equal(other.outcome, 'done')
})

test('a node that ends says of what is under way that it is not known, and begins nothing', async () => {
  const node = leading()
  const moving = node.transfer(two)
  node.transfers.close()
  await node.time.pass(5_000)
  assert.equal(moving.outcome, 'timed-out')
  assert.equal(node.time.size, 0)
  const again = node.transfer(three)
  await node.time.pass(0)
  assert.equal(again.outcome, 'not-leader')
})

test('a node hands over what it leads, each to the first in order that can take it', async () => {
  const [a, b] = [new LoneGroup().established(), new LoneGroup().established()]
  const others = [new LoneGroup(), new LoneGroup({ voters: 1, up: [] })]
  others[1]!.sync()
  const node = new Node(a, ...others)
  node.unfit.add(2)
  let over = false
  void node.transfers.handOver({ withinMs: 500 }).then(() => (over = true))
  await node.time.pass(20)
  assert.deepEqual(timeoutsNow(a), [3])
  assert.ok(!over)
  node.elected(three)
  await node.time.pass(10)
  assert.ok(over)
  assert.equal(node.time.size, 0)

  const allowed = new Node(b)
  void allowed.transfers.handOver({ withinMs: 500, allowed: (to) => to === 3 })
  await allowed.time.pass(20)
  assert.deepEqual(timeoutsNow(b), [3])
})

test('handing over ends after its time, with nothing begun later', async () => {
  const node = leading()
  let over = false
  void node.transfers.handOver({ withinMs: 500 }).then(() => (over = true))
  await node.time.pass(499)
  assert.ok(!over)
  await node.time.pass(1)
  assert.ok(over)
  const late = leading()
  void late.transfers.handOver({ withinMs: 0 })
  await late.time.pass(20)
  assert.deepEqual(timeoutsNow(late.group), [])
})

test('one leadership is moved away where it can go; who does not lead has none', async () => {
  const node = leading()
  node.unfit.add(2)
  node.unfit.add(3)
  node.transfers.moveAway(node.group.group)
  await node.time.pass(10)
  assert.deepEqual(timeoutsNow(node.group), [])
  node.unfit.clear()
  node.transfers.moveAway(node.group.group)
  await node.time.pass(10)
  assert.deepEqual(timeoutsNow(node.group), [2])
  const follower = new Node(new LoneGroup())
  follower.transfers.moveAway(follower.group.group)
  assert.equal(follower.time.size, 0)
  assert.equal(
    follower.transfers.targetOf(follower.group.group, () => true),
    undefined,
  )
})

test('a request for a group by another name finds nothing to move', async () => {
  const node = leading()
  node.leader = undefined
  node.group.receive(two, { kind: 'higher-term', term: asLeaderEpoch(3) })
  assert.equal(await node.transfers.transfer(asLogId('other'), two), 'not-leader')
})
