// Elections by section of the thesis (3.4, 3.6.1, 3.10, 6.2, 9.6) and by law (R2, R8).

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { asLeaderEpoch, asOffset } from '../base/brand.ts'
import { Cluster, TIMING } from './testing/cluster.ts'
import { crashSeen, deliverAll, lead, ledByFirst } from './testing/scripts.ts'

const three = (): Cluster => ledByFirst(new Cluster({ voters: 3 }))

test('3.4: the first election, message by message', () => {
  const cluster = new Cluster({ voters: 3 })
  cluster.connect(1, 2)
  cluster.elect(1)
  cluster.settle()
  assert.deepEqual(cluster.trace, [
    '1 at 0 ms',
    '1→2 pre-vote 1 by (-1, 0)',
    '2→1 pre-vote 1 granted',
    '1 term 1, vote 1',
    '1 syncs',
    '1→2 vote 1 by (-1, 0)',
    '2 term 1, vote 1',
    '2 syncs',
    '2→1 vote granted in 1',
    '1 leads 1',
    '1 M1',
    '1 syncs',
    '1→2 append 1 after (-1, 0): M1@0 commit (-1, 0) ?',
    '2 M1',
    '2 syncs',
    '2→1 ack 1: durable (-1, 0), accepted (1, 0)',
    '2→1 ack 1: durable (1, 0), accepted (1, 0)',
    '1 commits (1, 0)',
    '1→2 append 1 after (1, 0): commit (1, 0)',
    '2 commits (1, 0)',
  ])
})

test('3.4: the voters take turns in preferred order, without the lost leader', () => {
  const cluster = three()
  crashSeen(cluster, 1)
  assert.equal(cluster.core(2).deadlineMs, cluster.nowMs)
  assert.equal(cluster.core(3).deadlineMs, cluster.nowMs + TIMING.rankStepMs)
})

test('R2: neither a request for votes nor a vote leaves before it is durable', () => {
  const cluster = new Cluster({ voters: 3 })
  cluster.connectAll()
  cluster.tick(1)
  deliverAll(cluster, { kind: 'pre-vote' })
  deliverAll(cluster, { kind: 'pre-vote-reply' })
  assert.equal(cluster.core(1).role, 'candidate')
  assert.deepEqual(cluster.inFlight({ kind: 'vote' }), [])
  cluster.sync(1)
  deliverAll(cluster, { kind: 'vote' })
  assert.deepEqual(cluster.inFlight({ kind: 'vote-grant' }), [])
  cluster.sync(2)
  assert.equal(cluster.inFlight({ kind: 'vote-grant' }).length, 1)
})

test('a candidate whose vote is slow to sync waits for it instead of beginning anew', () => {
  const cluster = new Cluster({ voters: 3 })
  cluster.connectAll()
  cluster.tick(1)
  deliverAll(cluster, { kind: 'pre-vote' })
  deliverAll(cluster, { kind: 'pre-vote-reply' })
  for (let i = 0; i < 5; i++) cluster.tick(1)
  assert.equal(cluster.core(1).role, 'candidate')
  assert.equal(cluster.core(1).term, 1)
  cluster.settle()
  assert.equal(cluster.core(1).role, 'leader')
})

test('a candidate asks again whoever becomes reachable', () => {
  const cluster = new Cluster({ voters: 3 })
  cluster.connect(1, 2)
  cluster.tick(1)
  deliverAll(cluster, { kind: 'pre-vote' })
  deliverAll(cluster, { kind: 'pre-vote-reply' })
  cluster.cut(1, 2)
  cluster.sync(1)
  assert.equal(cluster.core(1).role, 'candidate')
  cluster.connect(1, 3)
  cluster.settle()
  assert.equal(cluster.core(1).role, 'leader')
})

test('3.6.1: whose log is behind is not elected', () => {
  const cluster = three()
  cluster.isolate(3)
  cluster.append(1)
  cluster.settle()
  crashSeen(cluster, 1)
  cluster.connect(2, 3)
  for (let i = 0; i < 3; i++) {
    cluster.tick(3)
    cluster.settle()
    assert.notEqual(cluster.core(3).role, 'leader')
  }
  lead(cluster, 2)
})

