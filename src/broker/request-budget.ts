// How many bytes of requests the node holds at once, over all connections: those it works on, and large ones that are
// arriving, which count in full from the start. Past the bound, connections stop reading their sockets until some of it is
// answered, so that TCP slows the senders. Huge ones share a part of the bound: however slowly they arrive, the requests that
// clients commonly send find room beside them.

import { assert } from '../base/assert.ts'

/** Larger than what a client sends with default settings (about 1 MB a request). */
const HUGE_BYTES_MIN = 2 * 1024 * 1024
const HUGE_SHARE = 0.5

export class RequestBudget {
  readonly #bytesMax: number
  #bytes = 0
  /** Of `#bytes`, those of huge requests. */
  #hugeBytes = 0
  readonly #waiting = new Set<() => void>()

  constructor(options: { readonly bytesMax: number }) {
    this.#bytesMax = options.bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /** A request may start while the bound is not reached; the one that crosses it is let through. */
  get exhausted(): boolean {
    return this.#bytes >= this.#bytesMax
  }

  /** Whether a request of this size may begin to arrive. A huge one may where it is the only one, or its share has room. */
  admits(bytes: number): boolean {
    if (this.exhausted) return false
    if (bytes < HUGE_BYTES_MIN || this.#hugeBytes === 0) return true
    return this.#hugeBytes + bytes <= this.#bytesMax * HUGE_SHARE
  }

  /** Another huge request would have to wait. */
  get hugeShareTaken(): boolean {
    return this.#hugeBytes >= (this.#bytesMax * HUGE_SHARE) / 2
  }

  /** Each request is taken and given back in one piece, so that its size says which share it is of. */
  take(bytes: number): void {
    this.#bytes += bytes
    if (bytes >= HUGE_BYTES_MIN) this.#hugeBytes += bytes
  }

  give(bytes: number): void {
    this.#bytes -= bytes
    if (bytes >= HUGE_BYTES_MIN) this.#hugeBytes -= bytes
    assert(this.#bytes >= 0, `${this.#bytes} bytes of requests in work`)
    assert(this.#hugeBytes >= 0, `${this.#hugeBytes} bytes of huge requests in work`)
    // The longest waiting first. Each takes what it may; one that finds nothing left waits again, behind the others,
    // and not in this turn.
    for (const resume of [...this.#waiting]) {
      if (this.exhausted) return
      this.#waiting.delete(resume)
      resume()
    }
  }

  /** Calls `resume` once when there may be room again. */
  whenRoom(resume: () => void): void {
    this.#waiting.add(resume)
  }

  forget(resume: () => void): void {
    this.#waiting.delete(resume)
  }
}
