// CreatePartitions (key 37): raises the number of partitions of topics. 3: throttling (KIP-599).

import { api } from '../message.ts'
import { array, bool, field, int16, int32, nullable, string, struct } from '../schema.ts'

const createPartitionsAssignment = struct([field('brokerIds', array(int32))])

const createPartitionsTopic = struct([
  field('name', string),
  field('count', int32),
  field('assignments', nullable(array(createPartitionsAssignment))),
])

const createPartitionsTopicResult = struct([
  field('name', string),
  field('errorCode', int16),
  field('errorMessage', nullable(string), { default: null }),
])

export const createPartitions = api({
  key: 37,
  name: 'CreatePartitions',
  versions: [0, 3],
  flexibleSince: 2,
  request: struct([
    field('topics', array(createPartitionsTopic)),
    field('timeoutMs', int32),
    field('validateOnly', bool),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { default: 0 }),
    field('results', array(createPartitionsTopicResult)),
  ]),
})
