// What a group can do without at a moment: tombstones (law R10), and a replica that must forget its log (law R5).

import { asOffset, type NodeId, type Offset } from '../base/brand.ts'
import { comparePositions } from '../base/position.ts'
import type { RaftGroup } from './group.ts'

/**
 * Compaction leaves tombstones from here on. Those that a follower is about to get, or it would have to begin anew; and all of
 * them between two voters, of whom neither could be healed from the other without them.
 */
export function tombstonesKeptFrom({ voters, raft }: Pick<RaftGroup, 'voters' | 'raft'>): Offset {
  if (voters.length === 2) return asOffset(0)
  let kept = raft.commit.offset
  for (const { state, match } of raft.followers.values()) {
    if (state !== 'down' && match.offset < kept) kept = match.offset
  }
  return kept
}

/** As leader: the other voters are whole, can be reached and hold what is committed, so that they can heal this one. */
export function canSpare(
  { voters, raft }: Pick<RaftGroup, 'voters' | 'raft'>,
  node: NodeId,
): boolean {
  if (raft.role !== 'leader' || voters.length < 3) return false
  for (const [other, { answered, suspect, match }] of raft.followers) {
    if (other === node) continue
    if (!answered || suspect || comparePositions(match, raft.commit) < 0) return false
  }
  return true
}
