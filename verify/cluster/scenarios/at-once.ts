// Several nodes killed in the same moment, under load: so many that no majority is left, and all of them.

import { sleep } from '../../../test/compat/process.ts'
import { describe, nextAcknowledgement, type Bench } from '../bench.ts'
import { nowMs } from '../clients/load.ts'
import type { Driver } from '../driver.ts'
import { ended } from '../ended.ts'
import type { Scenario } from '../scenario.ts'

/** Longer than any outage here. */
const TIMEOUT_MS = 120_000
const OUTAGE_MS = 2_000
const RETURN_MS_MAX = 60_000

export const majorityAtOnce: Scenario = {
  name: 'two-at-once',
  what: 'kill a majority in one moment, later start it again; --repeat times',
  nodes: [3, 5, 7],
  run: (bench) => underLoad(bench, killMajority),
}

export const allAtOnce: Scenario = {
  name: 'all-at-once',
  what: 'kill all nodes in one moment and start them again at once; --repeat times',
  nodes: [3, 5, 7],
  run: (bench) => underLoad(bench, killAll),
}

type Round = (bench: Bench, driver: Driver) => Promise<void>

async function underLoad(bench: Bench, round: Round): Promise<void> {
  await bench.open({ partitions: 3, replicationFactor: bench.options.nodes })
  const driver = await bench.driver({ timeoutMs: TIMEOUT_MS })
  await driver.send(30, driver.rate)
  const load = driver.start(driver.rate)
  for (let i = 0; i < bench.options.repeat; i++) {
    await bench.quiet()
    await round(bench, driver)
  }
  await load.stop()
  bench.requireAcknowledged('under load', driver.deliveries)
}

async function killMajority(bench: Bench, driver: Driver): Promise<void> {
  const { cluster } = bench
  const many = Math.floor(cluster.ids.length / 2) + 1
  const victims = cluster.ids.toSorted(() => Math.random() - 0.5).slice(0, many)
  await Promise.all(victims.map((id) => cluster.kill(id)))
  const goneMs = nowMs()
  await sleep(OUTAGE_MS)
  const wrong = driver.deliveries.find(
    ({ sentMs, outcome }) => sentMs >= goneMs && outcome === 'ok',
  )
  if (wrong !== undefined) bench.problem(`acknowledged without a majority: ${describe(wrong)}`)
  await startAgain(bench, driver, victims)
}

async function killAll(bench: Bench, driver: Driver): Promise<void> {
  await Promise.all(bench.cluster.ids.map((id) => bench.cluster.kill(id)))
  await startAgain(bench, driver, bench.cluster.ids)
}

async function startAgain(bench: Bench, driver: Driver, ids: readonly number[]): Promise<void> {
  const startedMs = nowMs()
  const starting = ids.map((id) => bench.cluster.start(id))
  const whole = bench.whole(RETURN_MS_MAX, ids)
  void ended(whole) // its failure counts when it is waited for
  const firstMs = await bench.probe(0, bench.cluster.ids, RETURN_MS_MAX)
  bench.figures.add('first acknowledgement of a client started with the nodes', firstMs)
  await Promise.all(starting)
  const next = await Promise.all(
    bench.partitions.map((partition) =>
      nextAcknowledgement(driver, partition, startedMs, RETURN_MS_MAX),
    ),
  )
  bench.figures.add('next acknowledgement on every partition', Math.max(...next) - startedMs)
  const wholeMs = (await whole) - startedMs
  bench.figures.add('all replicas in sync', wholeMs)
  bench.say(
    `killed ${ids.join(', ')}; after their start: first acknowledgement after ${firstMs.toFixed(0)} ms, ` +
      `every partition after ${(Math.max(...next) - startedMs).toFixed(0)} ms, whole after ${wholeMs.toFixed(0)} ms`,
  )
}
