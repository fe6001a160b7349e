// Heartbeat (key 12): keeps a member's session alive and tells it of a rebalance. 3: static members
// (KIP-345).

import { api } from '../message.ts'
import { field, int16, int32, nullable, string, struct } from '../schema.ts'

export const heartbeat = api({
  key: 12,
  name: 'Heartbeat',
  versions: [0, 4],
  flexibleSince: 4,
  request: struct([
    field('groupId', string),
    field('generationId', int32),
    field('memberId', string),
    field('groupInstanceId', nullable(string), { since: 3, default: null }),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { since: 1, ignorable: true }),
    field('errorCode', int16),
  ]),
})
