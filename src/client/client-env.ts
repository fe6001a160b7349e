// What the client needs of the world, and waiting in it. It runs over the ports alone, so it works in the simulator.

import type { Env, Timers } from '../env/env.ts'

export type ClientEnv = Pick<Env, 'network' | 'timers' | 'clock' | 'random'>

export function sleep(timers: Timers, delayMs: number): Promise<void> {
  return new Promise((resolve) => timers.after(delayMs, resolve))
}

/** Exponential, with ±20 % of jitter so that clients that failed together don't come back together. */
export class Backoff {
  readonly #env: Pick<ClientEnv, 'timers' | 'random'>
  readonly #firstMs: number
  readonly #maxMs: number
  #nextMs: number

  constructor(
    env: Pick<ClientEnv, 'timers' | 'random'>,
    options: { readonly firstMs: number; readonly maxMs: number },
  ) {
    this.#env = env
    this.#firstMs = options.firstMs
    this.#maxMs = options.maxMs
    this.#nextMs = options.firstMs
  }

  /** The next delay; each is twice the one before. */
  nextMs(): number {
    const delayMs = this.#nextMs * (0.8 + 0.4 * this.#env.random.float())
    this.#nextMs = Math.min(this.#nextMs * 2, this.#maxMs)
    return delayMs
  }

  wait(): Promise<void> {
    return sleep(this.#env.timers, this.nextMs())
  }

  reset(): void {
    this.#nextMs = this.#firstMs
  }
}
