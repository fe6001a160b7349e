// Law R10: a follower that ends where its leader has no tombstones any more would keep what they ended. It begins anew.

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { asNodeId, asOffset } from '../base/brand.ts'
import type { InstallRequest } from './messages.ts'
import { Cluster } from './testing/cluster.ts'
import { crashSeen, deliverAll, ledByFirst } from './testing/scripts.ts'
import { ACK, APPEND, at, kinds, NOW, Single, term } from './testing/single.ts'

/** Where the tombstone of key 1 lies: batch v7. */
const TOMBSTONE = asOffset(12)

/** Node 3 holds v1 to v3 only; node 1 leads, and has neither v1 nor v7, which ended its key. */
function behind(): Cluster {
  const cluster = ledByFirst(new Cluster({ voters: 3 }))
  cluster.append(1, 3)
  cluster.settle()
  cluster.cut(1, 3)
  cluster.cut(2, 3)
  cluster.append(1, 5)
  cluster.settle()
  cluster.compact(1, asOffset(0))
  cluster.compact(1, TOMBSTONE)
  assert.equal(cluster.node(1).accepted.tombstonesRemovedBelow, 13)
  return cluster
}

const valuesOf = (cluster: Cluster, id: number): string[] =>
  cluster.node(id).durable.batches.map(({ value }) => value)

test('a follower that ends below them begins anew: message by message', () => {
  const cluster = behind()
  cluster.trace.length = 0
  cluster.connect(1, 3)
  cluster.settle()
  assert.deepEqual(cluster.trace, [
    '1→3 install 1 at 0: M1@0, unless (1, 13) is held: no tombstones below 13',
    '3 install at 0: M1@0',
    '3 syncs',
    '3→1 ack 1: durable (1, 0), accepted (1, 0), begun below 13',
    '1→3 append 1 after (1, 0): [1 15) commit (1, 15)',
    '3 append [1 15)',
    '3 commits (1, 15)',
    '3 syncs',
    '3→1 ack 1: durable (1, 15), accepted (1, 15), begun below 13',
  ])
  assert.deepEqual(valuesOf(cluster, 3), valuesOf(cluster, 1))
  assert.equal(cluster.node(3).durable.tombstonesRemovedBelow, 13)
})

test('one that holds them goes on where it is', () => {
  const cluster = ledByFirst(new Cluster({ voters: 3 }))
  cluster.append(1, 8)
  cluster.settle()
  cluster.compact(1, asOffset(0))
  cluster.compact(1, TOMBSTONE)
  cluster.cut(1, 3)
  cluster.append(1, 1)
  cluster.settle()
  cluster.connect(1, 3)
  cluster.trace.length = 0
  cluster.settle()
  assert.ok(!cluster.trace.some((line) => line.includes('install')), cluster.trace.join('\n'))
  assert.ok(valuesOf(cluster, 3).includes('v1'))
})

test('its log before counts until the new one is durable: a crash in between begins anew again', () => {
  const cluster = behind()
  cluster.connect(1, 3)
  cluster.pump(1)
  deliverAll(cluster, { to: 3 })
  assert.equal(cluster.core(3).end.offset, 0)
  assert.deepEqual(cluster.inFlight({ from: 3 }), [])
  crashSeen(cluster, 3)
  cluster.start(3)
  assert.equal(cluster.core(3).end.offset, 6)
  cluster.connect(1, 3)
  cluster.settle()
  assert.deepEqual(valuesOf(cluster, 3), valuesOf(cluster, 1))
})

test('tombstones that go while it catches up have it begin anew once more', () => {
  const cluster = behind()
  // v2 and v8: the tombstone of key 2.
  cluster.connect(1, 3)
  cluster.pump(1)
  deliverAll(cluster, { to: 3 })
  cluster.sync(3)
  deliverAll(cluster, { to: 1 })
  cluster.pump(1, { messages: 1, batches: 1 })
  deliverAll(cluster, { to: 3 })
  cluster.sync(3)
  assert.deepEqual(valuesOf(cluster, 3), ['v2'])
  cluster.cut(1, 3)
  cluster.append(1)
  cluster.settle()
  cluster.compact(1, asOffset(1))
  cluster.compact(1, asOffset(13))
  assert.equal(cluster.node(1).accepted.tombstonesRemovedBelow, 15)
  cluster.connect(1, 3)
  cluster.settle()
  assert.deepEqual(valuesOf(cluster, 3), ['v3', 'v4', 'v5', 'v6', 'v9'])
})

