// LeaveGroup (key 13): takes members out of a classic group. 3: several members in one request; 5:
// a reason.

import { api } from '../message.ts'
import { array, field, int16, int32, nullable, string, struct } from '../schema.ts'

const memberIdentity = struct([
  field('memberId', string),
  field('groupInstanceId', nullable(string), { default: null }),
  field('reason', nullable(string), { since: 5, default: null, ignorable: true }),
])

const memberResponse = struct([
  field('memberId', string),
  field('groupInstanceId', nullable(string)),
  field('errorCode', int16),
])

export const leaveGroup = api({
  key: 13,
  name: 'LeaveGroup',
  versions: [0, 5],
  flexibleSince: 4,
  request: struct([
    field('groupId', string),
    field('memberId', string, { until: 2 }),
    field('members', array(memberIdentity), { since: 3 }),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { since: 1, ignorable: true }),
    field('errorCode', int16),
    field('members', array(memberResponse), { since: 3 }),
  ]),
})
