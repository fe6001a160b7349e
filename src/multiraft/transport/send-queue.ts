// The frames that wait to leave on one connection. Those of one event-loop turn are handed over together; what the
// connection does not want yet stays here, so that its own buffer remains small and what is pending can be told.

import { assert } from '../../base/assert.ts'
import type { Timer, Timers } from '../../env/env.ts'
import type { Connection } from '../../env/network.ts'
import { FRAME_HEADER_BYTES, frameHeader } from './frames.ts'

/** At most about this much is handed over at once; a connection's high mark is as large. */
const HAND_OVER_BYTES = 1 << 20

export interface SendQueueOptions {
  readonly connection: Connection
  readonly timers: Timers
  /** Past this many pending bytes a frame is not taken. */
  readonly highMarkBytes: number
  /** After a frame was not taken: less than half of that is pending again. */
  readonly onDrain: () => void
}

export class SendQueue {
  readonly #options: SendQueueOptions
  #chunks: Uint8Array[] = []
  #bytes = 0
  #flush: Timer | undefined
  /** The connection said no; its onDrain comes. */
  #blocked = false
  #refused = false
  #ended = false
  /** Frames were taken since the last `takeIdle`. */
  #active = false

  constructor(options: SendQueueOptions) {
    this.#options = options
  }

  get pendingBytes(): number {
    return this.#bytes + (this.#ended ? 0 : this.#options.connection.pendingBytes)
  }

  /** False: past the high mark, nothing was queued. The chunks must not change afterwards. */
  push(payload: readonly Uint8Array[]): boolean {
    if (this.#ended) return false
    if (this.pendingBytes > this.#options.highMarkBytes) {
      this.#refused = true
      return false
    }
    const header = frameHeader(payload)
    this.#chunks.push(header)
    this.#bytes += FRAME_HEADER_BYTES
    for (const chunk of payload) {
      this.#chunks.push(chunk)
      this.#bytes += chunk.byteLength
    }
    this.#active = true
    if (!this.#blocked) this.#flush ??= this.#options.timers.soon(() => this.flush())
    return true
  }

  /** Whether nothing was sent since this was last asked. */
  takeIdle(): boolean {
    const idle = !this.#active
    this.#active = false
    return idle
  }

  /** Hands over what the connection takes. */
  flush(): void {
    this.#flush?.cancel()
    this.#flush = undefined
    while (this.#chunks.length > 0 && !this.#blocked && !this.#ended) this.#handOver()
    if (!this.#refused || this.#ended) return
    if (this.pendingBytes >= this.#options.highMarkBytes / 2) return
    this.#refused = false
    this.#options.onDrain()
  }

  /** The connection's onDrain. */
  drained(): void {
    this.#blocked = false
    this.flush()
  }

  /** Everything goes to the connection now, whatever its mark; nothing more is taken. */
  finish(): void {
    if (this.#ended) return
    if (this.#chunks.length > 0) this.#options.connection.write(this.#chunks)
    this.end()
  }

  /** What waits is dropped; nothing more is taken. */
  end(): void {
    this.#ended = true
    this.#flush?.cancel()
    this.#flush = undefined
    this.#chunks = []
    this.#bytes = 0
  }

  #handOver(): void {
    let chunks = this.#chunks
    let bytes = this.#bytes
    if (bytes > HAND_OVER_BYTES) {
      bytes = 0
      let count = 0
      while (bytes < HAND_OVER_BYTES) {
        const chunk = chunks[count]
        assert(chunk !== undefined, 'the queue holds fewer bytes than counted')
        bytes += chunk.byteLength
        count += 1
      }
      this.#chunks = chunks.slice(count)
      chunks = chunks.slice(0, count)
    } else {
      this.#chunks = []
    }
    this.#bytes -= bytes
    if (!this.#options.connection.write(chunks)) this.#blocked = true
  }
}
