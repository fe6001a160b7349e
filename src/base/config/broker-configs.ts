// The broker configs: Kafka's names and defaults where Kafka has them (KafkaConfig and its parts), our own bounds under
// `chronik.`. The defaults of topic configs (`log.retention.ms` and so on) are derived from the topic table, so that the
// two cannot drift apart.

import {
  type AnyConfigDefinition,
  booleanConfig,
  type ConfigDefinition,
  type ConfigTable,
  type ConfigValues,
  intConfig,
  listConfig,
  longConfig,
  stringConfig,
} from './definition.ts'
import { topicConfigs } from './topic-configs.ts'

const MIB = 1024 * 1024
const AUTO_OR_POSITIVE = (value: number): string | undefined =>
  value === 0 ? 'give the number of replicas, or -1 for as many as the cluster allows' : undefined

export const brokerConfigs = {
  'node.id': intConfig({
    default: 1,
    min: 0,
    importance: 'high',
    documentation: "This node's id, unique in its cluster.",
  }),
  'log.dirs': stringConfig({
    default: 'chronik-data',
    importance: 'high',
    documentation: 'The directory that holds all data of this node.',
    refuse: (path) =>
      path === '' || path.includes(',') ? 'exactly one directory is used' : undefined,
  }),
  listeners: listConfig({
    default: ['PLAINTEXT://127.0.0.1:9092'],
    importance: 'high',
    documentation: 'Addresses to listen on, each as NAME://host:port.',
  }),
  'advertised.listeners': listConfig({
    default: [],
    importance: 'high',
    documentation: 'What clients are told to connect to, NAME://host:port; empty: as listeners.',
  }),
  'broker.rack': stringConfig({
    default: '',
    documentation: 'Nodes of one rack fail together; replicas are spread over racks. Empty: none.',
  }),
  'num.partitions': intConfig({
    default: 1,
    min: 1,
    documentation: 'Partitions of a topic that is created without saying how many.',
  }),
  'auto.create.topics.enable': booleanConfig({
    default: true,
    importance: 'high',
    documentation: 'Whether a client that asks for an unknown topic creates it.',
  }),
  'default.replication.factor': intConfig({
    default: -1,
    min: -1,
    documentation:
      'Replicas of a topic that is created without saying how many. -1: three, or as many as there are nodes where there are fewer.',
    refuse: AUTO_OR_POSITIVE,
  }),
  'replica.lag.time.max.ms': longConfig({
    default: 30_000,
    min: 1,
    importance: 'high',
    documentation:
      'A replica that has not held all of its leader for so long is not in sync. One that can not be reached is not in sync at once.',
  }),
  'auto.leader.rebalance.enable': booleanConfig({
    default: true,
    importance: 'high',
    documentation:
      'Whether leaderships return to the first replica of their partition once it can take them.',
  }),
  'leader.imbalance.check.interval.seconds': longConfig({
    default: 10,
    min: 1,
    importance: 'high',
    documentation: 'How often the node looks for leaderships that should be elsewhere.',
  }),
  'socket.request.max.bytes': intConfig({
    default: 100 * MIB,
    min: 1024,
    importance: 'high',
    documentation: 'The largest request; a longer one closes the connection.',
  }),
  'queued.max.requests': intConfig({
    default: 500,
    min: 1,
    importance: 'high',
    documentation: 'Requests in work on one connection before its socket is no longer read.',
  }),
  'max.connections': intConfig({
    default: 10_000,
    min: 0,
    documentation: 'Connections on all listeners together; more are closed at once.',
  }),
  'max.connections.per.ip': intConfig({
    default: 2 ** 31 - 1,
    min: 0,
    documentation: 'Connections from one address; more are closed at once.',
  }),
  'connections.max.idle.ms': longConfig({
    default: 600_000,
    min: -1,
    documentation: 'A connection without a request for this long is closed; negative: never.',
  }),
  'fetch.max.bytes': intConfig({
    default: 55 * MIB,
    min: 1024,
    documentation: 'The most bytes that a fetch response carries, but for a first larger batch.',
  }),
  'max.incremental.fetch.session.cache.slots': intConfig({
    default: 1000,
    min: 0,
    documentation: 'Incremental fetch sessions kept (KIP-227).',
  }),
  'log.cleaner.backoff.ms': longConfig({
    default: 15_000,
    min: 0,
    documentation: 'How often compacted logs are looked at: whether enough of one is new.',
  }),
  'log.retention.check.interval.ms': longConfig({
    default: 300_000,
    min: 1,
    documentation: 'How often segments are checked for deletion.',
  }),
  'producer.id.expiration.ms': intConfig({
    default: 86_400_000,
    min: 1,
    importance: 'low',
    documentation: 'How long the state of an idle producer id is kept.',
  }),
  'group.min.session.timeout.ms': intConfig({
    default: 6_000,
    min: 0,
    documentation: 'The shortest session timeout that a group member may ask for.',
  }),
  'group.max.session.timeout.ms': intConfig({
    default: 1_800_000,
    min: 0,
    documentation: 'The longest session timeout that a group member may ask for.',
  }),
  'group.initial.rebalance.delay.ms': intConfig({
    default: 3_000,
    min: 0,
    documentation: 'How long a group that begins waits for further members.',
  }),
  'group.max.size': intConfig({
    default: 2 ** 31 - 1,
    min: 1,
    documentation: 'Members that a group may have.',
  }),
  'offsets.topic.num.partitions': intConfig({
    default: 50,
    min: 1,
    importance: 'high',
    documentation: 'Partitions of __consumer_offsets; taken when that topic is created.',
  }),
  'offsets.topic.replication.factor': intConfig({
    default: -1,
    min: -1,
    importance: 'high',
    documentation:
      'Replicas of __consumer_offsets; taken when that topic is created. ' +
      '-1: five, or as many as there are nodes where there are fewer, an odd number.',
    refuse: AUTO_OR_POSITIVE,
  }),
  'offset.metadata.max.bytes': intConfig({
    default: 4096,
    min: 0,
    importance: 'high',
    documentation: 'The longest metadata text that may go with a committed offset.',
  }),
  'offsets.commit.timeout.ms': intConfig({
    default: 5_000,
    min: 1,
    importance: 'high',
    documentation: "How long a group's change may wait for its commit before it counts as unknown.",
  }),
  'offsets.retention.minutes': intConfig({
    default: 10_080,
    min: 1,
    importance: 'high',
    documentation: 'How long committed offsets outlive the last use of their group.',
  }),
  'offsets.retention.check.interval.ms': longConfig({
    default: 600_000,
    min: 1,
    importance: 'high',
    documentation: 'How often committed offsets are checked for expiry.',
  }),
  'chronik.connection.inflight.bytes.max': intConfig({
    default: 128 * MIB,
    min: 1024,
    documentation: 'Request bytes in work on one connection before its socket is no longer read.',
  }),
  'chronik.inflight.bytes.max': intConfig({
    default: 256 * MIB,
    min: 1024,
    documentation: 'Request bytes in work on the node before sockets are no longer read.',
  }),
  'chronik.tail.cache.bytes': intConfig({
    default: 64 * MIB,
    min: MIB,
    documentation: 'Memory for the newest bytes of all partitions.',
  }),
  'chronik.open.files.max': intConfig({
    default: 512,
    min: 16,
    documentation: 'Segment files held open at a time.',
  }),
  'chronik.topics.max': intConfig({
    default: 20_000,
    min: 1,
    max: 1_000_000,
    documentation: 'Topics that the cluster may have.',
  }),
  'chronik.partitions.max': intConfig({
    default: 50_000,
    min: 1,
    max: 1_000_000,
    documentation: 'Partitions that the cluster may have.',
  }),
  'metadata.log.max.record.bytes.between.snapshots': longConfig({
    default: 20 * MIB,
    min: 1,
    documentation:
      'Bytes of the metadata log until the next snapshot of the metadata; two snapshots are kept, and the log from the older on.',
  }),
  'chronik.metadata.snapshot.records': intConfig({
    default: 50_000,
    min: 1,
    documentation: 'Records of the metadata log until the next snapshot, whatever their size.',
  }),
  'chronik.groups.max': intConfig({
    default: 20_000,
    min: 1,
    documentation: 'Consumer groups that the node coordinates.',
  }),
}

