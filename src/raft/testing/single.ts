// One replica, event by event, without the others: for what whole groups show too rarely, because they make good for it.

import assert from 'node:assert/strict'
import { asLeaderEpoch, asNodeId, asOffset } from '../../base/brand.ts'
import { EpochTable } from '../../base/epoch-table.ts'
import type { Position } from '../../base/position.ts'
import type { HardState } from '../durability.ts'
import type { Effects, RaftEvent, SendPlan } from '../events.ts'
import type { AppendAck, AppendRequest, BatchRef, InstallRequest, Message } from '../messages.ts'
import { Raft } from '../raft.ts'
import { TIMING } from './cluster.ts'

export const at = (epoch: number, offset: number): Position => ({
  epoch: asLeaderEpoch(epoch),
  offset: asOffset(offset),
})
export const term = asLeaderEpoch
export const NOW = 1_000
/** What `random` gives: every candidacy is of this number. */
const HALF = 0.5
const CANDIDACY = HALF * 2 ** 32

interface SingleOptions {
  readonly voters?: number
  readonly end?: number
  readonly logStart?: number
  readonly suspect?: boolean
  /** Another than 1 is no voter, if it is greater than their number. */
  readonly self?: number
  /** The others can be reached. */
  readonly up?: boolean
}

/** Replica 1 of a group. Epoch 1 starts at 0; nothing is durable later than `sync` says. */
export class Single {
  readonly raft: Raft
  readonly candidacy = CANDIDACY
  hardState: HardState

  constructor(options: SingleOptions = {}) {
    const { voters = 3, end = 6, logStart = 0, suspect = false, self = 1, up = true } = options
    this.hardState = { term: term(1), votedFor: undefined, suspect }
    const epochs = new EpochTable([{ epoch: term(1), start: asOffset(0) }])
    this.raft = new Raft({
      self: asNodeId(self),
      voters: Array.from({ length: voters }, (_, i) => asNodeId(i + 1)),
      hardState: this.hardState,
      log: { logStart: asOffset(logStart), end: at(1, end), epochs },
      timing: TIMING,
      random: () => HALF,
      nowMs: NOW,
    })
    if (up) for (let peer = 2; peer <= voters; peer++) this.up(peer)
  }

  step(event: RaftEvent<BatchRef>): Effects<BatchRef> {
    const effects = this.raft.step(event)
    this.hardState = effects.hardState ?? this.hardState
    return effects
  }

  up(peer: number): void {
    this.step({ kind: 'peer-up', peer: asNodeId(peer), nowMs: NOW })
  }

  receive(from: number, message: Message): Effects<BatchRef> {
    return this.step({ kind: 'message', from: asNodeId(from), message, nowMs: NOW })
  }

  durable(log: Position, hardState = this.hardState): Effects<BatchRef> {
    const { logStart } = this.raft
    return this.step({ kind: 'durable', log, logStart, hardState, nowMs: NOW })
  }

  sync(): Effects<BatchRef> {
    return this.durable(this.raft.end)
  }

  tick(): Effects<BatchRef> {
    return this.step({ kind: 'tick', nowMs: this.raft.deadlineMs })
  }

  /** The others would vote for it; its own vote is not durable yet. */
  campaign(): void {
    this.tick()
    const reply = {
      kind: 'pre-vote-reply',
      term: term(1),
      forTerm: term(2),
      granted: true,
    } as const
    for (const voter of this.raft.voters.slice(1)) this.receive(voter, reply)
    assert.equal(this.raft.role, 'candidate')
  }

  grant(from: number, logStart = 0): Effects<BatchRef> {
    const fields = { candidacy: CANDIDACY, logStart: asOffset(logStart) }
    return this.receive(from, { kind: 'vote-grant', term: term(2), ...fields })
  }

  /** Leads epoch 2, its start is durable nowhere. */
  lead(): this {
    this.campaign()
    this.sync()
    for (const voter of this.raft.voters.slice(1)) {
      if (this.raft.role !== 'leader') this.grant(voter)
    }
    assert.equal(this.raft.role, 'leader')
    return this
  }

  /** What there is for the follower; no tombstone was removed. */
  next(to: number): SendPlan | undefined {
    return this.raft.nextFor(asNodeId(to), asOffset(0))
  }

  /** Sends what there is for the follower, so that its answers count. */
  send(to: number): void {
    const plan = this.next(to)
    assert.ok(plan?.kind === 'append')
    const epoch = plan.starts.at(-1)?.epoch ?? plan.prev.epoch
    this.raft.sent(asNodeId(to), { epoch, offset: plan.below })
  }
}

export const batch = (baseOffset: number, nextOffset: number): BatchRef => ({
  baseOffset: asOffset(baseOffset),
  nextOffset: asOffset(nextOffset),
})

export const kinds = ({ send }: Effects<BatchRef>): string[] =>
  send.map(({ to, message }) => `${message.kind} to ${to}`)

export const APPEND: AppendRequest<BatchRef> = {
  kind: 'append',
  term: term(1),
  prev: at(1, 6),
  starts: [],
  batches: [],
  commit: at(1, 0),
  logStart: asOffset(0),
  probe: true,
  round: 0,
}

/** At a position that `Single` holds. */
export const INSTALL: InstallRequest = {
  kind: 'install',
  term: term(1),
  logStart: asOffset(4),
  epochs: [{ epoch: term(1), start: asOffset(0) }],
  keep: at(1, 4),
  tombstonesRemovedBelow: asOffset(0),
  snapshot: undefined,
}

export const ACK: AppendAck = {
  kind: 'ack',
  term: term(2),
  durable: at(2, 6),
  accepted: at(2, 6),
  logStart: asOffset(0),
  round: 0,
  suspect: false,
  begunBelow: asOffset(0),
}
