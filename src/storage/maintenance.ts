// Keeps the journal bounded: writes tails back to their segments, copies short ones forward, writes checkpoints, recycles
// journal files, adds new ones. All of it in the background, at most two segment writes at a time.

import type { Disk } from '../env/disk.ts'
import type { Clock, Timer, Timers } from '../env/env.ts'
import { encodeCheckpoint, writeCheckpoint } from './checkpoint.ts'
import type { Committer } from './committer.ts'
import { isDiskError } from './files.ts'
import { SLOT_HEAD_BYTES } from './journal-frame.ts'
import type { JournalSlots } from './journal-slots.ts'
import type { JournalWriter } from './journal-writer.ts'
import type { Log } from './log.ts'
import type { LogFiles } from './log-files.ts'
import type { NodeState } from './node-state.ts'
import type { StoreOptions } from './options.ts'
import type { Space } from './space.ts'
import type { TailCache } from './tail-cache.ts'

const WRITEBACKS_AT_ONCE = 2

export class Maintenance {
  readonly #deps: MaintenanceDeps
  #room: Promise<void> | undefined
  #checkpointing: Promise<boolean> | undefined
  readonly #writebacks = new Set<Log>()
  #writing = 0
  #idleTimer: Timer | undefined
  #retryTimer: Timer | undefined
  #reserve: Promise<void> | undefined
  /** The largest frame that found no place. */
  #wantedBytes = 0
  #stopped = false
  #closed = false

  constructor(deps: MaintenanceDeps) {
    this.#deps = deps
  }

  /** After each commit group. */
  committed(logs: Iterable<Log>): void {
    const { options, clock, cache, space, slots } = this.#deps
    const now = clock.monotonicMs()
    for (const log of logs) {
      log.lastAppendMs = now
      if (log.state.tailBytes >= options.writebackBytes) this.#writebacks.add(log)
      if (log.state.tailBytes > 0) this.#armIdleTimer()
    }
    if (cache.heldBytes > options.dirtyBytesMax / 2 && this.#writebacks.size === 0) {
      this.#writeBackLargest()
    }
    if (slots.spares < 2) this.ensureRoom(0)
    space.refresh()
    this.#startWritebacks()
  }

