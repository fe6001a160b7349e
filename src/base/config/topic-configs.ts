// The topic configs: Kafka's names and defaults (org.apache.kafka.common.config.TopicConfig and its ServerTopicConfigSynonyms),
// and our own under `chronik.`. Where a value would change nothing here, it is refused with the reason.

import {
  booleanConfig,
  type ConfigValues,
  doubleConfig,
  enumConfig,
  intConfig,
  listConfig,
  LONG_MAX,
  longConfig,
  onlyDefault,
} from './definition.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const HOURS = 60 * 60 * 1000
const MINUTES = 60 * 1000

const NO_TIERING = 'tiered storage is not available yet'
const NO_THROTTLE = 'replication throttling is not available yet'
const NO_RECOMPRESSION =
  'the broker keeps batches as the producer sent them; set compression in the producer'

export const topicConfigs = {
  'cleanup.policy': listConfig({
    default: ['delete'],
    values: ['delete', 'compact'],
    synonyms: ['log.cleanup.policy'],
    documentation:
      'What happens to old segments: delete discards them by retention time and size, compact keeps the newest record of each key.',
    refuse: (policy) => (policy.length > 0 ? undefined : 'delete, compact or both must be given'),
  }),
  'compression.type': enumConfig({
    default: 'producer',
    values: ['producer', 'uncompressed', 'gzip', 'snappy', 'lz4', 'zstd'],
    synonyms: ['compression.type'],
    documentation: 'How batches are stored; producer keeps them as they came.',
    refuse: onlyDefault('producer', NO_RECOMPRESSION),
  }),
  'compression.gzip.level': intConfig({
    default: -1,
    min: -1,
    max: 9,
    synonyms: ['compression.gzip.level'],
    documentation: 'The level used where the broker compresses with gzip.',
    refuse: onlyDefault(-1, NO_RECOMPRESSION),
  }),
  'compression.lz4.level': intConfig({
    default: 9,
    min: 1,
    max: 17,
    synonyms: ['compression.lz4.level'],
    documentation: 'The level used where the broker compresses with lz4.',
    refuse: onlyDefault(9, NO_RECOMPRESSION),
  }),
  'compression.zstd.level': intConfig({
    default: 3,
    min: -131072,
    max: 22,
    synonyms: ['compression.zstd.level'],
    documentation: 'The level used where the broker compresses with zstd.',
    refuse: onlyDefault(3, NO_RECOMPRESSION),
  }),
  'delete.retention.ms': longConfig({
    default: DAY_MS,
    min: 0,
    synonyms: ['log.cleaner.delete.retention.ms'],
    documentation: 'How long a compacted topic keeps tombstones.',
  }),
  'file.delete.delay.ms': longConfig({
    default: 0,
    min: 0,
    synonyms: ['log.segment.delete.delay.ms'],
    documentation:
      "How long a deleted segment's file stays; here it goes as soon as its deletion is durable.",
    refuse: onlyDefault(0, 'files of deleted segments are removed at once'),
  }),
  'flush.messages': longConfig({
    default: 1,
    min: 1,
    synonyms: ['log.flush.interval.messages'],
    documentation: 'How many records may wait for an fsync; 1: durable before acknowledged.',
    refuse: onlyDefault(1, 'every record is durable before it is acknowledged'),
  }),
  'flush.ms': longConfig({
    default: LONG_MAX,
    min: 0,
    synonyms: ['log.flush.interval.ms', 'log.flush.scheduler.interval.ms'],
    documentation: 'How long a record may wait for an fsync; never reached, see flush.messages.',
    refuse: onlyDefault(LONG_MAX, 'every record is durable before it is acknowledged'),
  }),
  'follower.replication.throttled.replicas': listConfig({
    default: [],
    documentation: 'Replicas whose replication is throttled on the follower.',
    refuse: onlyDefault<readonly string[]>([], NO_THROTTLE),
  }),
  'index.interval.bytes': intConfig({
    default: 4096,
    min: 0,
    synonyms: ['log.index.interval.bytes'],
    documentation: 'Bytes of a segment between two entries of its offset index.',
  }),
  'leader.replication.throttled.replicas': listConfig({
    default: [],
    documentation: 'Replicas whose replication is throttled on the leader.',
    refuse: onlyDefault<readonly string[]>([], NO_THROTTLE),
  }),
  'local.retention.bytes': longConfig({
    default: -2,
    min: -2,
    synonyms: ['log.local.retention.bytes'],
    documentation: 'Local bytes kept of a tiered topic; -2: as retention.bytes.',
    refuse: onlyDefault(-2, NO_TIERING),
  }),
  'local.retention.ms': longConfig({
    default: -2,
    min: -2,
    synonyms: ['log.local.retention.ms'],
    documentation: 'Local time kept of a tiered topic; -2: as retention.ms.',
    refuse: onlyDefault(-2, NO_TIERING),
  }),
  'max.compaction.lag.ms': longConfig({
    default: LONG_MAX,
    min: 1,
    synonyms: ['log.cleaner.max.compaction.lag.ms'],
    documentation: 'The longest time a record of a compacted topic stays uncompacted.',
  }),
  'max.message.bytes': intConfig({
    default: 1_048_588,
    min: 0,
    synonyms: ['message.max.bytes'],
    documentation: 'The largest record batch, after compression, that a partition accepts, bytes.',
  }),
  'message.timestamp.after.max.ms': longConfig({
    default: 3_600_000,
    min: 0,
    synonyms: ['log.message.timestamp.after.max.ms'],
    documentation: "How far a record's timestamp may lie after the broker's clock.",
  }),
  'message.timestamp.before.max.ms': longConfig({
    default: LONG_MAX,
    min: 0,
    synonyms: ['log.message.timestamp.before.max.ms'],
    documentation: "How far a record's timestamp may lie before the broker's clock.",
  }),
  'message.timestamp.type': enumConfig({
    default: 'CreateTime',
    values: ['CreateTime', 'LogAppendTime'],
    synonyms: ['log.message.timestamp.type'],
    documentation: "Whether a record's timestamp is the producer's or that of the append.",
  }),
  'min.cleanable.dirty.ratio': doubleConfig({
    default: 0.5,
    min: 0,
    max: 1,
    synonyms: ['log.cleaner.min.cleanable.ratio'],
    documentation: 'The share of uncompacted bytes from which a log is compacted.',
  }),
  'min.compaction.lag.ms': longConfig({
    default: 0,
    min: 0,
    synonyms: ['log.cleaner.min.compaction.lag.ms'],
    documentation: 'The shortest time a record of a compacted topic stays uncompacted.',
  }),
  'min.insync.replicas': intConfig({
    default: 1,
    min: 1,
    synonyms: ['min.insync.replicas'],
    documentation: 'Replicas that must be in sync for a produce with acks=all to be accepted.',
  }),
  preallocate: booleanConfig({
    default: false,
    synonyms: ['log.preallocate'],
    documentation: 'Whether the file of a new segment is allocated in full.',
    refuse: onlyDefault(false, 'segments are not preallocated; the journal is'),
  }),
  'remote.log.copy.disable': booleanConfig({
    default: false,
    documentation: 'Whether a tiered topic stops copying segments.',
    refuse: onlyDefault(false, NO_TIERING),
  }),
  'remote.log.delete.on.disable': booleanConfig({
    default: false,
    documentation: 'Whether tiered data goes when tiering is disabled.',
    refuse: onlyDefault(false, NO_TIERING),
  }),
  'remote.storage.enable': booleanConfig({
    default: false,
    documentation: 'Whether old segments move to remote storage.',
    refuse: onlyDefault(false, NO_TIERING),
  }),
  'retention.bytes': longConfig({
    default: -1,
    min: -1,
    synonyms: ['log.retention.bytes'],
    documentation: 'Bytes kept per partition before the oldest segments are deleted; -1: no limit.',
  }),
  'retention.ms': longConfig({
    default: 7 * DAY_MS,
    min: -1,
    synonyms: [
      'log.retention.ms',
      { name: 'log.retention.minutes', scale: MINUTES },
      { name: 'log.retention.hours', scale: HOURS },
    ],
    documentation: 'How long records are kept before their segment is deleted; -1: for ever.',
  }),
  'segment.bytes': intConfig({
    default: 1_073_741_824,
    min: 4096,
    synonyms: ['log.segment.bytes'],
    documentation: 'The size at which a segment is closed and a new one begun.',
  }),
  'segment.index.bytes': intConfig({
    default: 10_485_760,
    min: 4,
    synonyms: ['log.index.size.max.bytes'],
    documentation: "The largest size of a segment's index.",
    refuse: onlyDefault(10_485_760, 'indexes grow with their segment and are not limited apart'),
  }),
  'segment.jitter.ms': longConfig({
    default: 0,
    min: 0,
    synonyms: ['log.roll.jitter.ms'],
    documentation: 'Random time taken off segment.ms, so that segments do not all close at once.',
    refuse: onlyDefault(
      0,
      'closing a segment here costs no burst of work that jitter would spread',
    ),
  }),
  'segment.ms': longConfig({
    default: 7 * DAY_MS,
    min: 1,
    synonyms: ['log.roll.ms', { name: 'log.roll.hours', scale: HOURS }],
    documentation: 'The age of its first batch at which a segment is closed and a new one begun.',
  }),
  'unclean.leader.election.enable': booleanConfig({
    default: false,
    synonyms: ['unclean.leader.election.enable'],
    documentation: 'Whether a replica that lacks acknowledged records may lead.',
    refuse: onlyDefault(false, 'acknowledged records are never given up'),
  }),
  'chronik.acks1': enumConfig({
    default: 'majority',
    values: ['majority', 'leader'],
    documentation: 'What acks=1 waits for: the fsync of a majority, or that of the leader alone.',
    refuse: onlyDefault('majority', 'acks=1 always waits for a majority in this version'),
  }),
}

export type TopicConfigs = ConfigValues<typeof topicConfigs>
export type TopicConfigName = keyof typeof topicConfigs
