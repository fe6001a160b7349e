// Configuration of topics and nodes: read and change.

import { describeConfigs } from '../protocol/messages/describe-configs.ts'
import { incrementalAlterConfigs } from '../protocol/messages/incremental-alter-configs.ts'
import { throwIfError } from './client-error.ts'
import { atController } from './admin-topics.ts'
import type { Cluster } from './cluster.ts'

export interface ConfigResource {
  readonly type: 'topic' | 'broker'
  /** A topic's name, or a node id (empty: the default of all nodes). */
  readonly name: string
}

export interface ConfigEntry {
  readonly name: string
  /** Null for a sensitive one. */
  readonly value: string | null
  readonly readOnly: boolean
  readonly isDefault: boolean
  readonly source: ConfigSource
}

export type ConfigSource =
  | 'unknown'
  | 'topic'
  | 'node'
  | 'default of all nodes'
  | 'file or flags'
  | 'built in'

/** By Kafka's number (`ConfigSource`). */
const SOURCES: readonly ConfigSource[] = [
  'unknown',
  'topic',
  'node',
  'default of all nodes',
  'file or flags',
  'built in',
]
const TYPES = { topic: 2, broker: 4 } as const
const SET = 0
const DELETE = 1

/** Sorted by name. Throws KafkaError, RequestError. */
export function describeConfig(cluster: Cluster, resource: ConfigResource): Promise<ConfigEntry[]> {
  return atController(cluster, true, async (connection) => {
    const answer = await connection.request(describeConfigs, () => ({
      resources: [
        {
          resourceType: TYPES[resource.type],
          resourceName: resource.name,
          configurationKeys: null,
        },
      ],
    }))
    const entries: ConfigEntry[] = []
    for (const { errorCode, errorMessage, configs } of answer.results) {
      throwIfError(errorCode, `configuration of ${resource.type} ${resource.name}`, errorMessage)
      for (const { name, value, readOnly, configSource } of configs) {
        const source = SOURCES[configSource] ?? 'unknown'
        const isDefault = source !== resource.type && source !== 'node'
        entries.push({ name, value, readOnly, isDefault, source })
      }
    }
    return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  })
}

/**
 * Sets the configs with a value, and returns those with null to their default; all or none. Throws KafkaError,
 * RequestError.
 */
export async function alterConfig(
  cluster: Cluster,
  resource: ConfigResource,
  changes: Readonly<Record<string, string | null>>,
): Promise<void> {
  await atController(cluster, true, async (connection) => {
    const answer = await connection.request(incrementalAlterConfigs, () => ({
      resources: [
        {
          resourceType: TYPES[resource.type],
          resourceName: resource.name,
          configs: Object.entries(changes).map(([name, value]) => ({
            name,
            configOperation: value === null ? DELETE : SET,
            value,
          })),
        },
      ],
      validateOnly: false,
    }))
    for (const { errorCode, errorMessage } of answer.responses) {
      throwIfError(errorCode, `alter ${resource.type} ${resource.name}`, errorMessage)
    }
  })
}
