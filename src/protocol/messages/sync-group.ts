// SyncGroup (key 14): the leader hands in the assignment, everyone receives its own. 3: static
// members (KIP-345); 5: protocol type and name, checked by the coordinator (KIP-559).

import { api } from '../message.ts'
import { array, bytes, field, int16, int32, nullable, string, struct } from '../schema.ts'

const syncGroupRequestAssignment = struct([field('memberId', string), field('assignment', bytes)])

export const syncGroup = api({
  key: 14,
  name: 'SyncGroup',
  versions: [0, 5],
  flexibleSince: 4,
  request: struct([
    field('groupId', string),
    field('generationId', int32),
    field('memberId', string),
    field('groupInstanceId', nullable(string), { since: 3, default: null }),
    field('protocolType', nullable(string), { since: 5, default: null, ignorable: true }),
    field('protocolName', nullable(string), { since: 5, default: null, ignorable: true }),
    field('assignments', array(syncGroupRequestAssignment)),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { since: 1, ignorable: true }),
    field('errorCode', int16),
    field('protocolType', nullable(string), { since: 5, default: null, ignorable: true }),
    field('protocolName', nullable(string), { since: 5, default: null, ignorable: true }),
    field('assignment', bytes),
  ]),
})
