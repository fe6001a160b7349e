// DescribeTopicPartitions (key 75): partitions of topics in pages, sorted by topic name, continued
// by a cursor (KIP-966).

import { api } from '../message.ts'
import { array, bool, field, int16, int32, nullable, string, struct, uuid } from '../schema.ts'

const topicRequest = struct([field('name', string)])

const cursor = struct([field('topicName', string), field('partitionIndex', int32)])

const describeTopicPartitionsResponsePartition = struct([
  field('errorCode', int16),
  field('partitionIndex', int32),
  field('leaderId', int32),
  field('leaderEpoch', int32, { default: -1 }),
  field('replicaNodes', array(int32)),
  field('isrNodes', array(int32)),
  field('eligibleLeaderReplicas', nullable(array(int32)), { default: null }),
  field('lastKnownElr', nullable(array(int32)), { default: null }),
  field('offlineReplicas', array(int32)),
])

const describeTopicPartitionsResponseTopic = struct([
  field('errorCode', int16),
  field('name', nullable(string)),
  field('topicId', uuid),
  field('isInternal', bool, { default: false }),
  field('partitions', array(describeTopicPartitionsResponsePartition)),
  field('topicAuthorizedOperations', int32, { default: -2147483648 }),
])

export const describeTopicPartitions = api({
  key: 75,
  name: 'DescribeTopicPartitions',
  versions: [0, 0],
  flexibleSince: 0,
  request: struct([
    field('topics', array(topicRequest)),
    field('responsePartitionLimit', int32, { default: 2000 }),
    field('cursor', nullable(cursor), { default: null }),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { default: 0 }),
    field('topics', array(describeTopicPartitionsResponseTopic)),
    field('nextCursor', nullable(cursor), { default: null }),
  ]),
})
