// The controller: the cluster's metadata as a replicated state machine, and the commands that change it. Every node follows
// the metadata log, so that answers about metadata are local; commands are decided where its leader is.

import type { NodeId } from '../base/brand.ts'
import type { BrokerConfigs } from '../base/config/broker-configs.ts'
import {
  type ConfigLayers,
  type ConfigTexts,
  describeTopicConfigs,
  resolveBrokerConfigs,
  resolveTopicConfigs,
} from '../base/config/resolve.ts'
import type { TopicConfigs } from '../base/config/topic-configs.ts'
import type { Env } from '../env/env.ts'
import type { Voter } from '../multiraft/descriptor.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { ZERO_UUID } from '../protocol/schema.ts'
import type { SnapshotInterval } from '../replicated/applied-snapshots.ts'
import type { ReplicatedLog } from '../replicated/replicated-log.ts'
import {
  type CommandOutcome,
  type Decision,
  ReplicatedStateMachine,
} from '../replicated/state-machine.ts'
import { decideAlterConfigs, decideIncrementalAlterConfigs } from './alter-configs.ts'
import {
  type AlterConfigsResource,
  type AlterConfigsResult,
  type CommandResult,
  type ControllerCommands,
  type CreatePartitions,
  type CreatePartitionsResult,
  type CreateTopic,
  type CreateTopicResult,
  type DeleteTopicResult,
  DONE,
  failed,
  type IncrementalAlterConfigsResource,
  type ProducerIdBlock,
  type TopicKey,
} from './commands.ts'
import { decideAutoCreate, decideCreateTopics, type DecisionContext } from './create-topics.ts'
import { decideCreatePartitions, decideDeleteTopics } from './delete-topics.ts'
import { changeBetween, changeOf } from './metadata-change.ts'
import type { BrokerImage, MetadataChange, MetadataImage, TopicImage } from './metadata-image.ts'
import {
  decodeMetadataRecord,
  encodeMetadataRecord,
  type MetadataRecord,
} from './metadata-records.ts'
import { decodeMetadataSnapshot, encodeMetadataSnapshot } from './metadata-snapshot.ts'
import { applyMetadata, EMPTY_METADATA, type MetadataState } from './metadata-state.ts'
import { refusals } from './refusals.ts'

/** What other rooms see of the controller; tests may stand in for it. */
export interface MetadataView extends ControllerCommands {
  /** As applied on this node. */
  readonly image: MetadataImage
  /** The node that leads the metadata log, as far as known. */
  readonly controllerId: NodeId | undefined
  /** Called after each applied batch, in order, synchronously; returns the function that takes the listener off again. */
  onChange(listener: (change: MetadataChange) => void): () => void
  /** Where the topic's configs come from, for DescribeConfigs (`describeTopicConfigs`). */
  topicConfigLayers(topic: TopicImage): ConfigLayers
  /** The configs in force for the topic on this broker. Cached. */
  topicConfigs(topic: TopicImage): TopicConfigs
  /** Where this broker's configs come from (`describeBrokerConfigs`). */
  brokerConfigLayers(): ConfigLayers
  /** The configs in force on this broker. Cached. */
  brokerConfigs(): BrokerConfigs
}

export interface ControllerOptions {
  readonly log: ReplicatedLog
  readonly nodeId: NodeId
  readonly env: Pick<Env, 'clock' | 'timers' | 'random' | 'host' | 'log'>
  /** Configs that this broker was started with: validated text by name (`validateBrokerConfigs`). */
  readonly staticConfigs: ConfigTexts
  /** For a cluster that is formed by this start; random when absent. 22 characters of URL-safe base64. */
  readonly clusterId?: string
  /**
   * The nodes that formed the cluster. They count for placement from the first record on: a topic that is created before all of
   * them have registered must not go without a replica for ever. Absent: only nodes that have registered count.
   */
  readonly members?: readonly Voter[]
  /** Whether a node can be reached; absent: every one can. */
  readonly isUp?: (node: NodeId) => boolean
}

/** Ids that one block holds, as in Kafka's ProducerIdsBlock. */
const PRODUCER_ID_BLOCK = 1000
/** Of the records in the metadata log. */
const METADATA_FEATURE = { type: 'feature', name: 'chronik.metadata', level: 1 } as const