export type BrokerConfigs = ConfigValues<typeof brokerConfigs>
export type BrokerConfigName = keyof typeof brokerConfigs

/** The broker configs that give topics their defaults, by name: derived from the synonyms of the topic configs. */
export const topicDefaultConfigs: ConfigTable = deriveTopicDefaults()

/** Every config that a broker has. */
export const allBrokerConfigs: ConfigTable = { ...topicDefaultConfigs, ...brokerConfigs }

function deriveTopicDefaults(): ConfigTable {
  const table: Record<string, AnyConfigDefinition> = {}
  for (const [topicName, definition] of Object.entries(topicConfigs)) {
    for (const { name, scale } of definition.synonyms) {
      table[name] = derive(topicName, definition, scale)
    }
  }
  return table
}

function derive(topicName: string, of: AnyConfigDefinition, scale: number): AnyConfigDefinition {
  const unit = scale === 3_600_000 ? ', in hours' : scale === 60_000 ? ', in minutes' : ''
  const shared = {
    documentation: `The default of the topic config ${topicName}${unit}.`,
    dynamic: 'cluster-wide' as const,
    synonyms: [],
  }
  if (scale === 1) return { ...of, ...shared }
  const scaled = of as ConfigDefinition<number>
  const value = Math.floor(scaled.default / scale)
  return {
    ...scaled,
    ...shared,
    type: 'int',
    default: value,
    defaultText: String(value),
    min: scaled.min !== undefined && scaled.min < 0 ? -1 : 1,
    max: Math.floor(Number.MAX_SAFE_INTEGER / scale),
    refuse: () => undefined,
  }
}
