// Random schedules of everything that can happen to nodes and links, against a naive model: whenever a read is confirmed,
// a majority of the voters had no higher epoch at a moment after the call, and was able to vouch for that. Once all is
// healed, reads are confirmed again.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asLogId, type LeaderEpoch, type LogId } from '../../base/brand.ts'
import { World, type TestNode } from './testing/world.ts'

const SEEDS = 25
const CHAOS_MS = 2_000
const faults = ['kill', 'pause', 'disconnect', 'cut', 'loss', 'full', 'reorder'] as const
const groups = ['a-0', 'b-0', 'c-0'].map(asLogId)

interface Call {
  readonly group: LogId
  readonly epoch: LeaderEpoch
  /** Nodes without a higher epoch when the call was made: terms only rise, so that later moments add none. */
  readonly below: number
  /** Nodes that since then, at some moment, could vouch for having no higher epoch. */
  readonly vouching: Set<TestNode>
}

/** A driver as naive as can be: any node may claim any group in any epoch from its own on. */
class Schedule {
  readonly world: World
  readonly calls = new Set<Call>()
  readonly led = new Map<TestNode, Map<LogId, LeaderEpoch>>()
  confirmed = 0
  refused = 0
  readonly failures: string[] = []

  /** Each seed has its own. */
  readonly #faults: ReadonlySet<string>

  constructor(seed: number, nodes: number) {
    this.world = new World({
      seed,
      nodes,
      intervalMs: 20,
      electionTimeoutMs: 200,
      confirmTimeoutMs: 300,
    })
    this.#faults = new Set(faults.filter(() => this.world.sim.chance.chance(0.4)))
    for (const node of this.world.nodes) {
      this.led.set(node, new Map())
      for (const group of groups) node.epochs.set(group, asLeaderEpoch(0))
      node.onClaim = (group, _leader, epoch) => this.#adopt(node, group, epoch)
      node.onHigherEpoch = (group, epoch) => this.#adopt(node, group, epoch)
    }
  }

