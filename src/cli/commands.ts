// The commands, by name. Only the one that is called is loaded. A command module exports `command()`, which gives a
// commander Command with its options, arguments and an async action; an action throws `Failure` for what a person can
// mend, and returns when it is done.

import type { Command } from 'commander'

export interface CommandEntry {
  readonly name: string
  readonly summary: string
  readonly load: () => Promise<{ command(): Command }>
}

export const commands: readonly CommandEntry[] = [
  { name: 'start', summary: 'run a node', load: () => import('./commands/start.ts') },
  {
    name: 'dev',
    summary: 'run a whole cluster on this machine',
    load: () => import('./commands/dev.ts'),
  },
  { name: 'topic', summary: 'manage topics', load: () => import('./commands/topic.ts') },
  { name: 'group', summary: 'show consumer groups', load: () => import('./commands/group.ts') },
  {
    name: 'produce',
    summary: 'send lines to a topic',
    load: () => import('./commands/produce.ts'),
  },
  {
    name: 'consume',
    summary: 'print the records of a topic',
    load: () => import('./commands/consume.ts'),
  },
  {
    name: 'cluster',
    summary: 'look at a cluster, move its leaderships',
    load: () => import('./commands/cluster.ts'),
  },
  {
    name: 'dump',
    summary: "print what a node's files hold",
    load: () => import('./commands/dump.ts'),
  },
]
