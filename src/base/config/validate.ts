// Checks of whole sets of configs, as they come with CreateTopics, AlterConfigs, flags or a file.

import { allBrokerConfigs } from './broker-configs.ts'
import type { AnyConfigDefinition, ConfigTable } from './definition.ts'
import { parseConfig } from './parse.ts'
import { topicConfigs } from './topic-configs.ts'

/** Undefined when every entry is a known topic config with a valid, honoured value; otherwise what is wrong. */
export function validateTopicConfigs(
  texts: Iterable<readonly [name: string, text: string | null]>,
  options?: { readonly honoured: boolean },
): string | undefined {
  const all = [...texts]
  return validate(topicConfigs, 'topic', all, options) ?? lagProblem(new Map(all))
}

/** As Kafka's LogConfig. */
function lagProblem(texts: ReadonlyMap<string, string | null>): string | undefined {
  const value = (name: 'min.compaction.lag.ms' | 'max.compaction.lag.ms'): number =>
    Number(texts.get(name) ?? topicConfigs[name].default)
  const [min, max] = [value('min.compaction.lag.ms'), value('max.compaction.lag.ms')]
  if (min <= max) return undefined
  return `min.compaction.lag.ms (${min}) is greater than max.compaction.lag.ms (${max})`
}

/** As validateTopicConfigs, for configs given to a broker at its start. */
export function validateBrokerConfigs(
  texts: Iterable<readonly [name: string, text: string | null]>,
): string | undefined {
  return validate(allBrokerConfigs, 'broker', texts)
}

/** Undefined when the config may be changed while the broker runs; `forAll`: for all brokers at once. */
export function refuseDynamicBrokerConfig(name: string, forAll: boolean): string | undefined {
  const definition = definitionOf(allBrokerConfigs, name)
  if (definition === undefined) return `Unknown broker config name: ${name}`
  if (definition.dynamic === 'read-only') {
    return `Configuration ${name} cannot be changed while the broker runs; set it at its start`
  }
  if (forAll && definition.dynamic === 'per-broker') {
    return `Configuration ${name} can only be set for each broker by itself`
  }
  return undefined
}

/** The definition of that name, never something inherited from the object prototype. */
export function definitionOf(table: ConfigTable, name: string): AnyConfigDefinition | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}

function validate(
  table: ConfigTable,
  kind: string,
  texts: Iterable<readonly [name: string, text: string | null]>,
  options?: { readonly honoured: boolean },
): string | undefined {
  for (const [name, text] of texts) {
    const definition = definitionOf(table, name)
    if (definition === undefined) return `Unknown ${kind} config name: ${name}`
    if (text === null) return `Null value not supported for ${kind} configs: ${name}`
    const parsed = parseConfig(name, definition, text, options)
    if (!parsed.ok) return parsed.message
  }
  return undefined
}
