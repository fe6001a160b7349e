// The disk port of one simulated process: the file system of its host, with time, faults and a death that can strike
// between any two steps.

import {
  DiskError,
  type DirectoryEntry,
  type Disk,
  type DiskErrorCode,
  type DiskFile,
  type DiskLane,
  type EntryKind,
  type OpenMode,
} from '../disk.ts'
import { Limiter } from '../limiter.ts'
import type { Prng } from './prng.ts'
import { EVENT, type Scheduler } from './scheduler.ts'
import type { DiskFaults } from './sim-disk-faults.ts'
import type { SimDirectory, SimFileSystem } from './sim-file-system.ts'
import { SimFile } from './sim-file.ts'
import type { SimProcess } from './sim-process.ts'
import type { SimNode } from './sim-file-system.ts'

const BACKGROUND_OPERATIONS_MAX = 2
const OPERATION_MS = 0.04
const SYNC_MS = 0.25
const BYTES_PER_MS = 1_000_000

/** What of a host its processes' disk ports share. */
export interface SimDiskHost {
  readonly name: string
  readonly files: SimFileSystem
  readonly faults: DiskFaults
  readonly locks: Map<string, SimProcess>
  /** Called after every step of an operation, where a crash may strike. */
  stepped(operation: string): void
}

export interface OperationPlan<T> {
  readonly operation: string
  readonly path: string
  readonly lane: DiskLane
  readonly bytes?: number
  /** What it does to the file system; runs at a random moment between the call and its return. */
  readonly effect: () => T
  /** Instead of `effect` when the operation fails; may leave any part of it done. */
  readonly failing?: (code: DiskErrorCode) => void
  /** Instead of `effect` when the process dies before it: the call may have come half-way. */
  readonly dying?: () => void
}

export class SimDisk implements Disk {
  readonly #host: SimDiskHost
  readonly #process: SimProcess
  readonly #scheduler: Scheduler
  readonly #chance: Prng
  readonly #background = new Limiter(BACKGROUND_OPERATIONS_MAX)
  /** Of the operations in progress, what happens to them when the process dies. */
  readonly #dying = new Set<() => void>()

  constructor(host: SimDiskHost, process: SimProcess, scheduler: Scheduler, chance: Prng) {
    this.#host = host
    this.#process = process
    this.#scheduler = scheduler
    this.#chance = chance
  }

  get chance(): Prng {
    return this.#chance
  }

  get files(): SimFileSystem {
    return this.#host.files
  }

  get killed(): boolean {
    return !this.#process.alive
  }