  /** Makes room in the journal, for a frame of `bytes` at least; one attempt at a time, the next a while later. */
  ensureRoom(bytes: number): void {
    this.#wantedBytes = Math.max(this.#wantedBytes, bytes)
    if (bytes > 0 && this.#room !== undefined) this.#growReserve(bytes)
    if (this.#room !== undefined || this.#retryTimer !== undefined || this.#closed) return
    this.#room = this.#makeRoom()
      .catch(this.#deps.onError)
      .finally(() => {
        this.#room = undefined
        if (!this.#lacksRoom()) this.#wantedBytes = 0
        if (this.#wantsRoom()) this.#retryLater()
        this.#deps.committer().roomChanged()
      })
  }

  /** As ensureRoom, awaited; true when data has room again. */
  async tryRoom(): Promise<boolean> {
    this.#retryTimer?.cancel()
    this.#retryTimer = undefined
    this.ensureRoom(0)
    await this.#room
    return !this.#lacksRoom()
  }

  /** Written and durable when it returns true; false when the disk has no room for it. */
  checkpoint(): Promise<boolean> {
    this.#checkpointing ??= this.#writeCheckpoint().finally(() => (this.#checkpointing = undefined))
    return this.#checkpointing
  }

  /** Writes back every tail; for a store that takes nothing any more. */
  async writeBackAll(): Promise<void> {
    const { files } = this.#deps
    await files.idle()
    const logs = [...this.#deps.logs()].filter((log) => files.canWriteBack(log)).values()
    const worker = async (): Promise<void> => {
      for (const log of logs) await files.writeBack(log)
    }
    await Promise.all(Array.from({ length: WRITEBACKS_AT_ONCE }, worker))
  }

  /** No writeback is begun any more; the journal still gets the room it needs. */
  stopWritebacks(): void {
    this.#stopped = true
    this.#idleTimer?.cancel()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#retryTimer?.cancel()
    await this.#room
    await this.#reserve
    await this.#checkpointing
  }

  /**
   * Emptying journal files takes journal space itself (copies, extents). When it has used up the reserve, a file is added
   * even beyond the bound: waiting for the emptying would be waiting for itself.
   */
  #growReserve(bytes: number): void {
    const { slots, committer, onError } = this.#deps
    if (slots.fits(bytes, true) || this.#reserve !== undefined) return
    this.#reserve = this.#grow()
      .then((grown) => {
        if (grown) committer().roomChanged()
        else this.#retryReserveLater(bytes)
      })
      .catch(onError)
      .finally(() => (this.#reserve = undefined))
  }

  #retryReserveLater(bytes: number): void {
    const { timers, options, committer } = this.#deps
    timers.after(options.probeMs, () => {
      this.#growReserve(bytes)
      committer().roomChanged()
    })
  }

  /** Data, or the frame that was last wanted, has no place. */
  #lacksRoom(): boolean {
    const { slots } = this.#deps
    return slots.spares === 0 || !slots.fits(this.#wantedBytes, false)
  }

  /** Or will soon have none. */
  #wantsRoom(): boolean {
    return this.#deps.slots.spares < 2 || this.#lacksRoom()
  }

  #retryLater(): void {
    if (this.#retryTimer !== undefined || this.#closed) return
    this.#retryTimer = this.#deps.timers.after(this.#deps.options.probeMs, () => {
      this.#retryTimer = undefined
      this.ensureRoom(0)
    })
  }

  async #makeRoom(): Promise<void> {
    const { slots, options } = this.#deps
    if (!this.#wantsRoom()) return
    const eager = slots.bytes + options.journalFileBytes <= options.journalBytesMax / 2
    if (eager && (await this.#grow()) && !this.#wantsRoom()) return
    await this.#recycle()
    // Beyond the bound only for the reserve, and for a frame larger than any file: that file goes once it is recycled.
    const oversize = (): boolean => this.#wantedBytes + SLOT_HEAD_BYTES > options.journalFileBytes
    const must = (): boolean => this.#lacksRoom() && (slots.spares === 0 || oversize())
    while (((this.#wantsRoom() && slots.canGrow) || must()) && !this.#closed) {
      if (!(await this.#grow())) return
    }
  }

  /** False when the disk has no room. */
  async #grow(): Promise<boolean> {
    try {
      await this.#deps.slots.grow(this.#wantedBytes)
      return true
    } catch (error) {
      if (!isDiskError(error, 'ENOSPC')) throw error
      this.#deps.space.noteFull()
      return false
    }
  }

  /** Empties the older half of the journal's files. */
  async #recycle(): Promise<void> {
    const { slots, files, options } = this.#deps
    const old = slots.live.slice(0, -1)
    const upTo = old[Math.max(0, Math.ceil(old.length / 2) - 1)]?.sequence
    if (upTo !== undefined) {
      const holders: Log[] = []
      for (const log of this.#deps.logs()) {
        if (log.state.tail.some((piece) => (piece.blob.place?.sequence ?? Infinity) <= upTo)) {
          holders.push(log)
        }
      }
      for (const log of holders) {
        if (log.state.tailBytes > options.copyForwardBytesMax) this.#writebacks.add(log)
        else log.copyUpTo = upTo
      }
      this.#startWritebacks()
      await files.idle()
      await Promise.all(holders.map((log) => this.#moved(log)))
    }
    await this.checkpoint()
  }

  /** What is under way of the log's copies and extents is durable when it resolves. */
  #moved(log: Log): Promise<void> {
    return new Promise((resolve) => {
      log.moved.push(resolve)
      this.#deps.committer().wake(log)
    })
  }

  async #writeCheckpoint(): Promise<boolean> {
    const { disk, options, writer, slots, state, space } = this.#deps
    for (;;) {
      const cursor = writer.cursor()
      const bytes = encodeCheckpoint({ cursor, state })
      const needed = state.neededSequences()
      try {
        await writeCheckpoint(disk, options.directory, bytes, () =>
          writer.whenDurable(cursor.nextLsn - 1),
        )
      } catch (error) {
        if (!isDiskError(error, 'ENOSPC')) throw error
        space.noteFull()
        if (await slots.giveUpSpare()) continue
        return false
      }
      await slots.release((sequence) => sequence >= cursor.sequence || needed.has(sequence))
      this.#deps.committer().roomChanged()
      return true
    }
  }

  #startWritebacks(): void {
    for (const log of this.#writebacks) {
      if (this.#writing >= WRITEBACKS_AT_ONCE || this.#stopped) return
      if (log.state.tail.length === 0 || log.dropped) {
        this.#writebacks.delete(log)
        continue
      }
      if (!this.#deps.files.canWriteBack(log)) continue
      this.#writebacks.delete(log)
      this.#writing++
      this.#deps.files
        .writeBack(log)
        .finally(() => {
          this.#writing--
          this.#startWritebacks()
        })
        .catch(this.#deps.onError)
    }
  }

  #writeBackLargest(): void {
    const { cache, options } = this.#deps
    const dirty = [...this.#deps.logs()]
      .filter((log) => log.state.tailBytes > 0)
      .toSorted((a, b) => b.state.tailBytes - a.state.tailBytes)
    let excess = cache.heldBytes - options.dirtyBytesMax / 4
    for (const log of dirty) {
      if (excess <= 0) return
      excess -= log.state.tailBytes
      this.#writebacks.add(log)
    }
  }

  #armIdleTimer(): void {
    if (this.#idleTimer !== undefined || this.#stopped) return
    this.#idleTimer = this.#deps.timers.after(this.#deps.options.idleWritebackMs, () => {
      this.#idleTimer = undefined
      this.#writeBackIdle()
    })
  }

  #writeBackIdle(): void {
    const before = this.#deps.clock.monotonicMs() - this.#deps.options.idleWritebackMs
    for (const log of this.#deps.logs()) {
      if (log.state.tailBytes === 0) continue
      if (log.lastAppendMs <= before) this.#writebacks.add(log)
      else this.#armIdleTimer()
    }
    this.#startWritebacks()
  }
}

export interface MaintenanceDeps {
  readonly disk: Disk
  readonly clock: Clock
  readonly timers: Timers
  readonly options: StoreOptions
  readonly writer: JournalWriter
  readonly slots: JournalSlots
  readonly state: NodeState
  readonly files: LogFiles
  readonly cache: TailCache
  readonly space: Space
  /** Made after this. */
  readonly committer: () => Committer
  readonly logs: () => Iterable<Log>
  readonly onError: (error: unknown) => void
}
