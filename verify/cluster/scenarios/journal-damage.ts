// A byte of a node's journal is another one: the node begins anew as a suspect, is healed by the others, and then counts like
// any other, so that the loss of a second node is survived (law R5).

import path from 'node:path'
import { sleep } from '../../../test/compat/process.ts'
import { nodeEnv } from '../../../src/env/node/node-env.ts'
import { damageJournal } from '../../../src/storage/testing/damage-journal.ts'
import { nextAcknowledgement } from '../bench.ts'
import { nowMs } from '../clients/load.ts'
import type { Scenario } from '../scenario.ts'

const TIMEOUT_MS = 60_000
const HEAL_MS_MAX = 60_000
const DOWN_MS = 500

export const journalDamage: Scenario = {
  name: 'journal-damage',
  what: 'kill a node, flip a byte in its journal, start it, and once it is whole kill another; --repeat times',
  nodes: [3, 5],
  async run(bench) {
    const { cluster, figures } = bench
    await bench.open({ partitions: 3, replicationFactor: bench.options.nodes })
    const driver = await bench.driver({ timeoutMs: TIMEOUT_MS })
    await driver.send(200, driver.rate)
    const load = driver.start(driver.rate)
    const { disk } = nodeEnv({ log: { level: 'silent' } })
    for (let i = 0; i < bench.options.repeat; i++) {
      const victim = cluster.ids[i % cluster.ids.length]!
      const second = cluster.ids[(i + 1) % cluster.ids.length]!
      await cluster.kill(victim)
      const file = await damageJournal(disk, cluster.dataOf(victim), Math.random())
      await sleep(DOWN_MS)
      const startedMs = nowMs()
      figures.add('a node with a damaged journal answers', await cluster.start(victim))
      const wholeMs = (await bench.whole(HEAL_MS_MAX)) - startedMs
      figures.add('all its replicas in sync', wholeMs)
      bench.say(
        `flipped a byte of ${path.basename(file)} of node ${victim}; whole after ${wholeMs.toFixed(0)} ms`,
      )
      // Only with the healed one is there a majority now, where there are three.
      await cluster.kill(second)
      const goneMs = nowMs()
      await Promise.all(
        bench.partitions.map((partition) =>
          nextAcknowledgement(driver, partition, goneMs, TIMEOUT_MS),
        ),
      )
      await cluster.start(second)
      await bench.whole(HEAL_MS_MAX)
    }
    await load.stop()
    bench.requireAcknowledged('under load', driver.deliveries)
  },
}
