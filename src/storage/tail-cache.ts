// The recent batches of each log in memory. What is in the journal only must be here (it is held); what is in a segment
// file too stays until the node's bound is reached, the oldest going first. The chunks of one log are contiguous and reach
// to its accepted end.

import { asOffset, type Offset } from '../base/brand.ts'
import type { BatchSummary, ReadRequest, StoredBytes } from './store.ts'

/** What a chunk costs beside its bytes, roughly. */
const CHUNK_OVERHEAD_BYTES = 512
const NOTHING = new Uint8Array(0)

interface Chunk {
  readonly tail: LogTail
  readonly base: Offset
  readonly end: Offset
  /** Empty once gone: the lists below are cleared only now and then, and must not hold on to the bytes. */
  data: Uint8Array
  readonly batches: readonly BatchSummary[]
  state: 'held' | 'clean' | 'gone'
}

export class TailCache {
  readonly #bytesMax: number
  /** In the order in which they became evictable; those gone meanwhile are skipped. */
  #clean: Chunk[] = []
  #cleanFrom = 0
  #cleanBytes = 0
  #heldBytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#cleanBytes + this.#heldBytes
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  hold(chunk: Chunk): void {
    this.#heldBytes += cost(chunk)
  }

  clean(chunk: Chunk): void {
    chunk.state = 'clean'
    this.#heldBytes -= cost(chunk)
    this.#cleanBytes += cost(chunk)
    this.#clean.push(chunk)
    this.#evict()
  }

  drop(chunk: Chunk): void {
    if (chunk.state === 'clean') this.#cleanBytes -= cost(chunk)
    if (chunk.state === 'held') this.#heldBytes -= cost(chunk)
    chunk.state = 'gone'
    chunk.data = NOTHING
  }

  #evict(): void {
    while (this.#cleanBytes > this.#bytesMax && this.#cleanFrom < this.#clean.length) {
      const chunk = this.#clean[this.#cleanFrom++]!
      if (chunk.state !== 'clean') continue
      this.drop(chunk)
      chunk.tail.evictTo(chunk)
    }
    if (this.#cleanFrom > 1024 && this.#cleanFrom * 2 > this.#clean.length) {
      this.#clean = this.#clean.slice(this.#cleanFrom)
      this.#cleanFrom = 0
    }
  }
}

export class LogTail {
  readonly #cache: TailCache
  #chunks: Chunk[] = []
  #from = 0
  /** Chunks before this index are clean. */
  #heldFrom = 0

  constructor(cache: TailCache) {
    this.#cache = cache
  }

  append(data: Uint8Array, batches: readonly BatchSummary[]): void {
    const base = batches[0]!.baseOffset
    const end = asOffset(batches.at(-1)!.lastOffset + 1)
    const chunk: Chunk = { tail: this, base, end, data, batches, state: 'held' }
    this.#chunks.push(chunk)
    this.#cache.hold(chunk)
  }

  /** Everything below `offset` is in a segment file now. */
  markClean(offset: Offset): void {
    while (this.#heldFrom < this.#chunks.length) {
      const chunk = this.#chunks[this.#heldFrom]!
      if (chunk.end > offset) return
      // First, since it may evict and move the chunks.
      this.#heldFrom++
      if (chunk.state === 'held') this.#cache.clean(chunk)
    }
  }

  truncate(offset: Offset): void {
    while (this.#chunks.length > this.#from && this.#chunks.at(-1)!.end > offset) {
      const chunk = this.#chunks.pop()!
      const { state, data } = chunk
      this.#cache.drop(chunk)
      if (chunk.base >= offset) continue
      const batches = chunk.batches.filter((batch) => batch.baseOffset < offset)
      const bytes = batches.reduce((sum, batch) => sum + batch.bytes, 0)
      this.append(data.subarray(0, bytes), batches)
      if (state === 'clean') this.#cache.clean(this.#chunks.at(-1)!)
    }
    this.#heldFrom = Math.min(this.#heldFrom, this.#chunks.length)
    while (this.#heldFrom > this.#from && this.#chunks[this.#heldFrom - 1]?.state === 'held') {
      this.#heldFrom--
    }
  }

