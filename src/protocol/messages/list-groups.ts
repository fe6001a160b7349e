// ListGroups (key 16): the groups that this node coordinates. 4: filtered by state; 5: filtered by
// type (KIP-848).

import { api } from '../message.ts'
import { array, field, int16, int32, string, struct } from '../schema.ts'

const listedGroup = struct([
  field('groupId', string),
  field('protocolType', string),
  field('groupState', string, { since: 4, ignorable: true }),
  field('groupType', string, { since: 5, ignorable: true }),
])

export const listGroups = api({
  key: 16,
  name: 'ListGroups',
  versions: [0, 5],
  flexibleSince: 3,
  request: struct([
    field('statesFilter', array(string), { since: 4 }),
    field('typesFilter', array(string), { since: 5 }),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { since: 1, ignorable: true }),
    field('errorCode', int16),
    field('groups', array(listedGroup)),
  ]),
})
