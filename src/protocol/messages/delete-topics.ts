// DeleteTopics (key 20): deletes topics. 5: an error message; 6: by name or by id, in another
// field.

import { api } from '../message.ts'
import { array, field, int16, int32, nullable, string, struct, uuid } from '../schema.ts'

const deleteTopicState = struct([
  field('name', nullable(string), { default: null }),
  field('topicId', uuid),
])

const deletableTopicResult = struct([
  field('name', nullable(string), { nullableSince: 6 }),
  field('topicId', uuid, { since: 6, ignorable: true }),
  field('errorCode', int16),
  field('errorMessage', nullable(string), { since: 5, default: null, ignorable: true }),
])

export const deleteTopics = api({
  key: 20,
  name: 'DeleteTopics',
  versions: [1, 6],
  flexibleSince: 4,
  request: struct([
    field('topics', array(deleteTopicState), { since: 6 }),
    field('topicNames', array(string), { until: 5, ignorable: true }),
    field('timeoutMs', int32),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { default: 0 }),
    field('responses', array(deletableTopicResult)),
  ]),
})
