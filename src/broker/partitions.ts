// The partitions of this node: follows the controller's image, opens, configures and drops their logs, and finds them for
// the handlers. A topic is known by its id, so that one deleted and created again under its name is another one.

import type { TopicConfigs } from '../base/config/topic-configs.ts'
import type { NodeId } from '../base/brand.ts'
import type { MetadataView } from '../controller/controller.ts'
import {
  directoryOf,
  logIdOf,
  OFFSETS_TOPIC,
  type MetadataChange,
  type TopicImage,
} from '../controller/metadata-image.ts'
import type { Env } from '../env/env.ts'
import { Limiter } from '../env/limiter.ts'
import { Partition } from '../partition/partition.ts'
import type { GroupCoordinatorControl } from '../groups/group-api.ts'
import type { LogHost, LogSpec, ReplicatedLog } from '../replicated/replicated-log.ts'

/** How long after a failed open (a full disk) it is tried again. */
const RETRY_MS = 1000
/** Partitions that rebuild their producer state at once. */
const REBUILDS_MAX = 4

interface LocalTopic {
  image: TopicImage
  config: TopicConfigs
  deleted: boolean
  /** By index; undefined where the replica is another node's, or not open yet. */
  readonly partitions: (Partition | undefined)[]
  readonly opening: Set<Promise<void>>
}

export interface PartitionsOptions {
  readonly env: Pick<Env, 'clock' | 'timers' | 'log'>
  readonly nodeId: NodeId
  readonly host: LogHost
  readonly metadata: MetadataView
  /** Told of the partitions of `__consumer_offsets` that are here, and of topics that are gone. */
  readonly groups: Pick<
    GroupCoordinatorControl,
    'addPartition' | 'removePartition' | 'onTopicsDeleted'
  >
}

export class Partitions {
  readonly #env: PartitionsOptions['env']
  readonly #nodeId: NodeId
  readonly #host: LogHost
  readonly #metadata: MetadataView
  readonly #groups: PartitionsOptions['groups']
  readonly #rebuilds = new Limiter(REBUILDS_MAX)
  readonly #byId = new Map<string, LocalTopic>()
  readonly #byName = new Map<string, LocalTopic>()
  #stopListening: (() => void) | undefined
  #closed = false

  constructor(options: PartitionsOptions) {
    this.#env = options.env
    this.#nodeId = options.nodeId
    this.#host = options.host
    this.#metadata = options.metadata
    this.#groups = options.groups
  }

