// The recent batches of each log in memory. What is in the journal only must be here (it is held); what is in a segment
// file too stays until the node's bound is reached, the oldest going first. The chunks of one log are contiguous and reach
// to its accepted end. Many small ones become few larger ones once they are clean: they may stay for long, and objects that
// live long cost the garbage collector several times their size.

import { asOffset, type Offset } from '../base/brand.ts'
import {
  baseOffsetAt,
  batchBytesAt,
  lastOffsetAt,
  maxTimestampAt,
} from '../records/batch-header.ts'
import type { BatchSummary, ReadRequest, StoredBytes } from './store.ts'

/** What a chunk costs beside its bytes: objects, buffers and slots, as measured with chunks of one small batch. */
const CHUNK_OVERHEAD_BYTES = 704
const NOTHING = new Uint8Array(0)
/** Clean chunks are joined up to this size. */
const JOINED_BYTES_MAX = 64 * 1024

interface Chunk {
  readonly tail: LogTail
  readonly base: Offset
  readonly end: Offset
  /** Whole batches. Empty once gone: a list below may still have the chunk, and must not hold on to the bytes. */
  data: Uint8Array
  state: 'held' | 'clean' | 'gone'
}

export class TailCache {
  readonly #bytesMax: number
  /** In the order in which they became evictable; those gone meanwhile are skipped. Slots before `#cleanFrom` are empty. */
  #clean: (Chunk | undefined)[] = []
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
      const chunk = this.#clean[this.#cleanFrom]!
      this.#clean[this.#cleanFrom++] = undefined
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
  /** Slots before `#from` are empty. */
  #chunks: (Chunk | undefined)[] = []
  #from = 0
  /** Chunks before this index are clean. */
  #heldFrom = 0

  constructor(cache: TailCache) {
    this.#cache = cache
  }

  append(data: Uint8Array, batches: readonly BatchSummary[]): void {
    const base = batches[0]!.baseOffset
    const end = asOffset(batches.at(-1)!.lastOffset + 1)
    this.#chunks.push(this.#hold(base, end, data))
  }

  #hold(base: Offset, end: Offset, data: Uint8Array): Chunk {
    const chunk: Chunk = { tail: this, base, end, data, state: 'held' }
    this.#cache.hold(chunk)
    return chunk
  }

  /** Everything below `offset` is in a segment file now. */
  markClean(offset: Offset): void {
    const from = this.#heldFrom
    let to = from
    while (to < this.#chunks.length && this.#chunks[to]!.end <= offset) to++
    const run = this.#chunks.slice(from, to) as Chunk[]
    const joined = this.#joined(run)
    if (joined.length < run.length) {
      this.#chunks = [...this.#chunks.slice(0, from), ...joined, ...this.#chunks.slice(to)]
    }
    // First, since making one clean may evict and move the chunks.
    this.#heldFrom = from + joined.length
    for (const chunk of joined) if (chunk.state === 'held') this.#cache.clean(chunk)
  }

  /** The same bytes in fewer chunks, where neighbours are small. */
  #joined(run: readonly Chunk[]): readonly Chunk[] {
    const joined: Chunk[] = []
    for (let i = 0; i < run.length;) {
      let bytes = run[i]!.data.length
      let next = i + 1
      while (next < run.length && bytes + run[next]!.data.length <= JOINED_BYTES_MAX) {
        bytes += run[next++]!.data.length
      }
      const group = run.slice(i, next)
      const isHeld = group.every(({ state }) => state === 'held')
      if (group.length > 1 && isHeld) joined.push(this.#join(group, bytes))
      else joined.push(...group)
      i = next
    }
    return joined
  }

  #join(group: readonly Chunk[], bytes: number): Chunk {
    const data = new Uint8Array(bytes)
    const base = group[0]!.base
    const end = group.at(-1)!.end
    let at = 0
    for (const chunk of group) {
      data.set(chunk.data, at)
      at += chunk.data.length
      this.#cache.drop(chunk)
    }
    return this.#hold(base, end, data)
  }

  truncate(offset: Offset): void {
    while (this.#chunks.length > this.#from && this.#chunks.at(-1)!.end > offset) {
      const { base, state, data } = this.#chunks.at(-1)!
      this.#cache.drop(this.#chunks.pop()!)
      if (base >= offset) continue
      const kept = this.#hold(base, offset, data.subarray(0, bytesBelow(data, offset)))
      this.#chunks.push(kept)
      if (state === 'clean') this.#cache.clean(kept)
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

  /** What is below `offset` is in a file, and there it is not the same any more: clean chunks that begin below it go. */
  forget(offset: Offset): void {
    for (let i = this.#from; i < this.#heldFrom; i = Math.max(i + 1, this.#from)) {
      const chunk = this.#chunks[i]!
      if (chunk.base >= offset) return
      this.#cache.drop(chunk)
      this.evictTo(chunk)
    }
  }

  /** `chunk`, the oldest one, went. */
  evictTo(chunk: Chunk): void {
    while (this.#from < this.#chunks.length && this.#chunks[this.#from]!.end <= chunk.end) {
      this.#chunks[this.#from++] = undefined
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
      const { data } = this.#chunks[i]!
      for (let at = 0; at < data.length; at += batchBytesAt(data, at)) {
        const matches = lastOffsetAt(data, at) >= from && maxTimestampAt(data, at) >= timestampMs
        if (matches) return baseOffsetAt(data, at)
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
      const { data } = chunk
      for (let at = 0; at < data.length; at += batchBytesAt(data, at)) {
        max = Math.max(max, maxTimestampAt(data, at))
      }
    }
    return max
  }

  /** Bytes at or above `from`, a batch border. */
  bytesFrom(from: Offset): number {
    let bytes = 0
    for (let i = this.#chunks.length - 1; i >= this.#from; i--) {
      const chunk = this.#chunks[i]!
      if (chunk.end <= from) break
      bytes += chunk.data.length - bytesBelow(chunk.data, from)
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
  const { data } = chunk
  while (at + bytes < data.length) {
    const batchAt = at + bytes
    const batchBytes = batchBytesAt(data, batchAt)
    const last = lastOffsetAt(data, batchAt)
    if (last < request.from) {
      at += batchBytes
      continue
    }
    const fits = bytes + batchBytes <= bytesLeft || (first && bytes === 0)
    if (!fits || baseOffsetAt(data, batchAt) >= request.below) {
      return { at, bytes, next, whole: false }
    }
    bytes += batchBytes
    next = asOffset(last + 1)
  }
  return { at, bytes, next, whole: true }
}

/** `offset` is a batch border. */
function bytesBelow(data: Uint8Array, offset: Offset): number {
  let at = 0
  while (at < data.length && baseOffsetAt(data, at) < offset) at += batchBytesAt(data, at)
  return at
}

function cost(chunk: Chunk): number {
  return chunk.data.length + CHUNK_OVERHEAD_BYTES
}
