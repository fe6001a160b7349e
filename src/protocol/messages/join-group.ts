// JoinGroup (key 11): enters a classic group and waits for its next generation. 4: a first join is
// sent back for a member id (KIP-394); 5: static members (KIP-345); 7: the protocol type in the
// answer; 8: a reason; 9: the leader may skip its assignment (KIP-814).

import { api } from '../message.ts'
import { array, bool, bytes, field, int16, int32, nullable, string, struct } from '../schema.ts'

const joinGroupRequestProtocol = struct([field('name', string), field('metadata', bytes)])

const joinGroupResponseMember = struct([
  field('memberId', string),
  field('groupInstanceId', nullable(string), { since: 5, default: null, ignorable: true }),
  field('metadata', bytes),
])

export const joinGroup = api({
  key: 11,
  name: 'JoinGroup',
  versions: [0, 9],
  flexibleSince: 6,
  request: struct([
    field('groupId', string),
    field('sessionTimeoutMs', int32),
    field('rebalanceTimeoutMs', int32, { since: 1, default: -1, ignorable: true }),
    field('memberId', string),
    field('groupInstanceId', nullable(string), { since: 5, default: null }),
    field('protocolType', string),
    field('protocols', array(joinGroupRequestProtocol)),
    field('reason', nullable(string), { since: 8, default: null, ignorable: true }),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { since: 2, ignorable: true }),
    field('errorCode', int16),
    field('generationId', int32, { default: -1 }),
    field('protocolType', nullable(string), { since: 7, default: null, ignorable: true }),
    field('protocolName', nullable(string), { nullableSince: 7 }),
    field('leader', string),
    field('skipAssignment', bool, { since: 9, default: false }),
    field('memberId', string),
    field('members', array(joinGroupResponseMember)),
  ]),
})
