import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asLogId } from '../../base/brand.ts'
import { HEARTBEAT_BYTES_MAX } from './heartbeat.ts'
import { GROUP as group, lead, started, type World } from './testing/world.ts'

const epoch = asLeaderEpoch
const voters = (world: World): World['nodes'][number]['id'][] => world.nodes.map(({ id }) => id)

/** Law R8: node 2 may stay quiet as a follower of node 1. */
const supports = (world: World): boolean =>
  world.node(2).liveness.claimsOf(world.node(1).id).get(group)?.epoch === 3

test('a killed process is down at once, and up again under its new boot id', async () => {
  const world = await started()
  world.node(2).kill()
  await world.runFor(5)
  assert.deepEqual(world.node(1).takeEvents(), ['down 2 lost'])
  assert.equal(world.node(1).liveness.isUp(world.node(2).id), false)
  world.node(2).start()
  world.connectAll()
  await world.runFor(20)
  assert.deepEqual(world.node(1).takeEvents(), ['up 2'])
  assert.deepEqual(world.node(2).takeEvents().toSorted(), ['up 1', 'up 3'])
})

test('one heartbeat per peer and interval, however many groups', async () => {
  const world = await started()
  for (let i = 0; i < 2_000; i++) lead(world, 3, asLogId(`group-${i}`))
  await world.runFor(1_000)
  const link = world.link(1, 2)
  const { frames, bytes } = link
  await world.runFor(10_000)
  assert.ok(link.frames - frames <= 101, `${link.frames - frames} frames`)
  assert.ok(link.bytes - bytes <= 101 * 100, `${link.bytes - bytes} bytes`)
})

test('silence in one direction is silence for both, and both come back', async () => {
  const world = await started()
  lead(world, 3)
  await world.runFor(50)
  assert.deepEqual(world.node(2).takeEvents(), ['claim orders-0 1 3'])
  world.link(1, 2).cut = true
  await world.runFor(900)
  assert.deepEqual(world.node(2).takeEvents(), [])
  await world.runFor(500)
  assert.deepEqual(world.node(2).takeEvents(), ['down 1 silent'])
  assert.deepEqual(world.node(1).takeEvents(), ['down 2 silent'])
  assert.equal(supports(world), false)
  assert.equal(world.node(2).liveness.claimsOf(world.node(1).id).size, 0)
  world.link(1, 2).cut = false
  await world.runFor(150)
  assert.deepEqual(world.node(2).takeEvents(), ['up 1', 'claim orders-0 1 3'])
  assert.deepEqual(world.node(1).takeEvents(), ['up 2'])
  assert.equal(supports(world), true)
})

test('a node that only one side has given up is told everything anew', async () => {
  const world = await started()
  lead(world, 3)
  await world.runFor(50)
  world.node(2).takeEvents()
  world.node(2).pause()
  await world.runFor(3_000)
  assert.deepEqual(world.node(1).takeEvents(), ['down 2 silent'])
  world.node(2).resume()
  await world.runFor(300)
  assert.deepEqual(world.node(1).takeEvents(), ['up 2'])
  assert.deepEqual(
    world
      .node(2)
      .takeEvents()
      .filter((event) => / 1\b/.test(event)),
    ['down 1 silent', 'up 1', 'claim orders-0 1 3'],
    'the others had given up this node: it begins anew with them',
  )
  assert.equal(supports(world), true)
})

test('a stall alone makes no peer silent', async () => {
  const world = await started()
  // The peers hear nothing of it: with an election timeout of their own they would give up this node.
  for (const seconds of [0.6, 0.9]) {
    world.node(2).pause()
    await world.runFor(seconds * 1_000)
    world.node(2).resume()
    await world.runFor(1_000)
  }
  assert.deepEqual(world.node(2).takeEvents(), [])
  world.node(2).pause()
  world.node(3).pause()
  await world.runFor(5_000)
  assert.deepEqual(world.node(1).takeEvents().toSorted(), ['down 2 silent', 'down 3 silent'])
  world.node(2).resume()
  world.node(3).resume()
  await world.runFor(1_000)
  const down = world
    .node(2)
    .takeEvents()
    .filter((event) => event === 'down 3 silent')
  assert.deepEqual(down, [], 'neither of two that stood still gives up the other')
})

test('two far from each other that both stood still do not give each other up', async () => {
  const world = await started({ nodes: 2 })
  for (const link of world.links) link.delayMsMin = link.delayMsMax = 75
  await world.runFor(1_000)
  for (const node of world.nodes) node.pause()
  await world.runFor(5_000)
  world.node(1).resume()
  await world.runFor(70)
  world.node(2).resume()
  await world.runFor(1_000)
  for (const node of world.nodes) assert.deepEqual(node.takeEvents(), [])
})

