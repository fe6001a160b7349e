// A leader that does not know that it is none any more: stopped (SIGSTOP) and going on later (SIGCONT), or cut off from the other
// nodes, in both directions or one, while clients still reach it. Another one rises; the old one acknowledges nothing
// and tells nothing that is out of date.

import { sleep } from '../../../test/compat/process.ts'
import { nextAcknowledgement, TOPIC, type Bench } from '../bench.ts'
import { nowMs } from '../clients/load.ts'
import { Direct, type Answer } from '../direct.ts'
import type { Driver } from '../driver.ts'
import { ended } from '../ended.ts'
import type { Scenario } from '../scenario.ts'

const PARTITION = 0
/** Longer than any outage here. */
const TIMEOUT_MS = 120_000
const RISES_MS_MAX = 20_000
const CUT_MS = 2_500
const BROKER_TIMEOUT_MS = 5_000

interface Fault {
  readonly name: string
  begin(bench: Bench, leader: number): void
  end(bench: Bench, leader: number): void
}

const others = (bench: Bench, leader: number) => bench.cluster.ids.filter((id) => id !== leader)
const heal = (bench: Bench) => bench.cluster.links?.heal()

const paused: Fault = {
  name: 'paused',
  begin: (bench, leader) => bench.cluster.pause(leader),
  end: (bench, leader) => bench.cluster.resume(leader),
}

const cuts: readonly Fault[] = [
  {
    name: 'cut off',
    begin: (bench, leader) => bench.cluster.links?.isolate(leader),
    end: heal,
  },
  {
    name: 'unheard',
    begin: (bench, leader) => {
      for (const id of others(bench, leader)) bench.cluster.links?.cut(leader, id)
    },
    end: heal,
  },
  {
    name: 'deaf',
    begin: (bench, leader) => {
      for (const id of others(bench, leader)) bench.cluster.links?.cut(id, leader)
    },
    end: heal,
  },
]

export const pause: Scenario = {
  name: 'pause',
  what: 'SIGSTOP the leader under load, SIGCONT later; --repeat times',
  nodes: [3, 5, 7],
  run: (bench) => underLoad(bench, [paused]),
}

export const partition: Scenario = {
  name: 'partition',
  what: 'cut the leader off from the other nodes: both ways, unheard, deaf; --repeat times',
  nodes: [3, 5, 7],
  proxied: true,
  run: (bench) => underLoad(bench, cuts),
}

async function underLoad(bench: Bench, faults: readonly Fault[]): Promise<void> {
  await bench.open({ partitions: 3, replicationFactor: bench.options.nodes })
  const driver = await bench.driver({ timeoutMs: TIMEOUT_MS })
  await driver.send(30, driver.rate)
  const load = driver.start(driver.rate)
  for (let i = 0; i < bench.options.repeat; i++) {
    for (const fault of faults) {
      await bench.quiet()
      await once(bench, driver, fault)
    }
  }
  await load.stop()
  bench.requireAcknowledged('under load', driver.deliveries)
}

async function once(bench: Bench, driver: Driver, fault: Fault): Promise<void> {
  const { cluster, figures } = bench
  const old = bench.monitor.leader(PARTITION)
  const port = cluster.kafkaPort(old)
  const direct = await Direct.open(bench.env, port, bench.recorder, TOPIC, bench.name('direct'))
  const cutMs = nowMs()
  fault.begin(bench, old)
  // It knows the nodes that work; how soon a client gives up one that does not answer is the client's affair.
  const probing = bench.probe(PARTITION, others(bench, old))
  void ended(probing) // its failure counts when it is waited for
  const risen = await bench.monitor.when(
    `a leader other than ${old}, which is ${fault.name}`,
    cutMs,
    RISES_MS_MAX,
    ({ node, partition: which, leader }) =>
      node !== old && which === PARTITION && leader >= 0 && leader !== old,
  )
  const probedMs = await probing
  figures.add(`${fault.name}: new leader`, risen.atMs - cutMs)
  figures.add(`${fault.name}: first acknowledgement of a client started then`, probedMs)
  // Sent while the old leader can't know what happened meanwhile; answered whenever it can.
  const known = highestAcknowledged(driver) + 1
  const asked = [
    direct.produce(PARTITION, BROKER_TIMEOUT_MS),
    direct.latest(PARTITION),
    direct.produce(PARTITION, BROKER_TIMEOUT_MS),
    direct.fetch(PARTITION, 0),
    direct.fetch(PARTITION, Math.max(0, known - 1)),
  ] as const
  await sleep(Math.max(0, cutMs + CUT_MS - nowMs()))
  const healedMs = nowMs()
  fault.end(bench, old)
  const [first, latest, second, oldest, newest] = await Promise.all(asked)
  direct.close()
  judgeOld(bench, old, fault, { known, healedMs }, [first, second], latest)
  const next = await nextAcknowledgement(driver, PARTITION, cutMs, TIMEOUT_MS)
  figures.add(`${fault.name}: next acknowledgement of the running client`, next - cutMs)
  const wholeMs = await bench.whole()
  figures.add(`${fault.name}: all replicas in sync after the healing`, wholeMs - healedMs)
  bench.say(
    `${old} ${fault.name}: ${risen.leader} leads after ${(risen.atMs - cutMs).toFixed(0)} ms, a client started then is ` +
      `served after ${probedMs.toFixed(0)} ms; ${old} answers ` +
      [first, latest, second, oldest, newest].map(({ error }) => error).join(', '),
  )
}

function highestAcknowledged(driver: Driver): number {
  let highest = -1
  for (const { partition: which, outcome, offset } of driver.deliveries) {
    if (which === PARTITION && outcome === 'ok') highest = Math.max(highest, offset)
  }
  return highest
}

/** Whatever it acknowledged in spite of all must be there in the end, which the history tells. */
function judgeOld(
  bench: Bench,
  old: number,
  fault: Fault,
  { known, healedMs }: { readonly known: number; readonly healedMs: number },
  produced: readonly Answer[],
  latest: Answer,
): void {
  for (const { error, atMs } of produced) {
    if (error === 'NONE' && atMs < healedMs) {
      bench.problem(`node ${old} acknowledged a record while it was ${fault.name}`)
    }
  }
  if (latest.error === 'NONE' && latest.offset < known) {
    const text = `${latest.offset} for the latest offset, when ${known} records were acknowledged`
    bench.problem(`node ${old}, ${fault.name}, told ${text}`)
  }
}
