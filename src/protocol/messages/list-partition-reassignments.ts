// ListPartitionReassignments (key 46): partitions whose replicas are being changed (KIP-455).

import { api } from '../message.ts'
import { array, field, int16, int32, nullable, string, struct } from '../schema.ts'

const listedTopic = struct([field('name', string), field('partitionIndexes', array(int32))])

const ongoingPartition = struct([
  field('partitionIndex', int32),
  field('replicas', array(int32)),
  field('addingReplicas', array(int32)),
  field('removingReplicas', array(int32)),
])

export const listPartitionReassignments = api({
  key: 46,
  name: 'ListPartitionReassignments',
  versions: [0, 0],
  flexibleSince: 0,
  request: struct([
    field('timeoutMs', int32, { default: 60_000 }),
    field('topics', nullable(array(listedTopic)), { default: null }),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { default: 0 }),
    field('errorCode', int16),
    field('errorMessage', nullable(string), { default: null }),
    field(
      'topics',
      array(struct([field('name', string), field('partitions', array(ongoingPartition))])),
    ),
  ]),
})
