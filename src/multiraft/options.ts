// What a node's replication is given, and its times.

import type { NodeId } from '../base/brand.ts'
import type { Env } from '../env/env.ts'
import type { RaftTiming } from '../raft/raft.ts'
import type { Store } from '../storage/store.ts'
import type { GroupObserver } from './observer.ts'
import type { PeerAddress } from './transport/transport.ts'

export interface AloneOptions {
  readonly env: Pick<Env, 'clock' | 'timers' | 'random' | 'host'> & Partial<Pick<Env, 'log'>>
  readonly nodeId: NodeId
  readonly store: Store
  readonly timing: MultiRaftTiming
  readonly observer?: GroupObserver
}

export interface MultiRaftOptions extends AloneOptions {
  readonly env: Env
  readonly cluster: {
    readonly listen: { readonly host: string; readonly port: number }
    /** The others. */
    readonly peers: readonly PeerAddress[]
    readonly secret?: Uint8Array
  }
}

export interface MultiRaftTiming extends RaftTiming {
  readonly heartbeatMs: number
  /** Silence after which a node counts as gone. */
  readonly electionTimeoutMs: number
}

export const DEFAULT_TIMING: MultiRaftTiming = {
  heartbeatMs: 100,
  electionTimeoutMs: 1000,
  rankStepMs: 20,
  retryMs: 100,
  claimMs: 1000,
  quorumMs: 1000,
  deferMs: 200,
  transferMs: 1000,
}
