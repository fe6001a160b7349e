// What a development cluster says of itself once all its nodes serve clients.

import { hostPort } from '../../base/hosts.ts'
import { pasteLines } from '../banner.ts'
import { shownPath } from '../paths.ts'
import { version } from '../version.ts'
import type { DevCluster } from './dev-cluster.ts'
import type { DevWorld } from './dev-world.ts'
import { bootstrapOf } from './layout.ts'

export const DEFAULT_DIRECTORY = 'chronik-dev'

export function devBanner(
  world: Pick<DevWorld, 'selfText' | 'workingDirectory'>,
  cluster: DevCluster,
  about: { readonly directory: { readonly path: string }; readonly kept: boolean },
): string {
  const nodes = cluster.nodes.map(({ layout }) => layout)
  const bootstrap = bootstrapOf(nodes)
  const shown = shownPath(about.directory.path, world)
  const where = shown === DEFAULT_DIRECTORY ? '' : ` --data-dir ${shown}`
  const what = nodes.length === 1 ? 'one node' : `a cluster of ${nodes.length} nodes`
  const http = nodes.map((node) => hostPort(node.http)).join(',')
  const self = world.selfText
  const isDefault = nodes[0]?.http.port === 6092
  const commands = [
    [`${self} dev status${where}`, 'which nodes run'],
    [
      `${self} dev kill 1${where}`,
      nodes.length === 1
        ? 'SIGKILL; also stop, pause, resume, restart'
        : 'the others take over; also stop, pause, resume, restart',
    ],
    [`${self} cluster status${isDefault ? '' : ` --http ${http}`}`, 'who leads what'],
  ]
  const width = Math.max(...commands.map(([command = '']) => command.length))
  return [
    `Chronik ${version}, ${what}, is ready. Ctrl-C stops it; the data stays.`,
    `  Kafka  ${bootstrap}`,
    `  HTTP   ${http}`,
    `  Data   ${about.directory.path} (${about.kept ? 'kept from an earlier start' : 'new'})`,
    '',
    'To see what it does when a node dies, in another terminal:',
    ...commands.map(([command = '', why = '']) => `  ${command.padEnd(width)}  # ${why}`),
    '',
    ...pasteLines(bootstrap),
  ].join('\n')
}
