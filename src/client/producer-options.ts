// A producer's settings. The names are Kafka's, with units; so are the defaults where nothing else is said.

import type { Codec } from '../records/codecs.ts'

export interface ProducerOptions {
  readonly acks: 'all' | 1 | 0
  /** Retries never write twice (enable.idempotence). Needs `acks: 'all'`. */
  readonly idempotent: boolean
  readonly codec: Codec
  /** compression.gzip.level, compression.zstd.level */
  readonly level?: number
  /** How long a batch that is not full waits for more records. 0: only for those of the same turn. */
  readonly lingerMs: number
  /** A batch is full at this size before compression. A record larger than that gets a batch of its own. */
  readonly batchBytes: number
  /** A record is given up, as refused or unknown, when it was not acknowledged in this time. */
  readonly deliveryTimeoutMs: number
  /** What the broker may take for one request. */
  readonly requestTimeoutMs: number
  readonly retryBackoffMs: number
  readonly retryBackoffMaxMs: number
  /** Bytes of records not yet acknowledged; `send` refuses beyond it, `whenRoom` waits. */
  readonly bufferBytes: number
  /** One request carries at most so much, but at least one batch. */
  readonly requestBytes: number
  /** Ask the brokers to create topics that are missing. */
  readonly autoCreateTopics: boolean
}

export const PRODUCER_DEFAULTS: ProducerOptions = {
  acks: 'all',
  idempotent: true,
  codec: 'none',
  lingerMs: 5,
  batchBytes: 256 * 1024,
  deliveryTimeoutMs: 120_000,
  requestTimeoutMs: 30_000,
  retryBackoffMs: 100,
  retryBackoffMaxMs: 1000,
  bufferBytes: 32 * 1024 * 1024,
  requestBytes: 4 * 1024 * 1024,
  autoCreateTopics: true,
}
