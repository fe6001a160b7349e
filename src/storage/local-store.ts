// The store: wires journal, segments, caches and maintenance together and hands out logs.

import { assert } from '../base/assert.ts'
import type { LogId } from '../base/brand.ts'
import { Committer } from './committer.ts'
import { FileCache } from './file-cache.ts'
import { IndexStore } from './index-store.ts'
import { NO_DESCRIPTOR } from './journal-record.ts'
import type { JournalSlots } from './journal-slots.ts'
import { JournalWriter } from './journal-writer.ts'
import { Log, type LogHost } from './log.ts'
import { LogFiles } from './log-files.ts'
import { LogReads } from './log-reads.ts'
import { LogState } from './log-state.ts'
import { Maintenance } from './maintenance.ts'
import type { NodeState } from './node-state.ts'
import type { StoreEnv, StoreOptions } from './options.ts'
import type { Recovered } from './recovery.ts'
import type { SegmentDamage } from './find-damage.ts'
import { Repairs } from './repair.ts'
import { Rewrites } from './rewrites.ts'
import { SegmentReader } from './segment-reader.ts'
import { SegmentWriter } from './segment-writer.ts'
import { SnapshotFiles } from './snapshots.ts'
import { Space } from './space.ts'
import {
  DESCRIPTOR_BYTES_MAX,
  StoreError,
  type CreateOptions,
  type Snapshots,
  type Store,
  type StoredLog,
  type StoreStats,
} from './store.ts'
import { endSuspicion } from './suspicion.ts'
import { LogTail, TailCache } from './tail-cache.ts'

/** A clean stop writes back the tails of at most so many logs: each costs a sync. The journal keeps the rest. */
const CLOSE_WRITEBACKS_MAX = 256

export class LocalStore implements Store {
  readonly directoryId: string
  readonly generation: number
  #suspect: boolean
  readonly #env: StoreEnv
  readonly #directory: string
  readonly #lock: { release(): Promise<void> }
  readonly #state: NodeState
  readonly #slots: JournalSlots
  readonly #writer: JournalWriter
  readonly #files: FileCache
  readonly #indexes: IndexStore
  readonly #segments: SegmentWriter
  readonly #cache: TailCache
  readonly #reads: LogReads
  readonly #logFiles: LogFiles
  readonly #committer: Committer
  readonly #maintenance: Maintenance
  readonly #space: Space
  readonly #repairs: Repairs
  readonly #rewrites: Rewrites
  readonly #host: LogHost
  readonly #logs = new Map<LogId, Log>()
  /** Dropped logs whose drop is not durable yet. */
  readonly #dropping = new Set<Log>()
  readonly #snapshots = new Set<SnapshotFiles>()
  #closed = false
  /** A round that has not begun. */
  #flushing: Promise<void> | undefined

