// Fetch (key 1): reads record batches from partitions. 4: isolation level; 7: fetch sessions
// (KIP-227); 9: leader epoch checks (KIP-320); 11: reading from a follower (KIP-392); 12:
// divergence; 13: topics by id; 15: replica state (KIP-903); 16: endpoints of new leaders
// (KIP-951); 17: directory ids (KIP-853); 18: the follower's high watermark (KIP-1166).

import { api } from '../message.ts'
import { INT64_MAX } from '../reader.ts'
import {
  array,
  field,
  int16,
  int32,
  int64,
  int64OrMax,
  int8,
  nullable,
  records,
  string,
  struct,
  uuid,
} from '../schema.ts'

const replicaState = struct([
  field('replicaId', int32, { default: -1 }),
  field('replicaEpoch', int64, { default: -1 }),
])

const fetchPartition = struct([
  field('partition', int32),
  field('currentLeaderEpoch', int32, { since: 9, default: -1, ignorable: true }),
  field('fetchOffset', int64),
  field('lastFetchedEpoch', int32, { since: 12, default: -1 }),
  field('logStartOffset', int64, { since: 5, default: -1, ignorable: true }),
  field('partitionMaxBytes', int32),
  field('replicaDirectoryId', uuid, { since: 17, tag: 0, ignorable: true }),
  field('highWatermark', int64OrMax, { since: 18, tag: 1, default: INT64_MAX, ignorable: true }),
])

const fetchTopic = struct([
  field('topic', string, { until: 12, ignorable: true }),
  field('topicId', uuid, { since: 13, ignorable: true }),
  field('partitions', array(fetchPartition)),
])

const forgottenTopic = struct([
  field('topic', string, { until: 12, ignorable: true }),
  field('topicId', uuid, { since: 13, ignorable: true }),
  field('partitions', array(int32)),
])

const epochEndOffset = struct([
  field('epoch', int32, { default: -1 }),
  field('endOffset', int64, { default: -1 }),
])

const leaderIdAndEpoch = struct([
  field('leaderId', int32, { default: -1 }),
  field('leaderEpoch', int32, { default: -1 }),
])

const snapshotId = struct([
  field('endOffset', int64, { default: -1 }),
  field('epoch', int32, { default: -1 }),
])

const abortedTransaction = struct([field('producerId', int64), field('firstOffset', int64)])

const partitionData = struct([
  field('partitionIndex', int32),
  field('errorCode', int16),
  field('highWatermark', int64),
  field('lastStableOffset', int64, { default: -1 }),
  field('logStartOffset', int64, { since: 5, default: -1, ignorable: true }),
  field('divergingEpoch', epochEndOffset, { since: 12, tag: 0 }),
  field('currentLeader', leaderIdAndEpoch, { since: 12, tag: 1 }),
  field('snapshotId', snapshotId, { since: 12, tag: 2 }),
  field('abortedTransactions', nullable(array(abortedTransaction))),
  field('preferredReadReplica', int32, { since: 11, default: -1 }),
  field('records', nullable(records)),
])

const fetchableTopicResponse = struct([
  field('topic', string, { until: 12, ignorable: true }),
  field('topicId', uuid, { since: 13, ignorable: true }),
  field('partitions', array(partitionData)),
])

const nodeEndpoint = struct([
  field('nodeId', int32),
  field('host', string),
  field('port', int32),
  field('rack', nullable(string), { default: null }),
])

export const fetch = api({
  key: 1,
  name: 'Fetch',
  versions: [4, 18],
  flexibleSince: 12,
  request: struct([
    field('clusterId', nullable(string), { since: 12, tag: 0, default: null, ignorable: true }),
    field('replicaId', int32, { until: 14, default: -1 }),
    field('replicaState', replicaState, { since: 15, tag: 1 }),
    field('maxWaitMs', int32),
    field('minBytes', int32),
    field('maxBytes', int32, { default: 2147483647 }),
    field('isolationLevel', int8, { default: 0 }),
    field('sessionId', int32, { since: 7, default: 0, ignorable: true }),
    field('sessionEpoch', int32, { since: 7, default: -1, ignorable: true }),
    field('topics', array(fetchTopic)),
    field('forgottenTopicsData', array(forgottenTopic), { since: 7 }),
    field('rackId', string, { since: 11, default: '', ignorable: true }),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { default: 0 }),
    field('errorCode', int16, { since: 7, ignorable: true }),
    field('sessionId', int32, { since: 7, default: 0 }),
    field('responses', array(fetchableTopicResponse)),
    field('nodeEndpoints', array(nodeEndpoint), { since: 16, tag: 0 }),
  ]),
})
