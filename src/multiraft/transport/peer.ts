// One peer and the connections with it. All that stand at a time belong to one process of the peer, together they are a
// session: each side's control lane, then each side's data lane. A session has a single end: when one connection is
// lost, all are ended and dialled anew, so that within a session frames of a lane arrive without gaps and both sides
// agree, within one round trip, on when it was over.
//
// Which process is the peer's, where two claim its id, is what this node's own dial finds at the configured address.

import type { Lane, NodeIdentity, PeerAddress, PeerState } from './transport.ts'
import { Dialler } from './dialler.ts'
import type { IncomingLink, IncomingOwner, Refusal } from './incoming-link.ts'
import type { DialFault, OutgoingLink, OutgoingOwner } from './outgoing-link.ts'
import { formatAddress } from './transport-config.ts'
import type { TransportContext } from './transport-context.ts'

/** A session that lasted so long was a good one: the next dial need not hesitate. */
const GOOD_SESSION_MS = 1_000
/** What comes and goes while nodes start and stop. */
const PASSING: ReadonlySet<DialFault> = new Set(['network', 'control-first', 'superseded'])
/** Ticks without a byte from an up peer, or without getting up, after which a session is over. */
const QUIET_TICKS_MAX = 4

interface Session {
  readonly identity: NodeIdentity
  readonly outgoing: Map<Lane, OutgoingLink>
  readonly incoming: Map<Lane, IncomingLink>
  /** Monotonic; undefined before. */
  upSinceMs: number | undefined
  quietTicks: number
}

export class Peer implements OutgoingOwner, IncomingOwner {
  readonly #context: TransportContext
  readonly #address: PeerAddress
  readonly #diallers: { readonly [K in Lane]: Dialler }
  #session: Session | undefined
  #lastError: string | undefined
  /** A frame was refused because the data lane did not stand yet. */
  #wantsData = false
  #closed = false

  constructor(context: TransportContext, address: PeerAddress) {
    this.#context = context
    this.#address = address
    const dialler = (lane: Lane): Dialler =>
      new Dialler(context, { to: address, lane, owner: this })
    this.#diallers = { control: dialler('control'), data: dialler('data') }
  }

  get state(): PeerState {
    const { nodeId, host, port } = this.#address
    return {
      nodeId,
      address: { host, port },
      connected: this.identity !== undefined,
      identity: this.identity,
      pendingBytes: this.pendingBytes('control') + this.pendingBytes('data'),
      lastError: this.#lastError,
    }
  }

  /** Of the process that is up. */
  get identity(): NodeIdentity | undefined {
    const session = this.#session
    return session?.upSinceMs === undefined ? undefined : session.identity
  }

  start(): void {
    this.#diallers.control.now()
  }

  /** False: not up, the lane does not stand yet, or it is over its high mark. */
  send(lane: Lane, frame: readonly Uint8Array[]): boolean {
    if (this.identity === undefined) return false
    const link = this.#session?.outgoing.get(lane)
    if (link !== undefined) return link.send(frame)
    this.#wantsData = true
    return false
  }

  pendingBytes(lane: Lane): number {
    return this.#session?.outgoing.get(lane)?.pendingBytes ?? 0
  }

  /** Once per interval. Counted in ticks, so that a process which itself stood still does not blame its peers. */
  tick(): void {
    const session = this.#session
    if (session === undefined) return
    for (const link of session.outgoing.values()) link.keepAlive()
    const isUp = session.upSinceMs !== undefined
    const isHeard = session.incoming.get('control')?.takeHeard() === true
    session.quietTicks = isUp && isHeard ? 0 : session.quietTicks + 1
    if (session.quietTicks <= QUIET_TICKS_MAX) return
    this.#endSession(session, isUp ? 'silent' : 'connected one way only')
  }

