// One node against a peer that says whatever the test wants: which frames count, and what is on its way at most.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asLogId, asNodeId, type LeaderEpoch, type LogId } from '../../base/brand.ts'
import { Simulation } from '../../env/sim/simulation.ts'
import {
  decodeHeartbeat,
  encodeHeartbeat,
  type ClaimNews,
  type Heartbeat,
  type ObjectionNews,
} from './heartbeat.ts'
import { Liveness } from './liveness.ts'

const SELF = asNodeId(1)
const PEER = asNodeId(2)
const process = { nodeId: PEER, bootId: 'theirs' }
const group = asLogId('orders-0')
const epoch = asLeaderEpoch

class Fixture {
  readonly sim = new Simulation(1)
  readonly events: string[] = []
  readonly sent: Heartbeat[] = []
  readonly epochs = new Map<LogId, LeaderEpoch>([[group, epoch(3)]])
  readonly liveness: Liveness
  #seq = 0

  constructor() {
    this.liveness = new Liveness({
      env: this.sim.host('self').boot(),
      self: { nodeId: SELF, bootId: 'ours' },
      peers: [PEER],
      send: (_to, frame) => {
        const heartbeat = decodeHeartbeat(Buffer.concat(frame))
        assert.ok(heartbeat !== undefined)
        this.sent.push(heartbeat)
        return true
      },
      handlers: {
        onPeerUp: () => this.events.push('up'),
        onPeerDown: (_node, reason) => this.events.push(`down ${reason}`),
        onClaim: (one, _leader, at) => this.events.push(`claim ${one} ${at}`),
        onClaimGone: (one) => this.events.push(`gone ${one}`),
        onHigherEpoch: (one, at) => this.events.push(`higher ${one} ${at}`),
        epochOf: (one) => this.epochs.get(one),
        onStatus: (_node, status) => this.events.push(`status ${status.join()}`),
      },
    })
    this.liveness.start()
  }

  last(): Heartbeat {
    const last = this.sent.at(-1)
    assert.ok(last !== undefined)
    return last
  }

  takeEvents(): string[] {
    return this.events.splice(0)
  }

  /** The next frame of the peer, which has received everything, but for what the test says. */
  tell(parts: Partial<Heartbeat> = {}, receipt: Partial<Heartbeat['receipt']> = {}): void {
    this.#seq += 1
    const last = this.last()
    const frame: Heartbeat = {
      fromBoot: 'theirs',
      toBoot: 'ours',
      session: 1,
      echoSession: last.session,
      seq: this.#seq,
      timeUs: 0,
      urgent: false,
      round: 0,
      receipt: {
        seq: last.seq,
        timeUs: last.timeUs,
        heldUs: 0,
        claims: last.claims?.through ?? 0,
        objections: 0,
        status: 0,
        round: 0,
        ...receipt,
      },
      objectionsVersion: 0,
      claims: undefined,
      objections: undefined,
      status: undefined,
      ...parts,
    }
    this.liveness.receive(process, encodeHeartbeat(frame))
  }

  async turn(): Promise<void> {
    await this.sim.run({ untilMs: this.sim.nowMs + 0.1 })
  }
}

function up(): Fixture {
  const fixture = new Fixture()
  fixture.liveness.transportUp(process)
  fixture.tell()
  assert.deepEqual(fixture.takeEvents(), ['up'])
  return fixture
}

const claimNews = (after: number, ...entries: ClaimNews[]): Partial<Heartbeat> => ({
  claims: { after, through: entries.at(-1)?.version ?? after, entries },
})
const aClaim: ClaimNews = { version: 1, group, epoch: epoch(4) }
const objection: ObjectionNews = { version: 1, claim: 1, objection: epoch(8) }

