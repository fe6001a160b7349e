// The cluster's metadata as of one point of its log. An image never changes; each committed batch gives a new one, which
// shares what did not change with the one before. Whoever holds an image sees one consistent state.

import { asLogId, type LogId, type NodeId, type Offset } from '../base/brand.ts'

export interface MetadataImage {
  /** 22 characters of URL-safe base64, as Kafka writes ids; '' until the first batch is applied. */
  readonly clusterId: string
  /** Everything below it is in this image. */
  readonly offset: Offset
  readonly topics: ReadonlyMap<string, TopicImage>
  readonly topicsById: ReadonlyMap<string, TopicImage>
  /** By node id as text. */
  readonly brokers: ReadonlyMap<string, BrokerImage>
  /** Dynamic broker configs: by node id as text, or '' for the default of all brokers. */
  readonly brokerConfigs: ReadonlyMap<string, ReadonlyMap<string, string>>
  readonly features: ReadonlyMap<string, number>
  /** Nodes that are to lead nothing, until they are told otherwise. */
  readonly draining: ReadonlySet<NodeId>
  /** Of all topics. */
  readonly partitionCount: number
  /** The first producer id that no block has been given from. */
  readonly nextProducerId: number
}

export interface TopicImage {
  readonly name: string
  /** 22 characters of URL-safe base64; never used again after the topic is deleted. */
  readonly id: string
  readonly isInternal: boolean
  /** By index. */
  readonly partitions: readonly PartitionImage[]
  /** What was set for this topic, validated, as text. */
  readonly configs: ReadonlyMap<string, string>
}

export interface PartitionImage {
  readonly index: number
  /** The preferred leader first. */
  readonly replicas: readonly NodeId[]
  /** Their data directories when the partition was created, in the same order: its voters for ever (laws R6, R7). */
  readonly directories: readonly string[]
}

export interface BrokerImage {
  readonly nodeId: NodeId
  /** Identity of its data directory (law R6). */
  readonly directoryId: string
  readonly rack: string | null
  /** As advertised to clients. */
  readonly listeners: readonly BrokerListener[]
  /** Where its peers reach it, `host:port`; null: not a node of a cluster, or not told. */
  readonly raft: string | null
  /** Where operators reach it, `host:port`; null: HTTP is off, or not told. */
  readonly http: string | null
}

export interface BrokerListener {
  readonly name: string
  readonly host: string
  readonly port: number
  /** `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`. */
  readonly securityProtocol: string
}

/** What one committed batch changed. */
export interface MetadataChange {
  readonly before: MetadataImage
  readonly image: MetadataImage
  readonly topicsCreated: readonly TopicImage[]
  readonly topicsDeleted: readonly TopicImage[]
  /** Topics that were there before and got further partitions, or other configs. */
  readonly topicsChanged: readonly TopicImage[]
  /** Dynamic broker configs changed: the configs in force of any topic may have. */
  readonly brokerConfigsChanged: boolean
  readonly brokersChanged: boolean
  readonly drainingChanged: boolean
}

/** Names the replicated log of a partition. */
export function logIdOf(topic: TopicImage, partition: number): LogId {
  return asLogId(`${topic.id}-${partition}`)
}

/** The readable part of the folder of a partition, as Kafka names it. */
export function directoryOf(topic: TopicImage, partition: number): string {
  return `${topic.name}-${partition}`
}

/** The log of the metadata itself. */
export const METADATA_TOPIC = '__cluster_metadata'
export const METADATA_LOG_ID = asLogId(`${METADATA_TOPIC}-0`)
export const METADATA_LOG_DIRECTORY = `${METADATA_TOPIC}-0`

export const OFFSETS_TOPIC = '__consumer_offsets'
export const TRANSACTIONS_TOPIC = '__transaction_state'
export const INTERNAL_TOPICS: readonly string[] = [OFFSETS_TOPIC, TRANSACTIONS_TOPIC]
