// One connection that somebody dialled to this node, from its first byte to its end: where the handshake succeeds, it
// carries a peer's frames of one lane.

import type { NodeId } from '../../base/brand.ts'
import type { Timer } from '../../env/env.ts'
import type { Connection } from '../../env/network.ts'
import { FrameReader } from './frames.ts'
import {
  acceptance,
  AcceptorHandshake,
  refuse,
  type AcceptorStep,
  type HandshakeFailure,
} from './handshake.ts'
import { NONCE_BYTES, type RefusalCause } from './handshake-messages.ts'
import { HANDSHAKE_MS_MAX } from './outgoing-link.ts'
import type { TransportContext } from './transport-context.ts'
import type { Lane, NodeIdentity } from './transport.ts'

export interface Refusal {
  readonly cause: RefusalCause
  readonly reason: string
}

export interface IncomingOwner {
  /** A refusal: the connection is not taken, and told so. */
  admit(link: IncomingLink, identity: NodeIdentity, lane: Lane): Refusal | undefined
  /** The other side knows that it was admitted. Nothing is read until `release`. */
  onAdmitted(link: IncomingLink, identity: NodeIdentity, lane: Lane): void
  onFrame(identity: NodeIdentity, lane: Lane, frame: Uint8Array): void
  /** It stood and ended. Not called where the owner ended it. */
  onLost(link: IncomingLink, lane: Lane, reason: string): void
}

export interface IncomingLinkOptions {
  readonly context: TransportContext
  readonly connection: Connection
  /** Grows with each accepted connection. */
  readonly sequence: number
  /** Who takes the connections of this peer. */
  readonly ownerOf: (nodeId: NodeId) => IncomingOwner | undefined
  readonly onFailed: (failure: HandshakeFailure, remote: string) => void
  /** Called once, when the connection is gone. */
  readonly onGone: (link: IncomingLink) => void
}

interface Standing {
  readonly identity: NodeIdentity
  readonly lane: Lane
  readonly owner: IncomingOwner
  readonly frames: FrameReader
}

export class IncomingLink {
  readonly sequence: number
  readonly #options: IncomingLinkOptions
  readonly #handshake: AcceptorHandshake
  readonly #timeout: Timer
  #standing: Standing | undefined
  /** Signs of life and frames alike. */
  #heard = false
  #ended = false

  constructor(options: IncomingLinkOptions) {
    const { context, connection, ownerOf } = options
    const { self, secret, env } = context
    this.#options = options
    this.sequence = options.sequence
    this.#handshake = new AcceptorHandshake({
      self,
      isPeer: (nodeId) => ownerOf(nodeId) !== undefined,
      secret,
      nonce: env.random.bytes(NONCE_BYTES),
    })
    this.#timeout = env.timers.after(HANDSHAKE_MS_MAX, () => {
      this.#fail(refuse('malformed', `no handshake in ${HANDSHAKE_MS_MAX} ms`))
    })
    context.opened(connection)
    connection.start({
      onData: (chunk) => this.#receive(chunk),
      onClose: (error) => {
        context.gone(connection)
        options.onGone(this)
        this.#lose(error?.message ?? 'the other side ended the connection')
      },
    })
  }

  get isStanding(): boolean {
    return this.#standing !== undefined
  }

  /** Whether bytes came since this was last asked. */
  takeHeard(): boolean {
    const heard = this.#heard
    this.#heard = false
    return heard
  }

  /** Frames are delivered from now on. */
  release(): void {
    if (!this.#ended) this.#options.connection.resume()
  }

  /** Ends without a word to the owner. */
  destroy(): void {
    this.#ended = true
    this.#timeout.cancel()
    this.#options.connection.destroy()
  }

  #receive(chunk: Uint8Array): void {
    if (this.#ended) return
    if (this.#standing !== undefined) this.#deliver(this.#standing, chunk)
    else this.#take(this.#handshake.receive(chunk))
  }

  #deliver({ identity, lane, owner, frames }: Standing, chunk: Uint8Array): void {
    this.#heard = true
    for (const frame of frames.push(chunk)) {
      owner.onFrame(identity, lane, frame)
      if (this.#ended) return
    }
    if (frames.fault === undefined) return
    this.#options.context.counters.badFrames += 1
    this.#options.connection.destroy()
    this.#lose(frames.fault)
  }

  #take(step: AcceptorStep): void {
    const { connection } = this.#options
    switch (step.kind) {
      case 'more':
        return
      case 'send':
        connection.write([step.send])
        return
      case 'verified':
        return this.#verified(step.peer, step.lane)
      case 'failed':
        return this.#fail(step)
    }
  }

  #verified(identity: NodeIdentity, lane: Lane): void {
    const { context, connection, ownerOf } = this.#options
    const owner = ownerOf(identity.nodeId)
    if (owner === undefined) return this.#fail(refuse('unknown-node', 'no such peer'))
    const refusal = owner.admit(this, identity, lane)
    if (this.#ended) return
    if (refusal !== undefined) {
      return this.#fail(refuse(refusal.cause, refusal.reason, identity.nodeId))
    }
    this.#timeout.cancel()
    const frames = new FrameReader({ frameBytesMax: context.frameBytesMax })
    this.#standing = { identity, lane, owner, frames }
    connection.pause()
    connection.write([acceptance()])
    owner.onAdmitted(this, identity, lane)
  }

  #fail(failure: HandshakeFailure): void {
    const { context, connection, onFailed } = this.#options
    if (this.#ended) return
    this.#ended = true
    this.#timeout.cancel()
    context.counters.handshakesFailed += 1
    if (failure.send === undefined) connection.destroy()
    else {
      connection.write([failure.send])
      connection.close()
    }
    onFailed(failure, connection.remote.host)
  }

  #lose(reason: string): void {
    if (this.#ended) return
    this.#ended = true
    this.#timeout.cancel()
    const standing = this.#standing
    if (standing !== undefined) standing.owner.onLost(this, standing.lane, reason)
  }
}
