// One replica, event by event: the order in which it carries out what consensus asks for, and what it does with messages.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asNodeId, asOffset } from '../base/brand.ts'
import { StoreError } from '../storage/store.ts'
import { at, oneRecord } from './testing/fake-log.ts'
import { LoneGroup } from './testing/lone-group.ts'

const term = asLeaderEpoch
/** What is settled goes on. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

// The order within a step

test('R2: a term is saved before entries of it, then comes what is said, then who leads, then what is committed', () => {
  const group = new LoneGroup()
  group.takeTrace()
  group.append({ commit: at(2, 7) }, [oneRecord(2, 6)])
  assert.deepEqual(group.takeTrace(), [
    'save term 2, vote undefined',
    'term changed to 2',
    'start epoch 2',
    'append 6',
    'appended 6',
    'follower in 2',
    'committed (2, 7)',
  ])
  group.sync()
  assert.deepEqual(group.takeTrace(), ['send ack to 2'])
  const next = { prev: at(2, 7), starts: [], commit: at(2, 8) }
  group.append(next, [oneRecord(2, 7)])
  assert.deepEqual(group.takeTrace(), [
    'append 7',
    'appended 7',
    'send ack to 2',
    'committed (2, 8)',
  ])
})

test('R2: a vote is saved before it is said, and a term before the answer that names it', () => {
  const group = new LoneGroup()
  group.takeTrace()
  const request = { kind: 'vote', term: term(2), candidacy: 7 } as const
  group.receive(2, { ...request, end: at(1, 5) })
  assert.deepEqual(group.takeTrace(), [
    'save term 2, vote undefined',
    'term changed to 2',
    'send vote-refusal to 2',
    'follower in 2',
  ])
  group.receive(3, { ...request, end: at(1, 6) })
  assert.deepEqual(group.takeTrace(), ['save term 2, vote 3'])
  group.sync()
  assert.deepEqual(group.takeTrace(), ['send vote-grant to 3'])
})

test('an election: the epoch begins in the log before anybody hears of it', () => {
  const group = new LoneGroup()
  group.takeTrace()
  group.campaign()
  assert.deepEqual(group.takeTrace(), [
    'send pre-vote to 2',
    'send pre-vote to 3',
    'pre-candidate in 1',
    'save term 2, vote 1',
    'term changed to 2',
    'candidate in 2',
  ])
  group.sync()
  assert.deepEqual(group.takeTrace(), ['send vote to 2', 'send vote to 3'])
  const request = group.takeSent().at(-1)?.message
  assert.ok(request?.kind === 'vote')
  const { candidacy } = request
  group.receive(3, { kind: 'vote-grant', term: term(2), candidacy, logStart: asOffset(0) })
  assert.deepEqual(group.takeTrace(), ['start epoch 2', 'claim 2', 'leader in 2', 'dirty'])
})

test('the first commit of a leader: it serves from then on, and its leadership is claimed once', () => {
  const group = new LoneGroup().lead()
  group.group.pump()
  group.sync()
  group.takeTrace()
  group.ack(2)
  assert.deepEqual(group.takeTrace(), ['leader in 2', 'committed (2, 6)', 'dirty', 'acknowledged'])
})

test('a deposed leader hears so before of a commit: what it has appended may not be what was committed', () => {
  const group = new LoneGroup().established()
  group.write()
  group.takeTrace()
  const starts = [{ epoch: term(3), start: asOffset(6) }]
  const batches = [oneRecord(3, 6), oneRecord(3, 7)]
  group.append({ term: term(3), prev: at(2, 6), starts, commit: at(3, 8) }, batches)
  assert.deepEqual(group.takeTrace(), [
    'save term 3, vote undefined',
    'term changed to 3',
    'truncate to (2, 6)',
    'truncated to (2, 6)',
    'start epoch 3',
    'append 6 7',
    'appended 6',
    'unclaim',
    'follower in 3',
    'committed (3, 8)',
  ])
})

// Beginning and ending

test('who can be reached when a group starts is asked for its vote, and gets what there is', () => {
  const group = new LoneGroup({ up: [2] })
  group.lead()
  group.sync()
  group.group.pump()
  assert.deepEqual(group.takeKinds(), ['append to 2'])
})

test('a sole voter leads at once; one of several waits for its turn', () => {
  const alone = new LoneGroup({ voters: 1, up: [] })
  alone.sync()
  assert.equal(alone.raft.role, 'leader')
  const several = new LoneGroup()
  assert.equal(several.raft.role, 'follower')
  assert.deepEqual(several.takeSent(), [])
})

test('the node knows when it has to wake the group', () => {
  const group = new LoneGroup()
  const knows = (): void => assert.equal(group.deadlineMs, group.group.deadlineMs)
  knows()
  group.tick()
  knows()
  group.lead()
  knows()
  group.append({ term: term(9) })
  knows()
})

test('whatever comes after the end, nothing is done any more', async () => {
  const group = new LoneGroup().established()
  const moved = group.group.advanceLogStart(asOffset(3))
  group.write()
  group.takeTrace()
  group.group.close()
  group.group.close()
  assert.deepEqual(group.takeTrace(), ['unclaim', 'closed'])
  assert.equal(await moved, false)
  group.ack(2)
  group.append({ term: term(3) })
  group.admits = () => false
  group.append({ term: term(2) }, [oneRecord(2, 6)])
  group.comesUp(3)
  group.tick()
  group.group.pump()
  group.log.sync()
  group.log.damaged(2, 3)
  group.flush()
  await turn()
  assert.deepEqual(group.write(), { kind: 'rejected', reason: 'not-leader' })
  assert.equal(await group.group.advanceLogStart(asOffset(4)), false)
  assert.equal(await group.group.confirm(), false)
  assert.deepEqual(group.takeTrace(), [])
})

test('a leadership that was lost is given up once', () => {
  const group = new LoneGroup().established()
  group.receive(2, { kind: 'higher-term', term: term(3) })
  assert.ok(group.takeTrace().includes('unclaim'))
  group.receive(2, { kind: 'higher-term', term: term(4) })
  group.group.close()
  assert.ok(!group.takeTrace().includes('unclaim'))
})

// Who leads, as the nodes say it

test('R8: the claim of a leader that is gone says nothing about another leader', () => {
  const group = new LoneGroup()
  group.group.claimed(asNodeId(2), term(2))
  group.group.claimGone(asNodeId(3))
  assert.equal(group.raft.leader, 2)
  assert.equal(group.deadlineMs, Infinity)
  group.group.claimGone(asNodeId(2))
  assert.equal(group.raft.leader, undefined)
  assert.ok(group.deadlineMs < Infinity)
})

test('R9: a suspect replica can not vouch for having done nothing in a higher term', () => {
  const suspect = new LoneGroup({ suspect: true })
  suspect.takeTrace()
  suspect.append()
  assert.equal(suspect.group.vouchedEpoch, undefined)
  assert.deepEqual(suspect.takeTrace().slice(0, 2), [
    'save term 2, vote undefined, suspect',
    'start epoch 2',
  ])
  suspect.sync()
  suspect.receive(2, { kind: 'clear', term: term(2), at: at(2, 6) })
  assert.equal(suspect.group.vouchedEpoch, 2)
  assert.ok(suspect.trace.includes('term changed to 2'))
})

test('R8: a replica whose disk stalls does not campaign', () => {
  const group = new LoneGroup()
  group.group.setFit(false)
  group.tick()
  assert.deepEqual(group.takeSent(), [])
  group.group.setFit(true)
  group.tick()
  assert.deepEqual(group.takeKinds(), ['pre-vote to 2', 'pre-vote to 3'])
})

test('a sole voter leads though its node is stopping or its disk stalls: nobody else could', () => {
  const group = new LoneGroup({ voters: 1, up: [], started: false })
  group.group.setFit(false)
  group.group.start()
  group.sync()
  assert.equal(group.raft.role, 'leader')
})

// Damage

test('R5: a damaged replica is healed; until then it does not campaign, and acknowledges nothing past the damage', () => {
  const group = new LoneGroup()
  group.takeTrace()
  group.log.damaged(3, 4)
  assert.deepEqual(group.takeTrace(), ['heal'])
  group.tick()
  assert.deepEqual(group.takeSent(), [])
  group.append()
  group.sync()
  const [ack] = group.takeSent()
  assert.ok(ack?.message.kind === 'ack')
  assert.deepEqual(ack.message.durable, at(1, 3))
  group.log.damage = undefined
  group.takeTrace()
  group.group.healed()
  const [whole] = group.takeSent()
  assert.ok(whole?.message.kind === 'ack')
  assert.deepEqual(whole.message.durable, at(2, 6))
  group.goesDown(2)
  group.tick()
  assert.deepEqual(group.takeKinds(), ['pre-vote to 2', 'pre-vote to 3'])
})

test('R5: damage that was found as the log was opened counts from the start', () => {
  const group = new LoneGroup({ damage: [3, 4] })
  assert.ok(group.trace.includes('heal'))
  group.tick()
  assert.deepEqual(group.takeSent(), [])
  group.append()
  group.sync()
  const [ack] = group.takeSent()
  assert.ok(ack?.message.kind === 'ack')
  assert.deepEqual(ack.message.durable, at(1, 3))
})

test('R5: a sole voter has nobody to heal from: it leads and commits with what it has', () => {
  const group = new LoneGroup({ voters: 1, up: [], damage: [3, 4] })
  group.sync()
  assert.equal(group.raft.role, 'leader')
  group.log.damaged(2, 4)
  group.write()
  group.sync()
  assert.deepEqual(group.raft.commit, at(2, 7))
})

test('R5: a leader that was healed may have read nothing for its followers meanwhile: they are served at once', () => {
  const group = new LoneGroup().established()
  group.log.damaged(3, 4)
  group.log.damage = undefined
  group.takeTrace()
  group.group.healed()
  assert.ok(group.trace.includes('dirty'))
})

test('R5: a leader does not give up its log', () => {
  const group = new LoneGroup().established()
  group.group.distrust()
  assert.deepEqual([group.raft.suspect, group.takeTrace()], [false, []])
})

// A full disk

test('a follower whose disk is full says so to its leader, and takes nothing of the bytes', () => {
  const group = new LoneGroup()
  group.admits = () => false
  group.append({ commit: at(2, 7) }, [oneRecord(2, 6)])
  assert.deepEqual(group.takeKinds(), ['deferred to 2'])
  assert.deepEqual([group.raft.leader, group.raft.term], [2, 2])
  assert.deepEqual(group.log.end, at(1, 6))
  group.admits = (bytes) => bytes < 100
  group.append({ commit: at(2, 7) }, [oneRecord(2, 6)])
  assert.deepEqual(group.log.end, at(2, 7))
})

test('what has no bytes is taken by a full disk too', () => {
  const group = new LoneGroup()
  group.admits = () => false
  group.append({ commit: at(2, 6) })
  assert.deepEqual(group.log.end, at(2, 6))
  assert.deepEqual(group.raft.commit, at(2, 6))
})

test('a leader of the past hears from a full disk of the higher term, and nothing else', () => {
  const group = new LoneGroup()
  group.append({ term: term(4) })
  group.takeSent()
  group.admits = () => false
  group.receive(3, { ...APPEND_OF_3, term: term(3) }, [oneRecord(3, 6)])
  assert.deepEqual(group.takeKinds(), ['higher-term to 3'])
})

const APPEND_OF_3 = {
  kind: 'append',
  prev: at(1, 6),
  starts: [{ epoch: term(3), start: asOffset(6) }],
  batches: [],
  commit: at(1, 0),
  logStart: asOffset(0),
  probe: true,
  round: 0,
} as const

// A leader's own appends

test('only a leader that hands over to nobody takes appends, of its own epoch', () => {
  const group = new LoneGroup()
  assert.deepEqual(group.write(), { kind: 'rejected', reason: 'not-leader' })
  group.established()
  const fenced = group.group.append(oneRecord(-1, 0), term(1))
  assert.deepEqual(fenced, { kind: 'rejected', reason: 'fenced-epoch' })
  const taken = group.group.append(oneRecord(-1, 0), term(2))
  assert.deepEqual(taken, { kind: 'accepted', baseOffset: 6, end: at(2, 7) })
  assert.deepEqual(group.takeTrace(), ['append 6', 'appended 6', 'dirty'])
  group.group.transfer(asNodeId(2))
  assert.deepEqual(group.write(), { kind: 'rejected', reason: 'not-leader' })
  assert.deepEqual(group.log.end, at(2, 7))
})

test('a full disk rejects an append; whatever else fails in the log is no answer', () => {
  const group = new LoneGroup().established()
  group.log.failure = new StoreError('storage-full', 'full')
  assert.deepEqual(group.write(), { kind: 'rejected', reason: 'storage-full' })
  group.log.failure = new StoreError('closed', 'closed')
  assert.throws(() => group.write(), /closed/)
  group.log.failure = new Error('broken')
  assert.throws(() => group.write(), /broken/)
  assert.deepEqual(group.takeTrace(), [])
})
