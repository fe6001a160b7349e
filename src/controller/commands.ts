// What the controller can be told to do, and what it answers: the shapes of Kafka's requests without their versions. Every
// answer carries a Kafka error code (0: done and committed) and a sentence for people.

import type { NodeId } from '../base/brand.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { BrokerImage } from './metadata-image.ts'

export interface CommandResult {
  /** Kafka's code; 0 when the change is committed (or, with `validateOnly`, would be). */
  readonly errorCode: ErrorCode
  readonly errorMessage: string | null
}

export const DONE: CommandResult = { errorCode: ErrorCode.NONE, errorMessage: null }

export function failed(error: keyof typeof ErrorCode, errorMessage: string): CommandResult {
  return { errorCode: ErrorCode[error], errorMessage }
}

export interface ConfigText {
  readonly name: string
  readonly value: string | null
}

export interface CreateTopic {
  readonly name: string
  /** -1: the default `num.partitions`, or given by `assignments`. */
  readonly numPartitions: number
  /** -1: the default `default.replication.factor`, or given by `assignments`. */
  readonly replicationFactor: number
  readonly assignments: readonly {
    readonly partitionIndex: number
    readonly brokerIds: readonly number[]
  }[]
  readonly configs: readonly ConfigText[]
}

export interface CreateTopicResult extends CommandResult {
  readonly name: string
  /** Of the created topic; 16 zero bytes as text on an error or with `validateOnly`. */
  readonly topicId: string
  /** -1 on an error. */
  readonly numPartitions: number
  readonly replicationFactor: number
  /** The topic's own configs, for its description; empty on an error. */
  readonly configs: ReadonlyMap<string, string>
}

/** By exactly one of name and id. */
export type TopicKey =
  | { readonly name: string; readonly id?: undefined }
  | { readonly id: string; readonly name?: undefined }

export interface DeleteTopicResult extends CommandResult {
  /** Null when asked for by an unknown id. */
  readonly name: string | null
  readonly topicId: string
}

export interface CreatePartitions {
  readonly name: string
  /** The new total. */
  readonly count: number
  /** One list of brokers per new partition; null: the controller chooses. */
  readonly assignments: readonly { readonly brokerIds: readonly number[] }[] | null
}

export interface CreatePartitionsResult extends CommandResult {
  readonly name: string
}

/** Kafka's resource types in config requests: a topic, or a broker (name '' means all brokers). */
export const ResourceType = { topic: 2, broker: 4 } as const

export interface AlterConfigsResource {
  /** Others than `ResourceType`'s are answered with INVALID_REQUEST. */
  readonly resourceType: number
  readonly resourceName: string
  /** The whole new set: what is missing falls back to its default. */
  readonly configs: readonly ConfigText[]
}

/** Kafka's operations of IncrementalAlterConfigs. */
export const ConfigOperation = { set: 0, delete: 1, append: 2, subtract: 3 } as const

export interface IncrementalAlterConfigsResource {
  readonly resourceType: number
  readonly resourceName: string
  readonly configs: readonly {
    readonly name: string
    /** Others than `ConfigOperation`'s are answered with INVALID_REQUEST. */
    readonly configOperation: number
    readonly value: string | null
  }[]
}

export interface AlterConfigsResult extends CommandResult {
  readonly resourceType: number
  readonly resourceName: string
}

export interface ProducerIdBlock extends CommandResult {
  /** Ids first … first + count - 1 were never given before; -1 and 0 on an error. */
  readonly first: number
  readonly count: number
}

/**
 * What the broker asks of the controller. A command resolves after its change is committed and applied: `image` shows it
 * and the listeners of `onChange` were called. It never rejects; items that could not be decided or whose commit is
 * unknown carry NOT_CONTROLLER, KAFKA_STORAGE_ERROR or REQUEST_TIMED_OUT.
 */
export interface ControllerCommands {
  createTopics(
    topics: readonly CreateTopic[],
    options?: { readonly validateOnly?: boolean },
  ): Promise<CreateTopicResult[]>
  /** With the defaults of the broker's configs; a topic that exists (already) is no error. Internal topics get theirs. */
  autoCreateTopics(names: readonly string[]): Promise<CreateTopicResult[]>
  deleteTopics(topics: readonly TopicKey[]): Promise<DeleteTopicResult[]>
  createPartitions(
    topics: readonly CreatePartitions[],
    options?: { readonly validateOnly?: boolean },
  ): Promise<CreatePartitionsResult[]>
  alterConfigs(
    resources: readonly AlterConfigsResource[],
    options?: { readonly validateOnly?: boolean },
  ): Promise<AlterConfigsResult[]>
  incrementalAlterConfigs(
    resources: readonly IncrementalAlterConfigsResource[],
    options?: { readonly validateOnly?: boolean },
  ): Promise<AlterConfigsResult[]>
  allocateProducerIds(): Promise<ProducerIdBlock>
  registerBroker(registration: BrokerImage): Promise<CommandResult>
  /** Changes nothing: once it answers with 0, this node's image holds everything that was committed before the call. */
  catchUp(): Promise<CommandResult>
  /** Whether the node is to lead nothing. BROKER_NOT_AVAILABLE: there is no such node. */
  setDraining(nodeId: NodeId, draining: boolean): Promise<CommandResult>
}