  /** Follows the image from now on; resolves when every partition that it has on this node is open. */
  async start(): Promise<void> {
    this.#stopListening = this.#metadata.onChange((change) => this.#onChange(change))
    for (const topic of this.#metadata.image.topics.values()) this.#add(topic)
    await this.whenOpen(this.#byName.keys())
  }

  get(topic: string, index: number): Partition | undefined {
    return this.#byName.get(topic)?.partitions[index]
  }

  /** Undefined where there is none or it is not open. */
  getById(topicId: string, index: number): Partition | undefined {
    return this.#byId.get(topicId)?.partitions[index]
  }

  *all(): Iterable<Partition> {
    for (const topic of this.#byId.values()) {
      for (const partition of topic.partitions) if (partition !== undefined) yield partition
    }
  }

  /** Resolves when the partitions on this node of those of the topics that exist have been opened, or it failed for now. */
  async whenOpen(topics: Iterable<string>): Promise<void> {
    const opening: Promise<void>[] = []
    for (const name of topics) opening.push(...(this.#byName.get(name)?.opening ?? []))
    await Promise.all(opening)
  }

  /** Lets go of the logs, which stay open; call it before the log host is closed. */
  close(): void {
    this.#closed = true
    this.#stopListening?.()
    for (const partition of this.all()) partition.close()
    this.#byId.clear()
    this.#byName.clear()
  }

  #onChange(change: MetadataChange): void {
    for (const topic of change.topicsDeleted) this.#delete(topic)
    if (change.topicsDeleted.length > 0) {
      this.#groups.onTopicsDeleted(change.topicsDeleted)
    }
    for (const topic of change.topicsCreated) this.#add(topic)
    for (const topic of change.topicsChanged) this.#update(topic)
    if (change.brokerConfigsChanged) {
      for (const { image } of this.#byId.values()) this.#update(image)
    }
  }

  #add(image: TopicImage): void {
    if (this.#byId.has(image.id)) return
    const config = this.#metadata.topicConfigs(image)
    const topic = {
      image,
      config,
      deleted: false,
      partitions: [],
      opening: new Set<Promise<void>>(),
    }
    this.#byId.set(image.id, topic)
    this.#byName.set(image.name, topic)
    this.#openMissing(topic, 0)
  }

  #update(image: TopicImage): void {
    const topic = this.#byId.get(image.id)
    if (topic === undefined) return
    const known = topic.image.partitions.length
    topic.image = image
    topic.config = this.#metadata.topicConfigs(image)
    for (const partition of topic.partitions) {
      if (partition === undefined) continue
      partition.config = topic.config
      this.#host.configure(partition.log.id, logConfigOf(topic.config))
    }
    this.#openMissing(topic, known)
  }

  #delete(image: TopicImage): void {
    const topic = this.#byId.get(image.id)
    if (topic === undefined) return
    topic.deleted = true
    this.#byId.delete(image.id)
    if (this.#byName.get(image.name) === topic) this.#byName.delete(image.name)
    // Those still opening see `deleted` and drop their log themselves.
    for (const partition of topic.partitions) {
      if (partition === undefined) continue
      if (image.name === OFFSETS_TOPIC) this.#groups.removePartition(partition.index)
      this.#drop(partition)
    }
  }

  #openMissing(topic: LocalTopic, from: number): void {
    for (let index = from; index < topic.image.partitions.length; index++) {
      topic.partitions[index] = undefined
      if (this.#isHere(topic.image, index)) this.#open(topic, index)
    }
  }

  #open(topic: LocalTopic, index: number): void {
    const opening: Promise<void> = this.#host
      .open(this.#specOf(topic, index))
      .then((log) => this.#opened(topic, index, log))
      .catch((error: unknown) => this.#openFailed(topic, index, error))
      .finally(() => topic.opening.delete(opening))
    topic.opening.add(opening)
  }

  #opened(topic: LocalTopic, index: number, log: ReplicatedLog): void {
    if (this.#closed) return
    const partition = new Partition({
      topic: topic.image.name,
      topicId: topic.image.id,
      index,
      log,
      config: topic.config,
      env: this.#env,
      rebuilds: this.#rebuilds,
    })
    if (topic.deleted) return this.#drop(partition)
    this.#host.configure(log.id, logConfigOf(topic.config))
    topic.partitions[index] = partition
    if (topic.image.name === OFFSETS_TOPIC) this.#groups.addPartition(index, log)
  }

  #openFailed(topic: LocalTopic, index: number, error: unknown): void {
    if (this.#closed || topic.deleted) return
    this.#env.log.error('a partition could not be opened and will be tried again', {
      topic: topic.image.name,
      partition: index,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    })
    this.#env.timers.after(RETRY_MS, () => {
      if (!this.#closed && !topic.deleted) this.#open(topic, index)
    })
  }

  #drop(partition: Partition): void {
    partition.close()
    this.#host.drop(partition.log.id).catch((error: unknown) => {
      if (this.#closed) return
      this.#env.log.error('the log of a deleted partition could not be dropped', {
        topic: partition.topic,
        partition: partition.index,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
    })
  }

  #specOf(topic: LocalTopic, index: number): LogSpec {
    return {
      id: logIdOf(topic.image, index),
      directory: directoryOf(topic.image, index),
      config: logConfigOf(topic.config),
      voters: this.#votersOf(topic.image, index),
    }
  }

  #votersOf(image: TopicImage, index: number): LogSpec['voters'] {
    const { replicas = [], directories = [] } = image.partitions[index] ?? {}
    return replicas.map((nodeId, i) => ({ nodeId, directoryId: directories[i] ?? '' }))
  }

  /** A replica of this node id in another directory is not this node's (law R6). */
  #isHere(image: TopicImage, index: number): boolean {
    return this.#votersOf(image, index).some(
      ({ nodeId, directoryId }) =>
        nodeId === this.#nodeId && directoryId === this.#host.directoryId,
    )
  }
}

function logConfigOf(config: TopicConfigs): LogSpec['config'] {
  return {
    segmentBytes: config['segment.bytes'],
    // What is compacted must be in a sealed segment by then (Kafka's LogConfig.maxSegmentMs).
    segmentMs: config['cleanup.policy'].includes('compact')
      ? Math.min(config['segment.ms'], config['max.compaction.lag.ms'])
      : config['segment.ms'],
    indexIntervalBytes: config['index.interval.bytes'],
  }
}
