// Broken variants of the core, to show that the invariants and the schedules find what they are for. Each alters what goes
// in or out of a sound core as a broken one would have it. Most are found without a look at the promises themselves
// (`blind`), by what becomes of the log alone.

import { asLeaderEpoch, type LeaderEpoch, type NodeId, type Offset } from '../../base/brand.ts'
import { comparePositions, type Position } from '../../base/position.ts'
import { NOTHING } from '../durability.ts'
import type { Message, PreVoteRequest, VoteRequest } from '../messages.ts'
import type { TestNode, Variant } from './cluster.ts'
import type { TestBatch } from './disk-model.ts'

const before = ({ accepted }: TestNode, offset: Offset): Position => {
  const epoch = accepted.epochs.entries.findLast(({ start }) => start < offset)?.epoch
  return { epoch: epoch ?? (-1 as LeaderEpoch), offset }
}

const lower = (a: Position, b: Position): Position => (comparePositions(a, b) < 0 ? a : b)

/** The voter takes the candidate's log for as good as its own, or for worse. */
const judged = (
  node: TestNode,
  message: PreVoteRequest | VoteRequest,
  good: boolean,
): PreVoteRequest | VoteRequest => ({ ...message, end: good ? node.accepted.end : NOTHING })

const isVote = (message: Message<TestBatch>): message is PreVoteRequest | VoteRequest =>
  message.kind === 'vote' || message.kind === 'pre-vote'

/** Law R2: an acknowledgement, a vote leave before they are durable. */
export const promisesBeforeSync: Variant = {
  name: 'promises before the sync',
  blind: true,
  durable: (node) => node.accepted,
}

/** Law R2: only the log counts, term and vote reach the disk some time later. */
export const forgetsVotes: Variant = {
  name: 'does not save votes',
  focus: { crash: 4, time: 6, transfer: 6, damage: 0, distrust: 0, append: 0.2 },
  voters: 3,
  blind: true,
  operation: (_, op) =>
    op.kind === 'hard-state' ? { ...op, state: { ...op.state, votedFor: undefined } } : op,
  durable: (node) => {
    const claimed = node.durable.clone()
    const { term } = claimed.hardState
    const votedFor = node.claimedVotes.get(term)
    claimed.hardState = { ...claimed.hardState, votedFor }
    return claimed
  },
  hardState: (node, { term, votedFor }) => {
    if (votedFor !== undefined) node.claimedVotes.set(term, votedFor)
  },
}

/** Thesis 3.6.1: the longer log is not the better one. */
export const votesByOffset: Variant = {
  name: 'votes by offset',
  focus: { crash: 3, time: 3, partition: 3, damage: 0, distrust: 0 },
  voters: 3,
  blind: true,
  incoming: (node, message) =>
    isVote(message)
      ? judged(node, message, message.end.offset >= node.accepted.end.offset)
      : message,
}

/** Thesis 3.6.2, figure 3.7. */
export const commitsOldEpochs: Variant = {
  name: 'commits entries of an old epoch by counting',
  focus: { crash: 3, time: 4, partition: 4, damage: 0, distrust: 0, append: 0.5 },
  voters: 5,
  blind: true,
  after: (node, { invariants }, event) => {
    if (event.kind !== 'message' || event.message.kind !== 'ack') return
    if (node.raft.role !== 'leader') return
    const matches = [...node.raft.followers.values()].map(({ match }) => match)
    matches.push(node.durable.end)
    matches.sort((a, b) => comparePositions(b, a))
    const reached = matches[matches.length >> 1]!
    if (comparePositions(reached, node.raft.commit) > 0) {
      invariants.commitCounted(node, reached, true)
    }
  },
}

/** Law R9: what a follower has is not what the leader has. */
export const commitsByLogEnd: Variant = {
  name: 'commits up to the log end',
  focus: { crash: 2, time: 2, partition: 3, damage: 0, distrust: 0 },
  voters: 3,
  blind: true,
  after: (node, { invariants }, event) => {
    if (event.kind !== 'message' || event.message.kind !== 'append') return
    if (node.raft.role === 'leader' || event.message.term !== node.raft.term) return
    const reached = lower(event.message.commit, node.raft.end)
    if (comparePositions(reached, node.raft.commit) > 0) {
      invariants.commitCounted(node, reached, false)
    }
  },
}

/** Law R1: a message that is shorter than the log conflicts with nothing. */
export const truncatesAtMessageEnd: Variant = {
  name: 'truncates at the end of a message',
  focus: { damage: 0, distrust: 0, time: 3, transfer: 4 },
  blind: true,
  after: (node, cluster, event) => {
    if (event.kind !== 'message' || event.message.kind !== 'append') return
    const { prev, starts, batches, term } = event.message
    if (term !== node.raft.term || !node.accepted.holds(prev)) return
    const to = {
      epoch: starts.at(-1)?.epoch ?? prev.epoch,
      offset: batches.at(-1)?.nextOffset ?? prev.offset,
    }
    if (comparePositions(to, node.accepted.end) < 0) cluster.rewrite(node, { kind: 'truncate', to })
  },
}

