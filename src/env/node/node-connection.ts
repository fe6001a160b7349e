// One TCP connection of the real network.

import type { Socket } from 'node:net'
import { assert } from '../../base/assert.ts'
import { NetError, type Connection, type ConnectionHandlers, type NetAddress } from '../network.ts'

export const HIGH_MARK_BYTES = 1 << 20
export const LOW_MARK_BYTES = 256 << 10
/** How long an ended connection may linger for the peer's own end before it is cut. */
const LINGER_MS = 1_000

export class NodeConnection implements Connection {
  readonly remote: NetAddress
  readonly local: NetAddress
  readonly #socket: Socket
  #handlers: ConnectionHandlers | undefined
  #corked = false
  #wantsDrain = false
  #paused = false
  /** `close` or `destroy` was called or the peer ended: nothing more is delivered or taken. */
  #ending = false
  #closed = false
  #error: NetError | undefined

  constructor(socket: Socket) {
    this.#socket = socket
    this.remote = { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 }
    this.local = { host: socket.localAddress ?? '', port: socket.localPort ?? 0 }
    socket.pause()
    socket.on('error', (error) => {
      this.#error ??= new NetError('code' in error ? String(error.code) : 'OTHER', error.message)
    })
    socket.on('close', () => this.#finish())
  }

  start(handlers: ConnectionHandlers): void {
    assert(this.#handlers === undefined, 'a connection is started once')
    this.#handlers = handlers
    if (this.#socket.closed) {
      setImmediate(() => this.#finish())
      return
    }
    this.#socket.on('data', (chunk: Uint8Array) => {
      if (!this.#ending) handlers.onData(chunk)
    })
    this.#socket.on('end', () => {
      if (!this.#ending) this.#end()
      this.#finish()
    })
    if (!this.#paused) this.#socket.resume()
  }

  get pendingBytes(): number {
    return this.#socket.writableLength
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#ending || this.#socket.destroyed) return true
    this.#cork()
    for (const chunk of chunks) if (chunk.byteLength > 0) this.#socket.write(chunk, this.#onWritten)
    if (this.#socket.writableLength <= HIGH_MARK_BYTES) return true
    this.#wantsDrain = true
    return false
  }

  /** All writes of one turn leave in one system call: answers that one commit released usually come together. */
  #cork(): void {
    if (this.#corked) return
    this.#corked = true
    this.#socket.cork()
    process.nextTick(() => {
      this.#corked = false
      this.#socket.uncork()
    })
  }

  readonly #onWritten = (): void => {
    if (!this.#wantsDrain || this.#ending || this.#socket.writableLength > LOW_MARK_BYTES) return
    this.#wantsDrain = false
    this.#handlers?.onDrain?.()
  }

  pause(): void {
    this.#paused = true
    this.#socket.pause()
  }

  resume(): void {
    this.#paused = false
    if (this.#handlers !== undefined) this.#socket.resume()
  }

  close(): void {
    if (!this.#ending) this.#end()
  }

  destroy(): void {
    this.#ending = true
    this.#error = undefined
    this.#socket.destroy()
  }

  #end(): void {
    this.#ending = true
    this.#socket.end()
    // What still arrives is read and dropped: with unread bytes the kernel would send a reset, and the peer could lose
    // our last answer. A peer that takes nothing or never ends itself is cut.
    this.#socket.resume()
    let left = -1
    const linger = (): void => {
      const pending = this.#socket.writableLength
      if (pending === left || pending === 0) this.#socket.destroy()
      left = pending
    }
    const timer = setInterval(linger, LINGER_MS).unref()
    this.#socket.once('close', () => clearInterval(timer))
  }

  #finish(): void {
    if (this.#closed || this.#handlers === undefined) return
    this.#closed = true
    this.#ending = true
    this.#handlers.onClose(this.#error)
  }
}
