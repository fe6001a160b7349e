// Decides AlterConfigs and IncrementalAlterConfigs, for topics and for brokers (whose configs that may change while they
// run are part of the metadata). Rules after Kafka's ConfigurationControlManager.

import { allBrokerConfigs } from '../base/config/broker-configs.ts'
import { topicConfigs } from '../base/config/topic-configs.ts'
import {
  definitionOf,
  refuseDynamicBrokerConfig,
  validateBrokerConfigs,
  validateTopicConfigs,
} from '../base/config/validate.ts'
import type { Decision } from '../replicated/state-machine.ts'
import {
  type AlterConfigsResource,
  type AlterConfigsResult,
  type CommandResult,
  ConfigOperation,
  DONE,
  failed,
  type IncrementalAlterConfigsResource,
  ResourceType,
} from './commands.ts'
import type { MetadataRecord } from './metadata-records.ts'
import type { MetadataState } from './metadata-state.ts'

/** Something that has configs. */
interface Resource {
  readonly current: ReadonlyMap<string, string>
  /** Value in force where the resource sets none: what APPEND and SUBTRACT start from. */
  readonly defaultOf: (name: string) => string | undefined
  readonly isList: (name: string) => boolean
  readonly isKnown: (name: string) => boolean
  /** Why this config must stay as it is, if so. */
  readonly lockedBecause: (name: string) => string | undefined
  readonly validate: (texts: Iterable<readonly [string, string]>) => string | undefined
  readonly record: (name: string, value: string | null) => MetadataRecord
}

type Wanted = ReadonlyMap<string, string | null>

/** The defaults in force, i.e. with the broker's own configs taken into account. */
export type TopicDefaults = (name: string) => string | undefined

export function decideAlterConfigs(
  state: MetadataState,
  resources: readonly AlterConfigsResource[],
): Decision<MetadataRecord, AlterConfigsResult[]> {
  return decideEach(
    state,
    resources,
    () => undefined,
    (resource, { current }) => {
      const wanted = new Map<string, string | null>()
      for (const name of current.keys()) wanted.set(name, null)
      for (const { name, value } of resource.configs) {
        if (value === null) return failed('INVALID_CONFIG', `Null value not supported for ${name}.`)
        wanted.set(name, value)
      }
      return wanted
    },
  )
}

export function decideIncrementalAlterConfigs(
  state: MetadataState,
  resources: readonly IncrementalAlterConfigsResource[],
  topicDefaults: TopicDefaults,
): Decision<MetadataRecord, AlterConfigsResult[]> {
  return decideEach(state, resources, topicDefaults, (resource, target) => {
    const wanted = new Map<string, string | null>()
    for (const change of resource.configs) {
      const result = changed(target, change)
      if (typeof result === 'object' && result !== null) return result
      wanted.set(change.name, result)
    }
    return wanted
  })
}

/** The value after one operation (null: none), or why it can't be done. */
function changed(
  { current, defaultOf, isList }: Resource,
  { name, configOperation, value }: IncrementalAlterConfigsResource['configs'][number],
): string | null | CommandResult {
  if (configOperation === ConfigOperation.delete) return null
  if (configOperation > ConfigOperation.subtract || configOperation < ConfigOperation.set) {
    return failed('INVALID_REQUEST', `Unknown operation ${configOperation} for ${name}.`)
  }
  if (value === null) return failed('INVALID_REQUEST', `Null value not supported for ${name}.`)
  if (configOperation === ConfigOperation.set) return value
  if (!isList(name)) {
    return failed('INVALID_CONFIG', `Can't append to or subtract from ${name}: it is no list.`)
  }
  const items = (current.get(name) ?? defaultOf(name) ?? '')
    .split(',')
    .filter((item) => item !== '')
  const given = value.split(',')
  const after =
    configOperation === ConfigOperation.append
      ? [...items, ...given.filter((item) => !items.includes(item))]
      : items.filter((item) => !given.includes(item))
  return after.join(',')
}

interface NamedResource {
  readonly resourceType: number
  readonly resourceName: string
  readonly configs: readonly { readonly name: string }[]
}

