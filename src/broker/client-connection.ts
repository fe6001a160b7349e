// One client's connection: frames in, responses out in request order. It reads no further than its bounds allow: requests in
// flight, bytes of them (its own and the node's), and responses that the peer does not take.
//
//   socket → frames → waiting → started (slots, in order) → answered → written
//
// A request starts when the one before is accepted (see handler.ts). A slot is written when it and all before it are
// answered.

import type { Clock } from '../env/env.ts'
import type { Connection, NetError } from '../env/network.ts'
import type { QuietLog } from '../env/quiet-log.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { FrameSplitter } from '../protocol/frames.ts'
import { REQUEST_HEAD_BYTES } from '../protocol/headers.ts'
import type { Answer, Dispatcher, RequestOrigin } from './dispatcher.ts'
import type { RequestBudget } from './request-budget.ts'

/**
 * Once this much of a frame is here, it counts in full; smaller ones count when they are whole. With one chunk of a socket
 * (64 KiB) more, it is still one of few bytes for the frame splitter.
 */
const RESERVE_BYTES_MIN = 32 * 1024

export interface ConnectionLimits {
  /** socket.request.max.bytes */
  readonly requestBytesMax: number
  /** Requests started and not answered, per connection. */
  readonly inFlightRequestsMax: number
  /** Bytes of requests started and not answered, per connection. */
  readonly inFlightBytesMax: number
  /** Bytes answered that wait for the answer to an earlier request, per connection. */
  readonly heldBytesMax: number
}

export interface ClientConnectionOptions {
  readonly connection: Connection
  readonly listener: string
  readonly dispatcher: Dispatcher
  readonly limits: ConnectionLimits
  readonly budget: RequestBudget
  readonly clock: Clock
  readonly quietLog: QuietLog
  readonly onClosed: (connection: ClientConnection) => void
}

interface Slot {
  readonly requestBytes: number
  /** Undefined until answered. */
  answer: Answer | undefined
}

export class ClientConnection {
  readonly remoteHost: string
  readonly #connection: Connection
  readonly #options: ClientConnectionOptions
  readonly #frames: FrameSplitter
  readonly #origin: RequestOrigin
  /** Of requests in work that nobody will read the answer of. */
  readonly #onceClosed = new Set<() => void>()
  /** Whole frames that have not started; all from the last chunk or before a bound was met. */
  #waiting: Uint8Array[] = []
  #slots: Slot[] = []
  #inFlightBytes = 0
  /** Bytes that the node's budget counts for a large frame that is arriving, or has arrived and waits. */
  #reserved = 0
  /** That frame, once it is whole. */
  #reservedFrame: Uint8Array | undefined
  /** Answered bytes behind a slot that is not. */
  #heldBytes = 0
  /** The last started request is not accepted yet. */
  #busy = false
  #serving = false
  #finishing = false
  #starting = false
  #paused = false
  /** The peer does not take what was written. */
  #blocked = false
  #closed = false
  #lastActiveMs: number

