// The content of one simulated file, twice: as processes see it (the page cache) and as it lies on the platter, with the
// changes in between that no sync has made durable yet. A power cut keeps any subset of those changes, sector by sector.

import type { Prng } from './prng.ts'

export const SECTOR_BYTES = 512
/** Beyond so many unsynced changes the oldest are written back, as a kernel does in the background. */
const PENDING_MAX = 512

interface PendingWrite {
  readonly kind: 'write'
  readonly id: number
  /** Sector-aligned. */
  readonly start: number
  /** The touched sectors whole, as they were right after the write: a disk writes sectors, never parts of one. */
  readonly image: Uint8Array
  /** Where the written bytes end; the file is at least that long. */
  readonly end: number
}

interface PendingTruncate {
  readonly kind: 'truncate'
  readonly id: number
  readonly bytes: number
}

type Pending = PendingWrite | PendingTruncate

/** What a power cut does to what was not synced. */
export type CutMode = 'lose' | 'keep' | 'mix'

export class SimInode {
  readonly kind = 'file'
  readonly id: number
  /** Without a name its bytes no longer count. */
  named = true
  readonly #cache = new Content()
  readonly #durable = new Content()
  #pending: Pending[] = []
  #nextId = 1

  constructor(id: number) {
    this.id = id
  }

  get bytes(): number {
    return this.#cache.bytes
  }

  get durableBytes(): number {
    return this.#durable.bytes
  }

  read(target: Uint8Array, position: number): number {
    return this.#cache.read(target, position)
  }

  write(bytes: Uint8Array, position: number): void {
    if (bytes.byteLength === 0) return
    const end = position + bytes.byteLength
    this.#cache.write(bytes, position)
    const start = position - (position % SECTOR_BYTES)
    const image = this.#cache.copy(start, Math.ceil(end / SECTOR_BYTES) * SECTOR_BYTES)
    this.#push({ kind: 'write', id: this.#nextId++, start, image, end })
  }

  truncate(bytes: number): void {
    this.#cache.resize(bytes)
    this.#push({ kind: 'truncate', id: this.#nextId++, bytes })
  }

  /** Names all changes so far, for `sync`. */
  mark(): number {
    return this.#nextId - 1
  }

  /** Makes every change up to the mark durable. */
  sync(mark: number): void {
    for (const change of this.#take(mark)) {
      if (change.kind === 'truncate') this.#durable.resize(change.bytes)
      else this.#applyWhole(change)
    }
  }

  #applyWhole({ start, image, end }: PendingWrite): void {
    this.#durable.resize(Math.max(this.#durable.bytes, end))
    this.#durable.write(image.subarray(0, this.#durable.bytes - start), start)
  }

  /** A sync that failed: any part was written, and the pages count as clean, so that no later sync writes them. */
  failSync(mark: number, chance: Prng): void {
    for (const change of this.#take(mark)) {
      if (change.kind === 'truncate') this.#durable.resize(change.bytes)
      else this.#apply(change, () => chance.chance(0.5))
    }
  }

  cutPower(mode: CutMode, chance: Prng): void {
    const share = mode === 'lose' ? 0 : mode === 'keep' ? 1 : chance.float()
    const keep = (): boolean => share === 1 || (share > 0 && chance.chance(share))
    // A file system orders its changes of sizes: once a truncation is lost, so are the later ones and what was written
    // above it since.
    let lostAbove = Number.POSITIVE_INFINITY
    for (const change of this.#take(this.mark())) {
      if (change.kind === 'write') {
        this.#apply(change, (sectorEnd) => sectorEnd <= lostAbove && keep(), lostAbove)
      } else if (lostAbove === Number.POSITIVE_INFINITY && keep()) {
        this.#durable.resize(change.bytes)
      } else {
        lostAbove = Math.min(lostAbove, change.bytes)
      }
    }
    this.#cache.become(this.#durable)
  }

  /** Damages what lies on the platter and what is cached of it. */
  flipBit(position: number, bit: number): void {
    this.#cache.flip(position, bit)
    this.#durable.flip(position, bit)
  }

  #push(change: Pending): void {
    this.#pending.push(change)
    const middle = this.#pending[PENDING_MAX / 2]
    if (this.#pending.length > PENDING_MAX && middle !== undefined) this.sync(middle.id)
  }

  #take(mark: number): Pending[] {
    const taken = this.#pending.filter((change) => change.id <= mark)
    this.#pending = this.#pending.slice(taken.length)
    return taken
  }

  #apply(
    write: PendingWrite,
    keep: (sectorEnd: number) => boolean,
    lostAbove = Number.POSITIVE_INFINITY,
  ): void {
    const { start, image } = write
    // The new size and the new data are separate writes: either may be there without the other, and the size may have
    // moved a part of the way.
    const before = this.#durable.bytes
    let bytes = before
    for (let at = 0; at < image.byteLength; at += SECTOR_BYTES) {
      const sectorEnd = start + at + SECTOR_BYTES
      const grown = Math.min(sectorEnd, write.end)
      if (grown > bytes && grown <= lostAbove && keep(Math.min(sectorEnd, grown))) bytes = grown
    }
    this.#durable.resize(Math.max(bytes, before))
    for (let at = 0; at < image.byteLength; at += SECTOR_BYTES) {
      const from = start + at
      if (from >= this.#durable.bytes || !keep(from + SECTOR_BYTES)) continue
      const to = Math.min(from + SECTOR_BYTES, this.#durable.bytes)
      this.#durable.write(image.subarray(at, at + to - from), from)
    }
  }
}

/** Bytes that grow; whatever lies past `bytes` in the buffer is zero. */
class Content {
  bytes = 0
  #buffer = new Uint8Array(0)

  read(target: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(target.byteLength, this.bytes - position))
    if (count > 0) target.set(this.#buffer.subarray(position, position + count))
    return count
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.byteLength
    if (end > this.bytes) this.resize(end)
    this.#buffer.set(bytes, position)
  }

  /** A copy of [start, end), zeros past the end of the file. */
  copy(start: number, end: number): Uint8Array {
    const copied = new Uint8Array(end - start)
    copied.set(this.#buffer.subarray(start, Math.min(end, this.bytes)))
    return copied
  }

  resize(bytes: number): void {
    if (bytes < this.bytes) {
      this.#buffer.fill(0, bytes, this.bytes)
    } else if (bytes > this.#buffer.byteLength) {
      const grown = new Uint8Array(Math.max(bytes, 2 * this.#buffer.byteLength, 1024))
      grown.set(this.#buffer.subarray(0, this.bytes))
      this.#buffer = grown
    }
    this.bytes = bytes
  }

  become(other: Content): void {
    this.resize(0)
    this.write(other.#buffer.subarray(0, other.bytes), 0)
  }

  flip(position: number, bit: number): void {
    const value = this.#buffer[position]
    if (position < this.bytes && value !== undefined) this.#buffer[position] = value ^ (1 << bit)
  }
}
