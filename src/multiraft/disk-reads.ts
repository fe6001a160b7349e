// Reads of the disk for replicas that are behind: few at a time, so that catching up never crowds out commits, and the one
// that is furthest behind first.

const CONCURRENT_MAX = 2

interface Waiting {
  readonly behindBytes: number
  readonly start: () => Promise<unknown>
}

export class DiskReads {
  #running = 0
  readonly #waiting: Waiting[] = []

  /** Runs `read` when there is room. `behindBytes`: how far the replica is behind, in any one unit. */
  run<T>(behindBytes: number, read: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ behindBytes, start: () => read().then(resolve, reject) })
      this.#next()
    })
  }

  #next(): void {
    while (this.#running < CONCURRENT_MAX && this.#waiting.length > 0) {
      let most = 0
      for (let i = 1; i < this.#waiting.length; i++) {
        if (this.#waiting[i]!.behindBytes > this.#waiting[most]!.behindBytes) most = i
      }
      const [next] = this.#waiting.splice(most, 1)
      this.#running++
      void next!.start().finally(() => {
        this.#running--
        this.#next()
      })
    }
  }
}
