// What a leader sends a follower next, by what it knows of it.

import { assert } from '../base/assert.ts'
import type { Offset } from '../base/brand.ts'
import { comparePositions, type Position } from '../base/position.ts'
import type { InstallPlan, SendPlan } from './events.ts'
import type { LogView } from './log-view.ts'
import type { BatchRef } from './messages.ts'
import type { Progress } from './progress.ts'

export interface LeadersState<B extends BatchRef> {
  readonly log: LogView<B>
  readonly commit: Position
  readonly round: number
  /** Law R10: every tombstone of this log below it may be gone. */
  readonly tombstonesRemovedBelow: Offset
}

/** Undefined: nothing for now. A follower that retention or the removal of tombstones passed by becomes one to install. */
export function planFor<B extends BatchRef>(
  follower: Progress,
  leader: LeadersState<B>,
): SendPlan | undefined {
  switch (follower.state) {
    case 'down':
    case 'deferred':
      return undefined
    case 'install':
      return follower.waiting === undefined ? install(leader) : undefined
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
  leader: LeadersState<B>,
  probe: boolean,
): SendPlan {
  const { log } = leader
  const prev = follower.next
  if (prev.offset < log.logStart || !log.holds(prev) || lacksTombstones(follower, leader)) {
    follower.mustInstall()
    return install(leader)
  }
  const starts = log.startsAfter(prev)
  const epoch = starts.at(-1)?.epoch ?? prev.epoch
  return { kind: 'append', prev, starts, from: prev.offset, below: log.endOf(epoch), probe }
}

/**
 * Law R10: the follower ends where tombstones are gone here, so that it would keep what they ended. Not so where it holds
 * only what it got from this leader since they went.
 */
function lacksTombstones<B extends BatchRef>(
  { next, begunBelow }: Progress,
  { tombstonesRemovedBelow }: LeadersState<B>,
): boolean {
  return next.offset < tombstonesRemovedBelow && begunBelow < tombstonesRemovedBelow
}

function install<B extends BatchRef>(leader: LeadersState<B>): InstallPlan {
  const plan = startOf(leader)
  const { log, tombstonesRemovedBelow } = leader
  if (tombstonesRemovedBelow <= log.logStart) return plan
  return { ...plan, keep: log.before(tombstonesRemovedBelow) }
}

/** The leader's log start. A log that goes on from there stays as it is. */
export function startOf<B extends BatchRef>({
  log,
  tombstonesRemovedBelow,
}: Pick<LeadersState<B>, 'log' | 'tombstonesRemovedBelow'>): InstallPlan {
  const { logStart } = log
  const epochs = log.epochs.entries.filter(({ start }) => start <= logStart)
  const last = epochs.at(-1)
  assert(last !== undefined, 'a leader without an epoch')
  const keep = { epoch: last.epoch, offset: logStart }
  return { kind: 'install', logStart, epochs, keep, tombstonesRemovedBelow }
}
