// What a group needs of its node; `MultiRaft` is one.

import type { LeaderEpoch, LogId, NodeId } from '../base/brand.ts'
import type { Clock, Random } from '../env/env.ts'
import type { Limiter } from '../env/limiter.ts'
import type { Writer } from '../protocol/writer.ts'
import type { RaftTiming } from '../raft/raft.ts'
import type { Store } from '../storage/store.ts'
import type { DiskReads } from './disk-reads.ts'
import type { RaftGroup } from './group.ts'
import type { GroupObserver } from './observer.ts'
import type { Lane } from './transport/transport.ts'

export interface GroupNode {
  readonly nodeId: NodeId
  readonly store: Pick<Store, 'admits' | 'flush'>
  readonly clock: Clock
  readonly random: Random
  readonly timing: RaftTiming
  /** Reads that could not be answered from memory, for replicas that are behind. */
  readonly diskReads: DiskReads
  /** Snapshots that are being sent: each is in memory meanwhile. */
  readonly installs: Limiter
  readonly observer: GroupObserver | undefined
  isUp(node: NodeId): boolean
  /** A writer with the head of a frame of the groups in it. */
  groupFrame(): Writer
  /** False: not taken. Control frames that are not taken are lost, as on a broken connection. */
  send(to: NodeId, lane: Lane, frame: readonly Uint8Array[]): boolean
  /** `pump` the group at the end of this turn. */
  markDirty(group: RaftGroup): void
  deadlineMoved(group: RaftGroup): void
  claim(group: LogId, epoch: LeaderEpoch): void
  unclaim(group: LogId): void
  termChanged(group: LogId): void
  confirm(group: LogId, voters: readonly NodeId[], epoch: LeaderEpoch): Promise<boolean>
  /** The replica has damage: it is to be healed (law R5). */
  heal(group: RaftGroup): void
  /** What must not fail did: the process ends. */
  failed(what: string, error: unknown): never
}
