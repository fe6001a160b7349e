// Faults that need more than one node: who leads is struck, several at once or one after the other, and the links between nodes.

import type { Prng } from '../../src/env/sim/prng.ts'
import type { FaultTargets, Strike } from './faults.ts'
import type { SimNode } from './node.ts'

export const CLUSTER_FAULTS = [
  /** The node that leads some partition or the metadata. */
  'kill-leader',
  'cut-leader',
  /** The leader, and then another in the middle of the election or of the catching up. */
  'kill-in-election',
  /** A follower is away for a while, and dies again while it catches up or truncates. */
  'kill-in-catch-up',
  'kill-majority',
  'kill-all',
  'cut-all',
  /** All are killed; before they are back, the power fails. */
  'kill-all-then-cut',
  /** One after the other, the next while the others still recover, in any order. */
  'cascade',
  /** Away for seconds. */
  'long-down',
  /** SIGSTOP, SIGCONT. */
  'pause',
  'pause-leader',
  /** Each in turn, in good order or not, the next once the one before is back. */
  'rolling-restart',
  /** Two sides, clients on either. */
  'partition',
  'isolate-leader',
  /** The same for long enough that another leads, while clients still reach the one that was deposed. */
  'depose-leader',
  /** Between nodes, one direction. */
  'node-one-way',
  /** Two sides, and one node that reaches both. */
  'bridge',
  /** Connections between nodes end in mid-frame. */
  'node-reset',
  'slow-node-link',
  /** Short interruptions, again and again: what loss looks like above TCP. */
  'flaky-link',
] as const
export type ClusterFaultName = (typeof CLUSTER_FAULTS)[number]

/** What takes data away for good: of one node in a seed, which the others make up for. */
export const DAMAGE_FAULTS = [
  /** A machine with an empty disk in the place of one that held data: it must be refused. */
  'wipe',
  /** A bit of a segment or a snapshot is another one. */
  'bit-flip',
  /** A bit of the journal is: the node ends, and begins anew as a suspect. */
  'journal-damage',
] as const
export type DamageFaultName = (typeof DAMAGE_FAULTS)[number]

const DAMAGED = /^((?!.*__cluster_metadata).*\.log|.*\.snapshot)$/

export const DAMAGE_STRIKES: Readonly<Record<DamageFaultName, Strike>> = {
  wipe: ({ node }) => node.wipe(),
  'bit-flip': ({ node }) => {
    node.host.flipBit(DAMAGED)
  },
  'journal-damage': ({ node }, chance) => node.damageJournal(chance),
}

export const CLUSTER_STRIKES: Readonly<Record<ClusterFaultName, Strike>> = {
  'kill-leader': (targets, chance) => leader(targets, chance).kill(downMs(chance)),
  'cut-leader': (targets, chance) => leader(targets, chance).powerCut(downMs(chance)),
  'kill-in-election': killInElection,
  'kill-in-catch-up': killInCatchUp,
  'kill-majority': ({ nodes }, chance) => {
    const most = shuffled(nodes, chance).slice(0, (nodes.length >> 1) + 1)
    for (const node of most) node.kill(downMs(chance))
  },
  'kill-all': ({ nodes }, chance) => {
    for (const node of nodes) node.kill(downMs(chance))
  },
  'cut-all': ({ nodes }, chance) => {
    for (const node of nodes) node.powerCut(downMs(chance))
  },
  'kill-all-then-cut': killAllThenCut,
  cascade,
  'long-down': ({ node }, chance) => {
    if (chance.chance(0.5)) node.kill(chance.between(1_000, 6_000))
    else node.powerCut(chance.between(1_000, 6_000))
  },
  pause: (targets, chance) => pause(targets, targets.node, chance),
  'pause-leader': (targets, chance) => pause(targets, leader(targets, chance), chance),
  'rolling-restart': (targets, chance) =>
    rollingRestart(targets, chance, shuffled(targets.nodes, chance)),
  partition,
  'isolate-leader': (targets, chance) => {
    const one = leader(targets, chance)
    const others = targets.nodes.filter((node) => node !== one)
    cut(targets, chance, [[one], others])
  },
  'depose-leader': (targets, chance) => {
    const one = leader(targets, chance)
    const others = targets.nodes.filter((node) => node !== one)
    block(targets, sides([one], others).flatMap(bothWays), chance.between(1_300, 4_000))
  },
  'node-one-way': nodeOneWay,
  bridge,
  'node-reset': ({ simulation, nodes }, chance) => {
    for (const [a, b] of pairs(nodes)) {
      if (chance.chance(0.6)) simulation.network.reset(a, b, chance.pick([0.5, 1]))
    }
  },
  'slow-node-link': slowNodeLink,
  'flaky-link': flakyLink,
}

/** Some node that leads something; a random one where nobody does. */
function leader({ leaders, nodes }: FaultTargets, chance: Prng): SimNode {
  const ids = leaders()
  const id = ids.length === 0 ? undefined : chance.pick(ids)
  return nodes.find((node) => node.id === id) ?? chance.pick(nodes)
}

/** Until it is started again; undefined: soon. */
function downMs(chance: Prng): number | undefined {
  return chance.chance(0.6) ? undefined : chance.between(0, 2_500)
}

function shuffled<T>(items: readonly T[], chance: Prng): T[] {
  return items
    .map((item) => ({ item, rank: chance.next() }))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ item }) => item)
}

function pairs(nodes: readonly SimNode[]): (readonly [string, string])[] {
  return nodes.flatMap((a, i) =>
    nodes.slice(i + 1).map((b): readonly [string, string] => [a.host.name, b.host.name]),
  )
}

