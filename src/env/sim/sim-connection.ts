// One end of a simulated TCP connection. Bytes go from the sender's queue in segments of random size through the
// link, in order, into the receiver's hands; a receiver that doesn't take them closes the window and so holds the
// sender up. Segments wait while their link is blocked and go on when it heals.

import { assert } from '../../base/assert.ts'
import { NetError, type Connection, type ConnectionHandlers, type NetAddress } from '../network.ts'
import { EVENT } from './scheduler.ts'
import type { SimNetwork } from './sim-network.ts'
import type { SimProcess } from './sim-process.ts'

const HIGH_MARK_BYTES = 1 << 20
const LOW_MARK_BYTES = 256 << 10
const WINDOW_BYTES = 256 << 10
const SEGMENT_BYTES_MAX = 64 << 10
/** How long an ended connection may linger for the peer's own end. */
const LINGER_MS = 1_000
/** After a blocked link has healed, the sender's next retransmission comes within this time. */
const RETRANSMISSION_MS_MAX = 200

type Segment =
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' }
  | { readonly kind: 'reset' }

export class SimConnection implements Connection {
  readonly local: NetAddress
  readonly remote: NetAddress
  readonly process: SimProcess
  readonly #network: SimNetwork
  #peer: SimConnection | undefined
  #handlers: ConnectionHandlers | undefined

  // Sending: queue → link → the peer's #arrived.
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  #windowUsed = 0
  #link: Segment[] = []
  #linkBusy = false
  #pumping = false
  #wantsDrain = false
  /** After the queue an end goes out. */
  #ending = false
  #endSent = false

  // Receiving.
  #arrived: Segment[] = []
  #delivering = false
  #paused = false
  /** Still counts bytes, but drops them. */
  #deaf = false
  #closed = false
  #error: NetError | undefined

  constructor(network: SimNetwork, process: SimProcess, local: NetAddress, remote: NetAddress) {
    this.#network = network
    this.process = process
    this.local = local
    this.remote = remote
    network.add(this)
  }

  join(peer: SimConnection): void {
    this.#peer = peer
    peer.#peer = this
  }

  get hostName(): string {
    return this.local.host
  }

  get peerHostName(): string {
    return this.remote.host
  }

