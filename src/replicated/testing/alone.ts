// Test support: the logs of a node by itself, over a store, where every group has one voter.

import { asNodeId } from '../../base/brand.ts'
import type { Env, Host } from '../../env/env.ts'
import { MultiRaft } from '../../multiraft/multiraft.ts'
import { DEFAULT_TIMING } from '../../multiraft/options.ts'
import type { Voter } from '../../multiraft/descriptor.ts'
import type { Store } from '../../storage/store.ts'
import { RaftLogHost } from '../raft-log-host.ts'
import { VirtualTime } from './virtual-time.ts'

export function aloneOver(
  store: Store,
  options: {
    readonly nodeId?: number
    readonly fatal?: Host['fatal']
    readonly time?: VirtualTime
  } = {},
): RaftLogHost {
  const time = options.time ?? new VirtualTime()
  const host: Host = {
    ...time.host,
    ...(options.fatal === undefined ? {} : { fatal: options.fatal }),
  }
  const node = MultiRaft.alone({
    env: { clock: time.clock, timers: time.timers, random: NOT_RANDOM, host },
    nodeId: asNodeId(options.nodeId ?? 1),
    store,
    timing: DEFAULT_TIMING,
  })
  return new RaftLogHost({ node, host })
}

/** The voters of a group that the node is alone in. */
export function aloneIn(store: Store, nodeId = 1): readonly Voter[] {
  return [{ nodeId: asNodeId(nodeId), directoryId: store.directoryId }]
}

const NOT_RANDOM: Env['random'] = {
  float: () => 0,
  below: () => 0,
  bytes: (count) => new Uint8Array(count),
}
