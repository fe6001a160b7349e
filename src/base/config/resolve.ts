// Which value a config has, and where it comes from. A topic config looks at the topic first, then at its broker synonyms
// (dynamic for this broker, dynamic for all, from this broker's own start), then takes its default. DescribeConfigs shows
// that chain.

import { assert } from '../assert.ts'
import { allBrokerConfigs, type BrokerConfigs, brokerConfigs } from './broker-configs.ts'
import type { AnyConfigDefinition, ConfigSynonym, ConfigTable, ConfigValue } from './definition.ts'
import { parseConfig } from './parse.ts'
import { type TopicConfigs, topicConfigs } from './topic-configs.ts'

/** As in DescribeConfigs responses (`DescribeConfigsResponse.ConfigSource`). */
export const ConfigSource = {
  topic: 1,
  dynamicBroker: 2,
  dynamicDefaultBroker: 3,
  staticBroker: 4,
  default: 5,
} as const
export type ConfigSourceId = (typeof ConfigSource)[keyof typeof ConfigSource]

/** As in DescribeConfigs responses (`DescribeConfigsResponse.ConfigType`); an enum is a string there. */
export const configTypeIds = {
  boolean: 1,
  string: 2,
  enum: 2,
  int: 3,
  long: 5,
  double: 6,
  list: 7,
} as const

export type ConfigTexts = ReadonlyMap<string, string>

/** Configs that were set, as validated text by name. */
export interface ConfigLayers {
  readonly topic?: ConfigTexts
  readonly dynamicBroker?: ConfigTexts
  readonly dynamicDefaultBroker?: ConfigTexts
  readonly staticBroker: ConfigTexts
}

export interface ConfigEntry {
  readonly name: string
  readonly value: string
  readonly source: ConfigSourceId
}

export interface DescribedConfig extends ConfigEntry {
  readonly definition: AnyConfigDefinition
  readonly readOnly: boolean
  /** Every place that gives a value, the one in force first. */
  readonly synonyms: readonly ConfigEntry[]
}

/** The values in force for a topic. Costs a walk over the whole table: keep the result until a layer changes. */
export function resolveTopicConfigs(layers: ConfigLayers): TopicConfigs {
  return valuesOf(topicConfigs, (name, definition) =>
    topicChain(name, definition, layers),
  ) as TopicConfigs
}

/** The values in force for this broker. */
export function resolveBrokerConfigs(layers: ConfigLayers): BrokerConfigs {
  return valuesOf(brokerConfigs, (name, definition) =>
    brokerChain(name, definition, layers),
  ) as BrokerConfigs
}

/** `names` undefined: all. Unknown names are left out, as Kafka does. */
export function describeTopicConfigs(
  layers: ConfigLayers,
  names?: readonly string[],
): DescribedConfig[] {
  return selected(topicConfigs, names).map(([name, definition]) => {
    const chain = topicChain(name, definition, layers)
    return described(name, definition, chain, false)
  })
}

/** `names` undefined: all. Unknown names are left out, as Kafka does. */
export function describeBrokerConfigs(
  layers: ConfigLayers,
  names?: readonly string[],
): DescribedConfig[] {
  return selected(allBrokerConfigs, names).map(([name, definition]) => {
    const chain = brokerChain(name, definition, layers)
    return described(name, definition, chain, definition.dynamic === 'read-only')
  })
}

type ChainEntry = ConfigEntry & { readonly scale: number }

function topicChain(
  name: string,
  definition: AnyConfigDefinition,
  layers: ConfigLayers,
): ChainEntry[] {
  const chain: ChainEntry[] = []
  const own = layers.topic?.get(name)
  if (own !== undefined) chain.push({ name, value: own, source: ConfigSource.topic, scale: 1 })
  for (const synonym of definition.synonyms) chain.push(...brokerLayers(synonym, layers))
  // Kafka shows the default under its last synonym (log.retention.hours=168).
  const last = definition.synonyms.at(-1)
  const fallback = last && allBrokerConfigs[last.name]
  chain.push({
    name: last?.name ?? name,
    value: fallback?.defaultText ?? definition.defaultText,
    source: ConfigSource.default,
    scale: last?.scale ?? 1,
  })
  return chain
}

function brokerChain(
  name: string,
  definition: AnyConfigDefinition,
  layers: ConfigLayers,
): ChainEntry[] {
  const chain = brokerLayers({ name, scale: 1 }, layers)
  const value = definition.defaultText
  chain.push({ name, value, source: ConfigSource.default, scale: 1 })
  return chain
}

function brokerLayers({ name, scale }: ConfigSynonym, layers: ConfigLayers): ChainEntry[] {
  const chain: ChainEntry[] = []
  const add = (texts: ConfigTexts | undefined, source: ConfigSourceId): void => {
    const value = texts?.get(name)
    if (value !== undefined) chain.push({ name, value, source, scale })
  }
  add(layers.dynamicBroker, ConfigSource.dynamicBroker)
  add(layers.dynamicDefaultBroker, ConfigSource.dynamicDefaultBroker)
  add(layers.staticBroker, ConfigSource.staticBroker)
  return chain
}

function described(
  name: string,
  definition: AnyConfigDefinition,
  chain: readonly ChainEntry[],
  readOnly: boolean,
): DescribedConfig {
  const inForce = chain[0]
  assert(inForce !== undefined, `${name} has no value`)
  return {
    name,
    value: scaledText(inForce),
    source: inForce.source,
    definition,
    readOnly,
    synonyms: chain.map((entry) => ({
      name: entry.name,
      value: entry.value,
      source: entry.source,
    })),
  }
}

/** A topic config is shown in its own unit, wherever its value came from. */
function scaledText(entry: ChainEntry): string {
  if (entry.scale === 1) return entry.value
  const value = Number(entry.value)
  return String(value < 0 ? value : value * entry.scale)
}

function valuesOf(
  table: ConfigTable,
  chainOf: (name: string, definition: AnyConfigDefinition) => ChainEntry[],
): Record<string, ConfigValue> {
  const values: Record<string, ConfigValue> = {}
  for (const [name, definition] of Object.entries(table)) {
    const inForce = chainOf(name, definition)[0]
    assert(inForce !== undefined, `${name} has no value`)
    // Every layer was validated where it came in; a text that no longer parses means that check was skipped. What was
    // honoured when it was set stays in force, so `honoured` is not asked again.
    const parsed = parseConfig(name, definition, scaledText(inForce), { honoured: false })
    assert(parsed.ok, parsed.ok ? '' : parsed.message)
    values[name] = parsed.value
  }
  return values
}

function selected(
  table: ConfigTable,
  names: readonly string[] | undefined,
): [string, AnyConfigDefinition][] {
  const entries = Object.entries(table)
  if (names === undefined) return entries
  const wanted = new Set(names)
  return entries.filter(([name]) => wanted.has(name))
}
