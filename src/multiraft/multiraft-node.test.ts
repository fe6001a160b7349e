// One node among scripted ones: what it makes of frames, of who lives and leads, of its disk, and when it wakes its groups.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asLogId, asNodeId, asOffset, type LogId } from '../base/brand.ts'
import type { Env } from '../env/env.ts'
import { Simulation } from '../env/sim/simulation.ts'
import { buildBatch } from '../records/build.ts'
import { openStore } from '../storage/open-store.ts'
import type { Store } from '../storage/store.ts'
import { CallError } from './calls.ts'
import { Formation } from './formation.ts'
import { FrameKind } from './frames.ts'
import type { RaftGroup } from './group.ts'
import { MultiRaft } from './multiraft.ts'
import { DEFAULT_TIMING } from './options.ts'
import { at } from './testing/fake-log.ts'
import { SILENT_LISTENER } from './testing/sim-members.ts'
import { ScriptedPeer } from './testing/scripted-peer.ts'
import { hostName, RAFT_PORT, SECRET } from './transport/testing/sim-node.ts'

const GROUP = asLogId('group-0')
const CONFIG = { segmentBytes: 1 << 20, segmentMs: 1e9, indexIntervalBytes: 4096 }
const [one, two, three] = [asNodeId(1), asNodeId(2), asNodeId(3)]
const term = asLeaderEpoch

/** Node 1 is the real one. */
class Cluster {
  readonly simulation = new Simulation(1)
  readonly host = this.simulation.host(hostName(1))
  readonly peers: readonly ScriptedPeer[]
  node!: MultiRaft
  store!: Store
  env!: Env

  constructor(count: number) {
    const ids = Array.from({ length: count }, (_, i) => i + 1)
    this.peers = ids.slice(1).map((id) => new ScriptedPeer(this.simulation, id, ids))
  }

  static async start(count = 3): Promise<Cluster> {
    const cluster = new Cluster(count)
    for (const peer of cluster.peers) await peer.start()
    await cluster.startNode()
    for (const { nodeId } of cluster.peers) {
      await cluster.until(() => cluster.node.isUp(asNodeId(nodeId)))
    }
    return cluster
  }

  async startNode(): Promise<void> {
    const env = this.host.boot()
    this.env = env
    const { simulation } = this
    this.store = await simulation.settle(
      openStore(env, { directory: '/data', journalFirstFileBytes: 1 << 18 }),
    )
    const common = { env, nodeId: one, store: this.store, timing: DEFAULT_TIMING }
    if (this.peers.length === 0) {
      this.node = MultiRaft.alone(common)
      return
    }
    const peers = this.peers.map(({ nodeId, host }) => ({
      nodeId: asNodeId(nodeId),
      host: host.name,
      port: RAFT_PORT,
    }))
    const listen = { host: this.host.name, port: RAFT_PORT }
    this.node = await simulation.settle(
      MultiRaft.open({ ...common, cluster: { listen, peers, secret: SECRET } }),
    )
  }

  peer(id: number): ScriptedPeer {
    return this.peers[id - 2]!
  }

  opening(
    id: LogId = GROUP,
    voters = [1, ...this.peers.map(({ nodeId }) => nodeId)],
  ): Promise<RaftGroup> {
    const directories = voters.map((nodeId) => ({
      nodeId: asNodeId(nodeId),
      directoryId: nodeId === 1 ? this.store.directoryId : `d${nodeId}`,
    }))
    const spec = { id, directory: id, config: CONFIG, descriptor: { voters: directories } }
    return this.node.open(spec, () => SILENT_LISTENER)
  }

  open(id: LogId = GROUP, voters?: number[]): Promise<RaftGroup> {
    return this.simulation.settle(this.opening(id, voters))
  }

  /** Leads, its start committed. */
  async leading(): Promise<RaftGroup> {
    const group = await this.open()
    await this.until(() => group.raft.established)
    return group
  }

  async until(condition: () => boolean, withinMs = 5_000): Promise<void> {
    await this.simulation.run({ until: condition, untilMs: this.simulation.nowMs + withinMs })
    assert.ok(condition(), `${String(condition)} within ${withinMs} ms`)
  }

  pass(ms: number): Promise<unknown> {
    return this.simulation.run({ untilMs: this.simulation.nowMs + ms })
  }

  partition(): void {
    const others = this.peers.map(({ host }) => host.name)
    this.simulation.network.partition([[this.host.name], others])
  }
}

/** Whether it has settled, and to what. */
function follow<T>(promise: Promise<T>): { value: T | Error | undefined } {
  const followed: { value: T | Error | undefined } = { value: undefined }
  promise.then(
    (value) => (followed.value = value),
    (error: Error) => (followed.value = error),
  )
  return followed
}

// Frames