/** Law R1: epoch starts at the offset of a truncation stay, if their epochs do. */
export const truncatesByOffset: Variant = {
  name: 'truncates by offset',
  blind: true,
  operation: (node, op) =>
    op.kind === 'truncate' ? { ...op, to: lower(op.to, before(node, op.to.offset)) } : op,
}

/** Law R2: what was not acknowledged when the term changed is not acknowledged any more. */
const late = {
  outgoing: (node, to, message) => {
    if (message.kind === 'ack') node.lastAck = { to, message }
    return message
  },
  after: (node, cluster, event) => {
    const last = node.lastAck
    if (event.kind !== 'durable' || last === undefined) return
    if (last.message.term >= node.raft.term) return
    const durable = lower(last.message.accepted, node.durable.end)
    if (!node.durable.holds(durable)) return
    node.lastAck = undefined
    cluster.post(node, last.to, { ...last.message, durable })
  },
} satisfies Omit<Variant, 'name'>

export const acknowledgesLate: Variant = {
  ...late,
  name: 'acknowledges after a change of term',
}

/** The first alone is forbidden because of the second: each is safe without the other. */
export const acknowledgesLateVotesByDurableEnd: Variant = {
  ...late,
  name: 'acknowledges after a change of term, and votes by the durable end',
  blind: true,
  incoming: (node, message) =>
    isVote(message)
      ? judged(node, message, comparePositions(message.end, node.durable.end) >= 0)
      : message,
}

/** Law R5: whoever lost its memory does not know it. */
export const unnoticedDamage: Variant = {
  name: 'takes part after damage as if nothing had been lost',
  blind: true,
  operation: (_, op) =>
    op.kind === 'hard-state' ? { ...op, state: { ...op.state, suspect: false } } : op,
  damaged: (state) => ({ ...state, suspect: false }),
}

/** Law R5: what a suspect replica acknowledged before must be confirmed without it. */
export const clearsAtOnce: Variant = {
  name: 'takes a suspect replica for whole at its first acknowledgement',
  focus: { crash: 2, time: 2, damage: 6 },
  voters: 3,
  blind: true,
  after: (node, cluster, event) => {
    if (event.kind !== 'message' || event.message.kind !== 'ack') return
    if (!event.message.suspect || node.raft.role !== 'leader') return
    const { term, durable: at } = event.message
    if (term === node.raft.term) cluster.post(node, event.from, { kind: 'clear', term, at })
  },
}

/** Law R5 as it was first worded: a majority that excludes the replica is enough. Lost votes of later epochs break it. */
export const clearsByMajority: Variant = {
  name: 'takes a suspect replica for whole before every other voter answered',
  focus: { crash: 2, time: 3, damage: 6, transfer: 4 },
  voters: 5,
  blind: true,
  after: (node, cluster, event) => {
    if (event.kind !== 'message' || event.message.kind !== 'ack') return
    const { followers, commit, term } = node.raft
    for (const [to, { suspicion }] of followers) {
      if (suspicion === undefined || comparePositions(suspicion.match, commit) < 0) continue
      const confirmed = [...followers].filter(
        ([other, { round, match }]) =>
          other !== to && round >= suspicion.round && comparePositions(match, commit) >= 0,
      )
      if (confirmed.length + 1 <= cluster.nodes.length / 2) continue
      cluster.post(node, to, { kind: 'clear', term, at: commit })
    }
  },
}

/** Law R5: a vote is for whoever asked, whenever that was. */
export const grantsNameNoCandidacy: Variant = {
  name: 'counts votes for a candidacy that it has forgotten',
  blind: true,
  outgoing: (node, _, message) => {
    if (message.kind === 'vote') node.candidacy = message.candidacy
    return message
  },
  incoming: (node, message) =>
    message.kind === 'vote-grant' ? { ...message, candidacy: node.candidacy } : message,
}

/** Law R10: the follower would keep what the removed tombstones ended. */
export const continuesAcrossTombstones: Variant = {
  name: 'continues across removed tombstones',
  focus: { compact: 30, append: 2, cut: 2, partition: 2, damage: 0, distrust: 0, 'log-start': 0 },
  voters: 3,
  blind: true,
  ignoresTombstones: true,
}

/** Law R10: a replica that holds what is committed is needed, whatever a late answer of its own made the leader think. */
export const beginsAnewInAnyCase: Variant = {
  name: 'begins its log anew though it holds what the leader asks for',
  focus: { compact: 30, append: 2, cut: 2, partition: 2 },
  voters: 3,
  blind: true,
  incoming: (_, message) =>
    message.kind === 'install'
      ? { ...message, keep: { epoch: asLeaderEpoch(1_000_000), offset: message.keep.offset } }
      : message,
}

export interface LastAck {
  readonly to: NodeId
  readonly message: Extract<Message<TestBatch>, { kind: 'ack' }>
}
