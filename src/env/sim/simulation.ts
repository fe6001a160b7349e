// A simulated world: virtual time, hosts with disks, and the network between them, all decided by one seed.

import { Prng } from './prng.ts'
import { EVENT, Scheduler, type RunEnd, type RunOptions } from './scheduler.ts'
import { SimHost } from './sim-host.ts'
import { SimNetwork } from './sim-network.ts'

export interface SimulationOptions {
  /** Takes the log lines of all hosts. */
  readonly log?: (line: string) => void
}

export class Simulation {
  readonly seed: number
  /** For the test's own choices. */
  readonly chance: Prng
  readonly network: SimNetwork
  readonly #root: Prng
  readonly #scheduler = new Scheduler()
  readonly #hosts = new Map<string, SimHost>()
  readonly #log: ((line: string) => void) | undefined

  constructor(seed: number, options: SimulationOptions = {}) {
    this.seed = seed
    this.#root = new Prng(`chronik ${seed}`)
    this.chance = this.#root.split('test')
    this.network = new SimNetwork(this.#scheduler, this.#root.split('network'))
    this.#log = options.log
  }

  /** The machine of this name; made on first use. */
  host(name: string): SimHost {
    let host = this.#hosts.get(name)
    if (host === undefined) {
      const world = { scheduler: this.#scheduler, network: this.network, log: this.#log }
      host = new SimHost(name, world, this.#root.split(`host ${name}`))
      this.#hosts.set(name, host)
    }
    return host
  }

  get nowMs(): number {
    return this.#scheduler.nowMs
  }

  /** Events so far. */
  get events(): number {
    return this.#scheduler.events
  }

  get traceHash(): string {
    return this.#scheduler.traceHash
  }

  /** Adds what the test saw to the trace hash. */
  trace(text: string): void {
    this.#scheduler.traceText(text)
  }

  /** An event of the test itself; it outlives every process. */
  after(delayMs: number, run: () => void): void {
    this.#scheduler.after(delayMs, EVENT.test, run)
  }

  run(options: RunOptions = {}): Promise<RunEnd> {
    return this.#scheduler.run(options)
  }

  settle<T>(promise: Promise<T>, options: { readonly withinMs?: number } = {}): Promise<T> {
    return this.#scheduler.settle(promise, options)
  }
}
