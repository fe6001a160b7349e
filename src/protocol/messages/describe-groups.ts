// DescribeGroups (key 15): state and members of classic groups. 3: authorized operations; 4: static
// members; 6: an error message, and GROUP_ID_NOT_FOUND for a group that does not exist.

import { api } from '../message.ts'
import { array, bool, bytes, field, int16, int32, nullable, string, struct } from '../schema.ts'

const describedGroupMember = struct([
  field('memberId', string),
  field('groupInstanceId', nullable(string), { since: 4, default: null, ignorable: true }),
  field('clientId', string),
  field('clientHost', string),
  field('memberMetadata', bytes),
  field('memberAssignment', bytes),
])

const describedGroup = struct([
  field('errorCode', int16),
  field('errorMessage', nullable(string), { since: 6, default: null }),
  field('groupId', string),
  field('groupState', string),
  field('protocolType', string),
  field('protocolData', string),
  field('members', array(describedGroupMember)),
  field('authorizedOperations', int32, { since: 3, default: -2147483648 }),
])

export const describeGroups = api({
  key: 15,
  name: 'DescribeGroups',
  versions: [0, 6],
  flexibleSince: 5,
  request: struct([
    field('groups', array(string)),
    field('includeAuthorizedOperations', bool, { since: 3 }),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { since: 1, ignorable: true }),
    field('groups', array(describedGroup)),
  ]),
})