  constructor(
    env: StoreEnv,
    options: StoreOptions,
    opened: {
      readonly directoryId: string
      readonly recovered: Recovered
      readonly suspect: boolean
      readonly freeBytes: number
      readonly lock: { release(): Promise<void> }
    },
  ) {
    const { recovered } = opened
    const { disk, host, timers, clock } = env
    const onError = (error: unknown): void => host.fatal('the store failed', error)
    this.#env = env
    this.directoryId = opened.directoryId
    this.generation = recovered.generation.number
    this.#suspect = opened.suspect
    this.#directory = options.directory
    this.#lock = opened.lock
    this.#state = recovered.state
    this.#slots = recovered.slots
    this.#writer = new JournalWriter(this.#slots, host, recovered)
    this.#files = new FileCache(disk, options.maxOpenFiles)
    this.#indexes = new IndexStore(disk, this.#files, env.log)
    this.#segments = new SegmentWriter(disk, this.#files, this.#logsDirectory)
    this.#cache = new TailCache(options.tailCacheBytes)
    this.#rewrites = new Rewrites(disk)
    this.#repairs = new Repairs({
      disk,
      ensureDirectory: (path) => this.#segments.ensureDirectory(path),
    })
    const reader = new SegmentReader(this.#files, this.#indexes)
    this.#reads = new LogReads(reader)
    this.#space = new Space({
      disk,
      timers,
      clock,
      logger: env.log,
      options,
      slots: this.#slots,
      freeBytes: opened.freeBytes,
      retry: () => this.#retryFull(),
      onError,
    })
    this.#logFiles = new LogFiles({
      disk,
      host,
      logger: env.log,
      files: this.#files,
      indexes: this.#indexes,
      writer: this.#segments,
      reader,
      state: this.#state,
      logsDirectory: this.#logsDirectory,
      hooks: {
        wake: (log) => this.#committer.wake(log),
        unqueued: (bytes) => this.#space.unqueued(bytes),
        noteFull: () => this.#space.noteFull(),
        wrote: (bytes) => this.#space.wrote(bytes),
        durableLsn: () => this.#writer.durableLsn,
      },
    })
    this.#maintenance = new Maintenance({
      disk,
      clock,
      timers,
      options,
      writer: this.#writer,
      slots: this.#slots,
      state: this.#state,
      files: this.#logFiles,
      cache: this.#cache,
      space: this.#space,
      committer: () => this.#committer,
      logs: () => this.#logs.values(),
      onError,
    })
    this.#committer = this.#newCommitter(options, onError)
    this.#host = {
      wake: (log) => this.#committer.wake(log),
      admit: (bytes) => this.#space.admit(bytes),
      queued: (bytes) => this.#space.queued(bytes),
      repair: (log, batches, summary) => this.#repairs.repair(log, batches, summary),
      rewrite: (log, range) => this.#rewrites.begin(log, range),
    }
    for (const state of this.#state.logs.values()) {
      this.#adopt(state, recovered.damaged.get(state.incarnation) ?? [])
    }
  }

  get #logsDirectory(): string {
    return `${this.#directory}/logs`
  }

  get suspect(): boolean {
    return this.#suspect
  }

  async trust(): Promise<void> {
    await this.flush()
    await endSuspicion(this.#env, this.#directory)
    this.#suspect = false
  }

  logs(): Iterable<StoredLog> {
    return this.#logs.values()
  }

  get(id: LogId): StoredLog | undefined {
    return this.#logs.get(id)
  }

  create(id: LogId, options: CreateOptions): StoredLog {
    this.#checkOpen()
    const descriptor = (options.descriptor ?? NO_DESCRIPTOR).slice()
    assert(descriptor.length <= DESCRIPTOR_BYTES_MAX, `descriptor of ${descriptor.length} bytes`)
    if (this.#logs.has(id)) throw new StoreError('exists', `log ${id} is there already`)
    if (this.#space.full) throw new StoreError('storage-full', 'the disk is full')
    const incarnation = this.#state.nextIncarnation++
    const directory = `${options.directory}.${incarnation}`
    const log = this.#newLog(
      new LogState({ incarnation, id, directory, config: options.config, descriptor }),
      false,
    )
    this.#logs.set(id, log)
    const last = [...this.#dropping].findLast((other) => other.id === id)
    if (last !== undefined) last.successor = log
    log.queue.push({ kind: 'create', isFree: () => last === undefined || last.dropJournaled })
    this.#committer.wake(log)
    return log
  }

  drop(id: LogId): void {
    this.#checkOpen()
    const log = this.#logs.get(id)
    assert(log !== undefined, `no log ${id} to drop`)
    this.#logs.delete(id)
    this.#dropping.add(log)
    this.#reads.forget(log)
    log.tail.clear()
    log.enqueueDrop()
  }

  /** Those who ask in one turn share one round over the logs: a thousand logs that open together would each go over all. */
  flush(): Promise<void> {
    this.#flushing ??= Promise.resolve().then(() => {
      this.#flushing = undefined
      return this.#flushAll()
    })
    return this.#flushing
  }

  async #flushAll(): Promise<void> {
    const waiting: Promise<void>[] = []
    for (const log of [...this.#logs.values(), ...this.#dropping]) {
      if (log.unsettled) waiting.push(new Promise((resolve) => log.mark(resolve)))
    }
    await Promise.all(waiting)
  }

  get full(): boolean {
    return this.#space.full
  }

  admits(bytes: number): boolean {
    return this.#space.admits(bytes)
  }

  stats(): StoreStats {
    return {
      journalBytes: this.#slots.bytes,
      tailCacheBytes: this.#cache.bytes,
      openFiles: this.#files.open,
      syncs: this.#writer.syncs + this.#logFiles.syncs,
      freeBytes: this.#space.freeBytes,
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    try {
      await this.#close()
    } catch (error) {
      this.#env.host.fatal('the store could not be closed', error)
    }
  }

  async #close(): Promise<void> {
    await this.#rewrites.close()
    await this.#repairs.close()
    await this.flush()
    this.#maintenance.stopWritebacks()
    const dirty = [...this.#logs.values()].filter((log) => log.state.tail.length > 0)
    const writeBack = dirty.length <= CLOSE_WRITEBACKS_MAX
    if (writeBack) {
      await this.#maintenance.writeBackAll()
      await this.flush()
    }
    for (const log of this.#logs.values()) {
      const active = log.state.segments.at(-1)
      if (active !== undefined && writeBack) {
        const { baseOffset: base, bytes } = active
        await this.#logFiles.sealIndex(log, { base, bytes, scan: false })
      }
      log.shut('the store was closed')
    }
    for (const snapshots of this.#snapshots) await snapshots.idle()
    await this.#logFiles.idle()
    await this.#maintenance.checkpoint()
    await this.#maintenance.close()
    this.#space.close()
    await this.#files.close()
    await this.#slots.close()
    await this.#lock.release()
  }

  #newCommitter(options: StoreOptions, onError: (error: unknown) => void): Committer {
    const { timers } = this.#env
    return new Committer({
      timers,
      writer: this.#writer,
      slots: this.#slots,
      state: this.#state,
      groupBytesMax: options.groupBytesMax,
      directBytesMin: options.directBytesMin,
      onError,
      hooks: {
        writeDirect: (log, appends) => this.#logFiles.writeDirect(log, appends),
        resolveCut: (log, op) => this.#logFiles.resolveCut(log, op),
        unqueued: (bytes) => this.#space.unqueued(bytes),
        journalFull: (bytes) => this.#maintenance.ensureRoom(bytes),
        filesMayFollow: (log) => {
          if (log.dropJournaled) this.#dropping.delete(log)
          this.#logFiles.mayFollow(log)
        },
        committed: (logs) => this.#maintenance.committed(logs),
      },
    })
  }

  #adopt(state: LogState, damage: readonly SegmentDamage[]): void {
    const log = this.#newLog(state, true)
    for (const each of damage) log.damages.note(each)
    for (const { data, batches } of state.tail) {
      assert(data !== undefined && batches !== undefined, 'recovery loaded the tails')
      log.tail.append(data, batches)
    }
    this.#logs.set(state.id, log)
  }

  #newLog(state: LogState, created: boolean): Log {
    return new Log(state, {
      host: this.#host,
      path: `${this.#logsDirectory}/${state.directory}`,
      tail: new LogTail(this.#cache),
      reads: this.#reads,
      snapshots: (log, path) => this.#newSnapshots(log, path),
      created,
    })
  }

  #newSnapshots(log: StoredLog, directory: string): Snapshots {
    const snapshots = new SnapshotFiles({
      disk: this.#env.disk,
      logger: this.#env.log,
      log,
      directory,
      ready: () => this.#segments.ensureDirectory(directory),
    })
    this.#snapshots.add(snapshots)
    return snapshots
  }

  /** After a full disk: room in the journal again, and segments may be written again. */
  async #retryFull(): Promise<boolean> {
    if (!(await this.#maintenance.tryRoom())) return false
    for (const log of this.#logs.values()) {
      if (!log.inlineOnly) continue
      log.inlineOnly = false
      this.#committer.wake(log)
    }
    return true
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreError('closed', 'the store was closed')
  }
}
