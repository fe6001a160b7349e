// FindCoordinator (key 10): which node coordinates a group, a transactional id, or a share group's
// partition (key type 0, 1, 2). 4: several keys in one request, in fields of their own.

import { api } from '../message.ts'
import { array, field, int16, int32, int8, nullable, string, struct } from '../schema.ts'

const coordinator = struct([
  field('key', string),
  field('nodeId', int32),
  field('host', string),
  field('port', int32),
  field('errorCode', int16),
  field('errorMessage', nullable(string)),
])

export const findCoordinator = api({
  key: 10,
  name: 'FindCoordinator',
  versions: [0, 6],
  flexibleSince: 3,
  request: struct([
    field('key', string, { until: 3 }),
    field('keyType', int8, { since: 1, default: 0 }),
    field('coordinatorKeys', array(string), { since: 4 }),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { since: 1, ignorable: true }),
    field('errorCode', int16, { until: 3 }),
    field('errorMessage', nullable(string), { since: 1, until: 3, ignorable: true }),
    field('nodeId', int32, { until: 3 }),
    field('host', string, { until: 3 }),
    field('port', int32, { until: 3 }),
    field('coordinators', array(coordinator), { since: 4 }),
  ]),
})