export class Controller implements MetadataView {
  readonly #nodeId: NodeId
  readonly #env: ControllerOptions['env']
  readonly #log: ReplicatedLog
  readonly #staticConfigs: ConfigTexts
  readonly #isUp: (node: NodeId) => boolean
  readonly #machine: ReplicatedStateMachine<MetadataState, MetadataRecord>
  #listeners: readonly ((change: MetadataChange) => void)[] = []
  /** By image, which is replaced with every change; emptied when broker configs change. */
  #topicConfigs = new WeakMap<TopicImage, TopicConfigs>()
  #brokerConfigs: BrokerConfigs | undefined
  #onReady: (() => void) | undefined
  #stopObserving: (() => void) | undefined

  private constructor({
    log,
    nodeId,
    env,
    staticConfigs,
    clusterId,
    members = [],
    isUp = () => true,
  }: ControllerOptions) {
    this.#isUp = isUp
    this.#nodeId = nodeId
    this.#env = env
    this.#log = log
    this.#staticConfigs = staticConfigs
    this.#machine = new ReplicatedStateMachine<MetadataState, MetadataRecord>({
      log,
      env,
      definition: {
        initial: EMPTY_METADATA,
        encode: (record) => ({ key: null, value: encodeMetadataRecord(record) }),
        decode: (record) => decodeMetadataRecord(record.value),
        apply: applyMetadata,
        snapshots: {
          every: snapshotInterval(staticConfigs),
          encode: encodeMetadataSnapshot,
          decode: decodeMetadataSnapshot,
        },
      },
      onRestored: (before, image) => this.#changed(changeBetween(before, image)),
      onApplied: (before, image, records) => this.#onApplied(before, image, records),
      onServing: () => {
        if (this.image.clusterId === '') this.#form(clusterId ?? newUuid(env.random), members)
        this.#checkReady()
      },
    })
  }

  /**
   * Replays the metadata log and follows it. Resolves when the cluster has its id here: on a node by itself it then serves as
   * controller, in a cluster a leader is known and has been heard.
   */
  static async open(options: ControllerOptions): Promise<Controller> {
    const controller = new Controller(options)
    const ready = new Promise<void>((resolve) => {
      controller.#onReady = resolve
    })
    controller.#stopObserving = options.log.observe({
      onCommitted: () => controller.#checkReady(),
      onRoleChanged: () => controller.#checkReady(),
    })
    controller.#machine.start()
    controller.#checkReady()
    await ready
    return controller
  }

  #checkReady(): void {
    const { role, highWatermark } = this.#log
    const { clusterId, offset } = this.image
    const follows = role.kind === 'follower' && role.leader !== undefined && offset >= highWatermark
    if (clusterId !== '' && (follows || this.#machine.serving !== undefined)) this.#onReady?.()
  }

  /** The first leader gives the cluster its id; where its commit fails, the next leader does. */
  #form(clusterId: string, members: readonly Voter[]): void {
    const brokers = members.map(
      (member) => ({ type: 'broker', broker: unregistered(member) }) as const,
    )
    const first = [{ type: 'cluster', clusterId } as const, METADATA_FEATURE, ...brokers]
    const formed = this.#machine.submit(({ clusterId: known }) => ({
      changes: known === '' ? first : [],
      response: undefined,
    }))
    formed.catch((error: unknown) => this.#env.host.fatal('the cluster could not be formed', error))
  }

  /** Stops following the log, which stays open. */
  close(): void {
    this.#stopObserving?.()
    this.#machine.close()
  }

  get image(): MetadataImage {
    return this.#machine.state
  }

  get controllerId(): NodeId | undefined {
    const { role } = this.#log
    return role.kind === 'leader' ? this.#nodeId : role.leader
  }

  onChange(listener: (change: MetadataChange) => void): () => void {
    this.#listeners = [...this.#listeners, listener]
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== listener)
    }
  }

  topicConfigLayers(topic: TopicImage): ConfigLayers {
    return { ...this.brokerConfigLayers(), topic: topic.configs }
  }

  topicConfigs(topic: TopicImage): TopicConfigs {
    const cached = this.#topicConfigs.get(topic)
    if (cached !== undefined) return cached
    const configs = resolveTopicConfigs(this.topicConfigLayers(topic))
    this.#topicConfigs.set(topic, configs)
    return configs
  }

  brokerConfigLayers(): ConfigLayers {
    return this.#brokerLayers(this.#machine.state)
  }

  brokerConfigs(): BrokerConfigs {
    this.#brokerConfigs ??= resolveBrokerConfigs(this.brokerConfigLayers())
    return this.#brokerConfigs
  }

  async createTopics(
    topics: readonly CreateTopic[],
    { validateOnly = false }: { readonly validateOnly?: boolean } = {},
  ): Promise<CreateTopicResult[]> {
    const outcome = await this.#submit(validateOnly, (state) =>
      decideCreateTopics(state, topics, this.#context(state)),
    )
    if (outcome.kind === 'done') {
      if (!validateOnly) return outcome.response
      return outcome.response.map((result) => ({ ...result, topicId: ZERO_UUID }))
    }
    return refusals.createTopics(notDone(outcome), topics)
  }

  async autoCreateTopics(names: readonly string[]): Promise<CreateTopicResult[]> {
    const outcome = await this.#submit(false, (state) =>
      decideAutoCreate(state, names, this.#context(state)),
    )
    if (outcome.kind === 'done') return outcome.response
    return refusals.autoCreateTopics(notDone(outcome), names)
  }

  async deleteTopics(topics: readonly TopicKey[]): Promise<DeleteTopicResult[]> {
    const outcome = await this.#submit(false, (state) => decideDeleteTopics(state, topics))
    if (outcome.kind === 'done') return outcome.response
    return refusals.deleteTopics(notDone(outcome), topics)
  }

  async createPartitions(
    topics: readonly CreatePartitions[],
    { validateOnly = false }: { readonly validateOnly?: boolean } = {},
  ): Promise<CreatePartitionsResult[]> {
    const outcome = await this.#submit(validateOnly, (state) =>
      decideCreatePartitions(state, topics, this.#context(state)),
    )
    if (outcome.kind === 'done') return outcome.response
    return refusals.createPartitions(notDone(outcome), topics)
  }

  async alterConfigs(
    resources: readonly AlterConfigsResource[],
    { validateOnly = false }: { readonly validateOnly?: boolean } = {},
  ): Promise<AlterConfigsResult[]> {
    const outcome = await this.#submit(validateOnly, (state) =>
      decideAlterConfigs(state, resources),
    )
    if (outcome.kind === 'done') return outcome.response
    return refusals.alterConfigs(notDone(outcome), resources)
  }

  async incrementalAlterConfigs(
    resources: readonly IncrementalAlterConfigsResource[],
    { validateOnly = false }: { readonly validateOnly?: boolean } = {},
  ): Promise<AlterConfigsResult[]> {
    const outcome = await this.#submit(validateOnly, (state) => {
      const layers = this.#brokerLayers(state)
      return decideIncrementalAlterConfigs(
        state,
        resources,
        (name) => describeTopicConfigs(layers, [name])[0]?.value,
      )
    })
    if (outcome.kind === 'done') return outcome.response
    return refusals.incrementalAlterConfigs(notDone(outcome), resources)
  }

  async allocateProducerIds(): Promise<ProducerIdBlock> {
    const outcome = await this.#machine.submit(({ nextProducerId }) => ({
      changes: [{ type: 'producerIds', next: nextProducerId + PRODUCER_ID_BLOCK }],
      response: nextProducerId,
    }))
    if (outcome.kind !== 'done') return refusals.allocateProducerIds(notDone(outcome))
    return { ...DONE, first: outcome.response, count: PRODUCER_ID_BLOCK }
  }

  async registerBroker(broker: BrokerImage): Promise<CommandResult> {
    const outcome = await this.#machine.submit(({ brokers }) => {
      const known = brokers.get(String(broker.nodeId))
      if (known !== undefined && known.directoryId !== broker.directoryId) {
        return {
          changes: [],
          response: failed('DUPLICATE_BROKER_REGISTRATION', otherDirectory(broker)),
        }
      }
      const same = JSON.stringify(known) === JSON.stringify(canonical(broker))
      return {
        changes: same ? [] : [{ type: 'broker', broker: canonical(broker) }],
        response: DONE,
      }
    })
    return outcome.kind === 'done' ? outcome.response : notDone(outcome)
  }

  async catchUp(): Promise<CommandResult> {
    const outcome = await this.#machine.read(() => DONE)
    return outcome.kind === 'done' ? outcome.response : notDone(outcome)
  }

  async setDraining(nodeId: NodeId, draining: boolean): Promise<CommandResult> {
    const outcome = await this.#machine.submit<CommandResult>((state) => {
      if (!state.brokers.has(String(nodeId))) {
        return {
          changes: [],
          response: failed('BROKER_NOT_AVAILABLE', `There is no node ${nodeId}.`),
        }
      }
      const same = state.draining.has(nodeId) === draining
      return { changes: same ? [] : [{ type: 'draining', nodeId, draining }], response: DONE }
    })
    return outcome.kind === 'done' ? outcome.response : notDone(outcome)
  }

  #submit<Response>(
    validateOnly: boolean,
    decide: (state: MetadataState) => Decision<MetadataRecord, Response>,
  ): Promise<CommandOutcome<Response>> {
    return this.#machine.submit((state) => {
      const decided = decide(state)
      return validateOnly ? { changes: [], response: decided.response } : decided
    })
  }

  #context(state: MetadataState): DecisionContext {
    const nodes = [...state.brokers.values()].map(({ nodeId, rack }) => ({
      nodeId,
      rack,
      up: this.#isUp(nodeId),
    }))
    return {
      nodes: nodes.toSorted((a, b) => a.nodeId - b.nodeId),
      broker: this.brokerConfigs(),
      newId: () => newUuid(this.#env.random),
    }
  }

  #brokerLayers(state: MetadataImage): ConfigLayers {
    const dynamicBroker = state.brokerConfigs.get(String(this.#nodeId))
    const dynamicDefaultBroker = state.brokerConfigs.get('')
    return {
      staticBroker: this.#staticConfigs,
      ...(dynamicBroker === undefined ? {} : { dynamicBroker }),
      ...(dynamicDefaultBroker === undefined ? {} : { dynamicDefaultBroker }),
    }
  }

  #onApplied(
    before: MetadataImage,
    image: MetadataImage,
    records: readonly MetadataRecord[],
  ): void {
    this.#changed(changeOf(before, image, records))
  }

  #changed(change: MetadataChange): void {
    if (change.brokerConfigsChanged) {
      this.#topicConfigs = new WeakMap()
      this.#brokerConfigs = undefined
    }
    for (const listener of this.#listeners) listener(change)
    this.#checkReady()
  }
}

