// Finds what of a segment file can't be used (law R5): one range from the first bad batch to where everything up to the
// recorded end is good again. A good batch between two bad ones is given up with them: only batches that chain to the end
// are certainly the log's own, and not the content of some damaged record that looks like a batch.

import { crc32c } from '../base/crc32c.ts'
import { asOffset, type LeaderEpoch, type Offset } from '../base/brand.ts'
import type { DiskFile } from '../env/disk.ts'
import {
  ATTRIBUTES_AT,
  baseOffsetAt,
  BATCH_HEADER_BYTES,
  batchBytesAt,
  crcAt,
  lastOffsetAt,
  leaderEpochAt,
  MAGIC_AT,
  MAGIC_V2,
} from '../records/batch-header.ts'
import { isDiskError } from './files.ts'

const WINDOW_BYTES = 256 * 1024

export interface SegmentDamage {
  /** Base offset of the segment. */
  readonly segment: Offset
  readonly from: Offset
  /** Exclusive. */
  readonly to: Offset
  /** File positions: good up to the one, and again from the other on. */
  readonly position: number
  readonly endPosition: number
}

export interface SuspectSegment {
  readonly base: Offset
  /** Exclusive. */
  readonly end: Offset
  /** As recorded. */
  readonly bytes: number
  /** The epoch that the table says the batch must have; undefined where it does not say. */
  readonly epochAt: (offset: Offset) => LeaderEpoch | undefined
}

/** Undefined when the whole segment is good. Without a file all of it is bad. */
export async function findDamage(
  file: DiskFile | undefined,
  segment: SuspectSegment,
): Promise<SegmentDamage | undefined> {
  const { base, end, bytes } = segment
  if (file === undefined)
    return { segment: base, from: base, to: end, position: 0, endPosition: bytes }
  const scan = new DamageScan(file, segment)
  const good = await scan.follow(0, base)
  if (scan.isEnd(good)) return undefined
  const { position, offset: from } = good
  const again = await scan.findEndOfDamage(position, from)
  return {
    segment: base,
    from,
    to: again?.offset ?? end,
    position,
    endPosition: again?.position ?? bytes,
  }
}

interface Place {
  readonly position: number
  readonly offset: Offset
}

class DamageScan {
  readonly #file: DiskFile
  readonly #segment: SuspectSegment
  #window = new Uint8Array(0)
  #windowAt = 0
  /** The last attempt to load failed: bytes are there that the disk does not give. */
  #unreadable = false

  constructor(file: DiskFile, segment: SuspectSegment) {
    this.#file = file
    this.#segment = segment
  }

  isEnd({ position, offset }: Place): boolean {
    return position === this.#segment.bytes && offset === this.#segment.end
  }

  /** Goes from batch to batch as long as they are good and follow one another; where that ends. */
  async follow(position: number, offset: Offset): Promise<Place> {
    let at: Place = { position, offset }
    for (;;) {
      const next = await this.#batchAt(at.position)
      if (next === undefined || next.base !== at.offset) return at
      at = { position: at.position + next.bytes, offset: next.end }
    }
  }

  /** The first place behind a bad batch from which batches follow one another to the segment's end. */
  async findEndOfDamage(position: number, offset: Offset): Promise<Place | undefined> {
    const { bytes } = this.#segment
    // Where nothing of the bad batches is left, the good ones begin at once.
    for (let at = position; at + BATCH_HEADER_BYTES <= bytes;) {
      const block = await this.#load(at, BATCH_HEADER_BYTES)
      const unreadable = this.#unreadable
      let next = at + Math.max(1, block.length - BATCH_HEADER_BYTES + 1)
      for (let i = nextMagic(block, 0); i !== undefined; i = nextMagic(block, i + 1)) {
        const base = baseOffsetAt(block, i)
        if (base <= offset || !this.#plausible(block, i, at + i)) continue
        const reached = await this.follow(at + i, base)
        if (this.isEnd(reached)) return { position: at + i, offset: base }
        if (reached.position === at + i) continue
        next = reached.position
        break
      }
      if (block.length < BATCH_HEADER_BYTES && !unreadable) return undefined
      at = unreadable ? at + WINDOW_BYTES : next
    }
    return undefined
  }

  async #batchAt(
    position: number,
  ): Promise<{ readonly base: Offset; readonly end: Offset; readonly bytes: number } | undefined> {
    const { bytes } = this.#segment
    if (position + BATCH_HEADER_BYTES > bytes) return undefined
    const header = await this.#view(position, BATCH_HEADER_BYTES)
    if (header === undefined || !this.#plausible(header, 0, position)) return undefined
    const [base, last] = [baseOffsetAt(header, 0), lastOffsetAt(header, 0)]
    const size = batchBytesAt(header, 0)
    const batch = await this.#view(position, size)
    if (batch === undefined) return undefined
    if (crc32c(batch.subarray(ATTRIBUTES_AT)) !== crcAt(batch, 0)) return undefined
    return { base, end: asOffset(last + 1), bytes: size }
  }

  #plausible(bytes: Uint8Array, at: number, position: number): boolean {
    const segment = this.#segment
    const size = batchBytesAt(bytes, at)
    const base = baseOffsetAt(bytes, at)
    const last = lastOffsetAt(bytes, at)
    const plausible =
      bytes[at + MAGIC_AT] === MAGIC_V2 &&
      size >= BATCH_HEADER_BYTES &&
      position + size <= segment.bytes &&
      base >= segment.base &&
      last >= base &&
      last < segment.end
    if (!plausible) return false
    const epoch = segment.epochAt(last)
    return epoch === undefined || epoch === leaderEpochAt(bytes, at)
  }

  /** Undefined where not all of it is there, or can be read. */
  async #view(position: number, bytes: number): Promise<Uint8Array | undefined> {
    const at = position - this.#windowAt
    if (at < 0 || at + bytes > this.#window.length) await this.#load(position, bytes)
    const from = position - this.#windowAt
    return from + bytes <= this.#window.length
      ? this.#window.subarray(from, from + bytes)
      : undefined
  }

  /** Up to a window of bytes from there on, `bytes` at least if they are there. */
  async #load(position: number, bytes: number): Promise<Uint8Array> {
    const window = new Uint8Array(Math.max(bytes, WINDOW_BYTES))
    let read = 0
    this.#unreadable = false
    try {
      read = await this.#file.read(window, position)
    } catch (error) {
      if (!isDiskError(error, 'EIO')) throw error
      this.#unreadable = true
    }
    this.#window = window.subarray(0, read)
    this.#windowAt = position
    return this.#window
  }
}

/** The first place from `at` on where a whole header with the magic byte may stand. */
function nextMagic(block: Uint8Array, at: number): number | undefined {
  const found = block.indexOf(MAGIC_V2, at + MAGIC_AT)
  if (found < 0 || found - MAGIC_AT + BATCH_HEADER_BYTES > block.length) return undefined
  return found - MAGIC_AT
}
