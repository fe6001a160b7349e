// SIGKILL to the leader of a partition, under load, again and again: another in-sync replica leads, clients are sent to it, no
// produce fails, the killed node leaves the in-sync replicas and comes back.

import { sleep } from '../../../test/compat/process.ts'
import { nextAcknowledgement, type Bench } from '../bench.ts'
import { nowMs } from '../clients/load.ts'
import type { Driver } from '../driver.ts'
import { ended } from '../ended.ts'
import type { Scenario } from '../scenario.ts'

const PARTITION = 0
const TIMEOUT_MS = 30_000
const LEAVES_ISR_MS_MAX = 1_000
const BACK_IN_ISR_MS_MAX = 5_000

export const leaderKill: Scenario = {
  name: 'leader-kill',
  what: 'SIGKILL the leader under load; it comes back; --repeat times',
  nodes: [3, 5, 7],
  async run(bench) {
    await bench.open({ partitions: 3, replicationFactor: Math.min(bench.options.nodes, 7) })
    const driver = await bench.driver({ timeoutMs: TIMEOUT_MS })
    await driver.send(30, driver.rate)
    const load = driver.start(driver.rate)
    for (let i = 0; i < bench.options.repeat; i++) {
      await bench.quiet()
      await killOnce(bench, driver)
    }
    await load.stop()
    bench.requireAcknowledged('under load', driver.deliveries)
  },
}

async function killOnce(bench: Bench, driver: Driver): Promise<void> {
  const { cluster, monitor, figures } = bench
  const killed = monitor.leader(PARTITION)
  const killedMs = nowMs()
  await cluster.kill(killed)
  const probing = bench.probe(PARTITION, cluster.up)
  void ended(probing) // its failure counts when it is waited for
  const elected = await monitor.when(
    `a leader other than ${killed}`,
    killedMs,
    TIMEOUT_MS,
    ({ node, partition, leader }) =>
      node !== killed && partition === PARTITION && leader >= 0 && leader !== killed,
  )
  const acknowledgedMs = await nextAcknowledgement(driver, PARTITION, killedMs, TIMEOUT_MS)
  const probedMs = await probing
  figures.add('first acknowledgement of a client started then', probedMs)
  const left = await monitor.when(
    `node ${killed} out of the in-sync replicas`,
    killedMs,
    TIMEOUT_MS,
    ({ node, partition, isr }) =>
      node !== killed && partition === PARTITION && !isr.includes(killed),
  )
  figures.add('new leader after the kill', elected.atMs - killedMs)
  figures.add('next acknowledgement after the kill', acknowledgedMs - killedMs)
  figures.add('out of the ISR after the kill', left.atMs - killedMs)
  await sleep(500)
  await cluster.start(killed)
  const answeredMs = nowMs()
  const wholeMs = await bench.whole()
  figures.add('back in every ISR after the first answer', wholeMs - answeredMs)
  if (left.atMs - killedMs > LEAVES_ISR_MS_MAX) {
    bench.problem(`node ${killed} left the ISR after ${(left.atMs - killedMs).toFixed(0)} ms`)
  }
  if (wholeMs - answeredMs > BACK_IN_ISR_MS_MAX) {
    bench.problem(
      `node ${killed} was back in the ISR after ${(wholeMs - answeredMs).toFixed(0)} ms`,
    )
  }
  const { leader, epoch } = elected
  bench.say(
    `killed ${killed}: ${leader} leads in epoch ${epoch} after ${(elected.atMs - killedMs).toFixed(0)} ms, ` +
      `next acknowledgement after ${(acknowledgedMs - killedMs).toFixed(0)} ms, ` +
      `of a client started then after ${probedMs.toFixed(0)} ms`,
  )
}
