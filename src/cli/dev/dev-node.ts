// One node of a development cluster, as its supervisor sees it.
//
//   down ──start──▶ up ──kill, stop──▶ down (stays so until `restart`)
//                   up ──pause──▶ paused ──resume──▶ up
//                   up, paused ──ends by itself──▶ waiting ──1 s, then longer──▶ up
//                                                 (with --no-restart: down)

import type { Clock, Timer, Timers } from '../../env/env.ts'
import type { Child, ChildExit, ChildSpec } from '../../env/node/child-process.ts'
import { Failure } from '../failure.ts'
import type { NodeLayout } from './layout.ts'

export interface DevNodeWorld {
  readonly clock: Clock
  readonly timers: Timers
  readonly startChild: (spec: ChildSpec) => Child
  /** A line for the node's log file. */
  readonly log: (node: NodeLayout, line: string) => void
  /** For the person at the terminal. */
  readonly say: (text: string) => void
}

export interface DevNodeOptions {
  readonly layout: NodeLayout
  readonly command: Pick<ChildSpec, 'program' | 'args' | 'environment'>
  /** Whether a node that ends by itself is started again. */
  readonly restart: boolean
  /** The node says that it was asked for wrongly: starting it again would not help. */
  readonly onRefused: (words: string) => void
}

export type DevNodeState = 'up' | 'paused' | 'stopping' | 'waiting' | 'killed' | 'stopped' | 'ended'

export interface DevNodeStatus {
  readonly nodeId: number
  readonly pid: number | null
  readonly state: DevNodeState
  /** Wall clock, milliseconds since 1970. */
  readonly sinceMs: number
  /** How it ended last, where it is down or waits to be started again. */
  readonly ended: string | null
  readonly restarts: number
}

const RESTART_MS_MIN = 1000
const RESTART_MS_MAX = 10_000
/** A node that lived so long did not die "again at once". */
const LIVED_MS = 10_000
/** How long `stop` and `kill` wait for the end before they say that it did not come. */
const STOP_MS_MAX = 5000
const LAST_WORDS_MAX = 8

/** A running process and the promise of its end. */
interface Life {
  readonly child: Child
  readonly startedMs: number
  readonly words: string[]
  readonly gone: PromiseWithResolvers<void>
  /** Why it will end, once it was asked to. */
  ending: 'killed' | 'stopped' | undefined
  paused: boolean
}

export class DevNode {
  readonly layout: NodeLayout
  readonly #world: DevNodeWorld
  readonly #options: DevNodeOptions
  #life: Life | undefined
  #waiting: Timer | undefined
  #down: 'killed' | 'stopped' | 'ended' = 'stopped'
  #ended: string | null = null
  #sinceMs: number
  #delayMs = RESTART_MS_MIN
  #restarts = 0

  constructor(world: DevNodeWorld, options: DevNodeOptions) {
    this.layout = options.layout
    this.#world = world
    this.#options = options
    this.#sinceMs = world.clock.nowMs()
  }

  get status(): DevNodeStatus {
    return {
      nodeId: this.layout.nodeId,
      pid: this.#life?.child.pid ?? null,
      state: this.#state,
      sinceMs: this.#sinceMs,
      ended: this.#life === undefined ? this.#ended : null,
      restarts: this.#restarts,
    }
  }

