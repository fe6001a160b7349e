// What was set, where: flags before environment before file; what is set nowhere has its default. An unknown name, or a
// value that is invalid or would have no effect, is refused with the reason and the place.

import { parseConfig } from '../base/config/parse.ts'
import { usage } from './failure.ts'
import { nearest } from './nearest.ts'
import {
  CONFIG_ENVIRONMENT,
  ENVIRONMENT_PREFIX,
  environmentName,
  type Setting,
  settingByEnvironment,
  settingByKey,
  settings,
} from './options.ts'

export interface Given {
  readonly text: string
  /** Where it was set, for messages: `--node-id`, `CHRONIK_NODE_ID`, `chronik.toml: node.id`. */
  readonly place: string
}

/** By the setting's key; only what was set. */
export type Gathered = ReadonlyMap<string, Given>

export interface Sources {
  /** By flag name (`--kafka`), the values as they were given. */
  readonly flags: Readonly<Record<string, readonly string[]>>
  /** `--set key=value`, as given. */
  readonly sets: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The parsed configuration file and its name, where there is one. */
  readonly file: { readonly name: string; readonly content: unknown } | undefined
}

/** Fails (Failure, exit code 2) with the first thing that is wrong. */
export function gather(sources: Sources): Gathered {
  const fromFlags = gatherFlags(sources)
  const layers = [
    sources.file === undefined ? new Map<string, Given>() : gatherFile(sources.file),
    gatherEnvironment(sources.environment),
    fromFlags,
  ]
  const merged = new Map(layers.flatMap((layer) => [...layer]))
  for (const layer of layers) for (const [key, given] of layer) validate(key, given)
  return merged
}

function gatherFlags({ flags, sets }: Sources): Map<string, Given> {
  const found = new Map<string, Given>()
  for (const { key, flag } of settings) {
    const values = flag === undefined ? undefined : flags[flag.name]
    if (flag === undefined || values === undefined || values.length === 0) continue
    if (values.length > 1 && !flag.repeatable) throw usage(`${flag.name} is given twice`)
    found.set(key, { text: values.join(','), place: flag.name })
  }
  for (const pair of sets) {
    const at = pair.indexOf('=')
    if (at <= 0) throw usage(`--set ${pair}: give it as name=value`)
    const key = pair.slice(0, at)
    if (!settingByKey.has(key)) throw unknown(`--set ${key}`, key, [...settingByKey.keys()])
    const before = found.get(key)
    if (before !== undefined) throw usage(`${key} is given twice, by ${before.place} and --set`)
    found.set(key, { text: pair.slice(at + 1), place: `--set ${key}` })
  }
  return found
}

/** Kubernetes gives every pod variables like these about a service that is named chronik or chronik-…. */
const ofKubernetes = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)$/

/** For the command line itself: the file, and where the other commands find a cluster. */
const notSettings = [CONFIG_ENVIRONMENT, 'CHRONIK_BOOTSTRAP', 'CHRONIK_CLUSTER_HTTP']

function gatherEnvironment(environment: Sources['environment']): Map<string, Given> {
  const found = new Map<string, Given>()
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith(ENVIRONMENT_PREFIX) || text === undefined) continue
    if (notSettings.includes(name)) continue
    const setting = settingByEnvironment.get(name)
    if (setting !== undefined) {
      found.set(setting.key, { text, place: name })
      continue
    }
    if (ofKubernetes.test(name)) continue
    const meant = settings.find(({ key }) => environmentName(key) === name)
    if (meant !== undefined) {
      throw usage(
        `unknown environment variable ${name}: for ${meant.key} it is ${meant.environment}`,
      )
    }
    throw unknown(`environment variable ${name}`, name, [
      ...settingByEnvironment.keys(),
      CONFIG_ENVIRONMENT,
    ])
  }
  return found
}

function gatherFile(file: {
  readonly name: string
  readonly content: unknown
}): Map<string, Given> {
  const found = new Map<string, Given>()
  for (const [key, value] of flatten(file.name, file.content)) {
    if (!settingByKey.has(key)) {
      throw unknown(`${file.name}: ${key}`, key, [...settingByKey.keys()])
    }
    found.set(key, { text: textOf(value, `${file.name}: ${key}`), place: `${file.name}: ${key}` })
  }
  return found
}

/** Nested tables become dotted names: `[log.retention]` with `ms` is `log.retention.ms`. */
function* flatten(
  fileName: string,
  value: unknown,
  prefix = '',
): Generator<readonly [key: string, value: unknown]> {
  if (typeof value !== 'object' || value === null) throw usage(`${fileName}: not a table`)
  for (const [name, inner] of Object.entries(value)) {
    const key = `${prefix}${name}`
    const isTable = Object.prototype.toString.call(inner) === '[object Object]'
    if (isTable) yield* flatten(fileName, inner, `${key}.`)
    else yield [key, inner]
  }
}

function textOf(value: unknown, place: string): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') {
    return String(value)
  }
  if (Array.isArray(value)) return value.map((item: unknown) => textOf(item, place)).join(',')
  throw usage(`${place}: give it as text, a number, true or false, or a list`)
}

function validate(key: string, { text, place }: Given): void {
  const parsed = parseConfig(key, definitionOf(key), text)
  if (!parsed.ok) throw usage(`${place}: ${parsed.message}`)
}

function definitionOf(key: string): Setting['definition'] {
  const setting = settingByKey.get(key)
  if (setting === undefined) throw new Error(`${key} was gathered and is no setting`)
  return setting.definition
}

function unknown(place: string, name: string, known: readonly string[]): Error {
  const near = nearest(name, known)
  const hint = near === undefined ? 'docs/configuration.md lists all' : `did you mean ${near}?`
  return usage(`${place}: there is no such setting; ${hint}`)
}