  #adopt(node: TestNode, group: LogId, epoch: LeaderEpoch): void {
    if (node.unknown.has(group) || epoch <= (node.epochs.get(group) ?? 0)) return
    if (this.world.sim.chance.chance(0.7)) this.raise(node, group, epoch)
  }

  start(node: TestNode): void {
    this.led.get(node)!.clear()
    // A process opens its groups after it began to talk.
    for (const group of groups) node.unknown.add(group)
    node.start()
  }

  raise(node: TestNode, group: LogId, epoch: LeaderEpoch): void {
    const led = this.led.get(node)!
    if ((led.get(group) ?? epoch) < epoch) {
      led.delete(group)
      node.liveness.unclaim(group)
    }
    node.setEpoch(group, epoch)
    this.observe()
  }

  lead(node: TestNode, group: LogId, epoch: LeaderEpoch): void {
    if ((this.led.get(node)!.get(group) ?? -1) >= epoch) return
    this.raise(node, group, epoch)
    this.led.get(node)!.set(group, epoch)
    node.liveness.claim(group, epoch)
  }

  confirm(node: TestNode, group: LogId): Promise<boolean> {
    const epoch = this.led.get(node)!.get(group)
    if (epoch === undefined) return Promise.resolve(false)
    const { nodes } = this.world
    const below = nodes.filter((one) => one.epochs.get(group)! <= epoch).length
    const call: Call = { group, epoch, below, vouching: new Set() }
    this.calls.add(call)
    this.observe()
    const voters = nodes.map(({ id }) => id)
    return node.liveness.confirm(group, voters, epoch).then((confirmed) => {
      this.calls.delete(call)
      if (confirmed) this.#check(node, call)
      else this.refused += 1
      return confirmed
    })
  }

  #check(node: TestNode, { group, epoch, below, vouching }: Call): void {
    this.confirmed += 1
    const majority = Math.floor(this.world.nodes.length / 2) + 1
    if (below >= majority && vouching.size >= majority) return
    this.failures.push(
      `at ${this.world.sim.nowMs} ms node ${node.id} was confirmed in epoch ${epoch} of ${group}: ` +
        `${below} without a higher epoch, ${vouching.size} vouching`,
    )
  }

  /** To be called after each change of what a node can vouch for. */
  observe(): void {
    for (const { group, epoch, vouching } of this.calls) {
      for (const node of this.world.nodes) {
        if (node.unknown.has(group) || node.epochs.get(group)! > epoch) continue
        vouching.add(node)
      }
    }
  }

  know(node: TestNode, group: LogId, known: boolean): void {
    if (known) {
      node.unknown.delete(group)
      // What it missed while it was away.
      if (this.world.sim.chance.chance(0.3)) {
        node.epochs.set(group, asLeaderEpoch(node.epochs.get(group)! + 1))
      }
    } else {
      this.led.get(node)!.delete(group)
      node.liveness.unclaim(group)
      node.unknown.add(group)
    }
    node.liveness.termChanged(group)
    this.observe()
  }

  act(): void {
    const { chance } = this.world.sim
    const node = chance.pick(this.world.nodes)
    const other = chance.pick(this.world.nodes)
    const group = chance.pick(groups)
    const draw = chance.below(100)
    if (!node.alive) {
      if (draw < 60) this.start(node)
      return
    }
    if (node.isPaused && draw < 10) node.resume()
    const own = node.epochs.get(group)!
    const known = !node.unknown.has(group)
    if (draw < 60) {
      void this.confirm(node, group)
    } else if (draw < 70) {
      if (known) this.lead(node, group, asLeaderEpoch(own + chance.below(2)))
    } else if (draw < 76) {
      if (known) this.raise(node, group, asLeaderEpoch(own + 1 + chance.below(2)))
    } else if (draw < 82) {
      this.know(node, group, !known || chance.chance(0.7))
    } else if (draw < 94) {
      if (node !== other) this.#actOnLink(node, other)
    } else if (draw < 95) {
      if (this.#faults.has('kill')) node.kill()
    } else if (draw < 97) {
      if (this.#faults.has('pause')) node.pause()
    }
  }

  #actOnLink(node: TestNode, other: TestNode): void {
    const { world } = this
    const { chance } = world.sim
    const link = world.link(node.id, other.id)
    const draw = chance.below(10)
    if (draw < 4) world.connect(node.id, other.id)
    else if (draw < 5 && this.#faults.has('disconnect')) world.disconnect(node.id, other.id)
    else if (draw < 6 && this.#faults.has('cut')) link.cut = chance.chance(0.3)
    else if (draw < 7 && this.#faults.has('loss')) link.loss = chance.pick([0, 0, 0.1, 0.5])
    else if (draw < 8 && this.#faults.has('full')) link.full = chance.chance(0.2)
    else if (draw < 9 && this.#faults.has('reorder')) link.reorders = chance.chance(0.5)
    else link.delayMsMax = link.delayMsMin + chance.pick([0, 1, 1, 10, 40])
  }

  heal(): void {
    const { world } = this
    for (const link of world.links) {
      Object.assign(link, { cut: false, full: false, loss: 0, reorders: false, delayMsMax: 1 })
    }
    for (const node of world.nodes) {
      if (!node.alive) this.start(node)
      node.resume()
      for (const group of groups) this.know(node, group, true)
    }
    world.connectAll()
  }
}

async function runSchedule(seed: number): Promise<Schedule> {
  const schedule = new Schedule(seed, seed % 3 === 0 ? 5 : 3)
  const { world } = schedule
  const { chance } = world.sim
  for (const node of world.nodes) schedule.start(node)
  world.connectAll()
  while (world.sim.nowMs < CHAOS_MS) {
    schedule.act()
    if (chance.chance(0.6)) await world.runFor(chance.float() * chance.pick([0.5, 3, 10]))
  }
  schedule.heal()
  await world.runFor(1_000)
  const highest = Math.max(...world.nodes.flatMap((node) => [...node.epochs.values()]))
  const leader = chance.pick(world.nodes)
  for (const group of groups) schedule.lead(leader, group, asLeaderEpoch(highest + 1))
  for (const group of groups) {
    const confirmed = await world.sim.settle(schedule.confirm(leader, group))
    if (!confirmed) schedule.failures.push(`${group} is not confirmed after all was healed`)
  }
  return schedule
}

test('no read is confirmed that a majority could not vouch for', async () => {
  let confirmed = 0
  let refused = 0
  for (let seed = 1; seed <= SEEDS; seed++) {
    const schedule = await runSchedule(seed)
    assert.deepEqual(schedule.failures, [], `seed ${seed}`)
    confirmed += schedule.confirmed
    refused += schedule.refused
  }
  assert.ok(confirmed > SEEDS * 20 && refused > SEEDS * 20, `${confirmed} and ${refused}`)
})
