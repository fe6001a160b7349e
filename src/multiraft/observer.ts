// How a program that embeds nodes watches their replicas from inside: the simulation checks the invariants of consensus with it.

import type { RaftGroup } from './group.ts'

/** Called synchronously; must only read, and must not throw. */
export interface GroupObserver {
  /** The replica has opened, or has taken a step: anything of it may have changed. */
  stepped(group: ObservedGroup): void
  /** The replica takes part no longer: its node ends, or its topic is gone. */
  closed(group: ObservedGroup): void
}

export type ObservedGroup = Pick<RaftGroup, 'id' | 'voters' | 'stored'> & {
  readonly raft: Pick<
    RaftGroup['raft'],
    'role' | 'term' | 'leader' | 'commit' | 'end' | 'established' | 'suspect'
  >
}
