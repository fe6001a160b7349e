// A consumer's settings; the names after Kafka's, with units.

export interface ConsumerOptions {
  /** fetch.max.wait.ms: how long the broker may wait for `fetchBytesMin`. */
  readonly fetchWaitMs: number
  /** fetch.min.bytes */
  readonly fetchBytesMin: number
  /** fetch.max.bytes: of one answer; a larger first batch still comes. */
  readonly fetchBytesMax: number
  /** max.partition.fetch.bytes */
  readonly partitionBytesMax: number
  /** check.crcs */
  readonly checkCrcs: boolean
  /** auto.offset.reset, for an offset that the log does not have (any more). */
  readonly onOutOfRange: 'beginning' | 'end' | 'fail'
  readonly retryBackoffMs: number
}

export const CONSUMER_DEFAULTS: ConsumerOptions = {
  fetchWaitMs: 500,
  fetchBytesMin: 1,
  fetchBytesMax: 16 * 1024 * 1024,
  partitionBytesMax: 1024 * 1024,
  checkCrcs: true,
  onOutOfRange: 'fail',
  retryBackoffMs: 100,
}
