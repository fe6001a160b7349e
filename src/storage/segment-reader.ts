// Reads batches back from segment files. Every batch is checked (header, order, CRC-32C) before it is given out; a bad
// one is reported as corruption and never moves the log end (law R5).

import { crc32c } from '../base/crc32c.ts'
import { asOffset, type Offset } from '../base/brand.ts'
import type { DiskFile } from '../env/disk.ts'
import { ATTRIBUTES_AT, BATCH_HEADER_BYTES, crcAt } from '../records/batch-header.ts'
import { checkedSummary, scanBatches } from './batch-scan.ts'
import type { FileCache } from './file-cache.ts'
import { isDiskError } from './files.ts'
import { findDamage, type SegmentDamage, type SuspectSegment } from './find-damage.ts'
import type { IndexedSegment, IndexStore } from './index-store.ts'
import type { ScanStart } from './segment-index.ts'
import { segmentFile } from './segment-files.ts'
import { StoreError, type ReadRequest, type StoredBytes } from './store.ts'

const START: ScanStart = { position: 0 }
const READ_BYTES_MIN = 64 * 1024
const READ_BYTES_MAX = 8 * 1024 * 1024

/** Where a reader that went through a log in order continues. */
export interface ReadHint {
  readonly segment: Offset
  readonly offset: Offset
  readonly position: number
}

export class SegmentReader {
  readonly #files: FileCache
  readonly #indexes: IndexStore

  constructor(files: FileCache, indexes: IndexStore) {
    this.#files = files
    this.#indexes = indexes
  }

  /** Whole batches from the one that holds `from`, of this segment only; none of what is damaged. */
  async read(
    segment: IndexedSegment,
    request: ReadRequest,
    how: { readonly hint: ReadHint | undefined; readonly damage: SegmentDamage | undefined },
  ): Promise<{ readonly read: StoredBytes; readonly hint: ReadHint }> {
    const path = segmentFile(segment.directory, segment.base, 'log')
    const { hint, damage } = how
    if (damage !== undefined) {
      const part = goodPart(segment, damage, request)
      return this.#files.use(path, (file) => readFrom(file, part.segment, part.request, part.start))
    }
    const index = hint === undefined ? await this.#indexes.ensure(segment) : undefined
    const from: ScanStart =
      hint !== undefined
        ? { position: hint.position, baseOffset: hint.offset }
        : (index?.lookup(request.from) ?? START)
    try {
      return await this.#files.use(path, (file) => readFrom(file, segment, request, from))
    } catch (error) {
      if (!(error instanceof StoreError) || from.position === 0) throw error
    }
    // Where the index or the hint points there is no such batch: either is only a cache, the segment itself decides.
    await this.#indexes.distrust(segment.directory, segment.base)
    return this.#files.use(path, (file) => readFrom(file, segment, request, START))
  }

  /**
   * The file position of the batch at `offset`, a batch border inside the segment, which ends at `end`. Where it lies in what
   * is damaged, some position in there: what is kept of it is no more than damage, which is given as well.
   */
  async positionOf(
    segment: IndexedSegment,
    cut: { readonly offset: Offset; readonly end: Offset },
  ): Promise<{ readonly position: number; readonly damage: SegmentDamage | undefined }> {
    const { offset } = cut
    const whole = { from: START, end: segment.bytes, base: segment.base }
    try {
      return { position: await this.#positionIn(segment, offset, whole), damage: undefined }
    } catch (error) {
      if (!isDamage(error)) throw error
      const { base, bytes } = segment
      const suspect = { base, end: cut.end, bytes, epochAt: () => undefined }
      const damage = await this.findDamage(segment.directory, suspect)
      if (damage === undefined) throw error
      return { position: await this.#positionBeside(segment, offset, damage), damage }
    }
  }

  async #positionBeside(
    segment: IndexedSegment,
    offset: Offset,
    damage: SegmentDamage,
  ): Promise<number> {
    const { base, bytes } = segment
    if (offset > damage.from && offset < damage.to) return Math.max(1, damage.position)
    if (offset <= damage.from) {
      return this.#positionIn(segment, offset, { from: START, end: damage.position, base })
    }
    const from = { position: damage.endPosition, baseOffset: damage.to }
    return this.#positionIn(segment, offset, { from, end: bytes, base })
  }

  /** What of the segment is bad, if anything is. */
  findDamage(directory: string, segment: SuspectSegment): Promise<SegmentDamage | undefined> {
    const path = segmentFile(directory, segment.base, 'log')
    return this.#files
      .use(path, (file) => findDamage(file, segment))
      .catch((error: unknown) => {
        if (!isDiskError(error, 'ENOENT')) throw error
        return findDamage(undefined, segment)
      })
  }

  async #positionIn(
    segment: IndexedSegment,
    offset: Offset,
    range: { readonly from: ScanStart; readonly end: number; readonly base: Offset },
  ): Promise<number> {
    const path = segmentFile(segment.directory, segment.base, 'log')
    let found = range.end
    await this.#files.use(path, (file) =>
      scanBatches(file, range, (batch, position) => {
        if (batch.lastOffset < offset) return true
        if (batch.baseOffset < offset) {
          throw new StoreError('corrupt', `offset ${offset} lies inside a batch of ${path}`)
        }
        found = position
        return false
      }),
    )
    return found
  }

  /** The first batch at or above `from` with a max timestamp of at least `timestampMs`. */
  async seekTimestamp(
    segment: IndexedSegment,
    timestampMs: number,
    from: Offset,
  ): Promise<Offset | undefined> {
    const index = await this.#indexes.ensure(segment)
    const path = segmentFile(segment.directory, segment.base, 'log')
    const search = async (start: ScanStart): Promise<Offset | undefined> => {
      let found: Offset | undefined
      await this.#files.use(path, (file) =>
        scanBatches(file, { from: start, end: segment.bytes, base: segment.base }, (batch) => {
          if (batch.lastOffset < from || batch.maxTimestampMs < timestampMs) return true
          found = batch.baseOffset
          return false
        }),
      )
      return found
    }
    const start = index.lookupTimestamp(timestampMs)
    try {
      return await search(start)
    } catch (error) {
      if (!(error instanceof StoreError) || start.position === 0) throw error
    }
    await this.#indexes.distrust(segment.directory, segment.base)
    return search(START)
  }
}

