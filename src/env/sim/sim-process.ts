// The life of one simulated process: it runs, it is held (SIGSTOP: its host's kernel goes on, it doesn't), it is dead.

export class SimProcess {
  readonly id: number
  #alive = true
  /** What reaches it while it is held, in order. */
  #held: (() => void)[] | undefined

  constructor(id: number) {
    this.id = id
  }

  get alive(): boolean {
    return this.#alive
  }

  get held(): boolean {
    return this.#held !== undefined
  }

  /** Runs what happens to the process now, or once it goes on; never, once it is dead. */
  enter(run: () => void): void {
    if (!this.#alive) return
    if (this.#held === undefined) run()
    else this.#held.push(run)
  }

  hold(): void {
    this.#held ??= []
  }

  /** It goes on; what came meanwhile is for the caller to let in. */
  release(): (() => void)[] {
    const held = this.#held ?? []
    this.#held = undefined
    return held
  }

  die(): void {
    this.#alive = false
    this.#held = undefined
  }
}