  /** What is queued is still sent; nobody is told of anything any more. */
  finish(): void {
    this.#closed = true
    for (const dialler of Object.values(this.#diallers)) dialler.stop()
    for (const link of this.#session?.outgoing.values() ?? []) link.finish()
    this.#session = undefined
  }

  // What this node dialled.

  onVerified(link: OutgoingLink, identity: NodeIdentity): string | undefined {
    const session = this.#session
    if (session !== undefined && !isSameProcess(session.identity, identity)) {
      this.#endSession(session, 'another process answers in its place')
    }
    const standing = this.#session?.outgoing
    if (standing?.has(link.lane) === true) return 'the process is the one already connected'
    if (link.lane === 'data' && standing?.has('control') !== true) return 'its control lane is gone'
    return undefined
  }

  onStanding(link: OutgoingLink, identity: NodeIdentity): void {
    const { lane } = link
    this.#diallers[lane].settled(link)
    // Since it was verified, another process may have come in, or this one have been found to be over.
    const unwanted = this.onVerified(link, identity)
    if (this.#closed || unwanted !== undefined) return link.destroy()
    this.#session ??= newSession(identity)
    const session = this.#session
    session.outgoing.set(lane, link)
    this.#diallers[lane].stop()
    if (lane === 'control') {
      this.#diallers.data.now()
      this.#rise(session)
    } else if (this.#wantsData) {
      this.#wantsData = false
      this.#context.handlers.onDrain(this.#address.nodeId, lane)
    }
  }

  onEnded(link: OutgoingLink, fault: DialFault, reason: string): void {
    const { lane } = link
    const session = this.#session
    const wasAttempt = this.#diallers[lane].settled(link)
    if (wasAttempt) {
      if (fault !== 'unwanted') this.#dialFailed(lane, fault, reason)
      const isWanted = lane === 'control' || session?.outgoing.has('control') === true
      if (isWanted && session?.outgoing.has(lane) !== true) this.#diallers[lane].later()
    } else if (session?.outgoing.get(lane) === link) {
      this.#endSession(session, `lost: ${reason}`)
    }
  }

  onRoom(link: OutgoingLink): void {
    if (this.#session?.outgoing.get(link.lane) !== link) return
    this.#context.handlers.onDrain(this.#address.nodeId, link.lane)
  }

  // What dialled this node.

  admit(link: IncomingLink, identity: NodeIdentity, lane: Lane): Refusal | undefined {
    const before = this.#session
    if (before !== undefined && !isSameProcess(before.identity, identity)) {
      if (before.outgoing.has('control')) {
        this.#diallers.control.now()
        const reason = `another process of node ${identity.nodeId} is connected`
        return { cause: 'occupied', reason }
      }
      this.#endSession(before, 'another process took its place')
    }
    const old = this.#session?.incoming.get(lane)
    if (old !== undefined && old.sequence > link.sequence) {
      return { cause: 'superseded', reason: 'a newer connection of this lane stands' }
    }
    // The other side dials again only after it has ended its session; that the old connection ended is still to be heard.
    if (old !== undefined && this.#session !== undefined) {
      this.#endSession(this.#session, 'lost: replaced by a newer connection')
    }
    if (this.#closed) return { cause: 'other', reason: 'this node is closing' }
    if (lane === 'data' && this.#session?.incoming.has('control') !== true) {
      return { cause: 'control-first', reason: 'a data lane needs its control lane' }
    }
    return undefined
  }

  onAdmitted(link: IncomingLink, identity: NodeIdentity, lane: Lane): void {
    this.#session ??= newSession(identity)
    const session = this.#session
    session.incoming.set(lane, link)
    // It is evidently there, and so it can be reached.
    if (!session.outgoing.has('control')) this.#diallers.control.now()
    if (session.upSinceMs === undefined) this.#rise(session)
    else link.release()
  }

  onFrame(identity: NodeIdentity, lane: Lane, frame: Uint8Array): void {
    if (!this.#closed) this.#context.handlers.onFrame(identity, lane, frame)
  }

  onLost(link: IncomingLink, lane: Lane, reason: string): void {
    const session = this.#session
    if (session?.incoming.get(lane) === link) this.#endSession(session, `lost: ${reason}`)
  }

  /** Up, once both control lanes stand. */
  #rise(session: Session): void {
    if (!session.outgoing.has('control') || !session.incoming.has('control')) return
    const { clock, log } = this.#context.env
    const { identity } = session
    session.upSinceMs = clock.monotonicMs()
    session.quietTicks = 0
    this.#lastError = undefined
    this.#context.quietLog.forget(this.#cause('network'))
    log.info('a peer is connected', { peer: identity.nodeId, boot: identity.bootId })
    this.#context.handlers.onPeerUp(identity)
    for (const link of session.incoming.values()) link.release()
  }

  /** Ends all of it and dials anew. The caller must look again at what is there: the handler may have closed everything. */
  #endSession(session: Session, reason: string): void {
    const { env, handlers } = this.#context
    const { identity, upSinceMs } = session
    this.#session = undefined
    this.#lastError = reason
    this.#wantsData = false
    for (const link of session.outgoing.values()) link.destroy()
    for (const link of session.incoming.values()) link.destroy()
    const { control, data } = this.#diallers
    data.stop()
    if (upSinceMs !== undefined && env.clock.monotonicMs() - upSinceMs >= GOOD_SESSION_MS) {
      control.resetPause()
      data.resetPause()
    }
    control.later()
    if (upSinceMs === undefined) return
    env.log.warn('a peer is gone', { peer: identity.nodeId, boot: identity.bootId, reason })
    handlers.onPeerDown(identity, reason)
  }

  #dialFailed(lane: Lane, fault: DialFault, reason: string): void {
    this.#lastError = reason
    const level = PASSING.has(fault) ? 'info' : 'warn'
    const peer = this.#address.nodeId
    const address = formatAddress(this.#address)
    const fields = { peer, address, lane, reason }
    this.#context.quietLog.write(level, this.#cause(fault), 'a peer could not be connected', fields)
  }

  #cause(fault: DialFault): string {
    return `dial ${this.#address.nodeId} ${fault}`
  }
}

function newSession(identity: NodeIdentity): Session {
  return {
    identity,
    outgoing: new Map(),
    incoming: new Map(),
    upSinceMs: undefined,
    quietTicks: 0,
  }
}

function isSameProcess(a: NodeIdentity, b: NodeIdentity): boolean {
  return a.directoryId === b.directoryId && a.bootId === b.bootId
}