function decideEach<R extends NamedResource>(
  state: MetadataState,
  resources: readonly R[],
  topicDefaults: TopicDefaults,
  wantedOf: (resource: R, target: Resource) => Wanted | CommandResult,
): Decision<MetadataRecord, AlterConfigsResult[]> {
  const changes: MetadataRecord[] = []
  const decideOne = (resource: R): CommandResult => {
    const { resourceType, resourceName, configs } = resource
    const same = resources.filter(
      (other) => other.resourceType === resourceType && other.resourceName === resourceName,
    )
    if (same.length > 1) return failed('INVALID_REQUEST', 'The request names this resource twice.')
    if (new Set(configs.map(({ name }) => name)).size !== configs.length) {
      return failed('INVALID_REQUEST', 'The request names a config of this resource twice.')
    }
    const target = resourceOf(state, resource, topicDefaults)
    if ('errorCode' in target) return target
    const wanted = wantedOf(resource, target)
    if ('errorCode' in wanted) return wanted
    const error = checkWanted(target, wanted)
    if (error !== undefined) return error
    for (const [name, value] of wanted) {
      if ((target.current.get(name) ?? null) !== value) changes.push(target.record(name, value))
    }
    return DONE
  }
  const response = resources.map((resource) => ({
    ...decideOne(resource),
    resourceType: resource.resourceType,
    resourceName: resource.resourceName,
  }))
  return { changes, response }
}

/** Only what changes is validated: what was honoured when it was set stays. */
function checkWanted(target: Resource, wanted: Wanted): CommandResult | undefined {
  const texts: [string, string][] = []
  for (const [name, value] of wanted) {
    if ((target.current.get(name) ?? null) === value) {
      if (target.isKnown(name)) continue
      return failed('INVALID_CONFIG', `Unknown config name: ${name}`)
    }
    const locked = target.lockedBecause(name)
    if (locked !== undefined) return failed('INVALID_CONFIG', locked)
    if (value !== null) texts.push([name, value])
  }
  const problem = target.validate(texts)
  return problem === undefined ? undefined : failed('INVALID_CONFIG', problem)
}

function resourceOf(
  state: MetadataState,
  { resourceType, resourceName }: NamedResource,
  topicDefaults: TopicDefaults,
): Resource | CommandResult {
  if (resourceType === ResourceType.topic) {
    const topic = state.topics.get(resourceName)
    if (topic === undefined) {
      return failed('UNKNOWN_TOPIC_OR_PARTITION', `There is no topic '${resourceName}'.`)
    }
    return {
      current: topic.configs,
      defaultOf: topicDefaults,
      isList: (name) => definitionOf(topicConfigs, name)?.type === 'list',
      isKnown: (name) => definitionOf(topicConfigs, name) !== undefined,
      lockedBecause: (name) =>
        topic.isInternal && name === 'cleanup.policy'
          ? `Topic ${topic.name} must keep the last value of every key: its ${name} can't be changed`
          : undefined,
      validate: (texts) => validateTopicConfigs(texts),
      record: (name, value) => ({ type: 'topicConfig', topicId: topic.id, name, value }),
    }
  }
  if (resourceType !== ResourceType.broker) {
    return failed('INVALID_REQUEST', `Resources of type ${resourceType} have no configs here.`)
  }
  if (resourceName !== '' && !state.brokers.has(resourceName)) {
    return failed('INVALID_REQUEST', `There is no broker '${resourceName}'.`)
  }
  return {
    current: state.brokerConfigs.get(resourceName) ?? new Map<string, string>(),
    defaultOf: (name) => definitionOf(allBrokerConfigs, name)?.defaultText,
    isList: (name) => definitionOf(allBrokerConfigs, name)?.type === 'list',
    isKnown: (name) => definitionOf(allBrokerConfigs, name) !== undefined,
    lockedBecause: () => undefined,
    validate: (texts) => validateDynamic(texts, resourceName === ''),
    record: (name, value) => ({ type: 'brokerConfig', broker: resourceName, name, value }),
  }
}

function validateDynamic(
  texts: Iterable<readonly [string, string]>,
  forAll: boolean,
): string | undefined {
  for (const [name, text] of texts) {
    const problem = refuseDynamicBrokerConfig(name, forAll) ?? validateBrokerConfigs([[name, text]])
    if (problem !== undefined) return problem
  }
  return undefined
}
