// DescribeLogDirs (key 35): what lies in the node's log directories; null topics mean all. 3: an
// error of the whole request; 4: size of the volume; 5: cordoned directories (KIP-1066).

import { api } from '../message.ts'
import { array, bool, field, int16, int32, int64, nullable, string, struct } from '../schema.ts'

const describableLogDirTopic = struct([field('topic', string), field('partitions', array(int32))])

const describeLogDirsPartition = struct([
  field('partitionIndex', int32),
  field('partitionSize', int64),
  field('offsetLag', int64),
  field('isFutureKey', bool),
])

const describeLogDirsTopic = struct([
  field('name', string),
  field('partitions', array(describeLogDirsPartition)),
])

const describeLogDirsResult = struct([
  field('errorCode', int16),
  field('logDir', string),
  field('topics', array(describeLogDirsTopic)),
  field('totalBytes', int64, { since: 4, default: -1, ignorable: true }),
  field('usableBytes', int64, { since: 4, default: -1, ignorable: true }),
  field('isCordoned', bool, { since: 5, default: false, ignorable: true }),
])

export const describeLogDirs = api({
  key: 35,
  name: 'DescribeLogDirs',
  versions: [1, 5],
  flexibleSince: 2,
  request: struct([field('topics', nullable(array(describableLogDirTopic)))]),
  response: struct([
    field('throttleTimeMs', int32, { default: 0 }),
    field('errorCode', int16, { since: 3, ignorable: true }),
    field('results', array(describeLogDirsResult)),
  ]),
})
