// Groups over the real storage and the real transport in the simulated world: what was committed survives kills, power cuts
// and damage of a minority, and replicas that were away catch up.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asOffset } from '../base/brand.ts'
import { Simulation } from '../env/sim/simulation.ts'
import { removeTombstones, SimGroup } from './testing/sim-members.ts'

const SEEDS = [1, 2, 3]

async function started(
  seed: number,
  count = 3,
): Promise<{ group: SimGroup; simulation: Simulation }> {
  const simulation = new Simulation(seed)
  const group = new SimGroup(simulation, count)
  await group.start()
  return { group, simulation }
}

const names = (count: number, prefix = 'r'): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`)

for (const seed of SEEDS) {
  test(`the leader is killed, then loses its power: nothing committed is lost (seed ${seed})`, async () => {
    const { group } = await started(seed)
    const said: string[] = []
    for (const mode of ['kill', 'cut', 'both'] as const) {
      for (const text of names(5, mode)) {
        await group.commit(text)
        said.push(text)
      }
      const leader = await group.leader()
      leader.append(`${mode}unknown`)
      if (mode !== 'cut') leader.kill()
      if (mode !== 'kill') leader.powerCut()
      await group.until('another leader', () =>
        group.members.some((member) => member !== leader && member.leads),
      )
      await group.commit(`${mode}after`)
      said.push(`${mode}after`)
      await group.restart(leader)
    }
    const leader = await group.leader()
    const held = (await leader.committed()).filter((text) => !text.endsWith('unknown'))
    assert.deepEqual(held, said)
    await group.allHold(await leader.committed())
  })
}

test('all lose their power at once and come back with everything that was committed', async () => {
  const { group } = await started(4)
  for (const text of names(20)) await group.commit(text)
  for (const member of group.members) member.powerCut()
  for (const member of group.members) await group.restart(member)
  await group.commit('after')
  await group.allHold([...names(20), 'after'])
})

test('a follower that was away catches up from the disk of the leader', async () => {
  const { group } = await started(5)
  await group.commit('first')
  const leader = await group.leader()
  const away = group.members.find((member) => member !== leader)!
  away.kill()
  for (const text of names(60)) await group.commit(text)
  await group.restart(away)
  await group.allHold(['first', ...names(60)])
})

test('a follower that retention passed by begins anew at the log start', async () => {
  const { group, simulation } = await started(6)
  await group.commit('first')
  const leader = await group.leader()
  const away = group.members.find((member) => member !== leader)!
  away.kill()
  for (const text of names(40)) await group.commit(text)
  assert.ok(await simulation.settle(leader.group!.advanceLogStart(asOffset(30))))
  await group.commit('last')
  await group.restart(away)
  await group.allHold([...names(40).slice(29), 'last'])
  assert.equal(away.group!.stored.logStart, 30)
})

test('a minority neither elects nor commits, and what it took is cut off when it is back', async () => {
  const { group } = await started(7)
  await group.commit('first')
  const leader = await group.leader()
  const others = group.members.filter((member) => member !== leader)
  for (const member of others) member.kill()
  leader.append('alone')
  await group.until('resignation', () => leader.raft.role !== 'leader', 3_000)
  assert.equal(leader.raft.commit.offset, 1)
  leader.kill()
  for (const member of others) await group.restart(member)
  await group.commit('second')
  await group.restart(leader)
  await group.allHold(['first', 'second'])
})

test('damaged bytes are fetched from the leader again, and a damaged leader hands over', async () => {
  const { group, simulation } = await started(8)
  // So large that they go straight to their segment.
  for (const text of names(6)) await group.commit(text, 80_000)
  await group.allHold(names(6))
  const leader = await group.leader()
  const follower = group.members.find((member) => member !== leader)!
  for (const member of [follower, leader]) {
    member.kill()
    const flipped = member.host.flipBit(/0000000000000000000\d\.log$/)
    assert.ok(flipped !== undefined)
    await group.restart(member)
    await group.leader()
    const { stored } = member.group!
    let failed = 0
    for (let offset = 0; offset < 6; offset++) {
      const request = { from: asOffset(offset), below: asOffset(offset + 1), maxBytes: 1 }
      const read = (async () => stored.read(request))()
      await simulation.settle(
        read.then(
          () => undefined,
          () => failed++,
        ),
      )
    }
    assert.ok(failed > 0, `nothing noticed the flipped bit of ${flipped.path}`)
    await group.until('healed', () => stored.damage === undefined)
    await group.commit(`after${member.nodeId}`)
  }
  await group.allHold([...names(6), `after${follower.nodeId}`, `after${leader.nodeId}`])
})

test('a follower that ends where the leader has no tombstones any more begins anew', async () => {
  const { group, simulation } = await started(9)
  const all = names(9)
  for (const text of all.slice(0, 2)) await group.commit(text, 80_000)
  const leader = await group.leader()
  const away = group.members.find((member) => member !== leader)!
  await group.until('all', () => away.raft.commit.offset === 2)
  away.kill()
  for (const text of all.slice(2, 8)) await group.commit(text, 80_000)
  const below = await removeTombstones(simulation, leader, 4)
  assert.equal(below, 4)
  await group.restart(away)
  await group.until('leader', () => leader.raft.followers.get(away.group!.raft.self)!.answered)
  assert.equal(away.group!.stored.tombstonesRemovedBelow, below)
  await group.commit(all[8]!)
  await group.allHold(all)
  away.kill()
  await group.restart(away)
  assert.equal(away.group!.stored.tombstonesRemovedBelow, below)
  await group.allHold(all)
})

test('a damaged range that lacks removed tombstones is not patched: the replica begins anew, as a suspect', async () => {
  for (const removedBy of ['leader', 'follower'] as const) {
    const { group, simulation } = await started(10)
    for (const text of names(8)) await group.commit(text, 80_000)
    await group.allHold(names(8))
    const leader = await group.leader()
    const follower = group.members.find((member) => member !== leader)!
    await removeTombstones(simulation, removedBy === 'leader' ? leader : follower, 6)
    follower.kill()
    assert.ok(follower.host.flipBit(/00000000000000000000\.log$/) !== undefined)
    await group.restart(follower)
    await group.leader()
    const { stored } = follower.group!
    // It gives what lies before the damage, or fails.
    const read = async (): Promise<void> => {
      try {
        await stored.read({ from: asOffset(0), below: asOffset(6), maxBytes: 1 << 20 })
      } catch (error) {
        assert.match(String(error), /are damaged/)
      }
    }
    await simulation.settle(read())
    assert.ok(stored.damage !== undefined)
    let suspect = false
    await group.until('whole', () => {
      suspect ||= follower.raft.suspect
      return stored.damage === undefined && suspect && !follower.raft.suspect
    })
    await group.commit('after')
    await group.allHold([...names(8), 'after'])
  }
})
