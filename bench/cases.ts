// What the bench measures. Each case says how its load is made; the servers are the same for all of them.

export interface Load {
  readonly megabytesPerSecond: number
  readonly recordsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly records: number
  readonly failed: number
  readonly clientCpuSeconds: number
}

export interface Case {
  readonly name: string
  readonly what: string
  readonly partitions: number
  readonly recordBytes: number
  readonly by: 'librdkafka' | 'raw'
  /** Settings of librdkafka, or connections and requests in flight of the raw client. */
  readonly arguments: readonly string[]
}

// Bounded queues and five requests in flight, so that the latency is the server's and not that of a long queue.
const full = ['queue.buffering.max.messages=20000', 'max.in.flight=5', 'linger.ms=5']
const single = [
  'batch.num.messages=1',
  'linger.ms=0',
  'max.in.flight=5',
  'socket.nagle.disable=true',
]

export const cases: readonly Case[] = [
  {
    name: 'one-partition',
    what: '1 partition, 1 KB records, acks=all',
    partitions: 1,
    recordBytes: 1000,
    by: 'librdkafka',
    arguments: full,
  },
  {
    name: 'sixteen-partitions',
    what: '16 partitions, 1 KB records, acks=all',
    partitions: 16,
    recordBytes: 1000,
    by: 'librdkafka',
    arguments: full,
  },
  {
    name: 'single-record',
    what: 'one 1 KB record a request, 5 requests in flight, 1 partition',
    partitions: 1,
    recordBytes: 1000,
    by: 'librdkafka',
    arguments: [...single, 'queue.buffering.max.messages=10'],
  },
  {
    name: 'small-appends',
    what: '256 partitions, 100-byte appends, 64 partitions a request, 4 connections with 4 requests in flight',
    partitions: 256,
    recordBytes: 100,
    by: 'raw',
    arguments: ['4', '4'],
  },
  {
    name: 'small-requests',
    what: '256 partitions, 100-byte records, one record a request (librdkafka), 64 requests in flight',
    partitions: 256,
    recordBytes: 100,
    by: 'librdkafka',
    arguments: [...single.slice(0, 2), 'max.in.flight=64', 'queue.buffering.max.messages=256'],
  },
]
