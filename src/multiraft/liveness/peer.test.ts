// What a node makes of one peer's receipts, also where they can't be right.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asLogId, asNodeId, type LeaderEpoch, type LogId } from '../../base/brand.ts'
import type { Heartbeat, Receipt } from './heartbeat.ts'
import { Peer, type OwnNews } from './peer.ts'
import { VersionedList } from './versioned-list.ts'

/** Node 1 with three changes of its claims, an objection to node 2's and a status. */
function pair(): { readonly peer: Peer; readonly own: OwnNews; readonly next: () => Heartbeat } {
  const claims = new VersionedList<LogId, LeaderEpoch>()
  for (const name of ['a', 'b', 'c']) claims.set(asLogId(name), asLeaderEpoch(1))
  const status = { version: 1, bytes: Uint8Array.of(7) }
  const own = { bootId: 'b1', nowMs: 1_000, nowUs: 1_000_000, round: 0, claims, status }
  const peer = new Peer(asNodeId(2))
  peer.connect('b2', 1)
  peer.up = true
  peer.pairing.objections.set(1, 'unknown')
  const next = (): Heartbeat => {
    const frame = peer.compose(own, false)
    peer.didSend(frame)
    return frame
  }
  return { peer, own, next }
}

/** The peer's answer, which says that it has this. */
const answer = (frame: Heartbeat, receipt: Partial<Receipt>): Heartbeat => ({
  ...frame,
  receipt: { ...frame.receipt, ...receipt },
})

test('what the peer has not got is told again; what it has is not', () => {
  const { peer, own, next } = pair()
  const first = next()
  assert.equal(first.claims?.entries.length, 3)
  assert.ok(!peer.hasNews(own))
  const lost = answer(first, { seq: first.seq, claims: 1, objections: 0, status: 0 })
  assert.ok(peer.answered(lost, 1_001))
  peer.confirmed(lost)
  const again = next()
  assert.deepEqual(
    [again.claims?.entries.length, again.objections?.entries.length, again.status?.version],
    [2, 1, 1],
  )
  const all = answer(again, { seq: again.seq, claims: 3, objections: 1, status: 1 })
  assert.ok(peer.answered(all, 1_002))
  peer.confirmed(all)
  const nothing = next()
  assert.deepEqual(
    [nothing.claims, nothing.objections, nothing.status],
    [undefined, undefined, undefined],
  )
})

test('a peer that says it has more than it was sent is told what comes all the same', () => {
  const { peer, own, next } = pair()
  const first = next()
  const wrong = answer(first, { seq: first.seq, claims: 99, objections: 99, status: 99 })
  assert.ok(peer.answered(wrong, 1_001))
  peer.confirmed(wrong)
  own.claims.set(asLogId('d'), asLeaderEpoch(1))
  peer.pairing.objections.set(2, 'unknown')
  const frame = peer.compose({ ...own, status: { ...own.status, version: 2 } }, false)
  assert.deepEqual(
    [frame.claims?.entries.length, frame.objections?.entries.length, frame.status?.version],
    [1, 1, 2],
  )
})

test('nothing is told before the peer is up, and nothing new before the last news was answered', () => {
  const { peer, own, next } = pair()
  const news = ({ claims, objections, status }: Heartbeat): unknown[] => [
    claims,
    objections,
    status,
  ]
  const nothing = [undefined, undefined, undefined]
  peer.up = false
  assert.deepEqual(news(next()), nothing)
  peer.up = true
  const first = next()
  assert.ok(first.status !== undefined)
  own.claims.set(asLogId('d'), asLeaderEpoch(1))
  peer.pairing.objections.set(2, 'unknown')
  const later = { ...own, status: { ...own.status, version: 2 } }
  assert.deepEqual(news(peer.compose(later, false)), nothing)
  const all = answer(first, { seq: first.seq, claims: 3, objections: 1, status: 1 })
  assert.ok(peer.answered(all, 1_001))
  peer.confirmed(all)
  const second = peer.compose(later, false)
  assert.deepEqual(
    [second.claims?.entries.length, second.objections?.entries.length, second.status?.version],
    [1, 1, 2],
  )
})

test('a round is asked for at once, once, also where heartbeats named earlier rounds that were none of the peer', () => {
  const { peer, own, next } = pair()
  const first = next()
  const all = answer(first, { seq: first.seq, claims: 3, objections: 1, status: 1 })
  assert.ok(peer.answered(all, 1_001))
  peer.confirmed(all)
  const quiet = peer.compose({ ...own, round: 2 }, false)
  assert.ok(!quiet.urgent)
  peer.didSend(quiet)
  peer.pairing.roundWanted = 3
  assert.ok(peer.shouldAsk)
  const asking = peer.compose({ ...own, round: 3 }, false)
  assert.ok(asking.urgent)
  peer.didSend(asking)
  assert.ok(!peer.shouldAsk)
})

test('an answer to what was never sent, or was answered, is none', () => {
  const { peer, next } = pair()
  const first = next()
  assert.ok(!peer.answered(answer(first, { seq: first.seq + 1 }), 1_001))
  assert.ok(peer.answered(answer(first, { seq: first.seq }), 1_002))
  assert.ok(!peer.answered(answer(first, { seq: first.seq }), 1_003))
  assert.equal(peer.answeredMs, 1_002)
})

test('frames count in their order, those of the present connection', () => {
  const { peer, next } = pair()
  const [first, second] = [next(), next()]
  assert.ok(peer.received(second, 1_000))
  assert.ok(!peer.received(first, 1_001))
  assert.ok(!peer.received(second, 1_001))
  peer.remoteSession = 2
  assert.ok(!peer.received({ ...next(), session: 1 }, 1_001))
  assert.ok(peer.received({ ...next(), session: 2 }, 1_001))
})

test('a peer without a connection is of no process', () => {
  const { peer } = pair()
  peer.disconnect()
  assert.deepEqual([peer.boot, peer.up], [undefined, false])
})

test('the round trip is smoothed', () => {
  const { peer } = pair()
  peer.measured(8)
  assert.equal(peer.roundTripMs, 8)
  peer.measured(16)
  assert.equal(peer.roundTripMs, 9)
})
