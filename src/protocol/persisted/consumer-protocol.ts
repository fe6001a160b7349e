// What consumers put into JoinGroup and SyncGroup when the protocol type is "consumer" (KIP-429,
// KIP-792, KIP-881). The broker reads it only to describe groups and to know what they subscribe
// to. A newer version is read as the last one known: `decodeVersioned(…, { newerAs: 'last' })`.

import { versioned } from '../message.ts'
import { array, bytes, field, int32, nullable, string, struct } from '../schema.ts'

const topicPartitions = struct([field('topic', string), field('partitions', array(int32))])

export const consumerProtocolSubscription = versioned({
  name: 'ConsumerProtocolSubscription',
  versions: [0, 3],
  fields: [
    field('topics', array(string)),
    field('userData', nullable(bytes), { default: null }),
    field('ownedPartitions', array(topicPartitions), { since: 1, ignorable: true }),
    field('generationId', int32, { since: 2, default: -1, ignorable: true }),
    field('rackId', nullable(string), { since: 3, default: null, ignorable: true }),
  ],
})

export const consumerProtocolAssignment = versioned({
  name: 'ConsumerProtocolAssignment',
  versions: [0, 3],
  fields: [
    field('assignedPartitions', array(topicPartitions)),
    field('userData', nullable(bytes), { default: null }),
  ],
})
