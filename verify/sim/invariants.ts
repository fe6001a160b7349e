// What must hold inside, over all replicas of all nodes at every moment: seen from each step that any replica takes, in the one
// order of the simulation. What was true of a dead process still counts, so that this sees across restarts.

import type { LogId } from '../../src/base/brand.ts'
import type { EpochStart } from '../../src/base/epoch-table.ts'
import { comparePositions, type Position } from '../../src/base/position.ts'
import type { GroupMessage } from '../../src/multiraft/group-codec.ts'
import type { GroupObserver, ObservedGroup } from '../../src/multiraft/observer.ts'
import type { Problem } from './problems.ts'

type Message = GroupMessage['message']

/** One replica in one process. */
interface Seen {
  readonly incarnation: number
  readonly group: ObservedGroup
  role: string
  term: number
  commit: Position
}

/** What is on disk of one replica, as its node was told. */
interface Promised {
  term: number
  votedFor: number | undefined
}

interface GroupFacts {
  /** Who led which epoch: a node in one of its processes. */
  readonly leaders: Map<number, string>
  /** The highest position that any replica ever knew to be committed, and the epochs below it. */
  committed: Position
  epochs: EpochStart[]
  readonly seen: Map<number, Seen>
  readonly promised: Map<number, Promised>
}

const NOTHING: Position = { epoch: -1, offset: 0 } as unknown as Position

export class Invariants {
  readonly #report: (problem: Problem) => void
  readonly #groups = new Map<LogId, GroupFacts>()

  constructor(report: (problem: Problem) => void) {
    this.#report = report
  }

  /** For one process of one node. */
  observer(node: number, incarnation: number): GroupObserver {
    return {
      stepped: (group) => this.#stepped(node, incarnation, group),
      sent: (group, to, message) => this.#checkPromise(node, group, to, message),
      closed: (group) => {
        const { seen } = this.#facts(group.id)
        if (seen.get(node)?.group === group) seen.delete(node)
      },
    }
  }

  /** Offsets below it are committed. */
  committedOf(group: LogId): number {
    return this.#groups.get(group)?.committed.offset ?? 0
  }

  /** Nodes that lead something, in the processes that run. */
  leaders(alive: (node: number, incarnation: number) => boolean): number[] {
    const found = new Set<number>()
    for (const { seen } of this.#groups.values()) {
      for (const [node, { incarnation, role }] of seen) {
        if (role === 'leader' && alive(node, incarnation)) found.add(node)
      }
    }
    return [...found].toSorted((a, b) => a - b)
  }

  /** The replicas of each group in the processes that run, by `alive`. */
  *replicas(alive: (node: number, incarnation: number) => boolean): Iterable<{
    readonly id: LogId
    readonly committed: Position
    readonly replicas: readonly { readonly node: number; readonly group: ObservedGroup }[]
  }> {
    for (const [id, { seen, committed }] of this.#groups) {
      const replicas = [...seen]
        .filter(([node, { incarnation }]) => alive(node, incarnation))
        .map(([node, { group }]) => ({ node, group }))
      yield { id, committed, replicas }
    }
  }

