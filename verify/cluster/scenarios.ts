// All scenarios, and the selection that CI runs.

import type { ClientName } from './clients.ts'
import type { Scenario } from './scenario.ts'
import { allAtOnce, majorityAtOnce } from './scenarios/at-once.ts'
import { cascade } from './scenarios/cascade.ts'
import { partition, pause } from './scenarios/cut-off.ts'
import { loneReplica, refusals } from './scenarios/dead-replicas.ts'
import { journalDamage } from './scenarios/journal-damage.ts'
import { leaderKill } from './scenarios/leader-kill.ts'
import { rolling } from './scenarios/rolling.ts'

export const scenarios: readonly Scenario[] = [
  leaderKill,
  cascade,
  majorityAtOnce,
  allAtOnce,
  rolling,
  pause,
  partition,
  loneReplica,
  refusals,
  journalDamage,
]

interface Selected {
  readonly scenario: Scenario
  readonly client: ClientName
  readonly nodes: number
  readonly repeat: number
}

/** Under five minutes on two cores. */
export const shortSelection: readonly Selected[] = [
  { scenario: leaderKill, client: 'librdkafka', nodes: 3, repeat: 3 },
  { scenario: leaderKill, client: 'java', nodes: 3, repeat: 3 },
  { scenario: cascade, client: 'librdkafka', nodes: 3, repeat: 1 },
  { scenario: cascade, client: 'kcat', nodes: 3, repeat: 1 },
  { scenario: allAtOnce, client: 'chronik', nodes: 3, repeat: 5 },
  { scenario: pause, client: 'chronik', nodes: 3, repeat: 2 },
  { scenario: partition, client: 'chronik', nodes: 3, repeat: 1 },
  { scenario: refusals, client: 'chronik', nodes: 5, repeat: 1 },
]
