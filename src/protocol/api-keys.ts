// Every API of Kafka 4.3, whether or not this codec has its messages: a request header can be read,
// and a request refused by name, for all of them. `flexibleSince` is the first version with header
// 2 (KIP-482). Keys 4 to 7 are gone.

interface ApiInfo {
  readonly key: number
  readonly flexibleSince: number
}

export const API_KEYS = {
  Produce: { key: 0, flexibleSince: 9 },
  Fetch: { key: 1, flexibleSince: 12 },
  ListOffsets: { key: 2, flexibleSince: 6 },
  Metadata: { key: 3, flexibleSince: 9 },
  OffsetCommit: { key: 8, flexibleSince: 8 },
  OffsetFetch: { key: 9, flexibleSince: 6 },
  FindCoordinator: { key: 10, flexibleSince: 3 },
  JoinGroup: { key: 11, flexibleSince: 6 },
  Heartbeat: { key: 12, flexibleSince: 4 },
  LeaveGroup: { key: 13, flexibleSince: 4 },
  SyncGroup: { key: 14, flexibleSince: 4 },
  DescribeGroups: { key: 15, flexibleSince: 5 },
  ListGroups: { key: 16, flexibleSince: 3 },
  SaslHandshake: { key: 17, flexibleSince: Infinity },
  ApiVersions: { key: 18, flexibleSince: 3 },
  CreateTopics: { key: 19, flexibleSince: 5 },
  DeleteTopics: { key: 20, flexibleSince: 4 },
  DeleteRecords: { key: 21, flexibleSince: 2 },
  InitProducerId: { key: 22, flexibleSince: 2 },
  OffsetForLeaderEpoch: { key: 23, flexibleSince: 4 },
  AddPartitionsToTxn: { key: 24, flexibleSince: 3 },
  AddOffsetsToTxn: { key: 25, flexibleSince: 3 },
  EndTxn: { key: 26, flexibleSince: 3 },
  WriteTxnMarkers: { key: 27, flexibleSince: 1 },
  TxnOffsetCommit: { key: 28, flexibleSince: 3 },
  DescribeAcls: { key: 29, flexibleSince: 2 },
  CreateAcls: { key: 30, flexibleSince: 2 },
  DeleteAcls: { key: 31, flexibleSince: 2 },
  DescribeConfigs: { key: 32, flexibleSince: 4 },
  AlterConfigs: { key: 33, flexibleSince: 2 },
  AlterReplicaLogDirs: { key: 34, flexibleSince: 2 },
  DescribeLogDirs: { key: 35, flexibleSince: 2 },
  SaslAuthenticate: { key: 36, flexibleSince: 2 },
  CreatePartitions: { key: 37, flexibleSince: 2 },
  CreateDelegationToken: { key: 38, flexibleSince: 2 },
  RenewDelegationToken: { key: 39, flexibleSince: 2 },
  ExpireDelegationToken: { key: 40, flexibleSince: 2 },
  DescribeDelegationToken: { key: 41, flexibleSince: 2 },
  DeleteGroups: { key: 42, flexibleSince: 2 },
  ElectLeaders: { key: 43, flexibleSince: 2 },
  IncrementalAlterConfigs: { key: 44, flexibleSince: 1 },
  AlterPartitionReassignments: { key: 45, flexibleSince: 0 },
  ListPartitionReassignments: { key: 46, flexibleSince: 0 },
  OffsetDelete: { key: 47, flexibleSince: Infinity },
  DescribeClientQuotas: { key: 48, flexibleSince: 1 },
  AlterClientQuotas: { key: 49, flexibleSince: 1 },
  DescribeUserScramCredentials: { key: 50, flexibleSince: 0 },
  AlterUserScramCredentials: { key: 51, flexibleSince: 0 },
  Vote: { key: 52, flexibleSince: 0 },
  BeginQuorumEpoch: { key: 53, flexibleSince: 1 },
  EndQuorumEpoch: { key: 54, flexibleSince: 1 },
  DescribeQuorum: { key: 55, flexibleSince: 0 },
  AlterPartition: { key: 56, flexibleSince: 0 },
  UpdateFeatures: { key: 57, flexibleSince: 0 },
  Envelope: { key: 58, flexibleSince: 0 },
  FetchSnapshot: { key: 59, flexibleSince: 0 },
  DescribeCluster: { key: 60, flexibleSince: 0 },
  DescribeProducers: { key: 61, flexibleSince: 0 },
  BrokerRegistration: { key: 62, flexibleSince: 0 },
  BrokerHeartbeat: { key: 63, flexibleSince: 0 },
  UnregisterBroker: { key: 64, flexibleSince: 0 },
  DescribeTransactions: { key: 65, flexibleSince: 0 },
  ListTransactions: { key: 66, flexibleSince: 0 },
  AllocateProducerIds: { key: 67, flexibleSince: 0 },
  ConsumerGroupHeartbeat: { key: 68, flexibleSince: 0 },
  ConsumerGroupDescribe: { key: 69, flexibleSince: 0 },
  ControllerRegistration: { key: 70, flexibleSince: 0 },
  GetTelemetrySubscriptions: { key: 71, flexibleSince: 0 },
  PushTelemetry: { key: 72, flexibleSince: 0 },
  AssignReplicasToDirs: { key: 73, flexibleSince: 0 },
  ListConfigResources: { key: 74, flexibleSince: 0 },
  DescribeTopicPartitions: { key: 75, flexibleSince: 0 },
  ShareGroupHeartbeat: { key: 76, flexibleSince: 0 },
  ShareGroupDescribe: { key: 77, flexibleSince: 0 },
  ShareFetch: { key: 78, flexibleSince: 0 },
  ShareAcknowledge: { key: 79, flexibleSince: 0 },
  AddRaftVoter: { key: 80, flexibleSince: 0 },
  RemoveRaftVoter: { key: 81, flexibleSince: 0 },
  UpdateRaftVoter: { key: 82, flexibleSince: 0 },
  InitializeShareGroupState: { key: 83, flexibleSince: 0 },
  ReadShareGroupState: { key: 84, flexibleSince: 0 },
  WriteShareGroupState: { key: 85, flexibleSince: 0 },
  DeleteShareGroupState: { key: 86, flexibleSince: 0 },
  ReadShareGroupStateSummary: { key: 87, flexibleSince: 0 },
  StreamsGroupHeartbeat: { key: 88, flexibleSince: 0 },
  StreamsGroupDescribe: { key: 89, flexibleSince: 0 },
  DescribeShareGroupOffsets: { key: 90, flexibleSince: 0 },
  AlterShareGroupOffsets: { key: 91, flexibleSince: 0 },
  DeleteShareGroupOffsets: { key: 92, flexibleSince: 0 },
} as const satisfies Readonly<Record<string, ApiInfo>>

export type ApiName = keyof typeof API_KEYS

export const API_VERSIONS_KEY = API_KEYS.ApiVersions.key
export const PRODUCE_KEY = API_KEYS.Produce.key

const BY_KEY: ReadonlyMap<number, ApiInfo & { readonly name: ApiName }> = new Map(
  Object.entries(API_KEYS).map(([name, info]) => [info.key, { ...info, name: name as ApiName }]),
)

/** Undefined for a key that Kafka does not have. */
export function apiInfo(key: number): (ApiInfo & { readonly name: ApiName }) | undefined {
  return BY_KEY.get(key)
}
