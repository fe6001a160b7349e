// What a node knows of one peer, and what it has told it. A *pairing* of sessions is one stretch of mutual support: it ends
// with the connection, with either process, and with silence, and everything that was told in it is then told anew. A
// frame counts only in the pairing that it names, so that nothing from before can be taken for something from after.

import { assert } from '../../base/assert.ts'
import type { LeaderEpoch, LogId, NodeId } from '../../base/brand.ts'
import {
  CLAIM_NEWS_BYTES_MAX,
  claimBytesMax,
  OBJECTION_NEWS_BYTES_MAX,
  objectionBytesMax,
  type ClaimNews,
  type Heartbeat,
  type News,
  type ObjectionNews,
} from './heartbeat.ts'
import { VersionedList } from './versioned-list.ts'

/** A peer says that it leads a group. */
export interface PeerClaim {
  readonly epoch: LeaderEpoch
  /** In the peer's list. */
  readonly version: number
}

export interface Status {
  readonly version: number
  readonly bytes: Uint8Array
}

/** What this node tells all its peers. */
export interface OwnNews {
  readonly bootId: string
  readonly claims: VersionedList<LogId, LeaderEpoch>
  readonly status: Status
  /** The last read round that began. */
  readonly round: number
  readonly nowMs: number
  readonly nowUs: number
}

class Pairing {
  // What the peer told.
  readonly claims = new Map<LogId, PeerClaim>()
  claimsTaken = 0
  /** Own claims, by version, for which the peer can't be counted … */
  readonly uncounted = new Set<number>()
  /** … and those of which it knows a higher epoch. */
  readonly contested = new Map<number, LeaderEpoch>()
  objectionsTaken = 0
  statusTaken = 0
  /** Its last read round: the next frame answers it. */
  roundSeen = 0
  /** To the last of this node's rounds: what it had taken in then, and the objections that belong to the answer. */
  answer = { round: 0, claims: 0, objections: 0 }

  // What it is told. `sent` runs ahead of `confirmed` by what is in one frame at most.
  readonly objections = new VersionedList<number, LeaderEpoch | 'unknown'>()
  readonly sent = { claims: 0, objections: 0, status: 0 }
  claimsConfirmed = 0
  /** The frame with the last news; no more are sent before it is answered. */
  newsSeq = 0
  /** The round that it should answer, and the last that it was asked for. */
  roundWanted = 0
  roundAsked = 0
}

export class Peer {
  readonly nodeId: NodeId
  /** Of its process; undefined while there is no connection. */
  boot: string | undefined
  /** This node's with the peer, never used twice in one process. */
  session = 0
  /** The peer's; 0: not heard yet. */
  remoteSession = 0
  up = false
  pairing = new Pairing()
  /** Counts the frames to the peer. */
  seq = 0
  /** The last of them that was answered, and when the answer came. */
  answeredSeq = 0
  answeredMs = 0
  /** Not called silent before. */
  graceUntilMs = 0
  /** Smoothed as in RFC 6298; undefined before the first measurement. */
  roundTripMs: number | undefined
  #received = { seq: 0, timeUs: 0, atMs: 0 }

  constructor(nodeId: NodeId) {
    this.nodeId = nodeId
  }

  connect(boot: string, session: number): void {
    this.boot = boot
    this.session = session
    this.remoteSession = 0
    this.#received = { seq: 0, timeUs: 0, atMs: 0 }
    this.newPairing()
  }

  disconnect(): void {
    this.boot = undefined
    this.newPairing()
  }

  newPairing(): void {
    this.up = false
    this.pairing = new Pairing()
  }

