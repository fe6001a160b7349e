// Who is up, what reads are confirmed for, and how a node's liveness ends.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asLogId } from '../../base/brand.ts'
import { GROUP as group, lead, started, World } from './testing/world.ts'

const epoch = asLeaderEpoch

test('a node is up to itself, whoever else is; a node that it does not know is not', async () => {
  const world = new World()
  for (const node of world.nodes) node.start()
  const [one] = world.nodes
  assert.deepEqual(
    world.nodes.map(({ id }) => one!.liveness.isUp(id)),
    [true, false, false],
  )
  world.connectAll()
  await world.runFor(50)
  assert.deepEqual(
    world.nodes.map(({ id }) => one!.liveness.isUp(id)),
    [true, true, true],
  )
})

test('a read that waits is confirmed although the term was told again; not once it rose', async () => {
  const world = await started()
  lead(world, 3)
  await world.runFor(50)
  const [one] = world.nodes
  const voters = world.nodes.map(({ id }) => id)
  const confirm = (): Promise<boolean> => one!.liveness.confirm(group, voters, epoch(3))
  const told = confirm()
  one!.liveness.termChanged(group)
  const risen = (async () => {
    await told
    const waits = confirm()
    one!.setEpoch(group, epoch(4))
    return waits
  })()
  await world.runFor(500)
  assert.deepEqual([await told, await risen], [true, false])
})

test('a read is confirmed for the epoch that is claimed, for no other', async () => {
  const world = await started()
  lead(world, 3)
  await world.runFor(50)
  const [one] = world.nodes
  const voters = world.nodes.map(({ id }) => id)
  const confirmed = Promise.all(
    [2, 3, 4].map((at) => one!.liveness.confirm(group, voters, epoch(at))),
  )
  await world.runFor(500)
  assert.deepEqual(await confirmed, [false, true, false])
})

test('a connection that ends before the peer has answered was never one', async () => {
  const world = new World()
  for (const node of world.nodes) node.start()
  for (const link of world.links) link.cut = true
  world.connectAll()
  await world.runFor(50)
  for (const { id } of world.nodes.slice(1)) world.disconnect(1, id)
  await world.runFor(50)
  assert.deepEqual(world.node(1).takeEvents(), [])
})

test('a node that has ended says nothing, hears nothing and confirms nothing', async () => {
  const world = await started()
  lead(world, 3)
  await world.runFor(50)
  const [one] = world.nodes
  const voters = world.nodes.map(({ id }) => id)
  const waits = one!.liveness.confirm(group, voters, epoch(3))
  one!.liveness.close()
  assert.equal(await waits, false)
  assert.equal(await one!.liveness.confirm(group, voters, epoch(3)), false)
  one!.takeEvents()
  const { frames } = world.link(1, 2)
  world.node(2).setEpoch(group, epoch(5))
  world.node(2).liveness.claim(asLogId('orders-1'), epoch(5))
  await world.runFor(500)
  world.disconnect(1, 2)
  await world.runFor(50)
  world.connect(1, 2)
  await world.runFor(2_000)
  assert.deepEqual(one!.takeEvents(), [])
  assert.equal(world.link(1, 2).frames, frames)
})
