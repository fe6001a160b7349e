// Calls from one node to another: a request by method number and its answer, over the control lane. For what is rare (the
// controller's commands); anything frequent has its own messages.
//
// CALL: u8 kind, u32 call, u16 method, body. ANSWER: u8 kind, u32 call, u8 status, body (0: the result; 1: why it failed, as text).
// Each end counts its own calls; an answer that nobody waits for is dropped.

import type { NodeId } from '../base/brand.ts'
import type { Timer, Timers } from '../env/env.ts'
import type { Reader } from '../protocol/reader.ts'
import { Writer } from '../protocol/writer.ts'
import { FrameKind } from './frames.ts'

/** The node could not be reached, went away, or took too long: whether it did what was asked is unknown. */
export class CallError extends Error {
  override readonly name = 'CallError'
}

export type CallHandler = (from: NodeId, body: Uint8Array) => Promise<Uint8Array>

export interface CallsOptions {
  readonly timers: Timers
  readonly send: (to: NodeId, frame: readonly Uint8Array[]) => boolean
}

interface Pending {
  readonly to: NodeId
  readonly timer: Timer
  readonly resolve: (body: Uint8Array) => void
  readonly reject: (error: Error) => void
}

/** Calls that one peer may have in work here. */
const IN_WORK_MAX = 256

export class Calls {
  readonly #timers: Timers
  readonly #send: CallsOptions['send']
  readonly #handlers = new Map<number, CallHandler>()
  readonly #pending = new Map<number, Pending>()
  readonly #inWork = new Map<NodeId, number>()
  /** How often the sessions with a peer ended. */
  readonly #sessions = new Map<NodeId, number>()
  #next = 1

  constructor(options: CallsOptions) {
    this.#timers = options.timers
    this.#send = options.send
  }

  handle(method: number, handler: CallHandler): void {
    this.#handlers.set(method, handler)
  }

  /** Fails with CallError. */
  call(to: NodeId, method: number, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const id = this.#next++ % 0xffff_ffff
      const writer = new Writer(16)
      writer.int8(FrameKind.CALL)
      writer.uint32(id)
      writer.uint16(method)
      writer.bytes(body)
      if (!this.#send(to, writer.finish())) {
        reject(new CallError(`node ${to} can't be reached`))
        return
      }
      const timer = this.#timers.after(timeoutMs, () =>
        this.#settle(id)?.reject(new CallError(`node ${to} did not answer within ${timeoutMs} ms`)),
      )
      this.#pending.set(id, { to, timer, resolve, reject })
    })
  }

  /** Throws ProtocolError. */
  receive(from: NodeId, kind: number, reader: Reader): void {
    const id = reader.uint32()
    if (kind === FrameKind.CALL) {
      void this.#serve(from, id, reader.uint16(), reader.rest())
      return
    }
    const status = reader.uint8()
    const body = reader.rest()
    const pending = this.#pending.get(id)
    if (pending === undefined || pending.to !== from) return
    this.#settle(id)
    if (status === 0) pending.resolve(body)
    else pending.reject(new CallError(new TextDecoder().decode(body)))
  }

  peerDown(node: NodeId): void {
    for (const [id, { to }] of this.#pending) {
      if (to === node) this.#settle(id)?.reject(new CallError(`node ${node} went away`))
    }
  }

  /** The connections with the peer ended: what it asked until now is answered no more, since another process may ask next. */
  sessionEnded(node: NodeId): void {
    this.#sessions.set(node, this.#sessionOf(node) + 1)
    this.peerDown(node)
  }

  #sessionOf(node: NodeId): number {
    return this.#sessions.get(node) ?? 0
  }

  close(): void {
    for (const id of [...this.#pending.keys()]) {
      this.#settle(id)?.reject(new CallError('this node is closing'))
    }
    this.#handlers.clear()
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    pending?.timer.cancel()
    return pending
  }

  async #serve(from: NodeId, id: number, method: number, body: Uint8Array): Promise<void> {
    const inWork = this.#inWork.get(from) ?? 0
    const handler = this.#handlers.get(method)
    if (handler === undefined)
      return this.#answer(from, id, 1, text(`no method ${method} here yet`))
    if (inWork >= IN_WORK_MAX) return this.#answer(from, id, 1, text('too many calls in work'))
    this.#inWork.set(from, inWork + 1)
    const session = this.#sessionOf(from)
    const answer = (status: number, result: Uint8Array): void => {
      if (this.#sessionOf(from) === session) this.#answer(from, id, status, result)
    }
    try {
      answer(0, await handler(from, body))
    } catch (error) {
      answer(1, text(error instanceof Error ? error.message : String(error)))
    } finally {
      this.#inWork.set(from, (this.#inWork.get(from) ?? 1) - 1)
    }
  }

  /** An answer that can't be sent is lost with its connection; the caller learns that. */
  #answer(to: NodeId, id: number, status: number, body: Uint8Array): void {
    const writer = new Writer(16)
    writer.int8(FrameKind.ANSWER)
    writer.uint32(id)
    writer.int8(status)
    writer.bytes(body)
    this.#send(to, writer.finish())
  }
}

const text = (message: string): Uint8Array => new TextEncoder().encode(message)