/** Whether an error says that bytes of a segment are not as they were written, or not there. */
export function isDamage(error: unknown): boolean {
  if (error instanceof StoreError) return error.code === 'corrupt'
  return isDiskError(error, 'ENOENT') || isDiskError(error, 'EIO')
}

/** The part of a damaged segment that the request begins in: before or behind the damage. No index knows of either. */
function goodPart(
  segment: IndexedSegment,
  damage: SegmentDamage,
  request: ReadRequest,
): { readonly segment: IndexedSegment; readonly request: ReadRequest; readonly start: ScanStart } {
  if (request.from >= damage.to) {
    const start = { position: damage.endPosition, baseOffset: damage.to }
    return { segment, request, start }
  }
  const below = request.below < damage.from ? request.below : damage.from
  return {
    segment: { ...segment, bytes: damage.position },
    request: { ...request, below },
    start: START,
  }
}

async function readFrom(
  file: DiskFile,
  segment: IndexedSegment,
  request: ReadRequest,
  start: ScanStart,
): Promise<{ readonly read: StoredBytes; readonly hint: ReadHint }> {
  let { position } = start
  let baseOffset: Offset = segment.base
  let firstBytes = 0
  const range = { from: start, end: segment.bytes, base: segment.base }
  await scanBatches(file, range, (batch, at) => {
    position = at
    firstBytes = batch.bytes
    baseOffset = batch.baseOffset
    if (at === start.position && at > 0 && batch.baseOffset > request.from) {
      throw new StoreError('corrupt', `offset ${request.from} is not where the index says`)
    }
    if (batch.lastOffset >= request.from) return false
    position = at + batch.bytes
    firstBytes = 0
    baseOffset = asOffset(batch.lastOffset + 1)
    return true
  })
  const left = segment.bytes - position
  const wanted = Math.max(Math.min(request.maxBytes, READ_BYTES_MAX), firstBytes, READ_BYTES_MIN)
  const buffer = new Uint8Array(Math.min(wanted, left))
  const got = await file.read(buffer, position)
  const read = collect(buffer.subarray(0, got), segment, request, { position, baseOffset })
  if (read.bytes === 0) {
    throw new StoreError(
      'corrupt',
      `segment ${segment.base} has no batch for offset ${request.from}`,
    )
  }
  const hint = { segment: segment.base, offset: read.next, position: position + read.bytes }
  return { read, hint }
}

/** The whole, checked batches at the start of `buffer` that belong into the answer. */
function collect(
  buffer: Uint8Array,
  segment: IndexedSegment,
  request: ReadRequest,
  at: { readonly position: number; readonly baseOffset: Offset },
): StoredBytes {
  let bytes = 0
  let next = request.from
  let { baseOffset } = at
  while (bytes + BATCH_HEADER_BYTES <= buffer.length) {
    const position = at.position + bytes
    const where = { position, end: segment.bytes, offsetMin: segment.base, baseOffset }
    const batch = checkedSummary(buffer, bytes, where)
    const end = bytes + batch.bytes
    if (batch.baseOffset >= request.below || end > buffer.length) break
    if (bytes > 0 && end > request.maxBytes) break
    if (crc32c(buffer.subarray(bytes + ATTRIBUTES_AT, end)) !== crcAt(buffer, bytes)) {
      throw new StoreError('corrupt', `the batch at offset ${batch.baseOffset} fails its CRC`)
    }
    bytes = end
    next = asOffset(batch.lastOffset + 1)
    baseOffset = next
  }
  const chunks = bytes === 0 ? [] : [buffer.subarray(0, bytes)]
  return { chunks, bytes, next }
}