test('a read that waits for a majority is confirmed as soon as there is one', async () => {
  const world = await started()
  lead(world, 3)
  for (const id of [2, 3]) world.disconnect(1, id)
  await world.runFor(10)
  const { liveness } = world.node(1)
  const confirmed = liveness.confirm(group, voters(world), epoch(3))
  await world.runFor(50)
  const before = world.sim.nowMs
  world.connect(1, 2)
  assert.equal(await world.sim.settle(confirmed), true)
  assert.ok(world.sim.nowMs - before < 10, `${world.sim.nowMs - before} ms`)
})

test('claims come and go; a change of epoch is a new claim', async () => {
  const world = await started()
  lead(world, 3)
  await world.runFor(5)
  assert.deepEqual(world.node(2).takeEvents(), ['claim orders-0 1 3'], 'at once')
  lead(world, 4)
  await world.runFor(5)
  assert.deepEqual(world.node(2).takeEvents(), ['claim orders-0 1 4'])
  assert.equal(supports(world), false)
  world.node(1).liveness.unclaim(group)
  await world.runFor(5)
  assert.deepEqual(world.node(2).takeEvents(), ['gone orders-0 1'])
  assert.equal(world.node(2).liveness.claimsOf(world.node(1).id).size, 0)
})

test('a claim that was given up before a peer heard of it is told as gone', async () => {
  const world = await started()
  world.link(1, 2).full = true
  lead(world, 3)
  await world.runFor(10)
  world.node(1).liveness.unclaim(group)
  await world.runFor(10)
  world.link(1, 2).full = false
  await world.runFor(150)
  assert.deepEqual(world.node(2).takeEvents(), ['gone orders-0 1'])
})

test('lost frames: the list goes on from what the peer has', async () => {
  const world = await started()
  const link = world.link(1, 2)
  for (let i = 0; i < 20; i++) {
    link.cut = i % 2 === 0
    lead(world, 3, asLogId(`group-${i}`))
    if (i % 3 === 0) world.node(1).liveness.unclaim(asLogId(`group-${i - 3}`))
    await world.runFor(70)
  }
  link.cut = false
  await world.runFor(300)
  const claims = [...world.node(2).liveness.claimsOf(world.node(1).id).keys()].toSorted()
  const expected = Array.from({ length: 20 }, (_, i) => i)
    .filter((i) => i % 3 !== 0 || i === 18)
    .map((i) => `group-${i}`)
  assert.deepEqual(claims, expected.toSorted())
})

test('a new connection and a new boot begin with the full list', async () => {
  const world = await started()
  lead(world, 3)
  lead(world, 3, asLogId('orders-1'))
  await world.runFor(50)
  world.node(2).takeEvents()
  world.disconnect(1, 2)
  await world.runFor(10)
  world.node(1).liveness.unclaim(group)
  world.connectAll()
  await world.runFor(20)
  assert.deepEqual(world.node(2).takeEvents(), ['down 1 lost', 'up 1', 'claim orders-1 1 3'])
  world.node(2).kill()
  world.node(2).start()
  world.connectAll()
  await world.runFor(20)
  assert.deepEqual(
    world
      .node(2)
      .takeEvents()
      .filter((event) => !event.startsWith('up ')),
    ['claim orders-1 1 3'],
  )
})

test('ten thousand claims arrive whole, in bounded frames', async () => {
  const world = await started({ nodes: 2 })
  const ids = Array.from({ length: 10_000 }, (_, i) => asLogId(`AAAAAAAAAAAAAAAAAAAAAA-${i}`))
  for (const id of ids) world.node(1).epochs.set(id, epoch(7))
  for (const id of ids) world.node(1).liveness.claim(id, epoch(7))
  await world.runFor(500)
  assert.equal(world.node(2).liveness.claimsOf(world.node(1).id).size, ids.length)
  const link = world.link(1, 2)
  assert.ok(link.bytesMax <= HEARTBEAT_BYTES_MAX, `${link.bytesMax} bytes`)
  assert.ok(link.frames < 150, `${link.frames} frames`)
  assert.ok(world.link(2, 1).bytesMax <= HEARTBEAT_BYTES_MAX)
  // Node 2 is a member of none of them, and says so.
  const confirmed = world.node(1).liveness.confirm(ids[9_999]!, voters(world), epoch(7))
  await world.runFor(500)
  for (const id of ids) world.node(2).epochs.set(id, epoch(7))
  for (const id of ids) world.node(2).liveness.termChanged(id)
  assert.equal(await world.sim.settle(confirmed, { withinMs: 1_000 }), true)
})

