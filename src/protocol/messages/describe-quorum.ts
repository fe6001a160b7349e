// DescribeQuorum (key 55): the voters of the metadata log (KIP-595). 1: when they were last heard of (KIP-836); 2: messages,
// directories and addresses (KIP-853).

import { api } from '../message.ts'
import {
  array,
  field,
  int16,
  int32,
  int64,
  nullable,
  string,
  struct,
  uint16,
  uuid,
  ZERO_UUID,
} from '../schema.ts'

const quorumTopic = struct([
  field('topicName', string),
  field('partitions', array(struct([field('partitionIndex', int32)]))),
])

const replicaState = struct([
  field('replicaId', int32),
  field('replicaDirectoryId', uuid, { since: 2, default: ZERO_UUID, ignorable: true }),
  field('logEndOffset', int64),
  field('lastFetchTimestamp', int64, { since: 1, default: -1, ignorable: true }),
  field('lastCaughtUpTimestamp', int64, { since: 1, default: -1, ignorable: true }),
])

const quorumPartition = struct([
  field('partitionIndex', int32),
  field('errorCode', int16),
  field('errorMessage', nullable(string), { since: 2, default: null, ignorable: true }),
  field('leaderId', int32),
  field('leaderEpoch', int32),
  field('highWatermark', int64),
  field('currentVoters', array(replicaState)),
  field('observers', array(replicaState)),
])

const quorumNode = struct([
  field('nodeId', int32),
  field(
    'listeners',
    array(struct([field('name', string), field('host', string), field('port', uint16)])),
  ),
])

export const describeQuorum = api({
  key: 55,
  name: 'DescribeQuorum',
  versions: [0, 2],
  flexibleSince: 0,
  request: struct([field('topics', array(quorumTopic))]),
  response: struct([
    field('errorCode', int16),
    field('errorMessage', nullable(string), { since: 2, default: null, ignorable: true }),
    field(
      'topics',
      array(struct([field('topicName', string), field('partitions', array(quorumPartition))])),
    ),
    field('nodes', array(quorumNode), { since: 2, default: [], ignorable: true }),
  ]),
})
