// OffsetFetch (key 9): reads a group's committed offsets. Null topics mean all (2). 7: only stable
// offsets (KIP-447); 8: several groups in one request, in fields of their own; 9: member epochs
// (KIP-848); 10: topics by id.

import { api } from '../message.ts'
import {
  array,
  bool,
  field,
  int16,
  int32,
  int64,
  nullable,
  string,
  struct,
  uuid,
} from '../schema.ts'

const offsetFetchRequestTopic = struct([
  field('name', string),
  field('partitionIndexes', array(int32)),
])

const offsetFetchRequestTopics = struct([
  field('name', string, { until: 9, ignorable: true }),
  field('topicId', uuid, { since: 10, ignorable: true }),
  field('partitionIndexes', array(int32)),
])

const offsetFetchRequestGroup = struct([
  field('groupId', string),
  field('memberId', nullable(string), { since: 9, default: null, ignorable: true }),
  field('memberEpoch', int32, { since: 9, default: -1, ignorable: true }),
  field('topics', nullable(array(offsetFetchRequestTopics))),
])

const offsetFetchResponsePartition = struct([
  field('partitionIndex', int32),
  field('committedOffset', int64),
  field('committedLeaderEpoch', int32, { since: 5, default: -1, ignorable: true }),
  field('metadata', nullable(string)),
  field('errorCode', int16),
])

const offsetFetchResponseTopic = struct([
  field('name', string),
  field('partitions', array(offsetFetchResponsePartition)),
])

const offsetFetchResponsePartitions = struct([
  field('partitionIndex', int32),
  field('committedOffset', int64),
  field('committedLeaderEpoch', int32, { default: -1 }),
  field('metadata', nullable(string)),
  field('errorCode', int16),
])

const offsetFetchResponseTopics = struct([
  field('name', string, { until: 9, ignorable: true }),
  field('topicId', uuid, { since: 10, ignorable: true }),
  field('partitions', array(offsetFetchResponsePartitions)),
])

const offsetFetchResponseGroup = struct([
  field('groupId', string),
  field('topics', array(offsetFetchResponseTopics)),
  field('errorCode', int16, { default: 0 }),
])

export const offsetFetch = api({
  key: 9,
  name: 'OffsetFetch',
  versions: [1, 10],
  flexibleSince: 6,
  request: struct([
    field('groupId', string, { until: 7 }),
    field('topics', nullable(array(offsetFetchRequestTopic)), { until: 7, nullableSince: 2 }),
    field('groups', array(offsetFetchRequestGroup), { since: 8 }),
    field('requireStable', bool, { since: 7, default: false }),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { since: 3, ignorable: true }),
    field('topics', array(offsetFetchResponseTopic), { until: 7 }),
    field('errorCode', int16, { since: 2, until: 7, default: 0, ignorable: true }),
    field('groups', array(offsetFetchResponseGroup), { since: 8 }),
  ]),
})
