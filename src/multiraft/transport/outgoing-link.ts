// One connection that this node dialled, from the connect to its end: it carries this node's frames of one lane.

import { assert } from '../../base/assert.ts'
import type { Timer } from '../../env/env.ts'
import { NetError, type Connection } from '../../env/network.ts'
import { DiallerHandshake, type DiallerStep, type HandshakeFault } from './handshake.ts'
import { NONCE_BYTES } from './handshake-messages.ts'
import { SendQueue } from './send-queue.ts'
import type { TransportContext } from './transport-context.ts'
import type { Lane, NodeIdentity, PeerAddress } from './transport.ts'

const CONNECT_MS_MAX = 1_000
export const HANDSHAKE_MS_MAX = 5_000

export const HIGH_MARK_BYTES = { control: 4 << 20, data: 32 << 20 } as const satisfies Record<
  Lane,
  number
>

/** A refusal of the handshake, or `network` where the connection itself failed. */
export type DialFault = HandshakeFault | 'network' | 'unwanted'

export interface OutgoingOwner {
  /** The other side proved who it is. A text: why the connection is not wanted. */
  onVerified(link: OutgoingLink, identity: NodeIdentity): string | undefined
  /** Frames may be sent from now on. */
  onStanding(link: OutgoingLink, identity: NodeIdentity): void
  /** Called once, unless the owner ended it. */
  onEnded(link: OutgoingLink, fault: DialFault, reason: string): void
  onRoom(link: OutgoingLink): void
}

export interface OutgoingLinkOptions {
  readonly context: TransportContext
  readonly to: PeerAddress
  readonly lane: Lane
  readonly owner: OutgoingOwner
}

export class OutgoingLink {
  readonly lane: Lane
  readonly startedMs: number
  readonly #options: OutgoingLinkOptions
  #connection: Connection | undefined
  #handshake: DiallerHandshake | undefined
  #timeout: Timer | undefined
  #identity: NodeIdentity | undefined
  /** While it stands. */
  #queue: SendQueue | undefined
  #ended = false

  constructor(options: OutgoingLinkOptions) {
    const { context, to, lane } = options
    this.#options = options
    this.lane = lane
    this.startedMs = context.env.clock.monotonicMs()
    context.env.network.connect(to, { timeoutMs: CONNECT_MS_MAX }).then(
      (connection) => this.#connected(connection),
      (error: unknown) => {
        if (!(error instanceof NetError)) throw error
        this.#end('network', error.message)
      },
    )
  }

  /** Somebody took the connection; the handshake may be under way. */
  get isConnected(): boolean {
    return this.#connection !== undefined
  }

  get pendingBytes(): number {
    return this.#queue?.pendingBytes ?? 0
  }

  /** False: over the high mark. */
  send(frame: readonly Uint8Array[]): boolean {
    assert(this.#queue !== undefined, 'frames follow the handshake')
    return this.#queue.push(frame)
  }

  /** Where nothing was sent since it was last called, sends a sign of life. */
  keepAlive(): void {
    if (this.#queue?.takeIdle() === true) {
      this.#queue.push([])
      this.#queue.takeIdle()
    }
  }

  /** Ends without a word to the owner; what is queued is dropped. */
  destroy(): void {
    this.#ended = true
    this.#timeout?.cancel()
    this.#queue?.end()
    this.#connection?.destroy()
  }

  /**
   * Sends what is queued, and the control lane then ends. The other lane is left to the peer, who ends the session when
   * it has read the control lane to its end; one that ended before could take the last votes with it.
   */
  finish(): void {
    if (this.#queue === undefined) return this.destroy()
    this.#ended = true
    this.#queue.finish()
    if (this.lane === 'control') this.#connection?.close()
  }

  #connected(connection: Connection): void {
    const { context, to, lane } = this.#options
    if (this.#ended) return connection.destroy()
    this.#connection = connection
    context.opened(connection)
    connection.start({
      onData: (chunk) => this.#receive(connection, chunk),
      onClose: (error) => {
        context.gone(connection)
        this.#end('network', error?.message ?? 'the other side ended the connection')
      },
      onDrain: () => this.#queue?.drained(),
    })
    const { self, secret } = context
    const nonce = context.env.random.bytes(NONCE_BYTES)
    this.#handshake = new DiallerHandshake({ self, to: to.nodeId, lane, secret, nonce })
    connection.write([this.#handshake.hello])
    this.#timeout = context.env.timers.after(HANDSHAKE_MS_MAX, () => {
      connection.destroy()
      this.#end('network', `no handshake in ${HANDSHAKE_MS_MAX} ms`)
    })
  }

  #receive(connection: Connection, chunk: Uint8Array): void {
    if (this.#ended) return
    if (this.#handshake === undefined) {
      connection.destroy()
      return this.#end('malformed', 'frames do not come this way')
    }
    this.#take(connection, this.#handshake.receive(chunk))
  }

  #take(connection: Connection, step: DiallerStep): void {
    const { owner } = this.#options
    switch (step.kind) {
      case 'more':
        return
      case 'verified': {
        const unwanted = owner.onVerified(this, step.peer)
        if (this.#ended) return
        if (unwanted !== undefined) {
          connection.destroy()
          return this.#end('unwanted', unwanted)
        }
        this.#identity = step.peer
        connection.write([step.send])
        return
      }
      case 'accepted':
        return this.#stand(connection)
      case 'failed':
        if (step.send === undefined) connection.destroy()
        else {
          connection.write([step.send])
          connection.close()
        }
        return this.#end(step.fault, step.detail)
    }
  }

  #stand(connection: Connection): void {
    const { context, lane, owner } = this.#options
    assert(this.#identity !== undefined, 'accepted before verified')
    this.#timeout?.cancel()
    this.#handshake = undefined
    this.#queue = new SendQueue({
      connection,
      timers: context.env.timers,
      highMarkBytes: HIGH_MARK_BYTES[lane],
      onDrain: () => owner.onRoom(this),
    })
    owner.onStanding(this, this.#identity)
  }

  #end(fault: DialFault, reason: string): void {
    if (this.#ended) return
    this.#ended = true
    this.#timeout?.cancel()
    this.#queue?.end()
    this.#options.owner.onEnded(this, fault, reason)
  }
}