test('whoever knows a higher epoch says so, at once, and again on reconnect', async () => {
  const world = await started()
  lead(world, 3)
  await world.runFor(50)
  world.node(2).setEpoch(group, epoch(5))
  await world.runFor(5)
  assert.deepEqual(world.node(1).takeEvents(), ['higher orders-0 5 from 2'])
  world.disconnect(1, 2)
  await world.runFor(10)
  world.connectAll()
  await world.runFor(20)
  assert.deepEqual(
    world
      .node(1)
      .takeEvents()
      .filter((event) => event.startsWith('higher'))
      .slice(0, 1),
    ['higher orders-0 5 from 2'],
  )
  await world.runFor(150)
  assert.ok(world.node(1).takeEvents().includes('higher orders-0 5 from 2'), 'until it is gone')
  world.node(1).liveness.unclaim(group)
  await world.runFor(300)
  assert.deepEqual(world.node(1).takeEvents(), [])
})

test('a claim below the epoch of a node that restarts is objected to', async () => {
  const world = await started()
  lead(world, 3)
  world.node(3).epochs.set(group, epoch(9))
  world.node(3).kill()
  await world.runFor(50)
  world.node(3).start()
  world.connectAll()
  await world.runFor(20)
  assert.deepEqual(
    world
      .node(1)
      .takeEvents()
      .filter((event) => event.startsWith('higher'))
      .slice(0, 1),
    ['higher orders-0 9 from 3'],
  )
})

test('a read is confirmed by a majority within a round trip', async () => {
  const world = await started()
  lead(world, 3)
  await world.runFor(50)
  const before = world.sim.nowMs
  const { liveness } = world.node(1)
  assert.equal(await world.sim.settle(liveness.confirm(group, voters(world), epoch(3))), true)
  assert.ok(world.sim.nowMs - before < 1.3, `${world.sim.nowMs - before} ms`)
  assert.equal(await liveness.confirm(group, voters(world), epoch(2)), false, 'no such claim')
  assert.equal(await liveness.confirm(group, [world.node(1).id], epoch(3)), true, 'sole voter')
})

test('a read right after the claim is confirmed: the claim travels with the round', async () => {
  const world = await started()
  lead(world, 3)
  const confirmed = world.node(1).liveness.confirm(group, voters(world), epoch(3))
  assert.equal(await world.sim.settle(confirmed), true)
})

test('many reads of many groups cost one question per peer and round trip', async () => {
  const world = await started()
  for (let i = 0; i < 100; i++) lead(world, 3, asLogId(`group-${i}`))
  await world.runFor(100)
  const link = world.link(1, 2)
  const { frames } = link
  const confirmed: Promise<boolean>[] = []
  for (let turn = 0; turn < 20; turn++) {
    for (let i = 0; i < 500; i++) {
      const id = asLogId(`group-${i % 100}`)
      confirmed.push(world.node(1).liveness.confirm(id, voters(world), epoch(3)))
    }
    await world.runFor(0.1)
  }
  assert.ok((await world.sim.settle(Promise.all(confirmed))).every(Boolean))
  assert.ok(link.frames - frames < 12, `${link.frames - frames} frames for 10,000 reads`)
})

test('a read is not confirmed where a majority is missing, contested or given up', async () => {
  const world = await started({ confirmTimeoutMs: 300 })
  lead(world, 3)
  await world.runFor(50)
  const { liveness } = world.node(1)
  const confirm = (): Promise<boolean> => liveness.confirm(group, voters(world), epoch(3))
  world.node(2).pause()
  world.node(3).pause()
  const missing = confirm()
  await world.runFor(5)
  const queued = confirm()
  assert.equal(await world.sim.settle(missing, { withinMs: 500 }), false)
  assert.equal(await world.sim.settle(queued, { withinMs: 500 }), false)
  const givenUp = confirm()
  liveness.unclaim(group)
  assert.equal(await givenUp, false)
  world.node(2).resume()
  world.node(3).resume()
  await world.runFor(100)
  liveness.claim(group, epoch(3))
  world.node(2).setEpoch(group, epoch(4))
  assert.equal(await world.sim.settle(confirm(), { withinMs: 100 }), false)
  liveness.close()
  assert.equal(await confirm(), false)
})

test('a voter that cannot vouch for its epoch is not counted', async () => {
  const world = await started({ confirmTimeoutMs: 300 })
  for (const id of [2, 3]) world.node(id).unknown.add(group)
  lead(world, 3)
  await world.runFor(50)
  const { liveness } = world.node(1)
  const confirm = (): Promise<boolean> => liveness.confirm(group, voters(world), epoch(3))
  assert.equal(await world.sim.settle(confirm(), { withinMs: 500 }), false)
  world.node(2).unknown.delete(group)
  world.node(2).liveness.termChanged(group)
  assert.equal(await world.sim.settle(confirm(), { withinMs: 100 }), true)
  world.node(2).unknown.add(group)
  world.node(2).liveness.termChanged(group)
  assert.equal(await world.sim.settle(confirm(), { withinMs: 500 }), false)
  assert.deepEqual(world.node(1).takeEvents(), [], 'that is no higher epoch')
})

