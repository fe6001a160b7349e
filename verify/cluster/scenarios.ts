// All scenarios, and the selection that CI runs.

import type { ClientName } from './clients.ts'
import type { Scenario } from './scenario.ts'
import { leaderKill } from './scenarios/leader-kill.ts'

export const scenarios: readonly Scenario[] = [leaderKill]

export const shortSelection: readonly {
  readonly scenario: Scenario
  readonly client: ClientName
  readonly nodes: number
}[] = [
  { scenario: leaderKill, client: 'librdkafka', nodes: 3 },
  { scenario: leaderKill, client: 'java', nodes: 3 },
]