test('3.6.1: logs compare by epoch first: the longer one is not the better one', () => {
  const cluster = three()
  cluster.isolate(1)
  cluster.append(1, 5)
  cluster.settle()
  lead(cluster, 2)
  cluster.append(2)
  cluster.settle()
  cluster.isolate(2)
  cluster.connect(1, 3)
  assert.ok(cluster.node(1).accepted.end.offset > cluster.node(3).accepted.end.offset)
  lead(cluster, 3)
  assert.equal(cluster.core(1).end.epoch, cluster.core(3).term)
})

const request = (term: number, epoch: number, offset: number) =>
  ({
    kind: 'vote',
    term: asLeaderEpoch(term),
    end: { epoch: asLeaderEpoch(epoch), offset: asOffset(offset) },
    candidacy: 1,
  }) as const

function answers(cluster: Cluster, id: number, message: ReturnType<typeof request>): string[] {
  const from = cluster.node(2).id
  cluster.network.inFlight = []
  cluster.step(cluster.node(id), { kind: 'message', from, message, nowMs: cluster.nowMs })
  cluster.sync(id)
  return cluster.inFlight({ from: id, to: 2 }).map((envelope) => envelope.message.kind)
}

test('a voter that knows the leader of the term gives its vote to nobody else in it', () => {
  const cluster = new Cluster({ voters: 3 })
  cluster.connect(1, 2)
  cluster.elect(1)
  cluster.connectAll()
  cluster.settle()
  cluster.heartbeats()
  assert.equal(cluster.node(3).durable.hardState.votedFor, undefined)
  assert.deepEqual(answers(cluster, 3, request(1, 1, 0)), ['vote-refusal'])
  assert.equal(cluster.core(3).deadlineMs, Infinity)
})

test('3.6.1: a vote is refused to a log that is behind, whatever a pre-vote said; a suspect one gives none', () => {
  const cluster = three()
  cluster.append(1)
  cluster.settle()
  assert.deepEqual(answers(cluster, 3, request(2, 1, 0)), ['vote-refusal'])
  assert.deepEqual(answers(cluster, 3, request(2, 1, 1)), ['vote-grant'])
  // The same candidate, with less than it had: no.
  assert.deepEqual(answers(cluster, 3, request(2, 1, 0)), ['vote-refusal'])
  crashSeen(cluster, 3)
  cluster.damage(3)
  cluster.start(3)
  cluster.connect(2, 3)
  assert.deepEqual(answers(cluster, 3, request(9, 9, 9)), ['vote-refusal'])
})

test('9.6: who was cut off comes back without a change of term', () => {
  const cluster = three()
  cluster.isolate(3)
  for (let i = 0; i < 5; i++) {
    cluster.tick(3)
    cluster.settle()
  }
  cluster.connectAll()
  cluster.settle()
  cluster.heartbeats()
  assert.deepEqual(
    cluster.nodes.map(({ raft }) => [raft.term, raft.leader]),
    [
      [1, 1],
      [1, 1],
      [1, 1],
    ],
  )
})

test('9.6, R8: a voter with a leader refuses a pre-vote', () => {
  const cluster = three()
  cluster.cut(1, 3)
  cluster.tick(3)
  cluster.settle({ except: [1] })
  assert.equal(cluster.core(3).role, 'pre-candidate')
  assert.equal(cluster.core(2).leader, 1)
})

test('R8: quiet only once the leader claims the epoch', () => {
  const cluster = new Cluster({ voters: 3 })
  cluster.connectAll()
  cluster.tick(1)
  cluster.settle()
  assert.equal(cluster.core(2).leader, 1)
  assert.ok(cluster.core(2).deadlineMs < Infinity, 'an append alone does not keep it quiet')
  cluster.heartbeat(1, 2)
  assert.equal(cluster.core(2).deadlineMs, Infinity)
})

