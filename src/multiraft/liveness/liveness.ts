// Which nodes live, and which groups they lead (law R8): one heartbeat per pair of nodes and interval, however many groups
// they share. It carries what changed in the list of the groups that the sender leads, what the sender has against the
// receiver's list, and the read rounds of law R9. Nothing here costs anything per group while nothing changes.
//
// A leader's claim, the objections to it and the answer to a round travel so that their order can be told: an answer
// counts for a claim only if the peer had taken the claim in before it answered, and only once everything that it had
// against this node's claims by then has been taken in here. What the driver owes for that: `claim` and `unclaim` in the
// turn in which the role changes, and `termChanged` in the turn in which a group's epoch does, before anything that
// follows from it (a vote, an answer) leaves this node.

import { assert } from '../../base/assert.ts'
import type { LeaderEpoch, LogId, NodeId } from '../../base/brand.ts'
import type { Timer } from '../../env/env.ts'
import {
  BOOT_ID_BYTES_MAX,
  decodeHeartbeat,
  encodeHeartbeat,
  GROUP_ID_BYTES_MAX,
  STATUS_BYTES_MAX,
  type ClaimNews,
  type Heartbeat,
  type News,
  type ObjectionNews,
} from './heartbeat.ts'
import type { DownReason, LivenessOptions, Process } from './liveness-options.ts'
import { Peer, type OwnNews, type PeerClaim, type Status } from './peer.ts'
import { ReadRounds } from './read-rounds.ts'
import { VersionedList } from './versioned-list.ts'

export class Liveness {
  readonly #options: LivenessOptions
  readonly #intervalMs: number
  readonly #electionTimeoutMs: number
  readonly #startMs: number
  readonly #peers: ReadonlyMap<NodeId, Peer>
  readonly #claims = new VersionedList<LogId, LeaderEpoch>()
  readonly #rounds: ReadRounds
  #status: Status = { version: 0, bytes: new Uint8Array() }
  #sessions = 0
  #tick: Timer | undefined
  #tickDueMs = 0
  #flush: Timer | undefined
  /** Frames sent before say nothing about the round trip: this process stood still. */
  #stalledUntilUs = 0
  #closed = false