  /** False: an old frame, or one of an old connection. */
  received(frame: Heartbeat, nowMs: number): boolean {
    if (frame.session < this.remoteSession || frame.seq <= this.#received.seq) return false
    this.#received = { seq: frame.seq, timeUs: frame.timeUs, atMs: nowMs }
    return true
  }

  /** The peer says what it has; true when that is the answer to a frame not answered before. */
  answered({ receipt }: Heartbeat, nowMs: number): boolean {
    if (receipt.seq <= this.answeredSeq || receipt.seq > this.seq) return false
    this.answeredSeq = receipt.seq
    this.answeredMs = nowMs
    return true
  }

  measured(roundTripMs: number): void {
    const before = this.roundTripMs
    this.roundTripMs = before === undefined ? roundTripMs : before + (roundTripMs - before) / 8
  }

  /** After `answered`: goes on from what the peer has, be it less than what was sent because a frame was lost. */
  confirmed({ receipt }: Heartbeat): void {
    const { pairing } = this
    if (this.answeredSeq < pairing.newsSeq) return
    const { sent } = pairing
    sent.claims = Math.min(sent.claims, receipt.claims)
    sent.objections = Math.min(sent.objections, receipt.objections)
    sent.status = Math.min(sent.status, receipt.status)
    pairing.claimsConfirmed = sent.claims
    pairing.objections.prune(sent.objections)
  }

  /** Whether there is something to tell at once; a status goes with the next heartbeat. */
  hasNews(own: OwnNews): boolean {
    const { sent, objections } = this.pairing
    if (!this.#mayTell) return false
    return sent.claims < own.claims.version || sent.objections < objections.version
  }

  get #mayTell(): boolean {
    return this.up && this.pairing.newsSeq <= this.answeredSeq
  }

  /** Whether it should be asked for a round at once: one question is on its way at most. */
  get shouldAsk(): boolean {
    const { roundWanted, roundAsked, answer } = this.pairing
    return roundWanted > answer.round && roundAsked <= answer.round
  }

  get awaitsRound(): boolean {
    return this.pairing.roundWanted > this.pairing.answer.round
  }

  /** The next frame. `urgent`: it wants an answer even if there is nothing to confirm in it. */
  compose(own: OwnNews, urgent: boolean): Heartbeat {
    assert(this.boot !== undefined, `node ${this.nodeId} is not connected`)
    const { pairing } = this
    const { sent } = pairing
    const claims = this.#claimNews(own)
    const objections = this.#objectionNews()
    const status = this.#mayTell && sent.status < own.status.version ? { ...own.status } : undefined
    const news = claims !== undefined || objections !== undefined || status !== undefined
    const received = this.#received
    const heldUs = Math.floor((own.nowMs - received.atMs) * 1000)
    this.seq += 1
    return {
      fromBoot: own.bootId,
      toBoot: this.boot,
      session: this.session,
      echoSession: this.remoteSession,
      seq: this.seq,
      timeUs: own.nowUs,
      urgent: urgent || news || this.awaitsRound,
      round: own.round,
      receipt: {
        seq: received.seq,
        timeUs: received.timeUs,
        heldUs,
        claims: pairing.claimsTaken,
        objections: pairing.objectionsTaken,
        status: pairing.statusTaken,
        round: pairing.roundSeen,
      },
      objectionsVersion: pairing.objections.version,
      claims,
      objections,
      status,
    }
  }

  /** The transport has taken the frame. */
  didSend(frame: Heartbeat): void {
    const { pairing } = this
    const { claims, objections, status, round } = frame
    if (frame.urgent) pairing.roundAsked = Math.max(pairing.roundAsked, round)
    if (claims === undefined && objections === undefined && status === undefined) return
    pairing.newsSeq = frame.seq
    if (claims !== undefined) pairing.sent.claims = claims.through
    if (objections !== undefined) pairing.sent.objections = objections.through
    if (status !== undefined) pairing.sent.status = status.version
  }

  #claimNews({ claims }: OwnNews): News<ClaimNews> | undefined {
    const after = this.pairing.sent.claims
    if (!this.#mayTell || after >= claims.version) return undefined
    const { through, entries } = claims.after(after, CLAIM_NEWS_BYTES_MAX, claimBytesMax)
    return {
      after,
      through,
      entries: entries.map(({ version, key, value }) => ({ version, group: key, epoch: value })),
    }
  }

  #objectionNews(): News<ObjectionNews> | undefined {
    const { sent, objections } = this.pairing
    const after = sent.objections
    if (!this.#mayTell || after >= objections.version) return undefined
    const cost = (): number => objectionBytesMax
    const { through, entries } = objections.after(after, OBJECTION_NEWS_BYTES_MAX, cost)
    return {
      after,
      through,
      entries: entries.map(({ version, key, value }) => ({
        version,
        claim: key,
        objection: value ?? 'withdrawn',
      })),
    }
  }
}
