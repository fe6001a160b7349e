// The one table of what a node can be told at its start: every broker config under Kafka's name, and a few settings of the
// process itself. The configuration file, the environment, the flags, the help and docs/configuration.md all come from it.

import { allBrokerConfigs } from '../base/config/broker-configs.ts'
import {
  type AnyConfigDefinition,
  type ConfigTable,
  enumConfig,
  intConfig,
  listConfig,
  stringConfig,
} from '../base/config/definition.ts'

export interface Setting {
  /** Its name in the file and for `--set`: Kafka's, where Kafka has it. */
  readonly key: string
  /** Its environment variable. */
  readonly environment: string
  readonly flag: SettingFlag | undefined
  readonly definition: AnyConfigDefinition
}

export interface SettingFlag {
  /** With the two dashes. */
  readonly name: string
  /** What stands for its value in the help. */
  readonly value: string
  /** Given several times, the values form a list. */
  readonly repeatable: boolean
  readonly help: string
}

export const HTTP_OFF = 'off'

/** Settings of the process, beside the broker configs. */
export const processSettings = {
  http: stringConfig({
    default: '127.0.0.1:6092',
    importance: 'high',
    documentation: `Where HTTP answers /livez, /readyz and /api/v1/cluster, as host:port; ${HTTP_OFF}: nowhere.`,
  }),
  'http.api': enumConfig({
    default: 'loopback',
    values: ['loopback', 'all'],
    documentation:
      'Who may use /api/v1/cluster, which moves leaderships: callers on the same machine, or whoever reaches the port.',
  }),
  raft: stringConfig({
    default: '',
    importance: 'high',
    documentation:
      'Where this node listens for its peers, as host:port; absent: at its own address of the list of peers.',
  }),
  peers: listConfig({
    default: [],
    importance: 'high',
    documentation:
      'Every node of the cluster as id@host:port, this one too, the same list on every node; absent: this node is alone.',
  }),
  'cluster.secret.file': stringConfig({
    default: '',
    importance: 'high',
    documentation:
      'A file that holds the secret that all nodes of the cluster share. Needed unless all of them are on this machine.',
  }),
  'port.base': intConfig({
    default: 0,
    min: 0,
    max: 65_000,
    documentation:
      'Where listeners or http are not set: Kafka listens on this port, HTTP on the next; 0: on 9092 and 6092.',
  }),
  'logging.level': enumConfig({
    default: 'info',
    values: ['debug', 'info', 'warn', 'error'],
    documentation: 'Log lines below this level are left out.',
  }),
  'logging.format': enumConfig({
    default: 'text',
    values: ['text', 'json'],
    documentation: 'Whether log lines are for people or for machines.',
  }),
} satisfies ConfigTable

const flags: Readonly<Record<string, SettingFlag>> = {
  'node.id': one('--node-id', '<id>', 'id of this node'),
  'log.dirs': one('--data-dir', '<path>', 'directory that holds all data of the node'),
  listeners: many(
    '--kafka',
    '<[name://]host:port>',
    'address for Kafka clients; several under different names',
  ),
  'advertised.listeners': many(
    '--advertised-kafka',
    '<[name://]host[:port]>',
    'address that clients are told to connect to, by listener name',
  ),
  http: one('--http', '<host:port>', `address for HTTP (health, chronik cluster), or ${HTTP_OFF}`),
  raft: one('--raft', '<host:port>', 'address for the other nodes of the cluster'),
  peers: one('--peers', '<id@host:port,...>', 'all nodes of the cluster, this one too'),
  'cluster.secret.file': one(
    '--cluster-secret-file',
    '<path>',
    'file with the secret that all nodes of the cluster share',
  ),
  'broker.rack': one('--rack', '<name>', 'nodes of one rack fail together'),
  'port.base': one('--port-base', '<port>', 'Kafka on this port, HTTP on the next'),
  'logging.level': one('--log-level', '<level>', 'least level of log lines'),
  'logging.format': one('--log-format', '<format>', 'text or json'),
}

export const settings: readonly Setting[] = Object.entries({
  ...processSettings,
  ...allBrokerConfigs,
}).map(([key, definition]) => {
  const flag = flags[key]
  return { key, definition, flag, environment: environmentName(flag?.name.slice(2) ?? key) }
})

export const settingByKey: ReadonlyMap<string, Setting> = new Map(
  settings.map((setting) => [setting.key, setting]),
)

export const settingByEnvironment: ReadonlyMap<string, Setting> = new Map(
  settings.map((setting) => [setting.environment, setting]),
)

export const ENVIRONMENT_PREFIX = 'CHRONIK_'
/** The path of the configuration file. */
export const CONFIG_ENVIRONMENT = 'CHRONIK_CONFIG'

/** `log.retention.ms` is CHRONIK_LOG_RETENTION_MS; our own `chronik.tail.cache.bytes` CHRONIK_TAIL_CACHE_BYTES. */
export function environmentName(key: string): string {
  const words = key.replace(/^chronik\./, '').replaceAll(/[.-]/g, '_')
  return `CHRONIK_${words.toUpperCase()}`
}

function one(name: string, value: string, help: string): SettingFlag {
  return { name, value, help, repeatable: false }
}

function many(name: string, value: string, help: string): SettingFlag {
  return { name, value, help, repeatable: true }
}
