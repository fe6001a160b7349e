// Virtual time. One simulated event per macrotask, so that every microtask that an event caused has run before the next
// event begins, and the order of events depends on the seed alone.

/* oxlint-disable no-restricted-globals -- the simulated world itself stands on setImmediate and on the process's events */

import { assert } from '../../base/assert.ts'
import { EventQueue, type SimEvent } from './event-queue.ts'

/** What a dead process's code meets where it can't simply be left waiting: `host.fatal` throws it. */
export class SimulatedExit extends Error {
  override readonly name = 'SimulatedExit'
}

export interface RunOptions {
  /** Stop before events later than this; the clock then stands there. */
  readonly untilMs?: number
  /** Asked before every event. */
  readonly until?: () => boolean
  /** Fails the run after so many events: a livelock. Default ten million. */
  readonly eventsMax?: number
}

/** `until`: the condition held. `time`: the time was reached. `idle`: no event is left. */
export type RunEnd = 'until' | 'time' | 'idle'

/** Kinds of event in the trace. */
export const EVENT = { timer: 1, soon: 2, disk: 3, network: 4, test: 5 } as const

const IMMEDIATES_AHEAD = 32

export class Scheduler {
  #nowMs = 0
  #sequence = 0
  #events = 0
  #running = false
  #failure: { readonly error: unknown } | undefined
  #hashLow = 0x811c9dc5
  #hashHigh = 0x9e3779b9
  readonly #queue = new EventQueue()
  // Captured once: nothing that runs in the simulation may replace it.
  readonly #setImmediate = setImmediate

  get nowMs(): number {
    return this.#nowMs
  }

  /** Events run so far. */
  get events(): number {
    return this.#events
  }

  /** Equal for two runs of one seed; anything that both did differently shows in it. */
  get traceHash(): string {
    return [this.#hashHigh, this.#hashLow]
      .map((half) => (half >>> 0).toString(16).padStart(8, '0'))
      .join('')
  }

  trace(value: number): void {
    this.#hashLow = Math.imul(this.#hashLow ^ value, 0x01000193)
    this.#hashHigh = Math.imul(this.#hashHigh ^ (value >>> 7) ^ this.#hashLow, 0x85ebca6b)
  }

  traceText(text: string): void {
    for (let i = 0; i < text.length; i++) this.trace(text.charCodeAt(i))
  }

  after(delayMs: number, kind: number, run: () => void): SimEvent {
    assert(delayMs >= 0, () => `delay ${delayMs}`)
    this.#sequence += 1
    const event = { atMs: this.#nowMs + delayMs, sequence: this.#sequence, kind, run }
    this.#queue.push(event)
    return event
  }

  /** Ends the run with this error: for failures that no promise of the test carries. */
  fail(error: unknown): void {
    this.#failure ??= { error }
  }

  async run(options: RunOptions = {}): Promise<RunEnd> {
    assert(!this.#running, 'run is not reentrant')
    this.#running = true
    const restore = this.#catchRejections()
    try {
      return await this.#loop(options)
    } finally {
      restore()
      this.#running = false
    }
  }

  /** Runs until the promise settles; fails when the simulation goes idle, or the time passes, before. */
  async settle<T>(promise: Promise<T>, options: { readonly withinMs?: number } = {}): Promise<T> {
    let settled = false
    const mark = (): void => {
      settled = true
    }
    promise.then(mark, mark)
    const limit = options.withinMs === undefined ? {} : { untilMs: this.#nowMs + options.withinMs }
    const end = await this.run({ ...limit, until: () => settled })
    if (!settled) throw new Error(`the simulation ended (${end}) before what was awaited`)
    return promise
  }

  #loop(options: RunOptions): Promise<RunEnd> {
    const untilMs = options.untilMs ?? Number.POSITIVE_INFINITY
    const eventsMax = this.#events + (options.eventsMax ?? 10_000_000)
    return new Promise((resolve, reject) => {
      let ended = false
      let ahead = 0
      const turn = (): void => {
        ahead -= 1
        if (ended) return
        try {
          const end = this.#turn(untilMs, eventsMax, options.until)
          if (end !== undefined) {
            ended = true
            resolve(end)
            return
          }
        } catch (error) {
          ended = true
          reject(error)
          return
        }
        if (ahead < IMMEDIATES_AHEAD / 2) refill()
      }
      // Node runs all microtasks between two immediates, so that having several scheduled costs nothing in isolation
      // and saves a round of the event loop for each.
      const refill = (): void => {
        while (ahead < IMMEDIATES_AHEAD) {
          ahead += 1
          this.#setImmediate(turn)
        }
      }
      refill()
    })
  }

  #turn(untilMs: number, eventsMax: number, until?: () => boolean): RunEnd | undefined {
    if (this.#failure !== undefined) {
      const { error } = this.#failure
      this.#failure = undefined
      throw error
    }
    if (until?.() === true) return 'until'
    while (this.#queue.first !== undefined && this.#queue.first.run === undefined) this.#queue.pop()
    const event = this.#queue.first
    if (event === undefined || event.atMs > untilMs) {
      if (untilMs !== Number.POSITIVE_INFINITY) this.#nowMs = untilMs
      return event === undefined ? 'idle' : 'time'
    }
    assert(this.#events < eventsMax, () => `more than ${eventsMax} events`)
    this.#queue.pop()
    this.#nowMs = event.atMs
    this.#events += 1
    this.trace(event.kind)
    this.trace((event.atMs * 1e6) | 0)
    try {
      event.run?.()
    } catch (error) {
      if (!(error instanceof SimulatedExit)) throw error
    }
    return undefined
  }

  /** A rejection that nothing handles fails the run, but for those of processes that ended by `fatal`. */
  #catchRejections(): () => void {
    const others = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection')
    const listener = (reason: unknown): void => {
      if (!(reason instanceof SimulatedExit)) this.fail(reason)
    }
    process.on('unhandledRejection', listener)
    return () => {
      process.off('unhandledRejection', listener)
      for (const other of others) process.on('unhandledRejection', other)
    }
  }
}