test('a group that is opened after its leader claimed it hears of that, and counts', async () => {
  const world = await started({ confirmTimeoutMs: 300 })
  for (const id of [2, 3]) world.node(id).unknown.add(group)
  lead(world, 3)
  await world.runFor(50)
  world.node(2).takeEvents()
  world.node(2).unknown.delete(group)
  world.node(2).liveness.opened(group)
  assert.deepEqual(world.node(2).takeEvents(), ['claim orders-0 1 3'])
  const confirmed = world.node(1).liveness.confirm(group, voters(world), epoch(3))
  assert.equal(await world.sim.settle(confirmed), true)
})

test('a slow voter delays its own groups only', async () => {
  const world = await started()
  const far = world.link(3, 1)
  far.delayMsMin = far.delayMsMax = 80
  const slow = asLogId('slow-0')
  world.node(2).unknown.add(slow)
  lead(world, 3)
  lead(world, 3, slow)
  await world.runFor(500)
  const { liveness } = world.node(1)
  const begun = world.sim.nowMs
  const slowOne = liveness.confirm(slow, voters(world), epoch(3))
  for (let i = 0; i < 10; i++) {
    assert.equal(await world.sim.settle(liveness.confirm(group, voters(world), epoch(3))), true)
  }
  assert.ok(world.sim.nowMs - begun < 20, `${world.sim.nowMs - begun} ms`)
  assert.equal(await world.sim.settle(slowOne), true)
  assert.ok(world.sim.nowMs - begun < 200, `${world.sim.nowMs - begun} ms`)
})

test('the round trip is measured, a stall is not', async () => {
  const world = await started()
  for (const link of [world.link(1, 2), world.link(2, 1)]) link.delayMsMin = link.delayMsMax = 10
  await world.runFor(6_000)
  const measured = (): number => world.node(1).liveness.roundTripMs(world.node(2).id) ?? NaN
  assert.ok(Math.abs(measured() - 20) < 1, `${measured()} ms`)
  world.node(1).pause()
  await world.runFor(800)
  world.node(1).resume()
  await world.runFor(400)
  assert.ok(Math.abs(measured() - 20) < 1, `${measured()} ms`)
})

test('status reaches the peers when it changes, and again on reconnect', async () => {
  const world = await started()
  const { liveness } = world.node(1)
  liveness.setStatus(new TextEncoder().encode('fit'))
  await world.runFor(200)
  liveness.setStatus(new TextEncoder().encode('fit'))
  await world.runFor(200)
  assert.deepEqual(world.node(2).takeEvents(), ['status 1 fit'])
  liveness.setStatus(new TextEncoder().encode('unfit'))
  await world.runFor(200)
  assert.deepEqual(world.node(2).takeEvents(), ['status 1 unfit'])
  world.disconnect(1, 2)
  await world.runFor(10)
  world.connectAll()
  await world.runFor(200)
  assert.deepEqual(world.node(2).takeEvents(), ['down 1 lost', 'up 1', 'status 1 unfit'])
})

test('frames of another process or connection, and malformed ones, change nothing', async () => {
  const world = await started()
  const { liveness } = world.node(1)
  const stranger = { nodeId: world.node(2).id, bootId: 'another' }
  liveness.receive(stranger, Uint8Array.of(1, 2, 3))
  liveness.receive(world.node(2).process, Uint8Array.of(1, 2, 3))
  liveness.receive(world.node(2).process, new Uint8Array())
  await world.runFor(2_000)
  assert.deepEqual(world.node(1).takeEvents(), [])
})

test('an answer counts only with all objections that belong to it', async () => {
  const world = await started({ nodes: 2 })
  const ids = Array.from({ length: 600 }, (_, i) => asLogId(`group-${i}`))
  const last = ids.at(-1)!
  world.node(2).epochs.set(last, epoch(9))
  const { liveness } = world.node(1)
  for (const id of ids) world.node(1).epochs.set(id, epoch(3))
  for (const id of ids) liveness.claim(id, epoch(3))
  // Its answer comes with the first of two frames of objections, the one to the last group is in the second.
  const confirmed = liveness.confirm(last, voters(world), epoch(3))
  assert.equal(await world.sim.settle(confirmed), false)
  assert.ok(world.node(1).takeEvents().includes('higher group-599 9 from 2'))
})
