// DescribeConfigs (key 32): configurations of topics, nodes and other resources. 1: synonyms and
// sources; 3: types and documentation.

import { api } from '../message.ts'
import { array, bool, field, int16, int32, int8, nullable, string, struct } from '../schema.ts'

const describeConfigsResource = struct([
  field('resourceType', int8),
  field('resourceName', string),
  field('configurationKeys', nullable(array(string))),
])

const describeConfigsSynonym = struct([
  field('name', string),
  field('value', nullable(string)),
  field('source', int8),
])

const describeConfigsResourceResult = struct([
  field('name', string),
  field('value', nullable(string)),
  field('readOnly', bool),
  field('configSource', int8, { default: -1 }),
  field('isSensitive', bool),
  field('synonyms', array(describeConfigsSynonym)),
  field('configType', int8, { since: 3, default: 0, ignorable: true }),
  field('documentation', nullable(string), { since: 3, ignorable: true }),
])

const describeConfigsResult = struct([
  field('errorCode', int16),
  field('errorMessage', nullable(string)),
  field('resourceType', int8),
  field('resourceName', string),
  field('configs', array(describeConfigsResourceResult)),
])

export const describeConfigs = api({
  key: 32,
  name: 'DescribeConfigs',
  versions: [1, 4],
  flexibleSince: 4,
  request: struct([
    field('resources', array(describeConfigsResource)),
    field('includeSynonyms', bool, { default: false }),
    field('includeDocumentation', bool, { since: 3, default: false }),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { default: 0 }),
    field('results', array(describeConfigsResult)),
  ]),
})
