// InitProducerId (key 22): a producer id and epoch, for an idempotent or a transactional producer.
// 3: a producer may name the id and epoch that it has (KIP-360); 4: PRODUCER_FENCED; 5:
// TRANSACTION_ABORTABLE. Version 6 (two-phase commit, KIP-939) is not stable in Kafka 4.3.

import { api } from '../message.ts'
import { field, int16, int32, int64, nullable, string, struct } from '../schema.ts'

export const initProducerId = api({
  key: 22,
  name: 'InitProducerId',
  versions: [0, 5],
  flexibleSince: 2,
  request: struct([
    field('transactionalId', nullable(string)),
    field('transactionTimeoutMs', int32),
    field('producerId', int64, { since: 3, default: -1 }),
    field('producerEpoch', int16, { since: 3, default: -1 }),
  ]),
  response: struct([
    field('throttleTimeMs', int32, { default: 0 }),
    field('errorCode', int16),
    field('producerId', int64, { default: -1 }),
    field('producerEpoch', int16),
  ]),
})
