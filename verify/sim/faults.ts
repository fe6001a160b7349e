// Carries out the faults that a plan drew. What a fault needs of chance is drawn from a generator of its own, so that
// leaving out another fault doesn't change it.

import type { Prng } from '../../src/env/sim/prng.ts'
import type { Simulation } from '../../src/env/sim/simulation.ts'
import { CLUSTER_STRIKES, DAMAGE_STRIKES, type DamageFaultName } from './cluster-faults.ts'
import type { SimNode } from './node.ts'
import type { FaultName, PlannedFault, SomeFaultName } from './plan.ts'

const HOUR_MS = 3_600_000

export interface FaultTargets {
  readonly simulation: Simulation
  /** The one that this fault strikes. */
  readonly node: SimNode
  readonly nodes: readonly SimNode[]
  /** Hosts of clients, as they are now. */
  clients(): readonly string[]
  crashClient(name: string): void
  /** Ids of nodes that lead something. */
  leaders(): readonly number[]
  /** Unless everything is healed by then. */
  later(delayMs: number, run: () => void): void
}

export type Strike = (targets: FaultTargets, chance: Prng) => void

export class Faults {
  readonly #targets: Omit<FaultTargets, 'node' | 'later'>
  readonly #chance: Prng
  #healed = false
  /** What struck, for the report. */
  readonly struck: string[] = []

  constructor(targets: Omit<FaultTargets, 'node' | 'later'>, chance: Prng) {
    this.#targets = targets
    this.#chance = chance
  }

  schedule(faults: readonly PlannedFault[], victim: number | undefined): void {
    const { simulation } = this.#targets
    for (const { index, name, atMs } of faults) {
      simulation.after(atMs, () => {
        if (this.#healed) return
        this.struck.push(`${name} at ${simulation.nowMs.toFixed(0)} ms`)
        simulation.trace(name)
        const chance = this.#chance.split(`fault ${index}`)
        const picked = chance.split('node').pick(this.#targets.nodes)
        const node = isDamage(name) ? this.#victim(victim) : picked
        STRIKES[name]({ ...this.#targets, node, later: this.#later }, chance)
      })
    }
  }

  #victim(id: number | undefined): SimNode {
    const node = this.#targets.nodes.find((one) => one.id === id)
    if (node === undefined) throw new Error('a plan with damage names whom it strikes')
    return node
  }

  readonly #later = (delayMs: number, run: () => void): void => {
    this.#targets.simulation.after(delayMs, () => {
      if (!this.#healed) run()
    })
  }

  /** Ends everything that still goes wrong; the wall clock stays where it is. */
  heal(): void {
    this.#healed = true
    const { simulation, nodes } = this.#targets
    for (const node of nodes) {
      node.host.resume()
      node.host.onDiskStep = undefined
      node.host.faults.clear()
      node.host.files.capacityBytes = Number.MAX_SAFE_INTEGER
      // What the last fault set off may still come to light.
      simulation.after(1_000, () => node.diskFaults.clear())
    }
    simulation.network.heal()
  }
}

const ONE_NODE: Readonly<Record<FaultName, Strike>> = {
  kill: ({ node }) => node.kill(),
  'power-cut': ({ node }) => node.powerCut(),
  'kill-at-step': ({ node }, chance) => node.crashAtStep(chance.between(1, 60), 'kill'),
  'cut-at-step': ({ node }, chance) => node.crashAtStep(chance.between(1, 60), 'cut'),
  'kill-then-cut': killThenCut,
  'crash-loop': (targets, chance) => crashLoop(targets.node, chance, chance.between(2, 6)),
  'disk-stall': ({ node }, chance) => node.host.stallDisk(chance.between(20, 2_000)),
  'disk-full': diskFull,
  'sync-error': syncError,
  reset: ({ simulation, node, clients }, chance) => {
    const share = chance.pick([0.3, 1])
    for (const name of clients()) simulation.network.reset(name, node.host.name, share)
  },
  'slow-link': slowLink,
  'one-way': oneWay,
  'clock-jump': ({ node }, chance) => {
    node.host.skewMs = (chance.float() * 2 - 1) * chance.pick([5, 1_000, 6 * HOUR_MS])
  },
  'client-crash': (targets, chance) => {
    const names = targets.clients()
    if (names.length > 0) targets.crashClient(chance.pick(names))
  },
}

const STRIKES: Readonly<Record<SomeFaultName, Strike>> = {
  ...ONE_NODE,
  ...CLUSTER_STRIKES,
  ...DAMAGE_STRIKES,
}

const isDamage = (name: SomeFaultName): name is DamageFaultName =>
  Object.hasOwn(DAMAGE_STRIKES, name)

/** The page cache survives the kill, and then it doesn't: at once, or in the middle of the recovery. */
function killThenCut({ node }: FaultTargets, chance: Prng): void {
  node.kill()
  if (chance.chance(0.5)) {
    node.powerCut()
    return
  }
  node.boot()
  node.crashAtStep(chance.between(1, 80), 'cut')
}

function crashLoop(node: SimNode, chance: Prng, left: number): void {
  if (chance.chance(0.6)) node.kill()
  else node.powerCut()
  if (left === 0) return
  node.boot()
  node.crashAtStep(chance.between(1, 100), chance.pick(['kill', 'cut']), () =>
    crashLoop(node, chance, left - 1),
  )
}

function diskFull({ simulation, node }: FaultTargets, chance: Prng): void {
  const { files } = node.host
  const fault = Symbol('full')
  node.diskFaults.add(fault)
  files.capacityBytes = files.usedBytes + chance.pick([0, 4096, 1 << 20])
  simulation.after(chance.between(200, 3_000), () => {
    files.capacityBytes = Number.MAX_SAFE_INTEGER
    // A start that began on the full disk may still fail of it.
    simulation.after(1_000, () => node.diskFaults.delete(fault))
  })
}

function syncError({ simulation, node }: FaultTargets, chance: Prng): void {
  const fault = Symbol('error')
  node.diskFaults.add(fault)
  const operation = chance.pick(['sync', 'sync', 'sync', 'syncDirectory', 'write'] as const)
  const end = node.host.faults.add({ operation, code: 'EIO', times: 1 })
  simulation.after(chance.between(100, 1_000), () => {
    end()
    simulation.after(1_000, () => node.diskFaults.delete(fault))
  })
}

function slowLink({ simulation, node, clients }: FaultTargets, chance: Prng): void {
  const { network } = simulation
  const at = node.host.name
  const quality = { latencyMs: chance.pick([5, 50, 300]), bytesPerMs: chance.pick([100, 10_000]) }
  const names = clients()
  if (names.length === 0) return
  const name = chance.pick(names)
  if (chance.chance(0.7)) network.setLink(name, at, quality)
  if (chance.chance(0.7)) network.setLink(at, name, quality)
  simulation.after(chance.between(200, 5_000), () => {
    network.setLink(name, at, {})
    network.setLink(at, name, {})
  })
}

function oneWay({ simulation, node, clients }: FaultTargets, chance: Prng): void {
  const { network } = simulation
  const at = node.host.name
  const blocked = clients()
    .filter(() => chance.chance(0.5))
    .map((name): readonly [string, string] => (chance.chance(0.5) ? [name, at] : [at, name]))
  for (const [from, to] of blocked) network.block(from, to)
  simulation.after(chance.between(100, 4_000), () => {
    for (const [from, to] of blocked) network.unblock(from, to)
  })
}
