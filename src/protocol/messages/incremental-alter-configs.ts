// IncrementalAlterConfigs (key 44): changes single configuration entries: operation 0 sets, 1
// deletes, 2 appends to a list, 3 subtracts from it (KIP-339).

import { api } from '../message.ts'
import { array, bool, field, int16, int32, int8, nullable, string, struct } from '../schema.ts'

const alterableConfig = struct([
  field('name', string),
  field('configOperation', int8),
  field('value', nullable(string)),
])

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

export const incrementalAlterConfigs = api({
  key: 44,
  name: 'IncrementalAlterConfigs',
  versions: [0, 1],
  flexibleSince: 1,
  request: struct([field('resources', array(alterConfigsResource)), field('validateOnly', bool)]),
  response: struct([
    field('throttleTimeMs', int32, { default: 0 }),
    field('responses', array(alterConfigsResourceResponse)),
  ]),
})
