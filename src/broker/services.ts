// What the request handlers work with. One object per broker.

import type { BrokerConfigs } from '../base/config/broker-configs.ts'
import type { MetadataView } from '../controller/controller.ts'
import type { Env } from '../env/env.ts'
import type { GroupApi, GroupCoordinatorControl } from '../groups/group-api.ts'
import type { LogHost } from '../replicated/replicated-log.ts'
import type { ClusterView } from './cluster-view.ts'
import type { Deadlines } from './deadlines.ts'
import type { FetchSessions } from './fetch-sessions.ts'
import type { Partitions } from './partitions.ts'
import type { ProducerIds } from './producer-ids.ts'

export interface Services {
  readonly env: Env
  readonly config: BrokerConfigs
  readonly host: LogHost
  readonly controller: MetadataView
  readonly groups: GroupApi & GroupCoordinatorControl
  readonly cluster: ClusterView
  readonly partitions: Partitions
  /** When requests in work are answered as timed out. */
  readonly deadlines: Deadlines
  /** When fetches that wait for data are answered with what there is. */
  readonly longPolls: Deadlines
  readonly fetchSessions: FetchSessions
  readonly producerIds: ProducerIds
}