  constructor(options: LivenessOptions) {
    const { env, self, peers, intervalMs = 100, electionTimeoutMs = 1_000 } = options
    assert(isBootId(self.bootId), 'a boot id has 1 to 64 bytes')
    assert(!peers.includes(self.nodeId), 'a node is no peer of itself')
    assert(electionTimeoutMs >= 3 * intervalMs, 'an election timeout of three intervals at least')
    this.#options = options
    this.#intervalMs = intervalMs
    this.#electionTimeoutMs = electionTimeoutMs
    this.#startMs = env.clock.monotonicMs()
    this.#peers = new Map(peers.map((node) => [node, new Peer(node)]))
    this.#rounds = new ReadRounds({
      env,
      self: self.nodeId,
      timeoutMs: options.confirmTimeoutMs ?? 2 * electionTimeoutMs,
      ask: (round, nodes) => this.#ask(round, nodes),
      supports: (node, round, claim) => this.#supportsRound(node, round, claim),
    })
  }

  /** From here on heartbeats leave. */
  start(): void {
    assert(this.#tick === undefined && !this.#closed, 'started once')
    // Nodes that start together shall not all speak at the same moments.
    this.#schedule(this.#options.env.random.float() * this.#intervalMs)
  }

  /** Nothing is sent and no handler called any more; what waits for a confirmation ends as not confirmed. */
  close(): void {
    this.#closed = true
    this.#tick?.cancel()
    this.#flush?.cancel()
    this.#rounds.close()
  }

  // ── What the node knows ───────────────────────────────────────────────────────────────────────────────────────────

  isUp(node: NodeId): boolean {
    return node === this.#options.self.nodeId || this.#peers.get(node)?.up === true
  }

  /** Smoothed; undefined before the first measurement. */
  roundTripMs(node: NodeId): number | undefined {
    return this.#peers.get(node)?.roundTripMs
  }

  /** What the node says it leads; nothing while it is down. */
  claimsOf(node: NodeId): ReadonlyMap<LogId, PeerClaim> {
    const peer = this.#peers.get(node)
    assert(peer !== undefined, `node ${node} is no peer`)
    return peer.pairing.claims
  }

  // ── What the driver says ──────────────────────────────────────────────────────────────────────────────────────────

  /** This node leads the group in this epoch, a higher one than it claimed before. */
  claim(group: LogId, epoch: LeaderEpoch): void {
    const before = this.#claims.get(group)
    const bytes = Buffer.byteLength(group)
    assert(bytes > 0 && bytes <= GROUP_ID_BYTES_MAX, `a group id of ${bytes} bytes`)
    assert(before === undefined || before.value < epoch, `${group}: epochs only rise`)
    this.#voidClaim(group)
    this.#claims.set(group, epoch)
    this.#flushSoon()
  }

  unclaim(group: LogId): void {
    if (this.#claims.get(group) === undefined) return
    this.#voidClaim(group)
    this.#claims.remove(group)
    this.#pruneClaims()
    this.#flushSoon()
  }

  /** What `epochOf(group)` returns has changed: risen, become known, or become unknown. */
  termChanged(group: LogId): void {
    for (const peer of this.#peers.values()) {
      const claim = peer.pairing.claims.get(group)
      if (claim !== undefined && this.#judge(peer, group, claim)) this.#flushSoon()
    }
    const own = this.#claims.get(group)?.value
    const epoch = this.#options.handlers.epochOf(group)
    if (own !== undefined && (epoch === undefined || epoch > own)) this.#rounds.fail(group)
  }

  /** The driver has opened the group after claims may have come for it: they are told again. Implies `termChanged`. */
  opened(group: LogId): void {
    this.termChanged(group)
    for (const { nodeId, pairing } of this.#peers.values()) {
      const claim = pairing.claims.get(group)
      if (claim !== undefined) this.#options.handlers.onClaim(group, nodeId, claim.epoch)
    }
  }

  /** For all peers, at most 1 KiB. */
  setStatus(bytes: Uint8Array): void {
    assert(bytes.length <= STATUS_BYTES_MAX, `a status of ${bytes.length} bytes`)
    if (Buffer.compare(bytes, this.#status.bytes) === 0) return
    this.#status = { version: this.#status.version + 1, bytes: bytes.slice() }
  }

  /**
   * Law R9: true once a majority of the voters, this node counted, has said in a round that began after this call that it
   * knows the claim and no higher epoch. False when the claim does not stand, is given up or contested, or after the
   * timeout. Calls of one group in one round share it.
   */
  confirm(group: LogId, voters: readonly NodeId[], epoch: LeaderEpoch): Promise<boolean> {
    const claim = this.#claims.get(group)
    // This node counts by the same test as the others.
    const own = this.#options.handlers.epochOf(group)
    const stands = claim?.value === epoch && own !== undefined && own <= epoch
    if (this.#closed || !stands) return Promise.resolve(false)
    return this.#rounds.confirm(group, claim.version, voters)
  }

  // ── What the transport says ───────────────────────────────────────────────────────────────────────────────────────

  transportUp({ nodeId, bootId }: Process): void {
    if (this.#closed) return
    const peer = this.#peers.get(nodeId)
    assert(peer !== undefined, `node ${nodeId} is no peer`)
    assert(isBootId(bootId), 'a boot id has 1 to 64 bytes')
    if (peer.boot !== undefined) this.transportDown(nodeId)
    peer.connect(bootId, this.#newSession())
    this.#send(peer, true)
  }

  transportDown(nodeId: NodeId): void {
    const peer = this.#peers.get(nodeId)
    if (this.#closed || peer?.boot === undefined) return
    const wasUp = peer.up
    peer.disconnect()
    if (wasUp) this.#wentDown(peer, 'lost')
  }

  receive(from: Process, bytes: Uint8Array): void {
    const peer = this.#peers.get(from.nodeId)
    if (this.#closed || peer === undefined || peer.boot !== from.bootId) return
    const frame = decodeHeartbeat(bytes)
    if (frame === undefined || frame.fromBoot !== peer.boot) {
      this.#options.env.log.warn('a heartbeat that cannot be read', { node: peer.nodeId })
      return
    }
    if (frame.toBoot !== this.#options.self.bootId) return
    if (!peer.received(frame, this.#nowMs)) return
    if (frame.session > peer.remoteSession) {
      // It began anew, after silence: what it was told before it has forgotten.
      if (peer.remoteSession !== 0) this.#restart(peer)
      if (peer.boot !== frame.fromBoot) return
      peer.remoteSession = frame.session
    }
    if (frame.echoSession === peer.session) this.#take(peer, frame)
    // A handler may have closed this, or lost the peer.
    if (this.#closed || peer.boot !== frame.fromBoot) return
    if (frame.urgent || peer.hasNews(this.#own) || peer.shouldAsk) this.#send(peer, false)
  }

  // ── Taking in ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #take(peer: Peer, frame: Heartbeat): void {
    const nowMs = this.#nowMs
    if (peer.answered(frame, nowMs)) {
      this.#measure(peer, frame)
      if (!peer.up) this.#wentUp(peer)
    }
    const { pairing } = peer
    // Not before there was an answer in this pairing: what a peer says binds only while it would be missed.
    if (this.#closed || !peer.up) return
    peer.confirmed(frame)
    this.#pruneClaims()
    pairing.roundSeen = Math.max(pairing.roundSeen, frame.round)
    if (frame.objections !== undefined) this.#takeObjections(peer, frame.objections)
    if (this.#closed || peer.pairing !== pairing) return
    const { receipt, objectionsVersion } = frame
    pairing.answer = {
      round: receipt.round,
      claims: receipt.claims,
      objections: objectionsVersion,
    }
    this.#rounds.advanced(peer.nodeId)
    if (frame.claims !== undefined) this.#takeClaims(peer, frame.claims)
    if (this.#closed || peer.pairing !== pairing) return
    if (frame.status === undefined || frame.status.version <= pairing.statusTaken) return
    pairing.statusTaken = frame.status.version
    this.#options.handlers.onStatus(peer.nodeId, frame.status.bytes.slice())
  }

  #takeClaims(peer: Peer, news: News<ClaimNews>): void {
    const { pairing } = peer
    const { handlers } = this.#options
    // A gap: the receipt tells the peer where to go on.
    if (news.after > pairing.claimsTaken) return
    for (const { version, group, epoch } of news.entries) {
      if (version <= pairing.claimsTaken) continue
      const before = pairing.claims.get(group)
      if (before !== undefined) pairing.objections.forget(before.version)
      if (epoch === undefined) {
        pairing.claims.delete(group)
        handlers.onClaimGone(group, peer.nodeId)
      } else {
        const claim = { epoch, version }
        pairing.claims.set(group, claim)
        this.#judge(peer, group, claim)
        handlers.onClaim(group, peer.nodeId, epoch)
      }
      if (this.#closed || peer.pairing !== pairing) return
    }
    pairing.claimsTaken = Math.max(pairing.claimsTaken, news.through)
  }

  /** Whoever knows a higher epoch for a claimed group says so. True when there is something new to say. */
  #judge(peer: Peer, group: LogId, claim: PeerClaim): boolean {
    const { objections } = peer.pairing
    const epoch = this.#options.handlers.epochOf(group)
    const objection = epoch === undefined ? 'unknown' : epoch > claim.epoch ? epoch : undefined
    if (objections.get(claim.version)?.value === objection) return false
    if (objection === undefined) objections.remove(claim.version)
    else objections.set(claim.version, objection)
    return true
  }

  #takeObjections(peer: Peer, news: News<ObjectionNews>): void {
    const { pairing } = peer
    if (news.after > pairing.objectionsTaken) return
    for (const { version, claim, objection } of news.entries) {
      if (version <= pairing.objectionsTaken) continue
      pairing.uncounted.delete(claim)
      pairing.contested.delete(claim)
      const own = this.#claims.at(claim)
      if (own === undefined || objection === 'withdrawn') continue
      if (objection === 'unknown' || objection <= own.value) {
        pairing.uncounted.add(claim)
      } else {
        pairing.contested.set(claim, objection)
        this.#contest(peer, own.key, objection)
      }
      if (this.#closed || peer.pairing !== pairing) return
    }
    pairing.objectionsTaken = Math.max(pairing.objectionsTaken, news.through)
  }

  #contest(peer: Peer, group: LogId, epoch: LeaderEpoch): void {
    this.#rounds.fail(group)
    this.#options.handlers.onHigherEpoch(group, epoch, peer.nodeId)
  }

  #measure(peer: Peer, { receipt }: Heartbeat): void {
    // Standing still is no distance. What waited in a socket may be read before the timer that shows it.
    if (receipt.timeUs < this.#stalledUntilUs || this.#lateMs > this.#intervalMs / 2) return
    const ms = (this.#nowUs - receipt.timeUs - receipt.heldUs) / 1000
    peer.measured(Math.min(Math.max(0, ms), this.#electionTimeoutMs))
  }

  // ── Up and down ───────────────────────────────────────────────────────────────────────────────────────────────────

  #wentUp(peer: Peer): void {
    peer.up = true
    // First, so that the peer knows of it before it gets what the handler may send.
    this.#send(peer, false)
    this.#options.env.log.info('node is up', { node: peer.nodeId })
    this.#options.handlers.onPeerUp(peer.nodeId)
  }

  #wentDown(peer: Peer, reason: DownReason): void {
    this.#pruneClaims()
    this.#options.env.log.info('node is down', { node: peer.nodeId, reason })
    this.#options.handlers.onPeerDown(peer.nodeId, reason)
  }

  /** The pairing is over, the connection still stands. */
  #restart(peer: Peer): void {
    const wasUp = peer.up
    peer.newPairing()
    if (wasUp) this.#wentDown(peer, 'silent')
  }

  #newSession(): number {
    this.#sessions += 1
    return this.#sessions
  }

  // ── Heartbeats ────────────────────────────────────────────────────────────────────────────────────────────────────

  #schedule(delayMs: number): void {
    this.#tickDueMs = this.#nowMs + delayMs
    this.#tick = this.#options.env.timers.after(delayMs, () => this.#onTick())
  }

  #onTick(): void {
    const nowMs = this.#nowMs
    if (this.#lateMs > this.#intervalMs / 2) this.#stalledUntilUs = this.#nowUs
    if (this.#lateMs > this.#electionTimeoutMs / 2) {
      // This process stood still: what the peers sent meanwhile may wait in the sockets, unread.
      for (const peer of this.#peers.values()) peer.graceUntilMs = nowMs + 1.5 * this.#intervalMs
    }
    for (const peer of this.#peers.values()) {
      if (peer.up && this.#isSilent(peer, nowMs)) {
        peer.session = this.#newSession()
        this.#restart(peer)
      }
      if (this.#closed) return
      if (peer.boot !== undefined) this.#send(peer, !peer.up)
    }
    this.#remindOfContests()
    this.#rounds.expire()
    if (!this.#closed) this.#schedule(this.#intervalMs)
  }

  #isSilent(peer: Peer, nowMs: number): boolean {
    return nowMs - peer.answeredMs > this.#electionTimeoutMs && nowMs > peer.graceUntilMs
  }

  #remindOfContests(): void {
    for (const peer of this.#peers.values()) {
      for (const [claim, epoch] of peer.pairing.contested) {
        const own = this.#claims.at(claim)
        if (own !== undefined && !this.#closed) this.#contest(peer, own.key, epoch)
      }
    }
  }

  #send(peer: Peer, urgent: boolean): void {
    const frame = peer.compose(this.#own, urgent)
    if (this.#options.send(peer.nodeId, [encodeHeartbeat(frame)])) peer.didSend(frame)
  }

  /** In a later turn, so that what changes together leaves together. */
  #flushSoon(): void {
    if (this.#closed) return
    this.#flush ??= this.#options.env.timers.soon(() => {
      this.#flush = undefined
      const own = this.#own
      for (const peer of this.#peers.values()) if (peer.hasNews(own)) this.#send(peer, false)
    })
  }

  // ── Claims and rounds ─────────────────────────────────────────────────────────────────────────────────────────────

  #voidClaim(group: LogId): void {
    const claim = this.#claims.get(group)
    if (claim === undefined) return
    this.#rounds.fail(group)
    for (const { pairing } of this.#peers.values()) {
      pairing.uncounted.delete(claim.version)
      pairing.contested.delete(claim.version)
    }
  }

  /** A peer that is down begins with the whole list: removals are kept for those that are up. */
  #pruneClaims(): void {
    let through = this.#claims.version
    for (const { up, pairing } of this.#peers.values()) {
      if (up) through = Math.min(through, pairing.claimsConfirmed)
    }
    this.#claims.prune(through)
  }

  #ask(round: number, nodes: ReadonlySet<NodeId>): void {
    for (const node of nodes) {
      const peer = this.#peers.get(node)
      if (peer === undefined || !peer.up) continue
      peer.pairing.roundWanted = round
      if (peer.shouldAsk) this.#send(peer, false)
    }
  }

  #supportsRound(node: NodeId, round: number, claim: number): boolean {
    const peer = this.#peers.get(node)
    if (peer === undefined || !peer.up) return false
    const { answer, objectionsTaken, uncounted, contested } = peer.pairing
    return (
      answer.round >= round &&
      answer.claims >= claim &&
      objectionsTaken >= answer.objections &&
      !uncounted.has(claim) &&
      !contested.has(claim)
    )
  }

  /** How late the next tick is, or the one that runs. */
  get #lateMs(): number {
    return this.#nowMs - this.#tickDueMs
  }

  get #nowMs(): number {
    return this.#options.env.clock.monotonicMs()
  }

  get #nowUs(): number {
    return Math.floor((this.#nowMs - this.#startMs) * 1000)
  }

  get #own(): OwnNews {
    return {
      bootId: this.#options.self.bootId,
      claims: this.#claims,
      status: this.#status,
      round: this.#rounds.round,
      nowMs: this.#nowMs,
      nowUs: this.#nowUs,
    }
  }
}

function isBootId(bootId: string): boolean {
  const bytes = Buffer.byteLength(bootId)
  return bytes > 0 && bytes <= BOOT_ID_BYTES_MAX
}