  start(handlers: ConnectionHandlers): void {
    if (!this.process.alive) return
    assert(this.#handlers === undefined, 'a connection is started once')
    this.#handlers = handlers
    if (this.#closed) this.#later(() => handlers.onClose(this.#error))
    else this.#deliverSoon()
  }

  get pendingBytes(): number {
    return this.#queuedBytes
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (!this.process.alive || this.#ending || this.#closed) return true
    for (const chunk of chunks) {
      if (chunk.byteLength === 0) continue
      this.#queue.push(chunk)
      this.#queuedBytes += chunk.byteLength
    }
    this.#pumpSoon()
    if (this.#queuedBytes <= HIGH_MARK_BYTES) return true
    this.#wantsDrain = true
    return false
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#deliverSoon()
  }

  close(): void {
    if (!this.process.alive || this.#ending || this.#closed) return
    this.#ending = true
    this.#deaf = true
    this.#pumpSoon()
    this.#deliverSoon()
  }

  destroy(): void {
    if (!this.process.alive || this.#closed) return
    this.#deaf = true
    this.#dropQueue()
    // The kernel sends an end, or a reset where bytes were left unread; either is possible at any time.
    this.#send(this.#network.chance.chance(0.5) ? { kind: 'end' } : { kind: 'reset' })
    this.#later(() => this.#finish())
  }

  /** The connection breaks under both ends. */
  fail(code: string, message: string): void {
    for (const end of [this, this.#peer]) {
      if (end === undefined) continue
      end.#dropQueue()
      end.#link = []
      end.#later(() => end.#finish(new NetError(code, message)))
    }
  }

  /** The process died: what the kernel had is still sent, then an end or a reset. */
  killOwner(): void {
    this.#dropQueue()
    if (!this.#endSent) {
      this.#send(this.#network.chance.chance(0.5) ? { kind: 'end' } : { kind: 'reset' })
    }
    this.#handlers = undefined
    this.#closed = true
    if (this.#link.length === 0) this.#network.remove(this)
  }

  /** The process was held and goes on. */
  ownerReleased(): void {
    this.#deliverSoon()
  }

  /** The host lost its power: nothing more is sent, and what arrives is not even refused. */
  vanish(): void {
    this.#dropQueue()
    this.#link = []
    this.#handlers = undefined
    this.#closed = true
    this.#network.remove(this)
  }

  linkChanged(): void {
    if (this.#link.length > 0 && !this.#linkBusy) {
      this.#linkBusy = true
      this.#carry(this.#network.chance.float() * RETRANSMISSION_MS_MAX)
    }
  }

  #pumpSoon(): void {
    if (this.#pumping) return
    this.#pumping = true
    this.#after(this.#network.chance.float() * 0.02, () => {
      this.#pumping = false
      this.#pump()
    })
  }

  #pump(): void {
    while (this.#queuedBytes > 0 && this.#windowUsed < WINDOW_BYTES) {
      const bytes = this.#cutSegment()
      this.#windowUsed += bytes.byteLength
      this.#send({ kind: 'data', bytes })
    }
    if (this.#wantsDrain && this.#queuedBytes <= LOW_MARK_BYTES && !this.#ending) {
      this.#wantsDrain = false
      this.#handlers?.onDrain?.()
    }
    if (this.#ending && !this.#endSent && this.#queuedBytes === 0 && !this.#closed) {
      this.#send({ kind: 'end' })
      this.#after(LINGER_MS, () => this.#finish())
    }
  }

  /** Copies the next bytes out of the queue: mostly all that fit, sometimes only a few, across the writes' borders. */
  #cutSegment(): Uint8Array {
    const { chance } = this.#network
    const most = Math.min(this.#queuedBytes, SEGMENT_BYTES_MAX, WINDOW_BYTES - this.#windowUsed)
    const size = chance.chance(0.85) ? most : chance.between(1, chance.pick([16, 512, most]))
    const segment = this.#network.room(Math.min(size, most))
    let filled = 0
    let taken = 0
    while (filled < segment.byteLength) {
      const chunk = this.#queue[taken]
      assert(chunk !== undefined, 'the queue holds fewer bytes than counted')
      const part = chunk.subarray(0, segment.byteLength - filled)
      segment.set(part, filled)
      filled += part.byteLength
      if (part.byteLength === chunk.byteLength) taken += 1
      else this.#queue[taken] = chunk.subarray(part.byteLength)
    }
    this.#queue = taken === 0 ? this.#queue : this.#queue.slice(taken)
    this.#queuedBytes -= segment.byteLength
    return segment
  }

  #send(segment: Segment): void {
    if (this.#endSent) return
    if (segment.kind !== 'data') this.#endSent = true
    // A reset overtakes what has not left yet.
    if (segment.kind === 'reset') this.#link = []
    this.#link.push(segment)
    if (this.#linkBusy) return
    this.#linkBusy = true
    this.#carry(this.#delayMs(segment))
  }

  #delayMs(segment: Segment): number {
    const bytes = segment.kind === 'data' ? segment.bytes.byteLength : 0
    return this.#network.delayMs(this.hostName, this.peerHostName, bytes)
  }

  /** Takes the first segment of the link to the peer, then the next. This is the kernel's work: it outlives the process. */
  #carry(delayMs: number): void {
    this.#network.scheduler.after(delayMs, EVENT.network, () => {
      this.#linkBusy = false
      const [segment] = this.#link
      if (segment === undefined || this.#peer === undefined) return
      if (this.#network.isBlocked(this.hostName, this.peerHostName)) return
      if (this.#network.host(this.peerHostName)?.powered !== true) return
      this.#link.shift()
      this.#peer.#arrive(segment)
      const [next] = this.#link
      if (next !== undefined) {
        this.#linkBusy = true
        this.#carry(this.#delayMs(next) / 4)
      } else if (this.#closed) {
        this.#network.remove(this)
      }
    })
  }

  #arrive(segment: Segment): void {
    this.#network.scheduler.trace(segment.kind === 'data' ? segment.bytes.byteLength : 0)
    if (this.#closed) {
      // Nobody is here any more: the kernel answers bytes with a reset.
      if (segment.kind === 'data') this.#answerWithReset()
      return
    }
    if (segment.kind === 'reset') {
      this.#arrived = []
      this.#dropQueue()
      this.#finish(new NetError('ECONNRESET', 'connection reset by peer'))
      return
    }
    this.#arrived.push(segment)
    this.#deliver()
  }

  #answerWithReset(): void {
    const delayMs = this.#network.delayMs(this.hostName, this.peerHostName, 0)
    this.#network.scheduler.after(delayMs, EVENT.network, () => {
      if (this.#network.isBlocked(this.hostName, this.peerHostName)) return
      this.#toPeer((peer) => peer.#arrive({ kind: 'reset' }))
    })
  }

  #deliverSoon(): void {
    if (this.#delivering || this.#arrived.length === 0) return
    this.#delivering = true
    this.#after(0, () => {
      this.#delivering = false
      this.#deliver()
    })
  }

  #deliver(): void {
    if (this.process.held || (this.#handlers === undefined && !this.#deaf)) return
    while (this.#arrived.length > 0 && !this.#closed && (this.#deaf || !this.#paused)) {
      const segment = this.#arrived.shift()
      if (segment?.kind === 'data') {
        const { byteLength } = segment.bytes
        this.#toPeer((peer) => peer.#acknowledge(byteLength))
        if (!this.#deaf) this.#handlers?.onData(segment.bytes)
      } else if (this.#endSent) {
        this.#finish()
      } else {
        this.#peerEnded()
      }
    }
  }

  /** Reports the end at once; what is queued is still sent, then this side ends too. */
  #peerEnded(): void {
    this.#deaf = true
    this.#ending = true
    this.#pumpSoon()
    const handlers = this.#handlers
    this.#handlers = undefined
    handlers?.onClose()
  }

  #acknowledge(bytes: number): void {
    this.#windowUsed -= bytes
    if (this.#queuedBytes > 0) this.#pumpSoon()
  }

  #dropQueue(): void {
    this.#queue = []
    this.#queuedBytes = 0
  }

  #finish(error?: NetError): void {
    if (this.#closed) return
    this.#closed = true
    this.#error = error
    this.#arrived = []
    this.#dropQueue()
    if (this.#link.length === 0) this.#network.remove(this)
    const handlers = this.#handlers
    this.process.enter(() => handlers?.onClose(error))
  }

  #toPeer(run: (peer: SimConnection) => void): void {
    if (this.#peer !== undefined) run(this.#peer)
  }

  #later(run: () => void): void {
    this.#after(this.#network.chance.float() * 0.05, run)
  }

  #after(delayMs: number, run: () => void): void {
    this.#network.scheduler.after(delayMs, EVENT.network, () => this.process.enter(run))
  }
}
