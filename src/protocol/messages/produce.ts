// Produce (key 0): appends record batches to partitions, one batch per partition and request.
// Versions 0-2 exist only to be advertised and refused (librdkafka takes their absence for "no
// compression"). 3: transactional id; 7: zstd; 8: errors by record; 10: the new leader comes with
// NOT_LEADER_OR_FOLLOWER (KIP-951); 12: adds partitions to transactions by itself (KIP-890); 13:
// topics by id.

import { api } from '../message.ts'
import {
  array,
  field,
  int16,
  int32,
  int64,
  nullable,
  records,
  string,
  struct,
  uuid,
} from '../schema.ts'

const partitionProduceData = struct([field('index', int32), field('records', nullable(records))])

const topicProduceData = struct([
  field('name', string, { until: 12, ignorable: true }),
  field('topicId', uuid, { since: 13, ignorable: true }),
  field('partitionData', array(partitionProduceData)),
])

const batchIndexAndErrorMessage = struct([
  field('batchIndex', int32),
  field('batchIndexErrorMessage', nullable(string), { default: null }),
])

const leaderIdAndEpoch = struct([
  field('leaderId', int32, { default: -1 }),
  field('leaderEpoch', int32, { default: -1 }),
])

const partitionProduceResponse = struct([
  field('index', int32),
  field('errorCode', int16),
  field('baseOffset', int64),
  field('logAppendTimeMs', int64, { since: 2, default: -1, ignorable: true }),
  field('logStartOffset', int64, { since: 5, default: -1, ignorable: true }),
  field('recordErrors', array(batchIndexAndErrorMessage), { since: 8, ignorable: true }),
  field('errorMessage', nullable(string), { since: 8, default: null, ignorable: true }),
  field('currentLeader', leaderIdAndEpoch, { since: 10, tag: 0 }),
])

const topicProduceResponse = struct([
  field('name', string, { until: 12, ignorable: true }),
  field('topicId', uuid, { since: 13, ignorable: true }),
  field('partitionResponses', array(partitionProduceResponse)),
])

const nodeEndpoint = struct([
  field('nodeId', int32),
  field('host', string),
  field('port', int32),
  field('rack', nullable(string), { default: null }),
])

export const produce = api({
  key: 0,
  name: 'Produce',
  versions: [0, 13],
  flexibleSince: 9,
  request: struct([
    field('transactionalId', nullable(string), { since: 3, default: null }),
    field('acks', int16),
    field('timeoutMs', int32),
    field('topicData', array(topicProduceData)),
  ]),
  response: struct([
    field('responses', array(topicProduceResponse)),
    field('throttleTimeMs', int32, { since: 1, default: 0, ignorable: true }),
    field('nodeEndpoints', array(nodeEndpoint), { since: 10, tag: 0 }),
  ]),
})