function snapshotInterval(staticBroker: ConfigTexts): SnapshotInterval {
  const configs = resolveBrokerConfigs({ staticBroker })
  return {
    records: configs['chronik.metadata.snapshot.records'],
    bytes: configs['metadata.log.max.record.bytes.between.snapshots'],
  }
}

/** The reason in Kafka's terms. An unknown outcome must never look like "not done" (law R9). */
function notDone(outcome: Exclude<CommandOutcome<unknown>, { kind: 'done' }>): CommandResult {
  if (outcome.kind === 'unknown') {
    return failed('REQUEST_TIMED_OUT', 'The change was not confirmed; it may still take effect.')
  }
  if (outcome.reason === 'storage-full') {
    return failed('KAFKA_STORAGE_ERROR', 'The disk of the controller is full.')
  }
  return {
    errorCode: ErrorCode.NOT_CONTROLLER,
    errorMessage: 'This node is not the controller now.',
  }
}

/** Law R6: another directory is another replica, whatever the node is called. */
function otherDirectory({ nodeId, directoryId }: BrokerImage): string {
  return `Node ${nodeId} is registered with another data directory than ${directoryId}; start it with its own.`
}

/** A node of the cluster that has not said yet where clients find it. */
function unregistered({ nodeId, directoryId }: Voter): BrokerImage {
  return canonical({ nodeId, directoryId, rack: null, listeners: [], raft: null, http: null })
}

/** With the fields in one order, so that equal registrations compare equal. */
function canonical(broker: BrokerImage): BrokerImage {
  const { nodeId, directoryId, rack, listeners, raft, http } = broker
  return {
    nodeId,
    directoryId,
    rack,
    listeners: listeners.map(({ name, host, port, securityProtocol }) => ({
      name,
      host,
      port,
      securityProtocol,
    })),
    raft,
    http,
  }
}

/** A random UUID (version 4) in Kafka's text form. Never one that begins with '-', which tools take for a flag. */
export function newUuid(random: Env['random']): string {
  for (;;) {
    const bytes = random.bytes(16)
    bytes[6] = (bytes[6]! & 0x0f) | 0x40
    bytes[8] = (bytes[8]! & 0x3f) | 0x80
    const id = Buffer.from(bytes).toString('base64url')
    if (!id.startsWith('-')) return id
  }
}
