// CreateTopics (key 19): creates topics, by number of partitions and replicas or by explicit
// assignment. 4: -1 takes the node's default; 5: the answer holds the configuration; 6: throttling
// (KIP-599); 7: topic ids.

import { api } from '../message.ts'
import {
  array,
  bool,
  field,
  int16,
  int32,
  int8,
  nullable,
  string,
  struct,
  uuid,
} from '../schema.ts'

const creatableReplicaAssignment = struct([
  field('partitionIndex', int32),
  field('brokerIds', array(int32)),
])

const creatableTopicConfig = struct([field('name', string), field('value', nullable(string))])

const creatableTopic = struct([
  field('name', string),
  field('numPartitions', int32),
  field('replicationFactor', int16),
  field('assignments', array(creatableReplicaAssignment)),
  field('configs', array(creatableTopicConfig)),
])

const creatableTopicConfigs = struct([
  field('name', string),
  field('value', nullable(string)),
  field('readOnly', bool),
  field('configSource', int8, { default: -1 }),
  field('isSensitive', bool),
])

const creatableTopicResult = struct([
  field('name', string),
  field('topicId', uuid, { since: 7, ignorable: true }),
  field('errorCode', int16),
  field('errorMessage', nullable(string)),
  field('topicConfigErrorCode', int16, { since: 5, tag: 0, ignorable: true }),
  field('numPartitions', int32, { since: 5, default: -1, ignorable: true }),
  field('replicationFactor', int16, { since: 5, default: -1, ignorable: true }),
  field('configs', nullable(array(creatableTopicConfigs)), { since: 5, ignorable: true }),
])

export const createTopics = api({
  key: 19,
  name: 'CreateTopics',
  versions: [2, 7],
  flexibleSince: 5,
  request: struct([
    field('topics', array(creatableTopic)),
    field('timeoutMs', int32, { default: 60000 }),
    field('validateOnly', bool, { default: false }),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { default: 0 }),
    field('topics', array(creatableTopicResult)),
  ]),
})