test('R6: a node with another directory is another replica: what it says of a group counts for nothing', async () => {
  const cluster = await Cluster.start()
  const group = await cluster.open(GROUP, [2, 1, 3])
  const higher = { kind: 'higher-term', term: term(7) } as const
  cluster.peer(2).obliging = false
  cluster.peer(3).obliging = false
  cluster.peer(3).host.kill()
  await cluster.until(() => !cluster.node.isUp(three))
  await cluster.peer(3).start('another')
  await cluster.until(() => cluster.node.isUp(three))
  cluster.peer(3).say(GROUP, higher)
  await cluster.pass(100)
  assert.equal(group.raft.term, 0)
  cluster.peer(2).say(GROUP, higher)
  await cluster.pass(100)
  assert.equal(group.raft.term, 7)
})

test('a group that is not here yet is asked for again once it is', async () => {
  const cluster = await Cluster.start()
  const append = {
    kind: 'append',
    term: term(1),
    prev: at(-1, 0),
    starts: [],
    batches: [],
  } as const
  const rest = { commit: at(-1, 0), logStart: asOffset(0), probe: true, round: 0 }
  cluster.peer(2).say(GROUP, { ...append, ...rest })
  await cluster.until(() => cluster.peer(2).count('deferred') === 1)
  assert.ok(!cluster.peer(2).frames.includes(FrameKind.GROUP_HERE))
  await cluster.open()
  await cluster.until(() => cluster.peer(2).frames.includes(FrameKind.GROUP_HERE))
})

test('who asked for a vote too early asks again as soon as the other has the group', async () => {
  const cluster = await Cluster.start()
  for (const peer of cluster.peers) peer.obliging = false
  await cluster.open()
  await cluster.pass(4_000)
  const before = cluster.peer(2).count('pre-vote')
  const sinceMs = cluster.simulation.nowMs
  cluster.peer(2).send(FrameKind.GROUP_HERE, 0, 7, ...Buffer.from(GROUP))
  await cluster.until(() => cluster.peer(2).count('pre-vote') > before)
  assert.ok(cluster.simulation.nowMs - sinceMs < 30)
})

test('a follower that did not have the group is sent what there is as soon as it has it', async () => {
  const cluster = await Cluster.start()
  const group = await cluster.leading()
  const third = cluster.peer(3)
  third.obliging = false
  group.append(buildBatch([{ key: null, value: null, timestampMs: 1 }]), undefined)
  await cluster.until(() => group.raft.commit.offset === 1)
  const before = third.count('append')
  third.say(GROUP, { kind: 'deferred', term: group.raft.term })
  await cluster.pass(5)
  third.send(FrameKind.GROUP_HERE, 0, 7, ...Buffer.from(GROUP))
  await cluster.until(() => third.count('append') > before, 50)
})

test('a group is durable once it is open', async () => {
  const cluster = await Cluster.start()
  await cluster.open()
  cluster.host.powerCut()
  await cluster.startNode()
  assert.ok(cluster.store.get(GROUP) !== undefined)
})

test('a peer that asked is told of a group when that is durable, not before', async () => {
  const cluster = await Cluster.start()
  cluster.peer(2).say(GROUP, { kind: 'pre-vote', term: term(1), end: at(-1, 0) })
  await cluster.pass(50)
  cluster.host.stallDisk(500)
  const opened = follow(cluster.opening())
  await cluster.pass(400)
  assert.deepEqual(
    [opened.value, cluster.peer(2).frames.includes(FrameKind.GROUP_HERE)],
    [undefined, false],
  )
  await cluster.until(() => cluster.peer(2).frames.includes(FrameKind.GROUP_HERE))
})

test('R6: a cluster is not formed by what a process said that is gone', async () => {
  const cluster = await Cluster.start()
  const { env, node, store } = cluster
  let formed = 0
  const formation = new Formation({
    ...env,
    self: { nodeId: one, directoryId: store.directoryId },
    peers: [one, two, three].map((nodeId) => ({ nodeId, host: hostName(nodeId), port: RAFT_PORT })),
    formed: undefined,
    newClusterId: () => 'new',
    send: (to, body) => node.sendFormation(to, body),
    adopt: () => Promise.resolve(void formed++),
  })
  node.setFormation(formation)
  const run = follow(formation.run())
  const list = '1@n1:9192,2@n2:9192,3@n3:9192'
  const status = Buffer.from(JSON.stringify({ version: 1, peers: list, formed: null }))
  cluster.peer(2).send(FrameKind.FORMATION, ...status)
  await cluster.until(() => cluster.peer(3).frames.includes(FrameKind.FORMATION))
  cluster.peer(2).host.kill()
  await cluster.until(() => !node.isUp(two))
  cluster.peer(3).send(FrameKind.FORMATION, ...status)
  await cluster.pass(500)
  assert.deepEqual([formed, run.value], [0, undefined])
  await cluster.peer(2).start()
  await cluster.until(() => node.isUp(two))
  cluster.peer(2).send(FrameKind.FORMATION, ...status)
  await cluster.until(() => run.value !== undefined)
  assert.equal(formed, 1)
})

