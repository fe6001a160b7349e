// AlterConfigs (key 33): replaces the whole configuration of resources; superseded by
// IncrementalAlterConfigs.

import { api } from '../message.ts'
import { array, bool, field, int16, int32, int8, nullable, string, struct } from '../schema.ts'

const alterableConfig = struct([field('name', string), field('value', nullable(string))])

const alterConfigsResource = struct([
  field('resourceType', int8),
  field('resourceName', string),
  field('configs', array(alterableConfig)),
])

const alterConfigsResourceResponse = struct([
  field('errorCode', int16),
  field('errorMessage', nullable(string)),
  field('resourceType', int8),
  field('resourceName', string),
])

export const alterConfigs = api({
  key: 33,
  name: 'AlterConfigs',
  versions: [0, 2],
  flexibleSince: 2,
  request: struct([field('resources', array(alterConfigsResource)), field('validateOnly', bool)]),
  response: struct([
    field('throttleTimeMs', int32, { default: 0 }),
    field('responses', array(alterConfigsResourceResponse)),
  ]),
})
