// The one table of the APIs that this node serves. What is in it is complete and advertised, in exactly these versions; what
// is not in it does not exist for clients. Its keys are those of the codec's table, so that none is forgotten.

import { APIS, type KnownApi } from '../protocol/apis.ts'
import { served, type ServedApi } from './dispatcher.ts'
import { AlterConfigsHandler } from './handlers/alter-configs.ts'
import { ApiVersionsHandler, type AdvertisedApi } from './handlers/api-versions.ts'
import { CreatePartitionsHandler } from './handlers/create-partitions.ts'
import { CreateTopicsHandler } from './handlers/create-topics.ts'
import { DeleteRecordsHandler } from './handlers/delete-records.ts'
import { DeleteTopicsHandler } from './handlers/delete-topics.ts'
import { DescribeClusterHandler } from './handlers/describe-cluster.ts'
import { DescribeConfigsHandler } from './handlers/describe-configs.ts'
import { DescribeLogDirsHandler } from './handlers/describe-log-dirs.ts'
import { DescribeQuorumHandler } from './handlers/describe-quorum.ts'
import { DescribeTopicPartitionsHandler } from './handlers/describe-topic-partitions.ts'
import { ElectLeadersHandler } from './handlers/elect-leaders.ts'
import { FetchHandler } from './handlers/fetch.ts'
import { FindCoordinatorHandler } from './handlers/find-coordinator.ts'
import { groupHandlers } from './handlers/group-apis.ts'
import { IncrementalAlterConfigsHandler } from './handlers/incremental-alter-configs.ts'
import { InitProducerIdHandler } from './handlers/init-producer-id.ts'
import { ListOffsetsHandler } from './handlers/list-offsets.ts'
import { ListPartitionReassignmentsHandler } from './handlers/list-partition-reassignments.ts'
import { MetadataHandler } from './handlers/metadata.ts'
import { OffsetForLeaderEpochHandler } from './handlers/offset-for-leader-epoch.ts'
import { ProduceHandler } from './handlers/produce.ts'
import type { Services } from './services.ts'

type ApiTable = { readonly [Name in KnownApi]: ServedApi }

/** Below, batches are of older formats; they are advertised all the same, see the handler. */
const PRODUCE_VERSION_MIN = 3

export function servedApis(services: Services): readonly ServedApi[] {
  const groups = groupHandlers(services.groups)
  const table: ApiTable = {
    Produce: served(APIS.Produce, new ProduceHandler(services), {
      minVersion: PRODUCE_VERSION_MIN,
    }),
    Fetch: served(APIS.Fetch, new FetchHandler(services)),
    ListOffsets: served(APIS.ListOffsets, new ListOffsetsHandler(services)),
    Metadata: served(APIS.Metadata, new MetadataHandler(services)),
    OffsetCommit: served(APIS.OffsetCommit, groups.offsetCommit),
    OffsetFetch: served(APIS.OffsetFetch, groups.offsetFetch),
    FindCoordinator: served(APIS.FindCoordinator, new FindCoordinatorHandler(services)),
    JoinGroup: served(APIS.JoinGroup, groups.joinGroup),
    Heartbeat: served(APIS.Heartbeat, groups.heartbeat),
    LeaveGroup: served(APIS.LeaveGroup, groups.leaveGroup),
    SyncGroup: served(APIS.SyncGroup, groups.syncGroup),
    DescribeGroups: served(APIS.DescribeGroups, groups.describeGroups),
    ListGroups: served(APIS.ListGroups, groups.listGroups),
    ApiVersions: served(
      APIS.ApiVersions,
      new ApiVersionsHandler(services, () => advertised(table)),
    ),
    CreateTopics: served(APIS.CreateTopics, new CreateTopicsHandler(services)),
    DeleteTopics: served(APIS.DeleteTopics, new DeleteTopicsHandler(services)),
    DeleteRecords: served(APIS.DeleteRecords, new DeleteRecordsHandler(services)),
    InitProducerId: served(APIS.InitProducerId, new InitProducerIdHandler(services)),
    OffsetForLeaderEpoch: served(
      APIS.OffsetForLeaderEpoch,
      new OffsetForLeaderEpochHandler(services),
    ),
    DescribeConfigs: served(APIS.DescribeConfigs, new DescribeConfigsHandler(services)),
    AlterConfigs: served(APIS.AlterConfigs, new AlterConfigsHandler(services)),
    DescribeLogDirs: served(APIS.DescribeLogDirs, new DescribeLogDirsHandler(services)),
    CreatePartitions: served(APIS.CreatePartitions, new CreatePartitionsHandler(services)),
    DeleteGroups: served(APIS.DeleteGroups, groups.deleteGroups),
    ElectLeaders: served(APIS.ElectLeaders, new ElectLeadersHandler(services)),
    IncrementalAlterConfigs: served(
      APIS.IncrementalAlterConfigs,
      new IncrementalAlterConfigsHandler(services),
    ),
    ListPartitionReassignments: served(
      APIS.ListPartitionReassignments,
      new ListPartitionReassignmentsHandler(),
    ),
    DescribeQuorum: served(APIS.DescribeQuorum, new DescribeQuorumHandler(services)),
    DescribeCluster: served(APIS.DescribeCluster, new DescribeClusterHandler(services)),
    DescribeTopicPartitions: served(
      APIS.DescribeTopicPartitions,
      new DescribeTopicPartitionsHandler(services),
    ),
  }
  return Object.values(table)
}

function advertised(table: ApiTable): AdvertisedApi[] {
  return Object.values(table).map(({ key, advertisedMinVersion, maxVersion }) => ({
    apiKey: key,
    minVersion: advertisedMinVersion,
    maxVersion,
  }))
}
