// The journal's files: zero-filled once, then recycled. A slot is live while the last durable checkpoint or a piece of a
// tail needs it, spare otherwise.
//
// Reserve: data may be journaled only while one whole spare slot stays untouched; votes, truncations, drops, log starts
// and extents may use that one too, so that a full disk never stops them.

import { assert } from '../base/assert.ts'
import type { Disk, DiskFile } from '../env/disk.ts'
import { openTruncated, unlinkIfThere } from './files.ts'
import { SLOT_HEAD_BYTES } from './journal-frame.ts'

const FILL_BYTES = 1024 * 1024
const SUFFIX = '.journal'

export interface Slot {
  readonly name: string
  readonly file: DiskFile
  readonly capacity: number
}

export interface LiveSlot extends Slot {
  readonly sequence: number
}

export interface ActiveSlot extends LiveSlot {
  /** Where the next frame goes. */
  position: number
}

export class JournalSlots {
  readonly #disk: Disk
  readonly #directory: string
  readonly #fileBytes: number
  readonly #bytesMax: number
  #active: ActiveSlot | undefined
  /** Oldest first; the active one is not among them. */
  #live: LiveSlot[] = []
  #spare: Slot[] = []
  #nextName = 1
  #nextSequence = 1
  #growing: Promise<void> | undefined

  constructor(
    disk: Disk,
    directory: string,
    sizes: { fileBytes: number; firstFileBytes: number; bytesMax: number },
  ) {
    this.#disk = disk
    this.#directory = directory
    this.#fileBytes = sizes.fileBytes
    this.#bytesMax = sizes.bytesMax
    this.smallestBytes = Math.min(sizes.fileBytes, sizes.firstFileBytes)
  }

  /** A shorter file can't serve as a slot. */
  readonly smallestBytes: number

  static isSlotName(name: string): boolean {
    return name.endsWith(SUFFIX)
  }

  /** Takes over the files found at start. */
  adopt(live: readonly LiveSlot[], spare: readonly Slot[], nextSequence: number): void {
    this.#live = live.toSorted((a, b) => a.sequence - b.sequence)
    this.#spare = [...spare]
    this.#nextSequence = nextSequence
    for (const slot of [...live, ...spare]) {
      this.#nextName = Math.max(this.#nextName, Number.parseInt(slot.name, 10) + 1)
    }
  }

  get active(): ActiveSlot | undefined {
    return this.#active
  }

  get spares(): number {
    return this.#spare.length
  }

  /** The sequence that the next file to be begun gets. */
  get nextSequence(): number {
    return this.#nextSequence
  }

  /** Files that hold journal which may still be needed, oldest first, the active one last. */
  get live(): readonly LiveSlot[] {
    return this.#active === undefined ? this.#live : [...this.#live, this.#active]
  }

  get bytes(): number {
    let sum = 0
    for (const slot of this.live) sum += slot.capacity
    for (const slot of this.#spare) sum += slot.capacity
    return sum
  }

  get canGrow(): boolean {
    return this.bytes + this.#fileBytes <= this.#bytesMax
  }

  /** Whether a frame of `bytes` has a place now. `control` may use the reserve. */
  fits(bytes: number, control: boolean): boolean {
    const active = this.#active
    if (active !== undefined && active.position + bytes <= active.capacity) {
      return control || this.#spare.length >= 1
    }
    if (!control && this.#spare.length < 2) return false
    return this.#spare.some((slot) => SLOT_HEAD_BYTES + bytes <= slot.capacity)
  }

  /** Bytes of data that the files already there can take, the reserve left alone. */
  get dataRoom(): number {
    if (this.#spare.length === 0) return 0
    const active = this.#active
    let room = active === undefined ? 0 : active.capacity - active.position
    const byRoom = this.#spare
      .map((slot) => slot.capacity - SLOT_HEAD_BYTES)
      .toSorted((a, b) => a - b)
    for (const bytes of byRoom.slice(0, -1)) room += bytes
    return room
  }

  /** The place for a frame that fits; begins the next slot where needed. */
  place(bytes: number): { readonly slot: ActiveSlot; readonly begun: boolean } {
    const active = this.#active
    if (active !== undefined && active.position + bytes <= active.capacity) {
      return { slot: active, begun: false }
    }
    const i = this.#spare.findIndex((slot) => SLOT_HEAD_BYTES + bytes <= slot.capacity)
    const [spare] = this.#spare.splice(i, i < 0 ? 0 : 1)
    assert(spare !== undefined, `a slot for a frame of ${bytes} bytes`)
    if (active !== undefined) this.#live.push(active)
    const begun = { ...spare, sequence: this.#nextSequence++, position: SLOT_HEAD_BYTES }
    this.#active = begun
    return { slot: begun, begun: true }
  }

  /** Makes every live slot that is not needed a spare one, or removes it where it is of an odd size or beyond the bound. */
  async release(needed: (sequence: number) => boolean): Promise<void> {
    const freed = this.#live.filter((slot) => !needed(slot.sequence))
    this.#live = this.#live.filter((slot) => needed(slot.sequence))
    const odd: Slot[] = []
    for (const slot of freed) {
      const usual = this.#spare.filter((spare) => spare.capacity >= this.#fileBytes).length
      const surplus =
        slot.capacity !== this.#fileBytes || this.bytes + slot.capacity > this.#bytesMax
      if (surplus && usual >= 2) odd.push(slot)
      else this.#spare.push({ name: slot.name, file: slot.file, capacity: slot.capacity })
    }
    for (const slot of odd) await this.discard(slot)
  }

  /** Adds a zero-filled spare slot that takes frames of at least `bytes`. Fails with ENOSPC. */
  grow(bytes = 0): Promise<void> {
    const capacity = Math.max(this.#fileBytes, Math.ceil((SLOT_HEAD_BYTES + bytes) / 4096) * 4096)
    this.#growing ??= this.addSpare(capacity).finally(() => (this.#growing = undefined))
    return this.#growing
  }

  async addSpare(capacity: number): Promise<void> {
    const name = `${String(this.#nextName++).padStart(6, '0')}${SUFFIX}`
    const path = `${this.#directory}/${name}`
    const made = await openTruncated(this.#disk, path)
    await made.close()
    const file = await this.#disk.open(path, 'write', { lane: 'commit' })
    try {
      const zeros = new Uint8Array(Math.min(FILL_BYTES, capacity))
      for (let at = 0; at < capacity; at += zeros.length) {
        await file.write([zeros.subarray(0, Math.min(zeros.length, capacity - at))], at)
        await file.sync()
      }
      await this.#disk.syncDirectory(this.#directory)
    } catch (error) {
      await file.close()
      await unlinkIfThere(this.#disk, path)
      throw error
    }
    this.#spare.push({ name, file, capacity })
  }

  /** Gives the space of one spare slot back to the file system; false when there is none that may go. */
  async giveUpSpare(mayGo: (name: string) => boolean = () => true): Promise<boolean> {
    const i = this.#spare.findLastIndex((spare) => mayGo(spare.name))
    const [slot] = this.#spare.splice(i, i < 0 ? 0 : 1)
    if (slot === undefined) return false
    await this.discard(slot)
    return true
  }

  async close(): Promise<void> {
    for (const slot of [...this.live, ...this.#spare]) await slot.file.close()
  }

  /** Closes and removes the file. */
  async discard(slot: Slot): Promise<void> {
    await slot.file.close()
    await unlinkIfThere(this.#disk, `${this.#directory}/${slot.name}`)
  }
}
