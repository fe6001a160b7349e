// OffsetCommit (key 8): stores a group's offsets. Version 2 to 4 may state a retention; 6: leader
// epochs; 7: static members (KIP-345); 9: member epochs of the consumer protocol (KIP-848); 10:
// topics by id.

import { api } from '../message.ts'
import { array, field, int16, int32, int64, nullable, string, struct, uuid } from '../schema.ts'

const offsetCommitRequestPartition = struct([
  field('partitionIndex', int32),
  field('committedOffset', int64),
  field('committedLeaderEpoch', int32, { since: 6, default: -1, ignorable: true }),
  field('committedMetadata', nullable(string)),
])

const offsetCommitRequestTopic = struct([
  field('name', string, { until: 9, ignorable: true }),
  field('topicId', uuid, { since: 10, ignorable: true }),
  field('partitions', array(offsetCommitRequestPartition)),
])

const offsetCommitResponsePartition = struct([
  field('partitionIndex', int32),
  field('errorCode', int16),
])

const offsetCommitResponseTopic = struct([
  field('name', string, { until: 9, ignorable: true }),
  field('topicId', uuid, { since: 10, ignorable: true }),
  field('partitions', array(offsetCommitResponsePartition)),
])

export const offsetCommit = api({
  key: 8,
  name: 'OffsetCommit',
  versions: [2, 10],
  flexibleSince: 8,
  request: struct([
    field('groupId', string),
    field('generationIdOrMemberEpoch', int32, { default: -1 }),
    field('memberId', string),
    field('groupInstanceId', nullable(string), { since: 7, default: null }),
    field('retentionTimeMs', int64, { until: 4, default: -1, ignorable: true }),
    field('topics', array(offsetCommitRequestTopic)),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { since: 3, ignorable: true }),
    field('topics', array(offsetCommitResponseTopic)),
  ]),
})