test('R5: what may have been here before the journal was damaged is suspect, but not what has taken part since', async () => {
  const cluster = await Cluster.start()
  await cluster.leading()
  cluster.node.shut(GROUP)
  const fresh = await cluster.open(asLogId('group-1'), [2, 1, 3])
  assert.ok(!fresh.raft.suspect)
  Object.defineProperty(cluster.store, 'suspect', { value: true })
  assert.ok(!(await cluster.open()).raft.suspect)
  assert.ok((await cluster.open(asLogId('group-2'))).raft.suspect)
})

// Who lives and leads

test('R8: what is led is claimed, and given up at once when the group is shut', async () => {
  const cluster = await Cluster.start()
  const group = await cluster.leading()
  await cluster.until(() => cluster.peer(2).heard.includes(`claims ${group.raft.term}`))
  cluster.node.shut(GROUP)
  await cluster.until(() => cluster.peer(2).heard.at(-1) === 'claims nothing', 90)
})

test('R8: who claims a group hears at once of a higher epoch; R9: no read is confirmed with who does not have the group', async () => {
  const cluster = await Cluster.start()
  const [second] = cluster.peers
  const group = await cluster.open(GROUP, [2, 1, 3])
  second!.obliging = false
  second!.epoch = term(3)
  second!.liveness.claim(GROUP, term(3))
  await cluster.until(() => group.raft.leader === 2)
  const confirm = (): Promise<boolean> =>
    cluster.simulation.settle(second!.liveness.confirm(GROUP, [one, two], term(3)))
  assert.equal(await confirm(), true)
  cluster.node.shut(GROUP)
  assert.equal(await confirm(), false)
  await cluster.open(GROUP, [2, 1, 3])
  assert.equal(await confirm(), true)
  cluster.peer(3).say(GROUP, { kind: 'higher-term', term: term(5) })
  await cluster.until(() => second!.heard.includes('knows 5'), 90)
  assert.equal(await confirm(), false)
})

test('R9: a leader that reaches nobody confirms nothing; a node by itself always does', async () => {
  const cluster = await Cluster.start()
  const group = await cluster.leading()
  assert.equal(await cluster.simulation.settle(group.confirm()), true)
  cluster.partition()
  assert.equal(await cluster.simulation.settle(group.confirm()), false)
  await cluster.until(() => group.raft.role !== 'leader')
  const alone = await Cluster.start(1)
  const own = await alone.leading()
  assert.equal(await alone.simulation.settle(own.confirm()), true)
})

test('who leads: the highest epoch that anybody claims, never one below that of the own replica', async () => {
  const cluster = await Cluster.start()
  const { node } = cluster
  const claims = async (id: number, epoch: number): Promise<void> => {
    cluster.peer(id).epoch = undefined
    cluster.peer(id).liveness.claim(GROUP, term(epoch))
    await cluster.pass(150)
  }
  assert.equal(node.leaderOf(GROUP), undefined)
  await claims(2, 2)
  assert.deepEqual(node.leaderOf(GROUP), { nodeId: 2, epoch: 2 })
  await claims(3, 3)
  assert.deepEqual(node.leaderOf(GROUP), { nodeId: 3, epoch: 3 })
  await claims(2, 4)
  assert.deepEqual(node.leaderOf(GROUP), { nodeId: 2, epoch: 4 })
  const group = await cluster.open()
  await cluster.until(() => group.raft.leader === 2)
  assert.deepEqual(node.leaderOf(GROUP), { nodeId: 2, epoch: 4 })
  cluster.peer(3).say(GROUP, { kind: 'higher-term', term: term(9) })
  await cluster.until(() => group.raft.term === 9)
  assert.equal(node.leaderOf(GROUP), undefined)
})

test('a leader names itself', async () => {
  const cluster = await Cluster.start()
  const group = await cluster.leading()
  assert.deepEqual(cluster.node.leaderOf(GROUP), { nodeId: 1, epoch: group.raft.term })
})

