// DescribeCluster (key 60): cluster id, controller and nodes (KIP-700). 1: endpoint type, nodes or
// controllers (KIP-919); 2: fenced nodes.

import { api } from '../message.ts'
import { array, bool, field, int16, int32, int8, nullable, string, struct } from '../schema.ts'

const describeClusterBroker = struct([
  field('brokerId', int32),
  field('host', string),
  field('port', int32),
  field('rack', nullable(string), { default: null }),
  field('isFenced', bool, { since: 2 }),
])

export const describeCluster = api({
  key: 60,
  name: 'DescribeCluster',
  versions: [0, 2],
  flexibleSince: 0,
  request: struct([
    field('includeClusterAuthorizedOperations', bool),
    field('endpointType', int8, { since: 1, default: 1 }),
    field('includeFencedBrokers', bool, { since: 2 }),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { default: 0 }),
    field('errorCode', int16),
    field('errorMessage', nullable(string), { default: null }),
    field('endpointType', int8, { since: 1, default: 1 }),
    field('clusterId', string),
    field('controllerId', int32, { default: -1 }),
    field('brokers', array(describeClusterBroker)),
    field('clusterAuthorizedOperations', int32, { default: -2147483648 }),
  ]),
})
