// Counts the bytes of records that a producer holds, bounds them, and wakes those who wait for room.

export class ProducerBuffer {
  readonly #bytesMax: number
  #bytes = 0
  #roomWaiters: (() => void)[] = []
  #emptyWaiters: (() => void)[] = []

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /** False when there is no room; a record that alone exceeds the bound gets in when nothing else is held. */
  take(bytes: number): boolean {
    if (this.#bytes > 0 && this.#bytes + bytes > this.#bytesMax) return false
    this.#bytes += bytes
    return true
  }

  release(bytes: number): void {
    this.#bytes -= bytes
    if (this.#bytes === 0) this.#emptyWaiters = wake(this.#emptyWaiters)
    if (this.#hasRoom) this.#roomWaiters = wake(this.#roomWaiters)
  }

  /** Resolves when less than half is taken. */
  whenRoom(): Promise<void> {
    if (this.#hasRoom) return Promise.resolve()
    return new Promise((resolve) => this.#roomWaiters.push(resolve))
  }

  whenEmpty(): Promise<void> {
    if (this.#bytes === 0) return Promise.resolve()
    return new Promise((resolve) => this.#emptyWaiters.push(resolve))
  }

  get #hasRoom(): boolean {
    return this.#bytes <= this.#bytesMax / 2
  }
}

function wake(waiters: readonly (() => void)[]): (() => void)[] {
  for (const resolve of waiters) resolve()
  return []
}