  constructor(options: ClientConnectionOptions) {
    this.#options = options
    this.#connection = options.connection
    this.remoteHost = options.connection.remote.host
    this.#frames = new FrameSplitter({ frameBytesMax: options.limits.requestBytesMax })
    this.#origin = {
      listener: options.listener,
      clientHost: this.remoteHost,
      onConnectionClosed: (callback) => {
        this.#onceClosed.add(callback)
        return () => this.#onceClosed.delete(callback)
      },
    }
    this.#lastActiveMs = options.clock.monotonicMs()
    options.connection.start({
      onData: (chunk) => this.#onData(chunk),
      onClose: (error) => this.#onClose(error),
      onDrain: () => {
        this.#blocked = false
        this.#pump()
      },
    })
  }

  /** Monotonic; undefined while a request is in work, which is never idle. */
  get idleSinceMs(): number | undefined {
    return this.#slots.length === 0 ? this.#lastActiveMs : undefined
  }

  /** Monotonic: when bytes of a large frame that is still arriving came last; undefined where there is none. */
  get arrivingSinceMs(): number | undefined {
    return this.#reserved > 0 && this.#reservedFrame === undefined ? this.#lastActiveMs : undefined
  }

  /** Requests are worked on from now on; until then they wait. */
  serve(): void {
    this.#serving = true
    this.#pump()
  }

  /** Sends what is queued, then ends. Requests in work are not answered. */
  close(): void {
    if (this.#closed) return
    this.#connection.close()
  }

  /** Starts no more requests, and closes once those in work are answered. */
  finish(): void {
    this.#serving = false
    this.#finishing = true
    if (this.#slots.length === 0) this.close()
  }

  #onData(chunk: Uint8Array): void {
    if (this.#closed) return
    this.#lastActiveMs = this.#options.clock.monotonicMs()
    let frames: Uint8Array[]
    try {
      frames = this.#frames.push(chunk)
      this.#checkArriving()
    } catch (error) {
      return this.#refusePeer(error)
    }
    if (this.#reserved > 0 && this.#reservedFrame === undefined) this.#reservedFrame = frames[0]
    if (this.#waiting.length === 0) this.#waiting = frames
    else this.#waiting.push(...frames)
    this.#pump()
  }

  /** What would be refused once it is whole is refused as soon as that is known. */
  #checkArriving(): void {
    const { dispatcher } = this.#options
    const { announcedBytes } = this.#frames
    const head = this.#frames.begun(REQUEST_HEAD_BYTES)
    if (head !== undefined) dispatcher.admit(head, announcedBytes)
    if (this.#reserved > 0) return
    // Before a large one is counted, and gets its room.
    const beginning = this.#frames.begun(RESERVE_BYTES_MIN)
    if (beginning !== undefined) dispatcher.examine(beginning, announcedBytes)
  }

  /** Starts what may start, and reads on or not. */
  readonly #pump = (): void => {
    // A handler that answers at once comes back here through its slot; the loop below goes on instead.
    if (this.#closed || this.#starting) return
    this.#starting = true
    let started = 0
    while (started < this.#waiting.length) {
      const frame = this.#waiting[started]!
      if (this.#busy || !this.#hasRoom() || !this.#isCounted(frame)) break
      started++
      this.#start(frame)
      if (this.#closed) break
    }
    if (started > 0) this.#waiting = this.#waiting.slice(started)
    this.#starting = false
    if (this.#closed) return
    this.#readOn(this.#waiting.length === 0 && this.#hasRoom() && this.#reserveArriving())
  }

  /** Whether the node has room for the frame; a large one was counted before it arrived. */
  #isCounted(frame: Uint8Array): boolean {
    return frame === this.#reservedFrame || !this.#options.budget.exhausted
  }

  /** A large frame is counted in full before much of it is read. False: there is no room for more now. */
  #reserveArriving(): boolean {
    const { budget } = this.#options
    if (budget.exhausted) return this.#reserved > 0 && this.#reservedFrame === undefined
    if (this.#reserved > 0 || this.#frames.bufferedBytes < RESERVE_BYTES_MIN) return true
    if (!budget.admits(this.#frames.announcedBytes)) return false
    this.#reserved = this.#frames.announcedBytes
    budget.take(this.#reserved)
    return true
  }

  /** Within the connection's own bounds. */
  #hasRoom(): boolean {
    const { limits } = this.#options
    return (
      this.#serving &&
      this.#slots.length < limits.inFlightRequestsMax &&
      this.#inFlightBytes < limits.inFlightBytesMax &&
      !this.#blocked &&
      this.#heldBytes < limits.heldBytesMax
    )
  }

  #readOn(ready: boolean): void {
    const { budget } = this.#options
    if (ready) {
      if (!this.#paused) return
      this.#paused = false
      this.#connection.resume()
      return
    }
    if (!budget.admits(this.#frames.announcedBytes)) budget.whenRoom(this.#pump)
    if (this.#paused) return
    this.#paused = true
    this.#connection.pause()
  }

  #start(frame: Uint8Array): void {
    const slot: Slot = { requestBytes: frame.length, answer: undefined }
    let started: ReturnType<Dispatcher['start']>
    try {
      started = this.#options.dispatcher.start(frame, this.#origin)
    } catch (error) {
      return this.#refusePeer(error)
    }
    this.#slots.push(slot)
    this.#inFlightBytes += frame.length
    this.#count(frame)
    const { answer } = started
    if (!(answer instanceof Promise)) return this.#answered(slot, answer)
    const blocks = !started.accepted
    this.#busy = blocks
    answer.then(
      (settled) => {
        if (blocks) this.#busy = false
        this.#answered(slot, settled)
      },
      (error: unknown) => this.#refusePeer(error),
    )
  }

  #count(frame: Uint8Array): void {
    if (frame !== this.#reservedFrame) return this.#options.budget.take(frame.length)
    this.#reservedFrame = undefined
    this.#reserved = 0
  }

  #answered(slot: Slot, answer: Answer): void {
    if (this.#closed) return
    slot.answer = answer
    this.#inFlightBytes -= slot.requestBytes
    this.#heldBytes += answer.bytes
    this.#options.budget.give(slot.requestBytes)
    this.#flush()
    if (this.#finishing && this.#slots.length === 0) return this.close()
    this.#pump()
  }

  #flush(): void {
    let written = 0
    for (const { answer } of this.#slots) {
      if (answer === undefined) break
      written++
      if (answer.kind === 'close') return this.#connection.close()
      this.#heldBytes -= answer.bytes
      if (answer.bytes > 0 && !this.#connection.write(answer.chunks)) this.#blocked = true
    }
    if (written === 0) return
    this.#slots = written === this.#slots.length ? [] : this.#slots.slice(written)
    this.#lastActiveMs = this.#options.clock.monotonicMs()
  }

  /** Bytes that no honest client sends, or that ask for what is not served: one line, and the connection ends. */
  #refusePeer(error: unknown): void {
    if (this.#closed) return
    if (!(error instanceof ProtocolError)) throw error
    this.#options.quietLog.warn('a connection was closed for what it sent', {
      client: this.remoteHost,
      listener: this.#options.listener,
      reason: error.message,
    })
    this.#connection.destroy()
    this.#onClose(undefined)
  }

  #onClose(_error: NetError | undefined): void {
    if (this.#closed) return
    this.#closed = true
    const { budget } = this.#options
    budget.forget(this.#pump)
    budget.give(this.#reserved)
    this.#frames.discard()
    for (const slot of this.#slots) {
      if (slot.answer === undefined) budget.give(slot.requestBytes)
    }
    this.#slots = []
    this.#waiting = []
    for (const callback of this.#onceClosed) callback()
    this.#onceClosed.clear()
    this.#options.onClosed(this)
  }
}