function killInElection(targets: FaultTargets, chance: Prng): void {
  const first = leader(targets, chance)
  first.kill(downMs(chance))
  const second = chance.pick(targets.nodes)
  targets.later(chance.between(1, 400), () => {
    if (chance.chance(0.5)) second.kill(downMs(chance))
    else second.crashAtStep(chance.between(1, 20), chance.pick(['kill', 'cut']))
  })
}

function killInCatchUp({ node, later }: FaultTargets, chance: Prng): void {
  const awayMs = chance.between(200, 2_500)
  if (chance.chance(0.5)) node.kill(awayMs)
  else node.powerCut(awayMs)
  later(awayMs + 1, () => {
    node.boot()
    node.crashAtStep(chance.between(20, 400), chance.pick(['kill', 'cut']))
  })
}

function killAllThenCut({ nodes, later }: FaultTargets, chance: Prng): void {
  for (const node of nodes) node.kill(chance.between(50, 400))
  later(chance.between(0, 500), () => {
    for (const node of nodes) if (chance.chance(0.8)) node.powerCut(downMs(chance))
  })
}

function cascade({ nodes, later }: FaultTargets, chance: Prng): void {
  let atMs = 0
  for (const node of shuffled([...nodes, ...nodes], chance)) {
    const crash = chance.below(4)
    const steps = chance.between(1, 60)
    const away = downMs(chance)
    later(atMs, () => {
      if (crash === 0) node.powerCut(away)
      else if (crash === 1) node.crashAtStep(steps, 'cut')
      else node.kill(away)
    })
    atMs += chance.pick([chance.between(0, 50), chance.between(0, 700)])
  }
}

function pause({ later }: FaultTargets, node: SimNode, chance: Prng): void {
  if (!node.host.alive || node.host.paused) return
  node.host.pause()
  later(chance.pick([chance.between(10, 300), chance.between(500, 4_000)]), () =>
    node.host.resume(),
  )
}

function rollingRestart(targets: FaultTargets, chance: Prng, left: readonly SimNode[]): void {
  const [node, ...others] = left
  if (node === undefined) return
  const next = (): void => {
    if (node.isUp) rollingRestart(targets, chance, others)
    else targets.later(50, next)
  }
  if (chance.chance(0.5) && node.isUp) node.restart()
  else node.kill()
  targets.later(100, next)
}

/** Between the sides nothing passes for a while. */
function cut(
  targets: FaultTargets,
  chance: Prng,
  [some, others]: readonly [readonly SimNode[], readonly SimNode[]],
): void {
  const share = chance.pick([0, 0.3, 1])
  const clients = targets.clients().filter(() => chance.chance(share))
  const near = [...some.map(({ host }) => host.name), ...clients.filter(() => chance.chance(0.5))]
  const far = [...others.map(({ host }) => host.name), ...clients.filter((c) => !near.includes(c))]
  const durationMs = chance.pick([chance.between(50, 900), chance.between(900, 6_000)])
  block(
    targets,
    near.flatMap((a) => far.flatMap((b) => bothWays([a, b]))),
    durationMs,
  )
}

type Way = readonly [from: string, to: string]

const bothWays = ([a, b]: Way): Way[] => [
  [a, b],
  [b, a],
]

const sides = (some: readonly SimNode[], others: readonly SimNode[]): Way[] =>
  some.flatMap((a) => others.map((b): Way => [a.host.name, b.host.name]))

function block(
  { simulation, later }: FaultTargets,
  ways: readonly Way[],
  durationMs: number,
): void {
  for (const [from, to] of ways) simulation.network.block(from, to)
  later(durationMs, () => {
    for (const [from, to] of ways) simulation.network.unblock(from, to)
  })
}

function partition(targets: FaultTargets, chance: Prng): void {
  const order = shuffled(targets.nodes, chance)
  const size = chance.between(1, order.length - 1)
  cut(targets, chance, [order.slice(0, size), order.slice(size)])
}

function bridge(targets: FaultTargets, chance: Prng): void {
  const [, ...others] = shuffled(targets.nodes, chance)
  const half = others.length >> 1
  cut(targets, chance, [others.slice(0, half), others.slice(half)])
}

function nodeOneWay(targets: FaultTargets, chance: Prng): void {
  const blocked = pairs(targets.nodes)
    .filter(() => chance.chance(0.6))
    .map(([a, b]): Way => (chance.chance(0.5) ? [a, b] : [b, a]))
  block(targets, blocked, chance.between(100, 4_000))
}

function slowNodeLink({ simulation, nodes, later }: FaultTargets, chance: Prng): void {
  const { network } = simulation
  const quality = { latencyMs: chance.pick([5, 50, 300]), bytesPerMs: chance.pick([50, 10_000]) }
  const [a, b] = chance.pick(pairs(nodes))
  network.setLink(a, b, quality)
  if (chance.chance(0.7)) network.setLink(b, a, quality)
  later(chance.between(200, 5_000), () => {
    network.setLink(a, b, {})
    network.setLink(b, a, {})
  })
}

function flakyLink({ simulation, nodes, later }: FaultTargets, chance: Prng): void {
  const { network } = simulation
  const [a, b] = chance.pick(pairs(nodes))
  let left = chance.between(3, 12)
  const stall = (): void => {
    if (left-- === 0) return
    const [from, to] = chance.chance(0.5) ? [a, b] : [b, a]
    network.block(from, to)
    later(chance.between(1, 400), () => {
      network.unblock(from, to)
      if (chance.chance(0.2)) network.reset(a, b, 0.5)
      later(chance.between(1, 300), stall)
    })
  }
  stall()
}
