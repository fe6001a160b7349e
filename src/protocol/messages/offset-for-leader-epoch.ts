// OffsetForLeaderEpoch (key 23): where an epoch ends in the leader's log (KIP-320). Version 3 names
// the asking replica: -1 for a consumer, -2 for a debugging one.

import { api } from '../message.ts'
import { array, field, int16, int32, int64, string, struct } from '../schema.ts'

const offsetForLeaderPartition = struct([
  field('partition', int32),
  field('currentLeaderEpoch', int32, { default: -1 }),
  field('leaderEpoch', int32),
])

const offsetForLeaderTopic = struct([
  field('topic', string),
  field('partitions', array(offsetForLeaderPartition)),
])

const epochEndOffset = struct([
  field('errorCode', int16),
  field('partition', int32),
  field('leaderEpoch', int32, { default: -1 }),
  field('endOffset', int64, { default: -1 }),
])

const offsetForLeaderTopicResult = struct([
  field('topic', string),
  field('partitions', array(epochEndOffset)),
])

export const offsetForLeaderEpoch = api({
  key: 23,
  name: 'OffsetForLeaderEpoch',
  versions: [2, 4],
  flexibleSince: 4,
  request: struct([
    field('replicaId', int32, { since: 3, default: -2, ignorable: true }),
    field('topics', array(offsetForLeaderTopic)),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { default: 0 }),
    field('topics', array(offsetForLeaderTopicResult)),
  ]),
})
