// A simulated machine for the tests of this room, on whose disk a test sees every call and can hold one back.

import { asLeaderEpoch, asLogId, asOffset } from '../../base/brand.ts'
import type { Position } from '../../base/position.ts'
import type { DiskLane, Disk, DiskFile, OpenMode } from '../../env/disk.ts'
import type { Env } from '../../env/env.ts'
import type { SimHost } from '../../env/sim/sim-host.ts'
import { Simulation } from '../../env/sim/simulation.ts'
import { summarizeBatches } from '../../records/batch-header.ts'
import { openStore, type OpenStoreOptions } from '../open-store.ts'
import type { Store, StoredLog } from '../store.ts'
import { SMALL_LOG, SMALL_STORE, testBatch } from './batches.ts'

export const DIRECTORY = '/data'

export interface DiskCall {
  readonly operation: string
  readonly path: string
  ended: boolean
}

/** Calls without which something is not on the disk when it must be. */
const STEPS: ReadonlySet<string> = new Set(['sync', 'syncDirectory', 'truncate', 'rename'])

export class WatchedDisk implements Disk {
  readonly #disk: Disk
  readonly calls: DiskCall[] = []
  /** Calls of which it is true do not even begin until `release`. */
  holds: (call: DiskCall) => boolean = () => false
  #held: (() => void)[] = []

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** Those that make something durable or cut it, as `operation path`. */
  get steps(): string[] {
    return this.calls.filter(isStep).map(({ operation, path }) => `${operation} ${path}`)
  }

  get held(): number {
    return this.#held.length
  }

  release(): void {
    this.holds = () => false
    for (const begin of this.#held.splice(0)) begin()
  }

  async open(path: string, mode: OpenMode, options?: { lane?: DiskLane }): Promise<DiskFile> {
    const file = await this.#call('open', path, () => this.#disk.open(path, mode, options))
    return {
      read: (target, position) => this.#call('read', path, () => file.read(target, position)),
      write: (chunks, position) => this.#call('write', path, () => file.write(chunks, position)),
      sync: () => this.#call('sync', path, () => file.sync()),
      truncate: (bytes) => this.#call('truncate', path, () => file.truncate(bytes)),
      size: () => file.size(),
      close: () => this.#call('close', path, () => file.close()),
    }
  }

  list: Disk['list'] = (path) => this.#disk.list(path)
  stat: Disk['stat'] = (path) => this.#disk.stat(path)
  makeDirectory: Disk['makeDirectory'] = (path) => this.#disk.makeDirectory(path)
  freeBytes: Disk['freeBytes'] = (path) => this.#disk.freeBytes(path)
  lock: Disk['lock'] = (path) => this.#disk.lock(path)
  rename: Disk['rename'] = (from, to) => this.#call('rename', to, () => this.#disk.rename(from, to))
  unlink: Disk['unlink'] = (path) => this.#call('unlink', path, () => this.#disk.unlink(path))
  removeDirectory: Disk['removeDirectory'] = (path) =>
    this.#call('removeDirectory', path, () => this.#disk.removeDirectory(path))
  syncDirectory: Disk['syncDirectory'] = (path) =>
    this.#call('syncDirectory', path, () => this.#disk.syncDirectory(path))

  async #call<T>(operation: string, path: string, body: () => Promise<T>): Promise<T> {
    const call = { operation, path, ended: false }
    this.calls.push(call)
    if (this.holds(call)) await new Promise<void>((resolve) => this.#held.push(resolve))
    const result = await body()
    call.ended = true
    return result
  }
}

export const isStep = (call: DiskCall): boolean => STEPS.has(call.operation)

/** `open` boots the machine where it does not run. */
export class World {
  readonly simulation: Simulation
  readonly host: SimHost
  #booted: { readonly env: Env; readonly disk: WatchedDisk } | undefined

  constructor(seed = 1) {
    this.simulation = new Simulation(seed)
    this.host = this.simulation.host('node')
  }

  /** Of the process that runs, or of a new one. */
  get env(): Env {
    return this.#boot().env
  }

  get disk(): WatchedDisk {
    return this.#boot().disk
  }

  /** Begun, not awaited: for a test that holds one of its steps. */
  opening(options: Partial<OpenStoreOptions> = {}): Promise<Store> {
    return openStore(this.env, { ...SMALL_STORE, directory: DIRECTORY, ...options })
  }

  open(options: Partial<OpenStoreOptions> = {}): Promise<Store> {
    return this.do(this.opening(options))
  }

  do<T>(promise: Promise<T>): Promise<T> {
    return this.simulation.settle(promise, { withinMs: 60_000 })
  }

  pass(ms: number): Promise<unknown> {
    return this.simulation.run({ untilMs: this.simulation.nowMs + ms })
  }

  /** Whether it has resolved once time has passed. */
  async settles(promise: Promise<unknown>): Promise<boolean> {
    let settled = false
    void promise.then(() => (settled = true))
    await this.pass(3000)
    return settled
  }

  async bytesOf(path: string): Promise<number | undefined> {
    return (await this.do(this.env.disk.stat(path)))?.bytes
  }

  /** Everything of the log. */
  async read(log: StoredLog): Promise<Buffer> {
    const parts: Uint8Array[] = []
    for (let from = log.logStart; from < log.end.offset;) {
      const request = { from, below: log.end.offset, maxBytes: 1_000_000 }
      const answer = await this.do(Promise.resolve(log.read(request)))
      parts.push(...answer.chunks)
      from = answer.next
    }
    return Buffer.concat(parts)
  }

  #boot(): { readonly env: Env; readonly disk: WatchedDisk } {
    if (!this.host.alive || this.#booted === undefined) {
      const env = this.host.boot()
      const disk = new WatchedDisk(env.disk)
      this.#booted = { env: { ...env, disk }, disk }
    }
    return this.#booted
  }
}

export function create(store: Store, id = 'a', config = SMALL_LOG): StoredLog {
  const log = store.create(asLogId(id), { directory: id, config })
  log.startEpoch(asLeaderEpoch(1))
  return log
}

/** One batch of one record at the log's end; returns its bytes. */
export function append(log: StoredLog, payloadBytes = 100): Uint8Array {
  const { epoch, offset } = log.end
  const batch = testBatch({ baseOffset: offset, epoch, payloadBytes, seed: offset + epoch * 1000 })
  log.append(batch.slice(), summarizeBatches(batch))
  return batch
}

export const position = (epoch: number, offset: number): Position => ({
  epoch: asLeaderEpoch(epoch),
  offset: asOffset(offset),
})

export function found(store: Store, id = 'a'): StoredLog {
  const log = store.get(asLogId(id))
  if (log === undefined) throw new Error(`no log ${id}`)
  return log
}
