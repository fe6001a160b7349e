// Whether an append may be accepted: it must be sure of a place, in a file system with room to spare or else in the part
// of the journal that is already there. A full disk refuses appends and is tried again until it has room.

import type { Disk } from '../env/disk.ts'
import type { Clock, Logger, Timer, Timers } from '../env/env.ts'
import type { JournalSlots } from './journal-slots.ts'
import type { StoreOptions } from './options.ts'
import { StoreError } from './store.ts'

export class Space {
  readonly #disk: Disk
  readonly #timers: Timers
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #options: StoreOptions
  readonly #slots: JournalSlots
  /** Tries to make room; true when the journal has some again. */
  readonly #retry: () => Promise<boolean>
  readonly #onError: (error: unknown) => void
  #freeBytes: number
  #measuredMs: number
  #measuring = false
  #queuedBytes = 0
  #full = false
  #probe: Timer | undefined

  constructor(deps: {
    readonly disk: Disk
    readonly timers: Timers
    readonly clock: Clock
    readonly logger: Logger
    readonly options: StoreOptions
    readonly slots: JournalSlots
    readonly freeBytes: number
    readonly retry: () => Promise<boolean>
    readonly onError: (error: unknown) => void
  }) {
    this.#disk = deps.disk
    this.#timers = deps.timers
    this.#clock = deps.clock
    this.#logger = deps.logger
    this.#options = deps.options
    this.#slots = deps.slots
    this.#freeBytes = deps.freeBytes
    this.#measuredMs = deps.clock.monotonicMs()
    this.#retry = deps.retry
    this.#onError = deps.onError
  }

  get full(): boolean {
    return this.#full
  }

  get freeBytes(): number {
    return this.#freeBytes
  }

  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** Whether `admit` would take so many bytes. */
  admits(bytes: number): boolean {
    const wanted = this.#queuedBytes + bytes
    if (this.#full || (wanted > this.#options.queuedBytesMax && this.#queuedBytes > 0)) return false
    const free = this.#freeBytes - wanted >= this.#options.freeBytesMin
    return free || this.#slots.dataRoom >= wanted
  }

  /** Throws StoreError `storage-full`. */
  admit(bytes: number): void {
    if (this.#full) throw new StoreError('storage-full', 'the disk is full')
    const wanted = this.#queuedBytes + bytes
    if (wanted > this.#options.queuedBytesMax && this.#queuedBytes > 0) {
      throw new StoreError('storage-full', `${this.#queuedBytes} bytes already wait for the disk`)
    }
    if (this.#freeBytes - wanted >= this.#options.freeBytesMin) return
    if (this.#slots.dataRoom >= wanted) return
    this.noteFull()
    throw new StoreError('storage-full', `the disk has ${this.#freeBytes} bytes free`)
  }

  queued(bytes: number): void {
    this.#queuedBytes += bytes
  }

  unqueued(bytes: number): void {
    this.#queuedBytes -= bytes
  }

  wrote(bytes: number): void {
    this.#freeBytes -= bytes
  }

  noteFull(): void {
    if (!this.#full) this.#logger.error('the disk is full: appends are refused until it has room')
    this.#full = true
    this.#schedule()
  }

  /** Measures free space again when the last time is long ago. */
  refresh(): void {
    const now = this.#clock.monotonicMs()
    if (this.#measuring || now - this.#measuredMs < this.#options.probeMs) return
    this.#measuring = true
    this.#measure().catch(this.#onError)
  }

  close(): void {
    this.#probe?.cancel()
  }

  async #measure(): Promise<void> {
    this.#freeBytes = await this.#disk.freeBytes(this.#options.directory)
    this.#measuredMs = this.#clock.monotonicMs()
    this.#measuring = false
  }

  #schedule(): void {
    if (this.#probe !== undefined) return
    this.#probe = this.#timers.after(this.#options.probeMs, () => {
      this.#try().catch(this.#onError)
    })
  }

  async #try(): Promise<void> {
    await this.#measure()
    const enough = Math.min(this.#options.freeBytesMin, 2 * this.#options.journalFileBytes)
    const recovered = this.#freeBytes >= enough && (await this.#retry())
    this.#probe = undefined
    if (!recovered) {
      this.#schedule()
      return
    }
    this.#full = false
    this.#logger.info('the disk has room again', { freeBytes: this.#freeBytes })
  }
}