test('a crash of one that began anew costs what was not durable, and no more', () => {
  const cluster = behind()
  cluster.connect(1, 3)
  cluster.pump(1)
  deliverAll(cluster, { to: 3 })
  cluster.sync(3)
  deliverAll(cluster, { to: 1 })
  cluster.pump(1, { messages: 1, batches: 2 })
  deliverAll(cluster, { to: 3 })
  cluster.sync(3)
  deliverAll(cluster, { to: 1 })
  // What comes now is lost with it.
  cluster.pump(1, { messages: 1, batches: 1 })
  deliverAll(cluster, { to: 3 })
  crashSeen(cluster, 3)
  cluster.start(3)
  cluster.connect(1, 3)
  cluster.trace.length = 0
  cluster.settle()
  assert.ok(!cluster.trace.some((line) => line.includes('install')), cluster.trace.join('\n'))
  assert.deepEqual(valuesOf(cluster, 3), valuesOf(cluster, 1))
  assert.deepEqual(cluster.core(1).followers.get(asNodeId(3))?.match, cluster.core(1).end)
})

test('R5: one that began anew and then can not rely on its log begins anew once more, and is whole again', () => {
  const cluster = behind()
  cluster.connect(1, 3)
  cluster.settle()
  cluster.connect(2, 3)
  cluster.settle()
  cluster.trace.length = 0
  cluster.distrust(3)
  cluster.settle()
  assert.deepEqual(valuesOf(cluster, 3), valuesOf(cluster, 1))
  assert.equal(cluster.node(3).durable.tombstonesRemovedBelow, 13)
  assert.equal(cluster.core(3).suspect, false)
})

test('R5: one that began anew and then lost everything begins anew once more', () => {
  const cluster = behind()
  cluster.connect(1, 3)
  cluster.settle()
  cluster.connect(2, 3)
  crashSeen(cluster, 3)
  cluster.damage(3)
  cluster.start(3)
  cluster.connectAll()
  cluster.settle()
  assert.deepEqual(valuesOf(cluster, 3), valuesOf(cluster, 1))
  assert.equal(cluster.node(3).durable.tombstonesRemovedBelow, 13)
  assert.equal(cluster.core(3).suspect, false)
})

// One replica by itself. Its log is of epoch 1, from 0 to 6.

const INSTALL: InstallRequest = {
  kind: 'install',
  term: term(1),
  logStart: asOffset(0),
  epochs: [{ epoch: term(1), start: asOffset(0) }],
  keep: at(1, 8),
  tombstonesRemovedBelow: asOffset(8),
  snapshot: undefined,
}

test('the follower says that it began anew only once that is durable, and its commit begins anew too', () => {
  const single = new Single()
  single.receive(2, { ...APPEND, commit: at(1, 4) })
  assert.deepEqual(single.raft.commit, at(1, 4))
  const { log, send } = single.receive(2, INSTALL)
  assert.deepEqual(
    log.map(({ kind }) => kind),
    ['install'],
  )
  assert.deepEqual(send, [])
  assert.deepEqual(single.raft.commit, { epoch: -1, offset: 0 })
  const synced = single.sync()
  assert.deepEqual(kinds(synced), ['ack to 2'])
  const ack = synced.send[0]!.message
  assert.ok(ack.kind === 'ack' && ack.begunBelow === 8)
})

test('asked a second time by the same leader it stays as it is', () => {
  const single = new Single()
  single.receive(2, INSTALL)
  single.sync()
  const again = single.receive(2, INSTALL)
  assert.deepEqual(again.log, [])
  assert.deepEqual(kinds(again), ['ack to 2'])
})

test('asked again because retention passed it by meanwhile it begins anew there', () => {
  const single = new Single()
  single.receive(2, INSTALL)
  single.sync()
  const passed = { ...INSTALL, logStart: asOffset(20), keep: at(1, 20) }
  const { log } = single.receive(2, passed)
  assert.deepEqual(
    log.map(({ kind }) => kind),
    ['install'],
  )
  assert.deepEqual(single.raft.end, at(1, 20))
})

test('a log that holds what is to be kept stays, and says so', () => {
  const single = new Single()
  const { log, send } = single.receive(2, { ...INSTALL, keep: at(1, 6) })
  assert.deepEqual(log, [])
  const ack = send[0]!.message
  assert.ok(ack.kind === 'ack' && ack.begunBelow === 0)
  assert.deepEqual(ack.accepted, at(1, 6))
})

