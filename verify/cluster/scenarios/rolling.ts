// Each node in turn is killed and comes back, under load: never without a majority, so nothing fails.

import { sleep } from '../../../test/compat/process.ts'
import { nowMs } from '../clients/load.ts'
import type { Scenario } from '../scenario.ts'

const TIMEOUT_MS = 60_000
const DOWN_MS = 700

export const rolling: Scenario = {
  name: 'rolling',
  what: 'kill 1, start 1, kill 2, start 2, … under load; --repeat times',
  nodes: [3, 5, 7],
  async run(bench) {
    const { cluster, figures } = bench
    await bench.open({ partitions: 3, replicationFactor: bench.options.nodes })
    const driver = await bench.driver({ timeoutMs: TIMEOUT_MS })
    await driver.send(30, driver.rate)
    const load = driver.start(driver.rate)
    for (let i = 0; i < bench.options.repeat; i++) {
      for (const id of cluster.ids) {
        await cluster.kill(id)
        await sleep(DOWN_MS)
        const startedMs = nowMs()
        figures.add('a started node answers', await cluster.start(id))
        figures.add('all replicas in sync after a start', (await bench.whole()) - startedMs)
      }
    }
    await load.stop()
    bench.requireAcknowledged('under load', driver.deliveries)
  },
}
