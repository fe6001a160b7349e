// What a node is started with. The command line and embedding programs give the same options, checked the same way.

import type { ConfigTexts } from '../base/config/resolve.ts'
import { hostPort } from '../base/hosts.ts'
import { validateBrokerConfigs } from '../base/config/validate.ts'
import type { Env } from '../env/env.ts'
import type { GroupObserver } from '../multiraft/observer.ts'
import type { StoreOptions } from '../storage/options.ts'
import { type ClusterOptions, clusterProblem } from './cluster-options.ts'

export interface ListenerOptions {
  /** As in Kafka's `listeners`: clients of a listener are told the addresses of the listeners of that name. */
  readonly name: string
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** What clients are told to connect to; absent: where it listens. */
  readonly advertisedHost?: string
  readonly advertisedPort?: number
}

export interface ChronikOptions {
  /** Kafka's `node.id`; 1 when absent. */
  readonly nodeId?: number
  /** Absolute path, created when missing. Absent: a temporary directory that goes when the node stops. */
  readonly dataDir?: string
  /** Absent: one named PLAINTEXT on a free port of 127.0.0.1. */
  readonly listeners?: readonly ListenerOptions[]
  /** The nodes of the cluster; absent: this one is alone. */
  readonly cluster?: ClusterOptions
  /** Kafka's `broker.rack`: nodes of one rack fail together, so replicas are spread over racks. */
  readonly rack?: string
  /** Where `/livez`, `/readyz` and `/api/v1/cluster` are answered; absent: nowhere. */
  readonly http?: { readonly host: string; readonly port: number }
  /** Who may use `/api/v1/cluster`: callers on this machine (the default), or whoever reaches the port. */
  readonly httpApi?: 'loopback' | 'all'
  /** Broker configs by Kafka's names, as text: `{ 'num.partitions': '4' }`. */
  readonly config?: Readonly<Record<string, string>>
  /** The world to run in; absent: the real one. */
  readonly env?: Env
  /** Bounds of the storage that have no config of their own; so small in tests that every one of them is reached. */
  readonly storage?: Partial<Omit<StoreOptions, 'directory'>>
  /** Watches this node's replicas from inside; for tests. */
  readonly observer?: GroupObserver
}

/** The options can't be used; the message says why and what to do. */
export class OptionsError extends Error {
  override readonly name = 'OptionsError'
}

/** Configs that have an option of their own here. */
const HELD_BY_OPTIONS: Readonly<Record<string, keyof ChronikOptions>> = {
  'node.id': 'nodeId',
  'log.dirs': 'dataDir',
  listeners: 'listeners',
  'advertised.listeners': 'listeners',
  'broker.rack': 'rack',
}

export const DEFAULT_LISTENERS: readonly ListenerOptions[] = [
  { name: 'PLAINTEXT', host: '127.0.0.1', port: 0 },
]

/** Throws OptionsError for an unknown or invalid config, listeners that can't be told apart, and a list of peers that can't work. */
export function checkOptions({
  nodeId = 1,
  listeners = DEFAULT_LISTENERS,
  http,
  cluster,
  config = {},
}: ChronikOptions): ConfigTexts {
  if (!Number.isInteger(nodeId) || nodeId < 0 || nodeId > 2 ** 31 - 1) {
    throw new OptionsError(`nodeId ${nodeId}: give an integer from 0 to 2147483647`)
  }
  if (listeners.length === 0) throw new OptionsError('listeners: give at least one')
  const names = new Set(listeners.map(({ name }) => name))
  if (names.size < listeners.length) throw new OptionsError('listeners: two have the same name')
  const problem =
    sharedAddress({ listeners, http, cluster }) ??
    (cluster === undefined ? undefined : clusterProblem(nodeId, cluster))
  if (problem !== undefined) throw new OptionsError(problem)
  for (const [name, option] of Object.entries(HELD_BY_OPTIONS)) {
    if (Object.hasOwn(config, name)) throw new OptionsError(`config ${name}: give it as ${option}`)
  }
  const texts = new Map(Object.entries(config))
  const refused = validateBrokerConfigs(texts)
  if (refused !== undefined) throw new OptionsError(refused)
  return texts
}

/** Two of this node's own ports that are the same, which the second would only call "in use". */
function sharedAddress({
  listeners,
  http,
  cluster,
}: {
  readonly listeners: readonly ListenerOptions[]
  readonly http: ChronikOptions['http'] | undefined
  readonly cluster: ClusterOptions | undefined
}): string | undefined {
  const uses = [
    ...listeners.map(({ name, host, port }) => ({ what: `listener ${name}`, host, port })),
    ...(http === undefined ? [] : [{ what: 'HTTP', ...http }]),
    ...(cluster === undefined ? [] : [{ what: 'Raft', ...cluster.raft }]),
  ]
  const seen = new Map<string, string>()
  for (const { what, host, port } of uses) {
    const address = hostPort({ host: host.toLowerCase(), port })
    const other = seen.get(address)
    if (other !== undefined && port !== 0) return `${other} and ${what} can't both have ${address}`
    seen.set(address, what)
  }
  return undefined
}

/** As DescribeConfigs shows them: the configs that were given, and those that follow from the other options. */
export function staticConfigTexts(
  given: ConfigTexts,
  node: {
    readonly nodeId: number
    readonly dataDir: string
    readonly listeners: readonly ListenerOptions[]
    readonly rack?: string | undefined
  },
): ConfigTexts {
  const advertised = node.listeners.filter(({ advertisedHost }) => advertisedHost !== undefined)
  return new Map([
    ...given,
    ['node.id', String(node.nodeId)],
    ['log.dirs', node.dataDir],
    [
      'listeners',
      node.listeners.map(({ name, host, port }) => addressText(name, host, port)).join(),
    ],
    [
      'advertised.listeners',
      advertised
        .map(({ name, host, port, advertisedHost, advertisedPort }) =>
          addressText(name, advertisedHost ?? host, advertisedPort ?? port),
        )
        .join(),
    ],
    ...(node.rack === undefined ? [] : ([['broker.rack', node.rack]] as const)),
  ])
}

function addressText(name: string, host: string, port: number): string {
  return `${name}://${hostPort({ host, port })}`
}
