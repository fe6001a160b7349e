// ElectLeaders (key 43): makes the preferred replicas lead, or (KIP-460) any replica that is left. 1: the type of election and an
// error for all.

import { api } from '../message.ts'
import { array, field, int16, int32, int8, nullable, string, struct } from '../schema.ts'

const electLeadersTopic = struct([field('topic', string), field('partitions', array(int32))])

const partitionResult = struct([
  field('partitionId', int32),
  field('errorCode', int16),
  field('errorMessage', nullable(string), { default: null }),
])

const replicaElectionResult = struct([
  field('topic', string),
  field('partitionResult', array(partitionResult)),
])

export const electLeaders = api({
  key: 43,
  name: 'ElectLeaders',
  versions: [0, 2],
  flexibleSince: 2,
  request: struct([
    field('electionType', int8, { since: 1, default: 0 }),
    field('topicPartitions', nullable(array(electLeadersTopic))),
    field('timeoutMs', int32, { default: 60_000 }),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { default: 0 }),
    field('errorCode', int16, { since: 1, default: 0 }),
    field('replicaElectionResults', array(replicaElectionResult)),
  ]),
})
