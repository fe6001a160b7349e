// How many bytes of requests the node holds at once, over all connections: those it works on, and large ones that are
// arriving, which count in full from the start. Past the bound, connections stop reading their sockets until some of it is
// answered, so that TCP slows the senders.

import { assert } from '../base/assert.ts'

export class RequestBudget {
  readonly #bytesMax: number
  #bytes = 0
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

  take(bytes: number): void {
    this.#bytes += bytes
  }

  give(bytes: number): void {
    this.#bytes -= bytes
    assert(this.#bytes >= 0, `${this.#bytes} bytes of requests in work`)
    // The longest waiting first. Each takes what it may; one that finds nothing left waits again, behind the others.
    for (const resume of this.#waiting) {
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
