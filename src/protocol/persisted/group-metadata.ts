// A classic group as it lies in __consumer_offsets: its generation, members and assignment. A
// tombstone has no value. See `offset-commit.ts` for what the leading int16 of a key means; Kafka
// 4.3 writes version 3 of the value.

import { versioned } from '../message.ts'
import { array, bytes, field, int32, int64, nullable, string, struct } from '../schema.ts'

export const groupMetadataKey = versioned({
  name: 'GroupMetadataKey',
  versions: [2, 2],
  fields: [field('group', string)],
})

const memberMetadata = struct([
  field('memberId', string),
  field('groupInstanceId', nullable(string), { since: 3, default: null, ignorable: true }),
  field('clientId', string),
  field('clientHost', string),
  field('rebalanceTimeout', int32, { since: 1, default: -1, ignorable: true }),
  field('sessionTimeout', int32),
  field('subscription', bytes),
  field('assignment', bytes),
])

export const groupMetadataValue = versioned({
  name: 'GroupMetadataValue',
  versions: [0, 4],
  flexibleSince: 4,
  fields: [
    field('protocolType', string),
    field('generation', int32),
    field('protocol', nullable(string)),
    field('leader', nullable(string)),
    field('currentStateTimestamp', int64, { since: 2, default: -1, ignorable: true }),
    field('members', array(memberMetadata)),
  ],
})
