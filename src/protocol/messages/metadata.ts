// Metadata (key 3): nodes, topics, partitions and their leaders. Version 0 asks for all topics with
// an empty list; later ones with null, and an empty list asks for none. 4: may create topics; 7:
// leader epochs; 8: authorized operations; 10: topic ids in the answer; 12: topics may be asked for
// by id; 13: an error of the whole request.

import { api } from '../message.ts'
import { array, bool, field, int16, int32, nullable, string, struct, uuid } from '../schema.ts'

const metadataRequestTopic = struct([
  field('topicId', uuid, { since: 10, ignorable: true }),
  field('name', nullable(string), { nullableSince: 10 }),
])

const metadataResponseBroker = struct([
  field('nodeId', int32),
  field('host', string),
  field('port', int32),
  field('rack', nullable(string), { since: 1, default: null, ignorable: true }),
])

const metadataResponsePartition = struct([
  field('errorCode', int16),
  field('partitionIndex', int32),
  field('leaderId', int32),
  field('leaderEpoch', int32, { since: 7, default: -1, ignorable: true }),
  field('replicaNodes', array(int32)),
  field('isrNodes', array(int32)),
  field('offlineReplicas', array(int32), { since: 5, ignorable: true }),
])

const metadataResponseTopic = struct([
  field('errorCode', int16),
  field('name', nullable(string), { nullableSince: 12 }),
  field('topicId', uuid, { since: 10, ignorable: true }),
  field('isInternal', bool, { since: 1, default: false, ignorable: true }),
  field('partitions', array(metadataResponsePartition)),
  field('topicAuthorizedOperations', int32, { since: 8, default: -2147483648 }),
])

export const metadata = api({
  key: 3,
  name: 'Metadata',
  versions: [0, 13],
  flexibleSince: 9,
  request: struct([
    field('topics', nullable(array(metadataRequestTopic)), { nullableSince: 1 }),
    field('allowAutoTopicCreation', bool, { since: 4, default: true }),
    field('includeClusterAuthorizedOperations', bool, { since: 8, until: 10 }),
    field('includeTopicAuthorizedOperations', bool, { since: 8 }),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { since: 3, ignorable: true }),
    field('brokers', array(metadataResponseBroker)),
    field('clusterId', nullable(string), { since: 2, default: null, ignorable: true }),
    field('controllerId', int32, { since: 1, default: -1, ignorable: true }),
    field('topics', array(metadataResponseTopic)),
    field('clusterAuthorizedOperations', int32, { since: 8, until: 10, default: -2147483648 }),
    field('errorCode', int16, { since: 13, ignorable: true }),
  ]),
})
