// Committed offsets as they lie in __consumer_offsets. The int16 that opens the key is the record's
// type: 0 or 1 (same layout, 1 is written) here, 2 for a group. The value's is its version; Kafka
// writes 3, or 1 when the commit names an expiry, and 4 once topic ids are in use. A tombstone has
// no value.

import { versioned } from '../message.ts'
import { field, int32, int64, string, uuid } from '../schema.ts'

/** Written with version 1. */
export const offsetCommitKey = versioned({
  name: 'OffsetCommitKey',
  versions: [0, 1],
  fields: [field('group', string), field('topic', string), field('partition', int32)],
})

export const offsetCommitValue = versioned({
  name: 'OffsetCommitValue',
  versions: [0, 4],
  flexibleSince: 4,
  fields: [
    field('offset', int64),
    field('leaderEpoch', int32, { since: 3, default: -1, ignorable: true }),
    field('metadata', string),
    field('commitTimestamp', int64),
    field('expireTimestamp', int64, { since: 1, until: 1, default: -1, ignorable: true }),
    field('topicId', uuid, { since: 4, tag: 0, ignorable: true }),
  ],
})