test('frames of other processes, sessions and the past count for nothing', () => {
  const fixture = up()
  fixture.tell({ toBoot: 'before', ...claimNews(0, aClaim) })
  fixture.tell({ fromBoot: 'before', ...claimNews(0, aClaim) })
  fixture.tell({ echoSession: fixture.last().session + 1, ...claimNews(0, aClaim) })
  fixture.tell({ echoSession: 0, ...claimNews(0, aClaim) })
  fixture.tell({ session: 0, ...claimNews(0, aClaim) })
  fixture.tell({ seq: 1, ...claimNews(0, aClaim) })
  const { liveness } = fixture
  const bytes = encodeHeartbeat({
    ...fixture.last(),
    ...claimNews(0, aClaim),
    fromBoot: 'theirs',
    toBoot: 'ours',
    session: 1,
    echoSession: fixture.last().session,
    seq: 20,
  })
  liveness.receive({ nodeId: PEER, bootId: 'before' }, bytes)
  liveness.receive({ nodeId: asNodeId(7), bootId: 'theirs' }, bytes)
  assert.deepEqual(fixture.takeEvents(), [])
  fixture.tell(claimNews(0, aClaim))
  assert.deepEqual(fixture.takeEvents(), ['claim orders-0 4'])
})

test('a frame of the past does not bring back what was said then', () => {
  const fixture = up()
  fixture.tell({ seq: 10, ...claimNews(0, aClaim) })
  fixture.tell({ seq: 12, ...claimNews(1, { version: 2, group, epoch: undefined }) })
  fixture.tell({ seq: 11, ...claimNews(2, { version: 3, group, epoch: epoch(4) }) })
  assert.deepEqual(fixture.takeEvents(), ['claim orders-0 4', 'gone orders-0'])
})

test('what a frame says before this node was ever answered counts for nothing', () => {
  const fixture = new Fixture()
  fixture.liveness.transportUp(process)
  fixture.tell({ ...claimNews(0, aClaim), urgent: true }, { seq: 0 })
  assert.deepEqual(fixture.takeEvents(), [])
  assert.equal(fixture.last().receipt.claims, 0)
  assert.equal(fixture.last().receipt.seq, 1)
})

test('a gap is not taken in; the receipt says from where to go on', () => {
  const fixture = up()
  fixture.tell({ ...claimNews(5, { ...aClaim, version: 6 }), urgent: true })
  assert.deepEqual(fixture.takeEvents(), [])
  assert.equal(fixture.last().receipt.claims, 0)
  fixture.tell({ ...claimNews(0, aClaim), urgent: true })
  assert.deepEqual(fixture.takeEvents(), ['claim orders-0 4'])
  assert.equal(fixture.last().receipt.claims, 1)
  fixture.tell(claimNews(0, aClaim, { version: 2, group, epoch: undefined }))
  assert.deepEqual(fixture.takeEvents(), ['gone orders-0'], 'what overlaps is not told twice')
})

test('a gap in the objections is not taken in', async () => {
  const fixture = up()
  fixture.liveness.claim(group, epoch(3))
  await fixture.turn()
  fixture.tell({
    objections: { after: 5, through: 6, entries: [{ ...objection, version: 6 }] },
    urgent: true,
  })
  assert.deepEqual(fixture.takeEvents(), [])
  assert.equal(fixture.last().receipt.objections, 0)
  fixture.tell({ objections: { after: 0, through: 1, entries: [objection] }, urgent: true })
  assert.deepEqual(fixture.takeEvents(), ['higher orders-0 8'])
  assert.equal(fixture.last().receipt.objections, 1)
})

test('an objection that is no higher epoch makes the peer uncounted, nothing else', async () => {
  const fixture = up()
  fixture.liveness.claim(group, epoch(3))
  await fixture.turn()
  const confirmed = fixture.liveness.confirm(group, [SELF, PEER], epoch(3))
  await fixture.turn()
  const { round } = fixture.last()
  const entries = [{ ...objection, objection: epoch(3) }]
  const objections = { after: 0, through: 1, entries }
  fixture.tell({ objections, objectionsVersion: 1 }, { claims: 1, round })
  assert.deepEqual(fixture.takeEvents(), [])
  assert.equal(await Promise.race([confirmed, fixture.turn()]), undefined, 'not yet')
  const withdrawn = { version: 2, claim: 1, objection: 'withdrawn' as const }
  fixture.tell(
    { objections: { after: 1, through: 2, entries: [withdrawn] }, objectionsVersion: 2 },
    { claims: 1, round },
  )
  assert.equal(await fixture.sim.settle(confirmed), true)
})