test('R8: whoever knows a higher epoch says so to who claims a lower one', () => {
  const cluster = three()
  const message = { kind: 'higher-term', term: asLeaderEpoch(5) } as const
  const { nowMs } = cluster
  cluster.step(cluster.node(3), { kind: 'message', from: cluster.node(2).id, message, nowMs })
  cluster.heartbeat(1, 3)
  deliverAll(cluster, { from: 3, to: 1 })
  assert.equal(cluster.core(1).role, 'follower')
  assert.equal(cluster.core(1).term, 5)
})

test('R8: a leader that is not on its list any more is lost', () => {
  const cluster = three()
  cluster.step(cluster.node(2), { kind: 'leader-unsupported', nowMs: cluster.nowMs })
  assert.equal(cluster.core(2).leader, undefined)
  assert.equal(cluster.core(2).deadlineMs, cluster.nowMs)
})

test('R8: who is unfit does not campaign, and does again once it is fit', () => {
  const cluster = three()
  crashSeen(cluster, 1)
  cluster.step(cluster.node(2), { kind: 'fitness', fit: false })
  cluster.tick(2)
  cluster.settle()
  assert.equal(cluster.core(2).role, 'follower')
  assert.ok(cluster.core(2).deadlineMs > cluster.nowMs, 'it does not spin')
  cluster.step(cluster.node(2), { kind: 'fitness', fit: true })
  lead(cluster, 2)
})

test('6.2: a leader without a quorum steps down, after a while and not before', () => {
  const cluster = three()
  cluster.isolate(1)
  assert.equal(cluster.core(1).deadlineMs, cluster.nowMs + TIMING.quorumMs)
  cluster.connect(1, 2)
  cluster.settle()
  assert.equal(cluster.core(1).deadlineMs, Infinity, 'one voter is enough of three')
  cluster.isolate(1)
  cluster.tick(1)
  assert.equal(cluster.core(1).role, 'follower')
  assert.equal(cluster.core(1).leader, undefined)
})

test('3.10: a transfer waits until the successor has everything, and takes nothing new meanwhile', () => {
  const cluster = three()
  cluster.append(1)
  const { nowMs } = cluster
  cluster.step(cluster.node(1), { kind: 'transfer', to: cluster.node(3).id, nowMs })
  assert.equal(cluster.core(1).acceptsAppends, false)
  assert.deepEqual(cluster.inFlight({ kind: 'timeout-now' }), [])
  cluster.settle()
  assert.equal(cluster.core(3).role, 'leader')
  assert.equal(cluster.core(1).role, 'follower')
  assert.equal(cluster.core(1).leader, 3)
})

test('3.10: a transfer that does not happen is called off', () => {
  const cluster = three()
  const [leader] = cluster.nodes
  const to = cluster.node(3).id
  cluster.step(leader!, { kind: 'transfer', to, nowMs: cluster.nowMs })
  cluster.network.inFlight = []
  cluster.tick(1)
  assert.equal(cluster.core(1).acceptsAppends, true)
  assert.equal(cluster.core(1).deadlineMs, Infinity)
  cluster.step(leader!, { kind: 'transfer', to, nowMs: cluster.nowMs })
  cluster.cut(1, 3)
  assert.equal(cluster.core(1).acceptsAppends, true, 'the successor is gone')
  cluster.step(leader!, { kind: 'transfer', to, nowMs: cluster.nowMs })
  assert.equal(cluster.core(1).acceptsAppends, true, 'who is down can not take over')
})

test('a group of one voter leads after its own sync, in a new epoch after each start', () => {
  const cluster = new Cluster({ voters: 1 })
  for (const epoch of [1, 2]) {
    cluster.tick(1)
    assert.equal(cluster.core(1).role, 'candidate')
    cluster.settle()
    assert.equal(cluster.core(1).established, true)
    assert.equal(cluster.core(1).term, epoch)
    cluster.crash(1)
    cluster.start(1)
  }
})
