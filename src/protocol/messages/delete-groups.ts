// DeleteGroups (key 42): deletes groups without members, with their offsets.

import { api } from '../message.ts'
import { array, field, int16, int32, string, struct } from '../schema.ts'

const deletableGroupResult = struct([field('groupId', string), field('errorCode', int16)])

export const deleteGroups = api({
  key: 42,
  name: 'DeleteGroups',
  versions: [0, 2],
  flexibleSince: 2,
  request: struct([field('groupsNames', array(string))]),
  response: struct([
    field('throttleTimeMs', int32, { default: 0 }),
    field('results', array(deletableGroupResult)),
  ]),
})
