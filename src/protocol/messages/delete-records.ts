// DeleteRecords (key 21): moves the start of partitions forward; -1 means to the high watermark.

import { api } from '../message.ts'
import { array, field, int16, int32, int64, string, struct } from '../schema.ts'

const deleteRecordsPartition = struct([field('partitionIndex', int32), field('offset', int64)])

const deleteRecordsTopic = struct([
  field('name', string),
  field('partitions', array(deleteRecordsPartition)),
])

const deleteRecordsPartitionResult = struct([
  field('partitionIndex', int32),
  field('lowWatermark', int64),
  field('errorCode', int16),
])

const deleteRecordsTopicResult = struct([
  field('name', string),
  field('partitions', array(deleteRecordsPartitionResult)),
])

export const deleteRecords = api({
  key: 21,
  name: 'DeleteRecords',
  versions: [0, 2],
  flexibleSince: 2,
  request: struct([field('topics', array(deleteRecordsTopic)), field('timeoutMs', int32)]),
  response: struct([
    field('throttleTimeMs', int32, { default: 0 }),
    field('topics', array(deleteRecordsTopicResult)),
  ]),
})
