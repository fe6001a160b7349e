// Runs one seed: a node and its clients in one simulated world, faults while they work, a healing, and then the checks. The
// seed decides everything: the same seed gives the same trace.

import { createTopic } from '../../src/client/admin-topics.ts'
import { Simulation } from '../../src/env/sim/simulation.ts'
import { checkHistory } from '../history/check.ts'
import type { History, Operation } from '../history/history.ts'
import { existenceOf, runAdmin, write } from './administering.ts'
import type { Bug } from './bugs.ts'
import { runChurner } from './churning.ts'
import { runKeeper } from './compacting.ts'
import { runMember, runReader } from './consuming.ts'
import { Faults } from './faults.ts'
import { endClients, readEverything, requireProgress } from './finishing.ts'
import { SimNode } from './node.ts'
import { makePlan, type Mode, type PlannedFault } from './plan.ts'
import { textOf, type Problem } from './problems.ts'
import { runProducer } from './producing.ts'
import { runResender } from './resending.ts'
import { compareBytes, requireSettled } from './settling.ts'
import { runStayer } from './staying.ts'
import { pause, TOPIC, World, type Client } from './world.ts'

export interface SeedOptions {
  readonly seed: number
  readonly mode: Mode
  /** Instead of the number that the seed draws. */
  readonly nodes?: number | undefined
  /** An error planted between the node and its ports. */
  readonly bug?: Bug | undefined
  /** Indices of planned faults that are left out. */
  readonly without?: ReadonlySet<number>
  readonly log?: (line: string) => void
}

export interface SeedResult {
  readonly seed: number
  readonly problems: readonly Problem[]
  readonly traceHash: string
  readonly operations: number
  readonly acknowledged: number
  readonly faults: readonly string[]
  readonly planned: readonly PlannedFault[]
  readonly starts: number
  readonly virtualMs: number
  readonly events: number
  readonly history: History
}

const SETUP_MS_MAX = 20_000
/** A node that stops writes everything back, and some disks take a hundred times as long to sync. */
const STOP_MS_MAX = 60_000

export async function runSeed(options: SeedOptions): Promise<SeedResult> {
  const { seed, mode, log } = options
  const simulation = new Simulation(seed, log === undefined ? {} : { log })
  const plan = makePlan(simulation.chance.split('plan'), mode, options.nodes, options.bug?.needs)
  const world = new World(simulation, plan)
  const bugChance = simulation.chance.split('bug')
  const wrap = options.bug?.wrap?.(bugChance, simulation) ?? ((env) => env)
  const takeOut = options.bug?.plant?.(bugChance)
  const report = (problem: Problem): void => world.report(problem)
  const { invariants } = world
  const nodes = Array.from({ length: plan.nodes }, (_, i) => {
    return new SimNode({ id: i + 1, simulation, plan, wrap, invariants, report })
  })
  const faults = new Faults(
    {
      simulation,
      nodes,
      clients: () => world.running(),
      crashClient: (role) => world.crashClient(role),
      leaders: () => invariants.leaders((id, start) => nodes[id - 1]?.runs(start) === true),
    },
    simulation.chance.split('faults'),
  )
  const planned = plan.faults.filter(({ index }) => options.without?.has(index) !== true)
  try {
    for (const node of nodes) node.watch()
    await setUp(world)
    spawnClients(world)
    faults.schedule(planned, plan.victim)
    await simulation.run({ untilMs: simulation.nowMs + plan.durationMs })
    faults.heal()
    await requireProgress(world, nodes)
    await endClients(world)
    if (plan.nodes > 1) await requireSettled({ world, nodes, invariants })
    if (plan.lastCut) for (const node of nodes) node.powerCut()
    else if (plan.lastStop) {
      const stopped = Promise.all(nodes.map((node) => node.stop()))
      await simulation.settle(stopped, { withinMs: STOP_MS_MAX })
    }
    await readEverything(world)
    if (plan.nodes > 1) {
      await requireSettled({ world, nodes, invariants })
      await compareBytes({ world, nodes, invariants })
    }
  } catch (error) {
    world.report({ name: 'node-failed', where: 'the simulation', text: textOf(error) })
  }
  takeOut?.()
  const history = world.recorder.history()
  // The history is part of the trace: two runs that differ in what a client saw are not the same.
  simulation.trace(JSON.stringify(history))
  const anomalies = checkHistory(history)
  return {
    seed,
    problems: [...world.problems, ...anomalies],
    traceHash: simulation.traceHash,
    operations: history.length,
    acknowledged: countAcknowledged(history),
    faults: faults.struck,
    planned,
    starts: nodes.reduce((sum, { starts }) => sum + starts, 0),
    virtualMs: simulation.nowMs,
    events: simulation.events,
    history,
  }
}

async function setUp(world: World): Promise<void> {
  let ready = false
  world.spawn('setup', async (client) => {
    await createLasting(client)
    ready = true
  })
  const { simulation, plan } = world
  await simulation.run({ until: () => ready, untilMs: simulation.nowMs + SETUP_MS_MAX })
  if (!ready) throw new Error(`topic ${TOPIC} was not created in ${SETUP_MS_MAX} ms`)
  world.partitions = plan.partitions
}

async function createLasting(client: Client): Promise<void> {
  const { world, cluster, name } = client
  const { partitions, nodes } = world.plan
  const replicationFactor = Math.min(3, nodes)
  const configs = { 'retention.ms': '-1', 'retention.bytes': '-1' }
  for (;;) {
    let topicId = ''
    const call = async () => {
      const created = await createTopic(cluster, {
        name: TOPIC,
        partitions,
        replicationFactor,
        configs,
      })
      topicId = created.topicId
      world.served.topic(TOPIC, topicId)
    }
    const outcome = await write(client, existenceOf(TOPIC), 'there', call)
    if (outcome === 'ok') {
      const common = { kind: 'write', retried: false, outcome: 'ok' } as const
      const count = String(partitions)
      world.recorder.note(name, { ...common, register: `partitions of ${TOPIC}`, value: count })
      world.recorder.note(name, { ...common, register: `id of ${TOPIC}`, value: topicId })
      return
    }
    await pause(client, 50)
  }
}

function spawnClients(world: World): void {
  const { plan } = world
  plan.producers.forEach((producer, i) => {
    world.spawn(`producer-${i + 1}`, (client) => runProducer(client, producer))
  })
  for (let i = 1; i <= plan.readers; i++) world.spawn(`reader-${i}`, runReader)
  for (let i = 1; i <= plan.members; i++) world.spawn(`member-${i}`, runMember)
  world.spawn('admin', runAdmin)
  world.spawn('churner', runChurner)
  world.spawn('resender', runResender)
  world.spawn('keeper', runKeeper)
  for (let id = 1; plan.nodes > 1 && id <= plan.nodes; id++) {
    world.spawn(`stayer-${id}`, (client) => runStayer(client, id))
  }
}

function countAcknowledged(history: History): number {
  const acknowledged = (op: Operation): number =>
    op.kind === 'produce' ? op.records.filter(({ outcome }) => outcome === 'ok').length : 0
  return history.reduce((sum, op) => sum + acknowledged(op), 0)
}
