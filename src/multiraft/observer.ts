// How a program that embeds nodes watches their replicas from inside: the simulation checks the invariants of consensus with it.

import type { NodeId } from '../base/brand.ts'
import type { RaftGroup } from './group.ts'
import type { GroupMessage } from './group-codec.ts'

/** Called synchronously; must only read, and must not throw. */
export interface GroupObserver {
  /** The replica has opened, or has taken a step: anything of it may have changed. */
  stepped(group: ObservedGroup): void
  /** A message of the replica's is about to leave: what it promises must be durable (law R2). */
  sent?(group: ObservedGroup, to: NodeId, message: GroupMessage['message']): void
  /** The replica takes part no longer: its node ends, or its topic is gone. */
  closed(group: ObservedGroup): void
}

export type ObservedGroup = Pick<RaftGroup, 'id' | 'voters' | 'stored'> & {
  readonly raft: Pick<
    RaftGroup['raft'],
    'role' | 'term' | 'leader' | 'commit' | 'end' | 'established' | 'suspect'
  >
}