  #stepped(node: number, incarnation: number, group: ObservedGroup): void {
    const facts = this.#facts(group.id)
    const { raft } = group
    let seen = facts.seen.get(node)
    if (seen?.group !== group) {
      seen = { incarnation, group, role: '', term: -1, commit: NOTHING }
      facts.seen.set(node, seen)
    }
    this.#checkPromises(facts, node, group)
    const { role, term, commit } = raft
    if (role !== seen.role || term !== seen.term) {
      if (term < seen.term) {
        this.#fail('term-back', node, group, `went from term ${seen.term} to ${term}`)
      }
      seen.role = role
      seen.term = term
      if (role === 'leader') this.#checkLeader(facts, node, incarnation, group)
    }
    if (comparePositions(commit, seen.commit) !== 0) {
      // A log that lacked removed tombstones, or is a suspect's, begins anew (laws R5 and R10).
      const removed = [...facts.seen.values()].map((one) => one.group.stored.tombstonesRemovedBelow)
      const anew = raft.suspect || seen.commit.offset < Math.max(...removed)
      if (comparePositions(commit, seen.commit) < 0 && !anew) {
        const text = `its commit went from ${at(seen.commit)} back to ${at(commit)}`
        this.#fail('commit-back', node, group, text)
      }
      seen.commit = commit
      this.#checkCommit(facts, node, group)
    }
  }

  /** No double vote, not even across a restart: what was durable once stays. */
  #checkPromises(facts: GroupFacts, node: number, group: ObservedGroup): void {
    const { term, votedFor } = group.stored.durableHardState
    const before = facts.promised.get(node)
    if (before === undefined) {
      facts.promised.set(node, { term, votedFor })
      return
    }
    if (before.term === term && before.votedFor === votedFor) return
    // A replica that knows that it may have forgotten promises nothing (law R5).
    if (!group.raft.suspect) {
      if (term < before.term) {
        const text = `its durable term went from ${before.term} back to ${term}`
        this.#fail('vote-forgotten', node, group, text)
      } else if (term === before.term && before.votedFor !== undefined) {
        const now = votedFor === undefined ? 'nobody' : `node ${votedFor}`
        const text = `in term ${term} it voted for node ${before.votedFor}, then for ${now}`
        this.#fail('double-vote', node, group, text)
      }
    }
    before.term = term
    before.votedFor = votedFor
  }

  /** Law R2: what a message promises is durable when it leaves. */
  #checkPromise(node: number, group: ObservedGroup, to: number, message: Message): void {
    const { durable, durableHardState } = group.stored
    const { term, votedFor } = durableHardState
    const vote = votedFor === undefined ? 'no vote' : `a vote for node ${votedFor}`
    if (message.kind === 'vote' || message.kind === 'vote-grant') {
      const candidate = message.kind === 'vote' ? node : to
      if (term === message.term && votedFor === candidate) return
      const text = `says that it votes for node ${candidate} in term ${message.term}, with term ${term} and ${vote} on its disk`
      this.#fail('vote-not-durable', node, group, text)
    } else if (message.kind === 'ack') {
      if (term >= message.term && comparePositions(message.durable, durable) <= 0) return
      const text = `acknowledges ${at(message.durable)} in term ${message.term}, with ${at(durable)} and term ${term} on its disk`
      this.#fail('ack-not-durable', node, group, text)
    }
  }

  /** One leader for an epoch, in one process; it holds everything that was ever committed. */
  #checkLeader(facts: GroupFacts, node: number, incarnation: number, group: ObservedGroup): void {
    const { term } = group.raft
    const who = `node ${node}, start ${incarnation}`
    const before = facts.leaders.get(term)
    if (before !== undefined && before !== who) {
      this.#fail('two-leaders', node, group, `leads epoch ${term}, as ${before} did`)
    }
    facts.leaders.set(term, who)
    // Votes that come late may still make a leader of an epoch that a later one has passed: it can commit nothing.
    if (facts.committed.epoch >= term) return
    const missing = this.#missing(facts, group)
    if (missing !== undefined) {
      const text = `leads epoch ${term} and ends at ${at(group.raft.end)}: it lacks ${missing}`
      this.#fail('leader-incomplete', node, group, text)
    }
  }

  /** What of the committed log the replica doesn't hold. */
  #missing({ committed, epochs }: GroupFacts, group: ObservedGroup): string | undefined {
    if (committed.epoch < 0) return undefined
    const { stored } = group
    if (!stored.epochs.holds(committed, stored.end.offset)) return `the committed ${at(committed)}`
    return differing(stored.epochs.entries, epochs, committed)
  }

  /** Log matching, where it counts: below the commit all replicas have the same epochs from the same offsets on. */
  #checkCommit(facts: GroupFacts, node: number, group: ObservedGroup): void {
    const { commit } = group.raft
    const { stored } = group
    if (commit.epoch < 0) return
    if (comparePositions(commit, stored.end) > 0) {
      this.#fail(
        'commit-above-end',
        node,
        group,
        `commits ${at(commit)} and ends at ${at(stored.end)}`,
      )
      return
    }
    const below = comparePositions(commit, facts.committed) < 0 ? commit : facts.committed
    const differs = differing(stored.epochs.entries, facts.epochs, below)
    if (differs !== undefined) {
      this.#fail('log-mismatch', node, group, `commits ${at(commit)} and lacks ${differs}`)
    }
    if (comparePositions(commit, facts.committed) <= 0) return
    facts.committed = commit
    const known = facts.epochs.at(-1)?.epoch ?? -1
    for (const entry of stored.epochs.entries) {
      if (entry.epoch > known && entry.epoch <= commit.epoch) facts.epochs.push(entry)
    }
  }

  #facts(id: LogId): GroupFacts {
    let facts = this.#groups.get(id)
    if (facts === undefined) {
      facts = {
        leaders: new Map(),
        committed: NOTHING,
        epochs: [],
        seen: new Map(),
        promised: new Map(),
      }
      this.#groups.set(id, facts)
    }
    return facts
  }

  #fail(name: string, node: number, group: ObservedGroup, text: string): void {
    this.#report({ name, where: `${group.id} on node ${node}`, text })
  }
}

function at({ epoch, offset }: Position): string {
  return `(${epoch}, ${offset})`
}

/** The first committed epoch start, from the replica's first on and up to `below`, that the replica has otherwise or not at all. */
function differing(
  mine: readonly EpochStart[],
  committed: readonly EpochStart[],
  below: Position,
): string | undefined {
  const first = mine[0]?.epoch ?? Infinity
  for (const { epoch, start } of committed) {
    if (epoch < first || epoch > below.epoch) continue
    const found = mine.find((entry) => entry.epoch === epoch)
    if (found?.start !== start) {
      return `epoch ${epoch} from offset ${start} on (it has ${found === undefined ? 'none' : `it from ${found.start}`})`
    }
  }
  for (const { epoch, start } of mine) {
    if (epoch > below.epoch || committed.some((entry) => entry.epoch === epoch)) continue
    return `that epoch ${epoch}, from ${start} on, is not one of them`
  }
  return undefined
}