test('what was deleted here stays deleted: the leader hears of the log start first', () => {
  const single = new Single({ logStart: 3 })
  const refused = single.receive(2, INSTALL)
  assert.deepEqual(refused.log, [])
  assert.deepEqual(kinds(refused), ['mismatch to 2'])

  const leader = new Single().lead()
  leader.send(2)
  leader.receive(2, {
    kind: 'mismatch',
    term: term(2),
    prev: at(1, 6),
    end: at(1, 4),
    epochs: [{ epoch: term(1), start: asOffset(0) }],
    logStart: asOffset(3),
  })
  assert.equal(leader.raft.logStart, 3)
  const plan = leader.raft.nextFor(asNodeId(2), asOffset(5))
  assert.ok(plan?.kind === 'install' && plan.logStart === 3)
})

test('what it acknowledged before it began anew counts no more', () => {
  const leader = new Single().lead()
  const follower = () => leader.raft.followers.get(asNodeId(2))!
  leader.send(2)
  leader.receive(2, { ...ACK, durable: at(2, 6), accepted: at(2, 6) })
  assert.deepEqual(follower().match, at(2, 6))
  leader.receive(2, { ...ACK, durable: at(1, 0), accepted: at(1, 0), begunBelow: asOffset(5) })
  assert.deepEqual(follower().match, at(1, 0))
  // Said before, and late.
  leader.receive(2, { ...ACK, durable: at(2, 6), accepted: at(2, 6) })
  assert.deepEqual(follower().match, at(1, 0))
})

test('what it acknowledged since then is not taken back, by what was said before nor by a reconnect', () => {
  const leader = new Single().lead()
  leader.send(2)
  const match = () => leader.raft.followers.get(asNodeId(2))!.match
  const begun = { ...ACK, begunBelow: asOffset(5) }
  leader.receive(2, begun)
  assert.deepEqual(match(), at(2, 6))
  leader.receive(2, { ...begun, durable: at(1, 0) })
  assert.deepEqual(match(), at(2, 6))
  leader.step({ kind: 'peer-down', peer: asNodeId(2), nowMs: NOW })
  leader.up(2)
  leader.send(2)
  leader.receive(2, { ...begun, durable: at(1, 0) })
  assert.deepEqual(match(), at(2, 6))
})

test('another leader is not told of what this one had begun anew', () => {
  const single = new Single()
  single.receive(2, INSTALL)
  single.sync()
  single.receive(3, { ...APPEND, term: term(2), prev: at(1, 0) })
  const ack = single.sync().send[0]!.message
  assert.ok(ack.kind === 'ack' && ack.begunBelow === 0)
})

test('R5: who distrusts its log begins anew at its start, as a suspect, and acknowledges nothing before it is asked', () => {
  const single = new Single({ logStart: 2 })
  const starts = [{ epoch: term(2), start: asOffset(6) }]
  single.receive(2, { ...APPEND, term: term(2), starts })
  single.sync()
  const { hardState, log, send } = single.step({ kind: 'distrust' })
  assert.equal(hardState?.suspect, true)
  const epochs = [{ epoch: term(1), start: asOffset(0) }]
  const tombstonesRemovedBelow = asOffset(0)
  assert.deepEqual(log, [{ kind: 'install', logStart: 2, epochs, tombstonesRemovedBelow }])
  const [mismatch] = send
  assert.ok(mismatch?.to === 2 && mismatch.message.kind === 'mismatch')
  assert.deepEqual(mismatch.message.end, at(1, 2))
  assert.deepEqual(kinds(single.sync()), [])
})

test('R5: who distrusts its log is no candidate any more', () => {
  const single = new Single()
  single.campaign()
  single.step({ kind: 'distrust' })
  assert.equal(single.raft.role, 'follower')
  assert.deepEqual(kinds(single.sync()), [])
})

test('a log start that lies above this log is not taken', () => {
  const leader = new Single().lead()
  leader.send(2)
  const fields = { end: at(1, 9), epochs: [{ epoch: term(1), start: asOffset(0) }] }
  const prev = at(1, 6)
  const logStart = asOffset(9)
  leader.receive(2, { kind: 'mismatch', term: term(2), prev, logStart, ...fields })
  assert.equal(leader.raft.logStart, 0)
  assert.deepEqual(leader.raft.commit, at(-1, 0))
})