test('one frame of news is on its way at most, and is repeated when it was lost', async () => {
  const fixture = up()
  const { liveness, sent } = fixture
  liveness.claim(group, epoch(3))
  liveness.setStatus(Uint8Array.of(7))
  await fixture.turn()
  assert.equal(fixture.last().claims?.through, 1)
  assert.deepEqual(fixture.last().status?.bytes.join(), '7')
  const { seq } = fixture.last()
  const frames = sent.length
  liveness.claim(asLogId('orders-1'), epoch(3))
  await fixture.turn()
  fixture.tell({ urgent: true }, { seq: seq - 1 })
  assert.equal(sent.length, frames + 1)
  assert.equal(fixture.last().claims, undefined, 'the first was not answered')
  fixture.tell({}, { seq, claims: 0 })
  assert.deepEqual(
    fixture.last().claims?.entries.map(({ group: one }) => one),
    [group, asLogId('orders-1')],
  )
  assert.ok(fixture.last().status !== undefined, 'the status was lost too')
  fixture.tell({}, { claims: 2, status: 1 })
  fixture.tell({ urgent: true }, { claims: 2, status: 1 })
  assert.equal(fixture.last().claims, undefined)
  assert.equal(fixture.last().status, undefined)
})

test('an answer to an earlier frame takes back nothing of what is on its way', async () => {
  const fixture = up()
  fixture.liveness.claim(group, epoch(3))
  await fixture.turn()
  const { seq } = fixture.last()
  fixture.liveness.claim(asLogId('orders-1'), epoch(3))
  fixture.tell({}, { seq: seq - 1, claims: 0 })
  fixture.tell({}, { seq, claims: 1 })
  assert.equal(fixture.last().claims?.after, 1)
})

test('one question is on its way at most; the next follows its answer at once', async () => {
  const fixture = up()
  const { liveness, sent } = fixture
  const other = asLogId('orders-1')
  fixture.epochs.set(other, epoch(3))
  liveness.claim(group, epoch(3))
  liveness.claim(other, epoch(3))
  await fixture.turn()
  fixture.tell({}, { claims: 2 })
  const first = liveness.confirm(group, [SELF, PEER], epoch(3))
  await fixture.turn()
  const asked = sent.length
  const { round } = fixture.last()
  const second = liveness.confirm(other, [SELF, PEER], epoch(3))
  await fixture.turn()
  assert.equal(sent.length, asked)
  fixture.tell({}, { claims: 2, round })
  assert.equal(await fixture.sim.settle(first), true)
  assert.equal(sent.length, asked + 1)
  assert.equal(fixture.last().round, round + 1)
  assert.ok(fixture.last().urgent)
  fixture.tell({}, { claims: 2, round: round + 1 })
  assert.equal(await fixture.sim.settle(second), true)
})

test('an own higher epoch ends what waits for a confirmation', async () => {
  const fixture = up()
  fixture.liveness.claim(group, epoch(3))
  const confirmed = fixture.liveness.confirm(group, [SELF, PEER], epoch(3))
  await fixture.turn()
  fixture.epochs.set(group, epoch(4))
  fixture.liveness.termChanged(group)
  assert.equal(await Promise.race([confirmed, fixture.turn()]), false)
})

test('no handler is called after close, even in the middle of a frame', () => {
  const fixture = up()
  const { events } = fixture
  const push = events.push.bind(events)
  events.push = (...items) => {
    fixture.liveness.close()
    return push(...items)
  }
  fixture.tell({
    ...claimNews(0, aClaim, { version: 2, group: asLogId('orders-1'), epoch: epoch(1) }),
    status: { version: 1, bytes: Uint8Array.of(1) },
  })
  assert.deepEqual(fixture.takeEvents(), ['claim orders-0 4'])
})

test('status is told once per version', () => {
  const fixture = up()
  const status = { version: 3, bytes: Uint8Array.of(5) }
  fixture.tell({ status })
  fixture.tell({ status, urgent: true })
  assert.deepEqual(fixture.takeEvents(), ['status 5'])
  assert.equal(fixture.last().receipt.status, 3)
})
