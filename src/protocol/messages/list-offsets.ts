// ListOffsets (key 2): finds offsets by timestamp, or by a special timestamp: -1 latest, -2
// earliest, -3 of the highest timestamp (7), -4 earliest local (8), -5 latest tiered (9), -6
// earliest to be tiered (11).

import { api } from '../message.ts'
import { array, field, int16, int32, int64, int8, string, struct } from '../schema.ts'

const listOffsetsPartition = struct([
  field('partitionIndex', int32),
  field('currentLeaderEpoch', int32, { since: 4, default: -1, ignorable: true }),
  field('timestamp', int64),
])

const listOffsetsTopic = struct([
  field('name', string),
  field('partitions', array(listOffsetsPartition)),
])

const listOffsetsPartitionResponse = struct([
  field('partitionIndex', int32),
  field('errorCode', int16),
  field('timestamp', int64, { default: -1 }),
  field('offset', int64, { default: -1 }),
  field('leaderEpoch', int32, { since: 4, default: -1 }),
])

const listOffsetsTopicResponse = struct([
  field('name', string),
  field('partitions', array(listOffsetsPartitionResponse)),
])

export const listOffsets = api({
  key: 2,
  name: 'ListOffsets',
  versions: [1, 11],
  flexibleSince: 6,
  request: struct([
    field('replicaId', int32),
    field('isolationLevel', int8, { since: 2 }),
    field('topics', array(listOffsetsTopic)),
    field('timeoutMs', int32, { since: 10, ignorable: true }),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { since: 2, ignorable: true }),
    field('topics', array(listOffsetsTopicResponse)),
  ]),
})
