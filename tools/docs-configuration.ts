// docs/configuration.md from the options table and the config tables.

import { allBrokerConfigs, brokerConfigs } from '../src/base/config/broker-configs.ts'
import type { AnyConfigDefinition, ConfigValue } from '../src/base/config/definition.ts'
import { topicConfigs } from '../src/base/config/topic-configs.ts'
import { processSettings, type Setting, settings } from '../src/cli/options.ts'
import { markdownTable } from './markdown.ts'

export function configurationPage(): string {
  const own = settings.filter(({ key }) => Object.hasOwn(processSettings, key))
  const broker = settings.filter(({ key }) => Object.hasOwn(brokerConfigs, key))
  return `${[
    '# Configuration',
    '*Generated from the tables of the program (`npm run docs`); do not edit.*',
    intro,
    '## The process',
    'Settings of the process, beside the broker configs.',
    settingsTable(own),
    '## The broker',
    "Kafka's names and defaults where Kafka has them; what is Chronik's own begins with `chronik.`.",
    settingsTable(broker),
    '## Topics',
    topicsIntro,
    topicsTable(),
  ].join('\n\n')}\n`
}

const intro = [
  'A node takes its settings from flags, from the environment and from a file (`--config chronik.toml` or',
  '`CHRONIK_CONFIG`). Flags win over the environment, the environment over the file, the file over the defaults. An',
  'unknown name, or a value that is invalid or would have no effect, is refused with the reason, wherever it stands.',
  '',
  '- **Flags**: those of the tables; every other setting by its name, `--set log.retention.hours=24`.',
  '- **Environment**: `CHRONIK_` and the name in capitals, dots as underscores (`CHRONIK_LOG_RETENTION_HOURS`); the tables',
  '  show the exceptions.',
  '- **File**: TOML. A dotted name is a nested table there, so these two mean the same:',
  '',
  '```toml',
  'log.retention.hours = 24',
  '```',
  '',
  '```toml',
  '[log.retention]',
  'hours = 24',
  '```',
  '',
  'Listeners are `NAME://host:port`, several under different names, each with its own advertised address:',
  '',
  '```toml',
  'listeners = ["LOCAL://127.0.0.1:9092", "LAN://0.0.0.0:29092"]',
  'advertised.listeners = ["LAN://192.168.1.7:29092"]',
  '```',
  '',
  'There is no TLS, SASL or ACL yet: whoever reaches a listener can read, write and delete everything.',
].join('\n')

const topicsIntro = [
  'Given when a topic is created, or changed later. Where a topic does not say, the default of the broker counts: it has',
  'the name in the last column, can be set like any broker config above, and be changed while the node runs.',
].join('\n')

function settingsTable(rows: readonly Setting[]): string {
  return markdownTable(
    ['name', 'default', 'values', 'flag, environment', 'meaning'],
    rows.map(({ key, environment, flag, definition }) => [
      `\`${key}\``,
      defaultOf(definition),
      valuesOf(definition),
      [...(flag === undefined ? [] : [`\`${flag.name}\``]), `\`${environment}\``].join(', '),
      meaningOf(definition),
    ]),
  )
}

function topicsTable(): string {
  return markdownTable(
    ['name', 'default', 'values', 'meaning', 'default of the broker'],
    Object.entries(topicConfigs).map(([name, definition]) => [
      `\`${name}\``,
      defaultOf(definition),
      valuesOf(definition),
      meaningOf(definition),
      definition.synonyms.map((synonym) => `\`${synonym.name}\``).join(', '),
    ]),
  )
}

function defaultOf(definition: AnyConfigDefinition): string {
  return definition.defaultText === '' ? '' : `\`${definition.defaultText}\``
}

function valuesOf(definition: AnyConfigDefinition): string {
  const { type, values, min, max } = definition
  if (values !== undefined) return values.join(', ')
  if (type === 'boolean') return 'true, false'
  if (type !== 'int' && type !== 'long' && type !== 'double')
    return type === 'list' ? 'list' : 'text'
  if (type === 'int' && max === 2 ** 31 - 1) return min === undefined ? '' : `≥ ${min}`
  if (max === undefined || max === Number.MAX_SAFE_INTEGER)
    return min === undefined ? '' : `≥ ${min}`
  return `${min} … ${max}`
}

/** The documentation, and which values this version refuses, found by trying some. */
function meaningOf(definition: AnyConfigDefinition): string {
  const refused = probes(definition)
    .map((value) => ({ value, reason: definition.refuse(value) }))
    .filter(({ reason }) => reason !== undefined)
  const reason = refused[0]?.reason
  if (reason === undefined) return definition.documentation
  const all = refused.length === probes(definition).length
  const which = all
    ? 'Only the default is taken'
    : `Not taken: ${refused.map(({ value }) => String(value)).join(', ')}`
  return `${definition.documentation} *${which}: ${reason}.*`
}

/** Some values other than the default that the type allows. */
function probes({ type, default: fallback, values, min, max }: AnyConfigDefinition): ConfigValue[] {
  const others = ((): ConfigValue[] => {
    switch (type) {
      case 'boolean':
        return [true, false]
      case 'double':
        return [Number(fallback) / 2]
      case 'int':
      case 'long': {
        const base = Number(fallback)
        return [base - 1, base + 1].filter((n) => n >= (min ?? -Infinity) && n <= (max ?? Infinity))
      }
      case 'enum':
        return [...(values ?? [])]
      case 'list':
        return values === undefined ? [['other']] : values.map((value) => [value])
      case 'string':
        return []
    }
  })()
  return others.filter((value) => String(value) !== String(fallback))
}

/** The tables together must show every broker config. */
export function unlisted(page: string): string[] {
  return Object.keys(allBrokerConfigs).filter((name) => !page.includes(`\`${name}\``))
}