  clear(): void {
    for (let i = this.#from; i < this.#chunks.length; i++) this.#cache.drop(this.#chunks[i]!)
    this.#chunks = []
    this.#from = 0
    this.#heldFrom = 0
  }

  /** `chunk`, the oldest one, went. */
  evictTo(chunk: Chunk): void {
    while (this.#from < this.#chunks.length && this.#chunks[this.#from]!.end <= chunk.end) {
      this.#from++
    }
    if (this.#from < 64 || this.#from * 2 < this.#chunks.length) return
    this.#chunks = this.#chunks.slice(this.#from)
    this.#heldFrom = Math.max(0, this.#heldFrom - this.#from)
    this.#from = 0
  }

  /** The first offset held, if any. */
  get start(): Offset | undefined {
    return this.#chunks[this.#from]?.base
  }

  /** Undefined when `from` is not in memory. */
  read(request: ReadRequest): StoredBytes | undefined {
    let i = this.#find(request.from)
    if (i === undefined) return undefined
    const chunks: Uint8Array[] = []
    let bytes = 0
    let next = request.from
    for (; i < this.#chunks.length; i++) {
      const chunk = this.#chunks[i]!
      const part = partOf(chunk, request, request.maxBytes - bytes, bytes === 0)
      if (part.bytes > 0) {
        chunks.push(chunk.data.subarray(part.at, part.at + part.bytes))
        bytes += part.bytes
        next = part.next
      }
      if (!part.whole) break
    }
    return { chunks, bytes, next }
  }

  /** The first batch at or above `from` whose max timestamp is at least `timestampMs`. */
  seekTimestamp(timestampMs: number, from: Offset): Offset | undefined {
    for (let i = this.#from; i < this.#chunks.length; i++) {
      for (const batch of this.#chunks[i]!.batches) {
        if (batch.lastOffset >= from && batch.maxTimestampMs >= timestampMs) return batch.baseOffset
      }
    }
    return undefined
  }

  /** The greatest timestamp at or above `from`. */
  maxTimestampMs(from: Offset): number {
    let max = -1
    for (let i = this.#chunks.length - 1; i >= this.#from; i--) {
      const chunk = this.#chunks[i]!
      if (chunk.end <= from) break
      for (const batch of chunk.batches) max = Math.max(max, batch.maxTimestampMs)
    }
    return max
  }

  /** Bytes at or above `from`, a batch border. */
  bytesFrom(from: Offset): number {
    let bytes = 0
    for (let i = this.#chunks.length - 1; i >= this.#from; i--) {
      const chunk = this.#chunks[i]!
      if (chunk.end <= from) break
      for (const batch of chunk.batches) if (batch.baseOffset >= from) bytes += batch.bytes
    }
    return bytes
  }

  #find(offset: Offset): number | undefined {
    let low = this.#from
    let high = this.#chunks.length
    if (low === high || offset < this.#chunks[low]!.base) return undefined
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#chunks[middle]!.end <= offset) low = middle + 1
      else high = middle
    }
    return low < this.#chunks.length ? low : undefined
  }
}

/** The batches of a chunk that belong into the answer. `whole`: the answer may go on in the next chunk. */
function partOf(
  chunk: Chunk,
  request: ReadRequest,
  bytesLeft: number,
  first: boolean,
): { at: number; bytes: number; next: Offset; whole: boolean } {
  let at = 0
  let bytes = 0
  let next = request.from
  for (const batch of chunk.batches) {
    if (batch.lastOffset < request.from) {
      at += batch.bytes
      continue
    }
    const fits = bytes + batch.bytes <= bytesLeft || (first && bytes === 0)
    if (!fits || batch.baseOffset >= request.below) return { at, bytes, next, whole: false }
    bytes += batch.bytes
    next = asOffset(batch.lastOffset + 1)
  }
  return { at, bytes, next, whole: true }
}

function cost(chunk: Chunk): number {
  return chunk.data.length + CHUNK_OVERHEAD_BYTES
}