test('a process that is gone answers nothing any more, and what it said of laggards and of its disk is forgotten', async () => {
  const cluster = await Cluster.start()
  const { node } = cluster
  cluster.peer(2).liveness.claim(GROUP, term(1))
  cluster.peer(2).liveness.setStatus(Uint8Array.of(1, 1))
  const lagging = [FrameKind.LAGGING, 0, 0, 0, 1, 0, 7, ...Buffer.from(GROUP), 0, 1, 0, 0, 0, 3]
  cluster.peer(2).send(...lagging)
  await cluster.pass(200)
  assert.deepEqual(node.inSync(GROUP, [one, two, three]), [1, 2])
  assert.ok(!node.isFit(two))
  assert.ok(node.isFit(three))
  const call = follow(node.calls.call(two, 99, new Uint8Array(), 60_000))
  await cluster.pass(10)
  cluster.peer(2).host.kill()
  await cluster.until(() => call.value instanceof CallError)
  assert.ok(!node.isFit(two))
  await cluster.peer(2).start()
  await cluster.until(() => node.isUp(two))
  cluster.peer(2).liveness.claim(GROUP, term(1))
  await cluster.pass(200)
  assert.deepEqual(node.inSync(GROUP, [one, two, three]), [1, 2, 3])
  assert.ok(node.isFit(two))
})

test('a call to a node that falls silent fails when that counts as gone', async () => {
  const cluster = await Cluster.start()
  const call = follow(cluster.node.calls.call(two, 99, new Uint8Array(), 60_000))
  cluster.partition()
  await cluster.until(() => call.value instanceof CallError, 3_000)
})

test('a node that comes hears who lags', async () => {
  const cluster = await Cluster.start()
  await cluster.pass(100)
  assert.ok(cluster.peer(2).frames.includes(FrameKind.LAGGING))
})

// Its disk

test('R8: a node whose disk stalls hands over, and leads nothing new until it answers', async () => {
  const cluster = await Cluster.start()
  const group = await cluster.leading()
  assert.ok(cluster.node.isFit(one))
  cluster.host.stallDisk(3_000)
  group.append(buildBatch([{ key: null, value: null, timestampMs: 1 }]), undefined)
  await cluster.until(() => cluster.peer(2).count('timeout-now') > 0, 2_500)
  assert.ok(!cluster.node.isFit(one))
  await cluster.until(() => cluster.node.isFit(one))
})

test('R8: a node that is about to stop does not campaign, with old groups or with new ones', async () => {
  const cluster = await Cluster.start()
  for (const peer of cluster.peers) peer.obliging = false
  await cluster.open()
  await cluster.simulation.settle(cluster.node.leave(0))
  await cluster.open(asLogId('group-1'))
  cluster.peer(2).messages.length = 0
  await cluster.pass(3_000)
  assert.equal(cluster.peer(2).count('pre-vote'), 0)
})

test('a damaged replica is healed from its leader', async () => {
  const cluster = await Cluster.start()
  const group = await cluster.open(GROUP, [2, 1, 3])
  cluster.peer(2).epoch = term(1)
  cluster.peer(2).liveness.claim(GROUP, term(1))
  await cluster.until(() => group.raft.leader === 2)
  group.needSnapshot()
  await cluster.until(() => cluster.peer(2).frames.includes(FrameKind.CALL))
})

// Time

test('many groups begin their elections in turns, so that heartbeats come through', async () => {
  const cluster = await Cluster.start()
  for (const peer of cluster.peers) peer.obliging = false
  cluster.partition()
  await cluster.until(() => !cluster.node.isUp(two) && !cluster.node.isUp(three))
  const opening = Array.from({ length: 150 }, (_, i) => cluster.opening(asLogId(`group-${i}`)))
  await cluster.simulation.settle(Promise.all(opening))
  await cluster.pass(5_000)
  cluster.peer(2).messages.length = 0
  cluster.simulation.network.heal()
  await cluster.until(
    () => new Set(cluster.peer(2).messages.map(({ group }) => group)).size === 150,
  )
  const firsts = new Map<LogId, number>()
  for (const { group, atMs } of cluster.peer(2).messages)
    if (!firsts.has(group)) firsts.set(group, atMs)
  const times = [...firsts.values()].toSorted((a, b) => a - b)
  const spreadMs = times.at(-1)! - times[0]!
  assert.ok(spreadMs > 15 && spreadMs < 100, `${spreadMs} ms`)
  assert.ok(times.filter((atMs) => atMs < times[0]! + 8).length <= 64)
})

test('a node whose groups rest wakes for nothing', async () => {
  const cluster = await Cluster.start(1)
  await cluster.leading()
  await cluster.pass(5_000)
  const { events } = cluster.simulation
  await cluster.pass(10_000)
  assert.ok(cluster.simulation.events - events < 100)
})

// The end

test('a node that has ended takes part in nothing, and ends once', async () => {
  const cluster = await Cluster.start()
  const group = await cluster.leading()
  const { node } = cluster
  const closed = node.close()
  cluster.peer(2).say(GROUP, { kind: 'higher-term', term: term(9) })
  await cluster.simulation.settle(Promise.all([closed, node.close()]))
  await cluster.pass(2_000)
  assert.equal(node.get(GROUP), undefined)
  assert.ok(group.raft.term < 9)
  await assert.rejects(() => cluster.opening(), /closed node/)
})
