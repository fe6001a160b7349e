// Partitions whose replicas are dead while the cluster lives: with one replica, and with three on five nodes. What can't be
// written fails clearly in time, the rest goes on, and everything works again when the nodes return.

import { sleep } from '../../../test/compat/process.ts'
import { describe, type Bench } from '../bench.ts'
import { clients } from '../clients.ts'
import type { Delivery } from '../driver.ts'
import { table } from '../figures.ts'
import type { Scenario } from '../scenario.ts'

const TIMEOUT_MS = 5_000
const LATE_MS_MAX = 3_000
const SETTLES_MS = 1_000
const PER_PARTITION = 4

export const loneReplica: Scenario = {
  name: 'lone-replica',
  what: 'one replica for each partition, and one node dies',
  nodes: [3, 5],
  run: async (bench) => {
    await bench.open({ partitions: bench.options.nodes, replicationFactor: 1 })
    await refuse(bench, 1)
  },
}

export const refusals: Scenario = {
  name: 'refusals',
  what: 'three replicas on five nodes, and two nodes die: which partitions refuse',
  nodes: [5, 7],
  run: async (bench) => {
    await bench.open({ partitions: bench.options.nodes, replicationFactor: 3 })
    await refuse(bench, 2)
  },
}

async function refuse(bench: Bench, dead: number): Promise<void> {
  const { cluster, monitor, partitions } = bench
  const driver = await bench.driver({ timeoutMs: TIMEOUT_MS })
  const count = PER_PARTITION * partitions.length
  bench.requireAcknowledged('before', await driver.send(count, driver.rate))
  const replicas = partitions.map(
    (which) => monitor.view(cluster.ids[0] ?? 1, which)?.replicas ?? [],
  )
  const victims = cluster.ids.slice(0, dead)
  await Promise.all(victims.map((id) => cluster.kill(id)))
  await sleep(SETTLES_MS)
  const sent = await driver.send(count, driver.rate)
  const rows = partitions.map((which) => {
    const all = replicas[which] ?? []
    const alive = all.filter((id) => !victims.includes(id))
    const mine = sent.filter((delivery) => delivery.partition === which)
    const works = alive.length > all.length / 2
    return [
      which,
      all.join(' '),
      alive.join(' '),
      works ? 'works' : 'refuses',
      ...judge(bench, works, mine),
    ]
  })
  const head = [
    'partition',
    'replicas',
    'alive',
    'it',
    'acknowledged',
    'failed',
    'slowest failure, ms',
  ]
  for (const line of table(head, rows)) bench.say(line)
  await Promise.all(victims.map((id) => cluster.start(id)))
  await bench.whole()
  bench.requireAcknowledged('after the return', await driver.send(count, driver.rate))
}

function judge(bench: Bench, works: boolean, deliveries: readonly Delivery[]): number[] {
  const acknowledged = deliveries.filter(({ outcome }) => outcome === 'ok')
  const failed = deliveries.filter(({ outcome }) => outcome !== 'ok')
  const slowest = Math.max(
    0,
    ...failed.map(({ sentMs, settledMs = Infinity }) => settledMs - sentMs),
  )
  if (works) bench.requireAcknowledged('with a majority of replicas', deliveries)
  else if (acknowledged[0] !== undefined) {
    bench.problem(`acknowledged without a majority of replicas: ${describe(acknowledged[0])}`)
  }
  if (slowest > clients[bench.client].failsWithinMs(TIMEOUT_MS) + LATE_MS_MAX) {
    bench.problem(`a record failed only after ${slowest.toFixed(0)} ms`)
  }
  const silent = failed.find(({ text }) => text === '')
  if (silent !== undefined) bench.problem(`failed without a reason: ${describe(silent)}`)
  return [acknowledged.length, failed.length, Math.round(slowest)]
}