  /** The process has died: each call in progress has done its work, a part of it, or nothing. */
  kill(): void {
    for (const die of this.#dying) die()
    this.#dying.clear()
  }

  perform<T>(plan: OperationPlan<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.#process.alive) return
      const release = (): void => {
        if (plan.lane === 'background') this.#background.release()
      }
      const begin = (): void => this.#begin(plan, release, resolve, reject)
      if (plan.lane === 'background') this.#background.run(begin)
      else begin()
    })
  }

  #begin<T>(
    plan: OperationPlan<T>,
    release: () => void,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ): void {
    let outcome: { readonly value: T } | { readonly error: unknown } | undefined
    const act = (): void => {
      this.#trace(plan)
      try {
        this.#strike(plan)
        outcome = { value: plan.effect() }
      } catch (error) {
        outcome = { error }
      }
    }
    const die = (): void => {
      if (outcome !== undefined) return
      const course = this.#chance.below(3)
      if (course === 0) act()
      else if (course === 1) plan.dying?.()
    }
    this.#dying.add(die)
    const whileAlive = (step: () => void) => (): void => {
      if (!this.#process.alive) return
      step()
      this.#host.stepped(plan.operation)
    }
    const durationMs = this.#durationMs(plan)
    const actAtMs = durationMs * this.#pickMoment()
    if (actAtMs === 0) act()
    else if (actAtMs < durationMs)
      this.#scheduler.after(
        actAtMs,
        EVENT.disk,
        whileAlive(() => act()),
      )
    const finish = (): void => {
      if (outcome === undefined) act()
      this.#dying.delete(die)
      this.#process.enter(() => {
        release()
        if (outcome === undefined) return
        if ('error' in outcome) reject(outcome.error)
        else resolve(outcome.value)
      })
    }
    this.#scheduler.after(durationMs, EVENT.disk, whileAlive(finish))
  }

  #strike<T>(plan: OperationPlan<T>): void {
    const code = this.#host.faults.strike(plan.operation, plan.path)
    if (code === undefined) return
    plan.failing?.(code)
    throw new DiskError(code, plan.operation, plan.path, 'injected')
  }

  /** As a share of the duration: at the call, at the return, or anywhere between. */
  #pickMoment(): number {
    const draw = this.#chance.below(3)
    return draw === 0 ? 0 : draw === 1 ? 1 : this.#chance.float()
  }

  #durationMs<T>(plan: OperationPlan<T>): number {
    const { faults } = this.#host
    const isSync = plan.operation.startsWith('sync')
    const typical = isSync ? SYNC_MS * faults.syncSlowness : OPERATION_MS
    const durationMs = this.#chance.latencyMs(typical) + (plan.bytes ?? 0) / BYTES_PER_MS
    const stallMs = faults.stalledUntilMs - this.#scheduler.nowMs
    return stallMs > 0 ? stallMs + durationMs : durationMs
  }

  #trace<T>(plan: OperationPlan<T>): void {
    this.#scheduler.trace(plan.operation.charCodeAt(0) * 256 + plan.operation.length)
    this.#scheduler.trace(plan.path.length)
    this.#scheduler.trace(plan.bytes ?? 0)
  }

  async open(
    path: string,
    mode: OpenMode,
    options: { readonly lane?: DiskLane } = {},
  ): Promise<DiskFile> {
    const lane = options.lane ?? 'background'
    const { files } = this
    const inode = await this.perform({
      operation: 'open',
      path,
      lane,
      effect: () => (mode === 'create' ? files.createFile(path, 'open') : files.file(path, 'open')),
    })
    return new SimFile(this, inode, path, lane, mode !== 'read')
  }

  list(path: string): Promise<DirectoryEntry[]> {
    return this.#simple('list', path, () => this.files.list(path))
  }

  stat(path: string): Promise<{ readonly kind: EntryKind; readonly bytes: number } | undefined> {
    return this.#simple('stat', path, () => describe(this.files.find(path)))
  }

  makeDirectory(path: string): Promise<void> {
    return this.#simple('makeDirectory', path, () => this.files.makeDirectory(path))
  }

  rename(from: string, to: string): Promise<void> {
    return this.#simple('rename', from, () => this.files.rename(from, to))
  }

  unlink(path: string): Promise<void> {
    return this.#simple('unlink', path, () => this.files.unlink(path))
  }

  removeDirectory(path: string): Promise<void> {
    return this.#simple('removeDirectory', path, () => this.files.removeDirectory(path))
  }

  async syncDirectory(path: string): Promise<void> {
    // What was done before the call is what must become durable; what is done meanwhile may wait.
    let found: { readonly directory: SimDirectory } | { readonly error: unknown }
    try {
      found = { directory: this.files.directory(path, 'syncDirectory') }
    } catch (error) {
      found = { error }
    }
    const mark = this.files.mark()
    await this.#simple('syncDirectory', path, () => {
      if ('error' in found) throw found.error
      this.files.syncDirectory(found.directory, mark)
    })
  }

  freeBytes(path: string): Promise<number> {
    return this.#simple('freeBytes', path, () => this.files.freeBytes)
  }

  async lock(path: string): Promise<{ release(): Promise<void> }> {
    const { locks } = this.#host
    await this.#simple('lock', path, () => {
      if (this.files.find(path) === undefined) this.files.createFile(path, 'lock')
      const holder = locks.get(path)
      if (holder?.alive === true) {
        throw new DiskError('LOCKED', 'lock', path, `held by process ${holder.id}`)
      }
      locks.set(path, this.#process)
    })
    let held = true
    const release = (): void => {
      if (held) locks.delete(path)
      held = false
    }
    return { release: () => this.#simple('release', path, release) }
  }

  #simple<T>(operation: string, path: string, effect: () => T): Promise<T> {
    return this.perform({ operation, path, lane: 'background', effect })
  }
}

function describe(node: SimNode | undefined): { kind: EntryKind; bytes: number } | undefined {
  if (node === undefined) return undefined
  return { kind: node.kind, bytes: node.kind === 'file' ? node.bytes : 0 }
}
