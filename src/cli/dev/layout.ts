// Where the nodes of a development cluster listen and keep their data, and how each is started.

import { hostPort } from '../../base/hosts.ts'
import { type Peer, peersText } from '../../server/cluster-options.ts'
import { usage } from '../failure.ts'
import type { Address } from '../options-listeners.ts'
import { settings } from '../options.ts'

export interface LayoutOptions {
  readonly nodes: number
  /** Absolute. */
  readonly directory: string
  /** Of node 1; the others follow. */
  readonly kafkaPort: number
  readonly raftPort: number
  readonly httpPort: number
}

export interface NodeLayout {
  readonly nodeId: number
  readonly dataDir: string
  readonly logPath: string
  readonly kafka: Address
  readonly raft: Address
  readonly http: Address
}

export const NODE_COUNTS: readonly number[] = [1, 3, 5, 7]
const HOST = '127.0.0.1'

/** Fails (exit code 2) for a number of nodes or ports that can't be. */
export function layoutOf(options: LayoutOptions): NodeLayout[] {
  const { nodes, directory, kafkaPort, raftPort, httpPort } = options
  if (!NODE_COUNTS.includes(nodes)) {
    throw usage(
      `--nodes: ${nodes} can't be had; give 1, 3, 5 or 7 (an even number survives no more losses than one node less)`,
    )
  }
  const bases = { '--kafka-port': kafkaPort, '--raft-port': raftPort, '--http-port': httpPort }
  for (const [flag, base] of Object.entries(bases)) {
    const last = base + nodes - 1
    if (base < 1 || last > 65_535) throw usage(`${flag}: there are no ports ${base} to ${last}`)
    for (const [other, otherBase] of Object.entries(bases)) {
      if (other === flag || Math.abs(base - otherBase) >= nodes) continue
      throw usage(`${flag} and ${other}: the ports of ${nodes} nodes overlap; give others`)
    }
  }
  return Array.from({ length: nodes }, (_, i) => ({
    nodeId: i + 1,
    dataDir: `${directory}/node-${i + 1}`,
    logPath: `${directory}/node-${i + 1}.log`,
    kafka: { host: HOST, port: kafkaPort + i },
    raft: { host: HOST, port: raftPort + i },
    http: { host: HOST, port: httpPort + i },
  }))
}

/** The arguments of `chronik` for one node. */
export function startArguments(
  node: NodeLayout,
  all: readonly NodeLayout[],
  sets: readonly string[],
): string[] {
  const peers: Peer[] = all.map(({ nodeId, raft }) => ({ nodeId, ...raft }))
  return [
    'start',
    '--stop-with-stdin',
    ...['--node-id', String(node.nodeId)],
    ...['--data-dir', node.dataDir],
    ...['--kafka', hostPort(node.kafka)],
    ...['--raft', hostPort(node.raft)],
    ...['--http', hostPort(node.http)],
    ...['--peers', peersText(peers)],
    ...sets.flatMap((set) => ['--set', set]),
  ]
}

/** Settings that the supervisor decides for each node. */
const decided = [
  'node.id',
  'log.dirs',
  'listeners',
  'advertised.listeners',
  'http',
  'raft',
  'peers',
  'cluster.secret.file',
  'port.base',
  'broker.rack',
]

/** The environment of the nodes: ours, without what would contradict their arguments. */
export function nodeEnvironment(
  ours: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  const left = new Set(
    settings.filter(({ key }) => decided.includes(key)).map(({ environment }) => environment),
  )
  return Object.fromEntries(Object.entries(ours).filter(([name]) => !left.has(name)))
}

/** For clients: `host:port` of every node, with commas. */
export function bootstrapOf(nodes: readonly NodeLayout[]): string {
  return nodes.map(({ kafka }) => hostPort(kafka)).join(',')
}
