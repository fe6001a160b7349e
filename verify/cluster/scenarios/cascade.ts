// One node after the other is killed, with records sent in between, until none is left; then all are started again. While a
// majority runs, every record is acknowledged; without one, none is, and each fails clearly in time. In the end everything
// acknowledged is there.

import { describe, TOPIC, type Bench } from '../bench.ts'
import { clients } from '../clients.ts'
import { nowMs } from '../clients/load.ts'
import { Direct } from '../direct.ts'
import type { Delivery, Driver } from '../driver.ts'
import { table } from '../figures.ts'
import type { Scenario } from '../scenario.ts'

const PER_PHASE = 50
const RATE = 100
const TIMEOUT_MS = 10_000
/** A failure may come so much after the client's own limit. */
const LATE_MS_MAX = 3_000
const WAITING_FAILS_MS_MAX = 2_000
const BROKER_TIMEOUT_MS = 30_000

type Row = readonly (string | number)[]

export const cascade: Scenario = {
  name: 'cascade',
  what: 'kill one node after the other, then start all: the seven phases',
  nodes: [3, 5, 7],
  async run(bench) {
    const { nodes } = bench.options
    await bench.open({ partitions: 3, replicationFactor: nodes })
    const driver = await bench.driver({ timeoutMs: TIMEOUT_MS })
    for (let round = 1; round <= bench.options.repeat; round++) {
      const rows = await oneRound(bench, driver)
      bench.say('')
      for (const line of table(HEAD, rows)) bench.say(line)
      bench.say('')
    }
  },
}

const HEAD = ['phase', 'sent', 'acknowledged', 'failed', 'slowest ack, ms', 'slowest failure, ms']

async function oneRound(bench: Bench, driver: Driver): Promise<Row[]> {
  const { cluster } = bench
  const all = cluster.ids.length
  const rows: Row[] = []
  const row = (what: string, ...cells: Row) => rows.push([`${rows.length + 1}. ${what}`, ...cells])
  row(`${all}/${all} nodes run`)
  const produce = async (what: string, sending: Promise<readonly Delivery[]>) => {
    row(what, ...judge(bench, what, cluster.up.length, await sending))
  }
  await produce(`${all}/${all}: baseline`, driver.send(PER_PHASE, RATE))
  for (const id of cluster.ids.slice(0, -1)) {
    const losesQuorum =
      isMajority(cluster.up.length, all) && !isMajority(cluster.up.length - 1, all)
    const waiting = losesQuorum ? await waitingRequests(bench, id) : undefined
    await cluster.kill(id)
    const sending = driver.send(PER_PHASE, RATE)
    await waiting?.()
    await produce(`${cluster.up.length}/${all}: node ${id} killed`, sending)
  }
  const last = cluster.ids.at(-1) ?? 0
  await cluster.kill(last)
  row(`0/${all}: node ${last} killed`)
  const startedMs = nowMs()
  const starting = cluster.ids.map((id) => cluster.start(id))
  const firstAcknowledgement = await bench.probe(0, cluster.ids)
  bench.figures.add('first acknowledgement after all were started', firstAcknowledgement)
  await Promise.all(starting)
  const wholeMs = (await bench.whole()) - startedMs
  bench.figures.add('all replicas in sync after all were started', wholeMs)
  const what = `${all}/${all}: all started, first acknowledgement after ${firstAcknowledgement.toFixed(0)} ms`
  await produce(what, driver.send(PER_PHASE, RATE))
  row(`everything read: ${await bench.read()} records`)
  return rows
}

function isMajority(up: number, all: number): boolean {
  return up > all / 2
}

/** The cells of a phase, and complaints about what should not be. */
function judge(bench: Bench, what: string, up: number, deliveries: readonly Delivery[]): Row {
  const all = bench.cluster.ids.length
  const acknowledged = deliveries.filter(({ outcome }) => outcome === 'ok')
  const failed = deliveries.filter(({ outcome }) => outcome !== 'ok')
  const took = ({ sentMs, settledMs = Infinity }: Delivery) => settledMs - sentMs
  const slowest = (list: readonly Delivery[]) =>
    list.length === 0 ? '' : Math.round(Math.max(...list.map(took)))
  if (isMajority(up, all)) bench.requireAcknowledged(what, deliveries)
  else {
    const first = acknowledged[0]
    if (first !== undefined) {
      bench.problem(
        `${what}: ${acknowledged.length} acknowledged without a majority, ${describe(first)}`,
      )
    }
    const limitMs = clients[bench.client].failsWithinMs(TIMEOUT_MS) + LATE_MS_MAX
    const late = failed.find((delivery) => took(delivery) > limitMs)
    if (late !== undefined) bench.problem(`${what}: failed late: ${describe(late)}`)
    const silent = failed.find(({ text }) => text === '')
    if (silent !== undefined) bench.problem(`${what}: failed without a reason: ${describe(silent)}`)
    const alike = (delivery: Delivery) => delivery.text.replaceAll(/\d+/g, '…')
    for (const list of Map.groupBy(failed, alike).values()) {
      bench.say(`${what}: ${list.length} × ${list[0]?.text}`)
    }
  }
  return [
    deliveries.length,
    acknowledged.length,
    failed.length,
    slowest(acknowledged),
    slowest(failed),
  ]
}

/**
 * Connections to those that will be left; what it returns sends each a record of every partition the moment the majority is
 * lost, with a long timeout, and sees that each fails soon.
 */
async function waitingRequests(bench: Bench, killed: number): Promise<() => Promise<void>> {
  const left = bench.cluster.up.filter((id) => id !== killed)
  const direct = await Promise.all(
    left.map((id) => {
      const port = bench.cluster.kafkaPort(id)
      return Direct.open(bench.env, port, bench.recorder, TOPIC, bench.name('direct'))
    }),
  )
  return async () => {
    const lostMs = nowMs()
    const asked = direct.flatMap((to) =>
      bench.partitions.map((partition) => to.produce(partition, BROKER_TIMEOUT_MS)),
    )
    for (const { error, atMs } of await Promise.all(asked)) {
      bench.figures.add('a waiting request fails after the loss of the majority', atMs - lostMs)
      if (error === 'NONE') bench.problem('a request was acknowledged without a majority')
      if (atMs - lostMs > WAITING_FAILS_MS_MAX) {
        bench.problem(`a request waited ${(atMs - lostMs).toFixed(0)} ms for its ${error}`)
      }
    }
    for (const to of direct) to.close()
  }
}
