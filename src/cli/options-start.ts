// From what was set to what a node starts with.

import { allBrokerConfigs } from '../base/config/broker-configs.ts'
import type { LogLevel } from '../env/env.ts'
import type { ClusterOptions, Peer } from '../server/cluster-options.ts'
import { usage } from './failure.ts'
import type { Gathered, Given } from './options-gather.ts'
import { type Address, type Listener, parseAddress, parseListeners } from './options-listeners.ts'
import { parseCluster } from './options-cluster.ts'
import { HTTP_OFF, settingByKey } from './options.ts'

export interface StartOptions {
  readonly nodeId: number
  /** As given; relative to the working directory unless absolute. */
  readonly dataDir: string
  readonly listeners: readonly Listener[]
  readonly http: Address | undefined
  readonly httpApi: 'loopback' | 'all'
  readonly cluster: StartCluster | undefined
  readonly rack: string | undefined
  /** Broker configs that were set, by Kafka's name, but for those that the fields above hold. */
  readonly config: Readonly<Record<string, string>>
  readonly log: { readonly level: LogLevel; readonly json: boolean }
}

/** As ClusterOptions, but for the secret, which is read from its file. */
export interface StartCluster {
  readonly raft: Address
  readonly peers: readonly Peer[]
  /** As given; relative to the working directory unless absolute. */
  readonly secretFile: string | undefined
}

/** What a node is started with, once the secret is read. */
export type NodeOptions = Omit<StartOptions, 'cluster'> & {
  readonly cluster: ClusterOptions | undefined
}

const heldElsewhere = ['node.id', 'log.dirs', 'listeners', 'advertised.listeners', 'broker.rack']

export function startOptions(gathered: Gathered): StartOptions {
  const of = (key: string): Given => gathered.get(key) ?? defaultOf(key)
  const portBase = Number(of('port.base').text)
  const based = (key: string, port: number): Given =>
    gathered.has(key) || portBase === 0
      ? of(key)
      : { text: `127.0.0.1:${port}`, place: of('port.base').place }
  const http = based('http', portBase + 1)
  const dataDir = of('log.dirs')
  if (dataDir.text === '') throw usage(`${dataDir.place}: names no directory`)
  const configs = [...gathered]
    .filter(([key]) => Object.hasOwn(allBrokerConfigs, key) && !heldElsewhere.includes(key))
    .map(([key, { text }]) => [key, text])
  return {
    nodeId: Number(of('node.id').text),
    dataDir: dataDir.text,
    listeners: parseListeners(based('listeners', portBase), gathered.get('advertised.listeners')),
    http: http.text === HTTP_OFF ? undefined : parseAddress(http.text, http.place),
    httpApi: of('http.api').text === 'all' ? 'all' : 'loopback',
    cluster: parseCluster(Number(of('node.id').text), gathered),
    rack: of('broker.rack').text === '' ? undefined : of('broker.rack').text,
    config: Object.fromEntries(configs) as Record<string, string>,
    log: {
      level: of('logging.level').text as LogLevel,
      json: of('logging.format').text === 'json',
    },
  }
}

function defaultOf(key: string): Given {
  const setting = settingByKey.get(key)
  if (setting === undefined) throw new Error(`${key} is no setting`)
  return { text: setting.definition.defaultText, place: `the default of ${key}` }
}
