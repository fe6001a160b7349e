// What a node says of itself once it serves clients.

import { hostPort } from '../base/hosts.ts'
import type { ClusterOptions } from '../server/cluster-options.ts'
import type { Address } from './options-listeners.ts'
import { quickstarts } from './quickstart.ts'
import { version } from './version.ts'

export interface BannerFacts {
  readonly nodeId: number
  readonly listeners: readonly { readonly name: string; readonly advertised: Address }[]
  readonly http: Address | undefined
  readonly cluster: ClusterOptions | undefined
  readonly dataDir: string
  /** The directory held data of an earlier start. */
  readonly kept: boolean
  /** Print lines to paste, too. */
  readonly hints: boolean
}

export function banner(facts: BannerFacts): string {
  const single = facts.listeners.length === 1
  const rows = [
    ...facts.listeners.map(({ name, advertised }) => {
      return ['Kafka', hostPort(advertised) + (single ? '' : ` (${name})`)]
    }),
    ...(facts.cluster === undefined ? [] : [['Raft', raftText(facts.cluster)]]),
    ...(facts.http === undefined ? [] : [['HTTP', `http://${hostPort(facts.http)}/readyz`]]),
    ['Data', `${facts.dataDir} (${facts.kept ? 'kept from an earlier start' : 'new'})`],
  ]
  const head = [
    `Chronik ${version}, node ${facts.nodeId}, is ready. Ctrl-C stops it; the data stays.`,
    ...rows.map(([label, value]) => `  ${(label ?? '').padEnd(7)}${value}`),
  ]
  const bootstrap = facts.listeners[0]?.advertised
  if (!facts.hints || bootstrap === undefined) return head.join('\n')
  return [...head, '', ...pasteLines(hostPort(bootstrap))].join('\n')
}

function raftText({ raft, peers }: ClusterOptions): string {
  const ids = peers.map(({ nodeId }) => nodeId).toSorted((a, b) => a - b)
  return `${hostPort(raft)} (${ids.length === 1 ? 'the only node' : `of the nodes ${ids.join(', ')}`})`
}

/** `bootstrap` is `host:port`, or several with commas. */
export function pasteLines(bootstrap: string): string[] {
  const hints = quickstarts(bootstrap).flatMap(({ client, needs, text }) => [
    '',
    `# ${titles[client]} (needs: ${needs})`,
    text,
  ])
  return ['Lines to paste into another terminal:', ...hints, '']
}

const titles = { kcat: 'kcat', python: 'Python', node: 'Node', java: 'Java' } as const
