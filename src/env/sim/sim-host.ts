// One simulated machine: a disk that lasts, and one process after the other.

import { assert } from '../../base/assert.ts'
import type { Env, Host, LogFields, Logger, LogLevel } from '../env.ts'
import { formatLine } from '../log-line.ts'
import type { Prng } from './prng.ts'
import { EVENT, SimulatedExit, type Scheduler } from './scheduler.ts'
import { SimClock, SimTimers } from './sim-clock.ts'
import { DiskFaults } from './sim-disk-faults.ts'
import { SimDisk, type SimDiskHost } from './sim-disk.ts'
import { SimFileSystem } from './sim-file-system.ts'
import type { CutMode } from './sim-inode.ts'
import { SimNetworkPort, type NetHost, type SimNetwork } from './sim-network.ts'
import { SimProcess } from './sim-process.ts'

const MEMORY_BYTES = 50 << 20

/** What hosts share. */
export interface SimWorld {
  readonly scheduler: Scheduler
  readonly network: SimNetwork
  readonly log: ((line: string) => void) | undefined
}

export class SimHost {
  readonly name: string
  readonly files = new SimFileSystem()
  readonly faults: DiskFaults
  /** Added to the wall clock; change it for skew and jumps. */
  skewMs = 0
  /** Called after every step of every disk operation; may kill or cut the power. */
  onDiskStep: ((operation: string) => void) | undefined
  /** What `fatal` was called with, oldest first. */
  readonly fatals: string[] = []
  readonly #world: SimWorld
  readonly #chance: Prng
  readonly #net: NetHost
  readonly #diskHost: SimDiskHost
  #process: { readonly state: SimProcess; readonly disk: SimDisk } | undefined
  #boots = 0

  constructor(name: string, world: SimWorld, chance: Prng) {
    this.name = name
    this.#world = world
    this.#chance = chance
    this.#net = world.network.addHost(name)
    this.faults = new DiskFaults(chance.split('faults'))
    this.#diskHost = {
      name,
      files: this.files,
      faults: this.faults,
      locks: new Map(),
      stepped: (operation) => this.onDiskStep?.(operation),
    }
  }

  get alive(): boolean {
    return this.#process !== undefined
  }

  /** A new process, with ports of its own. */
  boot(): Env {
    assert(this.#process === undefined, `${this.name} runs already`)
    this.#boots += 1
    const { scheduler, network } = this.#world
    network.restorePower(this.#net)
    const chance = this.#chance.split(`boot ${this.#boots}`)
    const state = new SimProcess(this.#boots)
    const disk = new SimDisk(this.#diskHost, state, scheduler, chance.split('disk'))
    this.#process = { state, disk }
    return {
      clock: new SimClock(scheduler, this),
      timers: new SimTimers(scheduler, state),
      random: chance.split('random'),
      disk,
      network: new SimNetworkPort(network, this.#net, state),
      log: this.#logger(state, {}),
      host: this.#hostPort(state),
    }
  }

  /** SIGKILL: nothing of the process happens any more; its files stay as they are in the page cache. */
  kill(): void {
    const process = this.#process
    if (process === undefined) return
    this.#process = undefined
    process.state.die()
    this.#world.scheduler.traceText(`kill ${this.name}`)
    process.disk.kill()
    this.#world.network.killProcess(this.#net, process.state)
  }

  get paused(): boolean {
    return this.#process?.state.held === true
  }

  /** SIGSTOP: nothing happens in the process; its kernel goes on to take bytes and connections, and to carry out what was asked. */
  pause(): void {
    this.#process?.state.hold()
    this.#world.scheduler.traceText(`pause ${this.name}`)
  }

  /** SIGCONT. */
  resume(): void {
    const process = this.#process
    if (process === undefined || !process.state.held) return
    const { scheduler, network } = this.#world
    scheduler.traceText(`resume ${this.name}`)
    for (const run of process.state.release()) {
      scheduler.after(0, EVENT.soon, () => process.state.enter(run))
    }
    network.processReleased(process.state)
  }

  /** The power fails, of a running process or after its death: what was not synced may be lost. */
  powerCut(mode: CutMode = this.#pickCutMode()): void {
    const process = this.#process
    this.#process = undefined
    this.#world.scheduler.traceText(`cut ${this.name} ${mode}`)
    if (process !== undefined) {
      process.state.die()
      process.disk.kill()
    }
    this.#world.network.cutPower(this.#net)
    this.files.cutPower(mode, this.#chance)
  }

  /** The process dies, and the machine gets an empty disk. */
  wipe(): void {
    this.kill()
    this.#world.scheduler.traceText(`wipe ${this.name}`)
    this.files.clear()
  }

  /** Flips a random bit of a random file among those that match; undefined when none has a byte. */
  flipBit(path: RegExp): { readonly path: string; readonly position: number } | undefined {
    const found = this.files
      .files()
      .filter((entry) => path.test(entry.path) && entry.file.bytes > 0)
    if (found.length === 0) return undefined
    const { file, path: flipped } = this.#chance.pick(found)
    const position = this.#chance.below(file.bytes)
    file.flipBit(position, this.#chance.below(8))
    return { path: flipped, position }
  }

  /** Disk operations that begin in the next `durationMs` end only after it. */
  stallDisk(durationMs: number): void {
    this.faults.stalledUntilMs = this.#world.scheduler.nowMs + durationMs
  }

  #pickCutMode(): CutMode {
    return this.#chance.pick(['lose', 'lose', 'keep', 'mix', 'mix', 'mix', 'mix'])
  }

  #hostPort(state: SimProcess): Host {
    return {
      fatal: (message, cause) => {
        if (state.alive) {
          const detail = cause === undefined ? '' : `: ${String(cause)}`
          this.fatals.push(`${message}${detail}`)
          this.#log('error', `fatal: ${message}${detail}`, {})
          this.kill()
        }
        throw new SimulatedExit(`${this.name}: ${message}`)
      },
      memoryBytes: () => MEMORY_BYTES,
    }
  }

  #logger(state: SimProcess, bound: LogFields): Logger {
    const write =
      (level: LogLevel) =>
      (message: string, fields: LogFields = {}): void => {
        if (state.alive) this.#log(level, message, { ...bound, ...fields })
      }
    return {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      child: (fields) => this.#logger(state, { ...bound, ...fields }),
    }
  }

  #log(level: LogLevel, message: string, fields: LogFields): void {
    const { log, scheduler } = this.#world
    if (log === undefined) return
    const time = `${scheduler.nowMs.toFixed(3).padStart(10)}ms ${this.name}`
    log(formatLine(time, level, message, fields))
  }
}