  get #state(): DevNodeState {
    if (this.#waiting !== undefined) return 'waiting'
    if (this.#life === undefined) return this.#down
    if (this.#life.ending !== undefined) return 'stopping'
    return this.#life.paused ? 'paused' : 'up'
  }

  start(): void {
    this.#cancelWaiting()
    if (this.#life !== undefined) return
    const { clock, startChild } = this.#world
    const words: string[] = []
    const gone = Promise.withResolvers<void>()
    const child = startChild({
      ...this.#options.command,
      onLine: (line, from) => {
        this.#world.log(this.layout, line)
        if (from === 'out') return
        words.push(line)
        if (words.length > LAST_WORDS_MAX) words.shift()
        if (isError(line)) this.#say(line)
      },
      onExit: (how) => this.#onExit(life, how),
    })
    const startedMs = clock.monotonicMs()
    const life: Life = { child, startedMs, words, gone, ending: undefined, paused: false }
    this.#life = life
    if (child.pid !== undefined) this.#world.log(this.layout, `--- started, pid ${child.pid}`)
    this.#changed()
  }

  /** SIGKILL; it stays down until `restart`. Resolves when it has ended. */
  kill(): Promise<void> {
    return this.#end('killed', (life) => life.child.signal('SIGKILL'))
  }

  /** SIGTERM; it stays down until `restart`. Resolves when it has ended. */
  stop(): Promise<void> {
    return this.#end('stopped', (life) => {
      life.child.signal('SIGTERM')
      this.#wake(life)
    })
  }

  pause(): void {
    const life = this.#running()
    if (life.paused) throw new Failure(`node ${this.layout.nodeId} is paused already`)
    life.child.pause()
    life.paused = true
    this.#changed()
  }

  resume(): void {
    const life = this.#running()
    if (!life.paused) throw new Failure(`node ${this.layout.nodeId} is not paused`)
    this.#wake(life)
    this.#changed()
  }

  /** Stops it where it runs, and starts it; it is as new: a death is soon mended again. */
  async restart(): Promise<void> {
    if (this.#life !== undefined) await this.stop()
    this.#delayMs = RESTART_MS_MIN
    this.#restarts++
    this.start()
  }

  /** As `stop`, of a supervisor that ends: nothing to complain about, and no patience of its own. */
  async retire(): Promise<void> {
    this.#cancelWaiting()
    const life = this.#life
    if (life === undefined) return
    life.ending ??= 'stopped'
    life.child.signal('SIGTERM')
    this.#wake(life)
    await life.gone.promise
  }

  killNow(): void {
    this.#life?.child.signal('SIGKILL')
  }

  #running(): Life {
    const life = this.#life
    if (life !== undefined && life.ending === undefined) return life
    throw this.#notRunning()
  }

  #notRunning(): Failure {
    const how = this.#ended === null ? '' : ` (${this.#ended})`
    return new Failure(
      `node ${this.layout.nodeId} is not running: ${this.#state}${how}; "chronik dev restart ${this.layout.nodeId}" starts it`,
    )
  }

  async #end(why: 'killed' | 'stopped', act: (life: Life) => void): Promise<void> {
    const life = this.#life
    if (life === undefined) {
      if (this.#waiting === undefined) throw this.#notRunning()
      this.#cancelWaiting()
      this.#down = why
      return this.#changed()
    }
    life.ending = why
    this.#changed()
    act(life)
    const late = Promise.withResolvers<'late'>()
    const timer = this.#world.timers.after(STOP_MS_MAX, () => late.resolve('late'))
    const outcome = await Promise.race([life.gone.promise, late.promise])
    timer.cancel()
    if (outcome !== 'late') return
    throw new Failure(
      `node ${this.layout.nodeId} has not ended in ${STOP_MS_MAX} ms; "chronik dev kill ${this.layout.nodeId}" ends it at once`,
    )
  }

  #wake(life: Life): void {
    if (life.paused) life.child.resume()
    life.paused = false
  }

  #onExit(life: Life, how: ChildExit): void {
    this.#life = undefined
    this.#ended = exitText(how)
    this.#world.log(this.layout, `--- ${this.#ended}`)
    if (life.ending === undefined) this.#onDeath(life, how)
    else this.#down = life.ending
    this.#changed()
    life.gone.resolve()
  }

  #onDeath(life: Life, how: ChildExit): void {
    this.#down = 'ended'
    const { clock, timers } = this.#world
    const words = life.words.filter((line) => !isError(line)).slice(-3)
    if (how.code === 2) return this.#options.onRefused(life.words.join('\n'))
    if (clock.monotonicMs() - life.startedMs >= LIVED_MS) this.#delayMs = RESTART_MS_MIN
    const delayMs = this.#delayMs
    const next = this.#options.restart ? `; starting it again in ${delayMs / 1000} s` : ''
    for (const line of how.code === 0 ? [] : words) this.#say(line)
    this.#say(`${this.#ended}${next}; its log is ${this.layout.logPath}`)
    if (!this.#options.restart) return
    this.#delayMs = Math.min(2 * delayMs, RESTART_MS_MAX)
    this.#waiting = timers.after(delayMs, () => {
      this.#waiting = undefined
      this.#restarts++
      this.start()
    })
  }

  #cancelWaiting(): void {
    this.#waiting?.cancel()
    this.#waiting = undefined
  }

  #changed(): void {
    this.#sinceMs = this.#world.clock.nowMs()
  }

  #say(text: string): void {
    this.#world.say(`node ${this.layout.nodeId} │ ${text}`)
  }
}

/** A line of the log that a person should see at once. */
function isError(line: string): boolean {
  return /^\S+Z ERROR /.test(line) || /^\{.*"level":"error"/.test(line)
}

function exitText({ code, signal, error }: ChildExit): string {
  if (error !== undefined) return `could not be started: ${error}`
  return signal === null ? `ended with code ${code}` : `ended by ${signal}`
}
