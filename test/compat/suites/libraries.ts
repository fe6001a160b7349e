// One suite for each client library: the scenarios that its own program lists, run one after the other.

import { clientNeeds } from '../suite.ts'
import type { ClientName, Suite } from '../suite.ts'

/** APIs that a scenario needs beyond what every broker offers: DeleteGroups, OffsetDelete. */
const apis: Readonly<Record<string, readonly number[]>> = {
  'java admin_delete_groups': [42],
  'java admin_delete_group_offsets': [47],
  'kafka-python groups_listed': [42],
  'kafkajs group_offsets': [42],
  'platformatic group_offsets': [42],
}

function librarySuite(name: Exclude<ClientName, 'kcat'>): Suite {
  return {
    name,
    needs: clientNeeds[name],
    async tests(context) {
      const client = context.host(name)
      const scenarios = await client.scenarios()
      return scenarios.map((scenario) => ({
        name: scenario,
        apis: apis[`${name} ${scenario}`] ?? [],
        run: () => client.scenario(scenario, context.topic(`${name}-${scenario}`)),
      }))
    },
  }
}

export const librarySuites: readonly Suite[] = [
  librarySuite('confluent'),
  librarySuite('kafka-python'),
  librarySuite('kafkajs'),
  librarySuite('platformatic'),
  librarySuite('java'),
]
