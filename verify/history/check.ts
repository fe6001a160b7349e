// All checks of a history of client operations. Names as in Jepsen's Kafka workload where it has them (jepsen-io/redpanda,
// workload/queue).

import type { Anomaly } from './anomaly.ts'
import { checkCluster } from './check-cluster.ts'
import { checkPolls } from './check-polls.ts'
import { checkRegisters } from './check-registers.ts'
import { checkSends } from './check-sends.ts'
import { checkWrites } from './check-writes.ts'
import { gather } from './facts.ts'
import type { History } from './history.ts'

/** Empty when nothing is wrong. Pure: the same history gives the same anomalies, in the same order. */
export function checkHistory(history: History): Anomaly[] {
  const facts = gather(history)
  return [
    ...checkWrites(facts),
    ...checkSends(history),
    ...checkPolls(facts),
    ...checkRegisters(history),
    ...checkCluster(facts),
  ]
}
