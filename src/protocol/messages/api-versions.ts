// ApiVersions (key 18): which APIs and versions the node speaks. Its response never has a flexible
// header, and a version that the node does not know is answered with a version 0 body (KIP-511). 3:
// client software and features; 4: a feature's lowest version may be 0.

import { api } from '../message.ts'
import { array, bool, field, int16, int32, int64, string, struct } from '../schema.ts'

const apiVersion = struct([
  field('apiKey', int16),
  field('minVersion', int16),
  field('maxVersion', int16),
])

const supportedFeatureKey = struct([
  field('name', string),
  field('minVersion', int16),
  field('maxVersion', int16),
])

const finalizedFeatureKey = struct([
  field('name', string),
  field('maxVersionLevel', int16),
  field('minVersionLevel', int16),
])

export const apiVersions = api({
  key: 18,
  name: 'ApiVersions',
  versions: [0, 4],
  flexibleSince: 3,
  request: struct([
    field('clientSoftwareName', string, { since: 3, ignorable: true }),
    field('clientSoftwareVersion', string, { since: 3, ignorable: true }),
  ]),
  response: struct([
    field('errorCode', int16),
    field('apiKeys', array(apiVersion)),
    field('throttleTimeMs', int32, { since: 1, ignorable: true }),
    field('supportedFeatures', array(supportedFeatureKey), { since: 3, tag: 0, ignorable: true }),
    field('finalizedFeaturesEpoch', int64, { since: 3, tag: 1, default: -1, ignorable: true }),
    field('finalizedFeatures', array(finalizedFeatureKey), { since: 3, tag: 2, ignorable: true }),
    field('zkMigrationReady', bool, { since: 3, tag: 3, default: false, ignorable: true }),
  ]),
})
