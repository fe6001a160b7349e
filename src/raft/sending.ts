// What a leader sends a follower next, by what it knows of it.

import { comparePositions, type Position } from '../base/position.ts'
import type { SendPlan } from './events.ts'
import type { LogView } from './log-view.ts'
import type { BatchRef } from './messages.ts'
import type { Progress } from './progress.ts'

export interface LeadersState<B extends BatchRef> {
  readonly log: LogView<B>
  readonly commit: Position
  readonly round: number
}

/** Undefined: nothing for now. A follower that retention passed by becomes one to install. */
export function planFor<B extends BatchRef>(
  follower: Progress,
  leader: LeadersState<B>,
): SendPlan | undefined {
  switch (follower.state) {
    case 'down':
    case 'deferred':
      return undefined
    case 'install':
      return follower.waiting === undefined ? install(leader.log) : undefined
    case 'probe':
      return follower.waiting === undefined ? append(follower, leader, true) : undefined
    case 'stream': {
      const ask = follower.roundSent < leader.round
      if (!ask && !hasNews(follower, leader)) return undefined
      return append(follower, leader, ask)
    }
  }
}

function hasNews<B extends BatchRef>(
  follower: Progress,
  { log, commit }: LeadersState<B>,
): boolean {
  return (
    comparePositions(follower.next, log.end) < 0 ||
    comparePositions(follower.commitSent, commit) < 0 ||
    follower.logStartSent < log.logStart
  )
}

function append<B extends BatchRef>(
  follower: Progress,
  { log }: LeadersState<B>,
  probe: boolean,
): SendPlan {
  const prev = follower.next
  if (prev.offset < log.logStart || !log.holds(prev)) {
    follower.mustInstall()
    return install(log)
  }
  const starts = log.startsAfter(prev)
  const epoch = starts.at(-1)?.epoch ?? prev.epoch
  return { kind: 'append', prev, starts, from: prev.offset, below: log.endOf(epoch), probe }
}

function install<B extends BatchRef>({ logStart, epochs }: LogView<B>): SendPlan {
  return {
    kind: 'install',
    logStart,
    epochs: epochs.entries.filter(({ start }) => start <= logStart),
  }
}
