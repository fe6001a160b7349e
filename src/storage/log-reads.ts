// Reads of one log: from memory at once, otherwise from a segment file; timestamps; the list of segments as accepted.

import { asOffset, type Offset } from '../base/brand.ts'
import {
  baseOffsetAt,
  batchBytesAt,
  batchesIn,
  lastOffsetAt,
  leaderEpochAt,
} from '../records/batch-header.ts'
import { fillerBatch, isFillerAt } from '../records/filler.ts'
import type { IndexedSegment } from './index-store.ts'
import type { Log } from './log.ts'
import type { SegmentState } from './log-state.ts'
import { isDamage, type ReadHint, type SegmentReader } from './segment-reader.ts'
import type { SegmentDamage } from './find-damage.ts'
import { StoreError, type ReadRequest, type SegmentInfo, type StoredBytes } from './store.ts'

const HINTS_PER_LOG = 8
const HINTS_MAX = 4096

export class LogReads {
  readonly #reader: SegmentReader
  /** Where sequential readers continue, newest last. Forgotten with every truncation. */
  readonly #hints = new Map<Log, { readonly truncations: number; readonly hints: ReadHint[] }>()

  constructor(reader: SegmentReader) {
    this.#reader = reader
  }

  read(log: Log, request: ReadRequest): StoredBytes | Promise<StoredBytes> {
    if (log.dropped) throw new StoreError('closed', `log ${log.id} was dropped`)
    const { from } = request
    if (from < log.logStart || from > log.end.offset) {
      throw new StoreError(
        'offset-out-of-range',
        `offset ${from} is outside ${log.logStart} … ${log.end.offset} of ${log.id}`,
      )
    }
    const below = request.below < log.end.offset ? request.below : log.end.offset
    if (from >= below) return { chunks: [], bytes: 0, next: from }
    const bounded = { from, below, maxBytes: request.maxBytes }
    const inMemory = log.tail.read(bounded)
    if (inMemory !== undefined) return fillerFrom(from, inMemory)
    const damage = log.damages.at(from)
    if (damage !== undefined) throw damaged(log, damage)
    return this.#readFile(log, bounded).then((read) => fillerFrom(from, read))
  }

  async seekTimestamp(log: Log, timestampMs: number, below: Offset): Promise<Offset | undefined> {
    for (;;) {
      const { truncations } = log
      const memoryFrom = log.memoryStart
      let found: Offset | undefined
      for (const segment of log.state.segments.slice()) {
        if (segment.maxTimestampMs < timestampMs || segment.baseOffset >= memoryFrom) continue
        if (segment.endOffset <= log.logStart || segment.baseOffset >= log.cleanBelow) continue
        if (log.swapping?.base === segment.baseOffset) {
          await log.swapping.done
          break
        }
        found = await this.#seekIn(log, segment, timestampMs)
        if (found !== undefined || log.truncations !== truncations) break
      }
      if (log.dropped) throw new StoreError('closed', `log ${log.id} was dropped`)
      if (log.truncations !== truncations) continue
      if (found === undefined || found >= memoryFrom) {
        found = log.tail.seekTimestamp(timestampMs, log.logStart)
      }
      if (found === undefined || found >= below) return undefined
      return found < log.logStart ? log.logStart : found
    }
  }

  /** Undefined also where the log was cut or dropped, or its start moved, meanwhile: then it says nothing. */
  async #seekIn(log: Log, segment: SegmentState, timestampMs: number): Promise<Offset | undefined> {
    const { truncations } = log
    const changed = (): boolean =>
      log.truncations !== truncations || log.dropped || segment.endOffset <= log.logStart
    // Accepted, and yet to reach the segment.
    const cutPending = segment.endOffset > log.end.offset
    const known = log.damages.ofSegment(segment.baseOffset)
    if (known !== undefined) throw damaged(log, known)
    try {
      return await this.#reader.seekTimestamp(indexed(log, segment), timestampMs, log.logStart)
    } catch (error) {
      if (changed()) return undefined
      if (!isDamage(error)) throw error
      const found = await this.#findDamage(log, segment)
      if (changed()) return undefined
      if (found !== undefined) throw damaged(log, found)
      // What is bad lies above the cut.
      if (cutPending) return undefined
      throw corrupt(log, segment, error)
    }
  }

  segments(log: Log): readonly SegmentInfo[] {
    const { state } = log
    const end = log.end.offset
    const clean = log.cleanBelow
    const list: { -readonly [K in keyof SegmentInfo]: SegmentInfo[K] }[] = []
    for (const segment of state.segments) {
      if (segment.endOffset <= log.logStart || segment.baseOffset >= clean) continue
      const endOffset = segment.endOffset < clean ? segment.endOffset : clean
      const { baseOffset, bytes, maxTimestampMs, firstTimestampMs } = segment
      list.push({ baseOffset, endOffset, bytes, maxTimestampMs, firstTimestampMs })
    }
    const last = list.at(-1)
    const filesEnd = last?.endOffset ?? log.logStart
    const unwritten = log.tail.bytesFrom(filesEnd)
    if (last === undefined) {
      const maxTimestampMs = log.tail.maxTimestampMs(filesEnd)
      return [{ baseOffset: filesEnd, endOffset: end, bytes: unwritten, maxTimestampMs }]
    }
    last.endOffset = end
    last.bytes += unwritten
    if (unwritten > 0) {
      last.maxTimestampMs = Math.max(last.maxTimestampMs, log.tail.maxTimestampMs(filesEnd))
    }
    return list
  }

  forget(log: Log): void {
    this.#hints.delete(log)
  }

  async #readFile(log: Log, request: ReadRequest): Promise<StoredBytes> {
    for (;;) {
      const { truncations } = log
      const memoryFrom = log.memoryStart
      const below = request.below < memoryFrom ? request.below : memoryFrom
      const segment = segmentAt(log.state.segments, request.from)
      if (segment === undefined) {
        throw new StoreError('corrupt', `offset ${request.from} of ${log.id} is in no segment`)
      }
      const wanted = { from: request.from, below: asOffset(below), maxBytes: request.maxBytes }
      // Its file is about to be another one.
      if (log.swapping?.base === segment.baseOffset) await log.swapping.done
      else {
        const result = await this.#tryRead(log, segment, wanted, truncations)
        if (result !== undefined) return result
      }
      // The log was cut or its start moved meanwhile: what was asked may be answered otherwise now.
      const again = this.read(log, request)
      if (!(again instanceof Promise)) return again
      return again
    }
  }

  async #tryRead(
    log: Log,
    segment: SegmentState,
    request: ReadRequest,
    truncations: number,
  ): Promise<StoredBytes | undefined> {
    const changed = (): boolean =>
      log.truncations !== truncations || log.dropped || request.from < log.logStart
    const damage = log.damages.ofSegment(segment.baseOffset)
    try {
      const hint = this.#hint(log, segment, request.from)
      const result = await this.#reader.read(indexed(log, segment), request, { hint, damage })
      if (changed()) return undefined
      checkEpochs(log, result.read)
      this.#remember(log, result.hint)
      return result.read
    } catch (error) {
      if (changed()) return undefined
      if (!isDamage(error)) throw error
      const found = await this.#findDamage(log, segment)
      if (changed()) return undefined
      const more = found?.from !== damage?.from || found?.to !== damage?.to
      // Nothing new was found: whatever it is, reading again would not help.
      if (found === undefined || !more) throw corrupt(log, segment, error)
      return undefined
    }
  }

  /** Looks through the whole segment, and says what it found to whoever listens. */
  async #findDamage(log: Log, segment: SegmentState): Promise<SegmentDamage | undefined> {
    const { truncations } = log
    const { baseOffset, endOffset, bytes } = segment
    const found = await this.#reader.findDamage(log.path, {
      base: baseOffset,
      end: endOffset,
      bytes,
      epochAt: (offset) => (offset < log.logStart ? undefined : log.epochs.epochAt(offset)),
    })
    if (found === undefined || log.truncations !== truncations || log.dropped) return undefined
    if (found.from >= log.end.offset) return undefined
    const known = log.damages.ofSegment(baseOffset)
    if (known?.from !== found.from || known.to !== found.to) log.damages.note(found)
    if (found.to > log.end.offset) log.damages.truncate(log.end.offset)
    return found
  }

  #hint(log: Log, segment: SegmentState, offset: Offset): ReadHint | undefined {
    const known = this.#hints.get(log)
    if (known === undefined || known.truncations !== log.truncations) return undefined
    return known.hints.find((hint) => hint.offset === offset && hint.segment === segment.baseOffset)
  }

  #remember(log: Log, hint: ReadHint): void {
    let known = this.#hints.get(log)
    if (known === undefined || known.truncations !== log.truncations) {
      known = { truncations: log.truncations, hints: [] }
    }
    known.hints.push(hint)
    if (known.hints.length > HINTS_PER_LOG) known.hints.shift()
    this.#hints.delete(log)
    this.#hints.set(log, known)
    if (this.#hints.size <= HINTS_MAX) return
    for (const oldest of this.#hints.keys()) {
      this.#hints.delete(oldest)
      return
    }
  }
}

export function indexed(log: Log, segment: SegmentState): IndexedSegment {
  return {
    directory: log.path,
    base: segment.baseOffset,
    bytes: segment.bytes,
    intervalBytes: log.config.indexIntervalBytes,
  }
}

/**
 * A filler may stand for offsets of several batches that were once there, and a follower may end at the border of two of
 * them: it gets one from there on.
 */
function fillerFrom(from: Offset, read: StoredBytes): StoredBytes {
  const [first, ...others] = read.chunks
  if (first === undefined || baseOffsetAt(first, 0) >= from || !isFillerAt(first, 0)) return read
  const filler = fillerBatch(from, lastOffsetAt(first, 0), leaderEpochAt(first, 0))
  const rest = first.subarray(batchBytesAt(first, 0))
  const chunks = [filler, ...(rest.length > 0 ? [rest] : []), ...others]
  return { ...read, chunks }
}

function damaged(log: Log, { from, to }: SegmentDamage): StoreError {
  return new StoreError('corrupt', `offsets ${from} … ${to} of ${log.id} are damaged`)
}

function corrupt(log: Log, segment: SegmentState, error: unknown): StoreError {
  if (error instanceof StoreError) return error
  return new StoreError('corrupt', `segment ${segment.baseOffset} of ${log.id}: ${String(error)}`)
}

/** The leader epoch lies outside a batch's CRC; the epoch table says what it must be (law R1). */
function checkEpochs(log: Log, read: StoredBytes): void {
  for (const chunk of read.chunks) {
    for (const at of batchesIn(chunk)) {
      const offset = baseOffsetAt(chunk, at)
      if (leaderEpochAt(chunk, at) === log.epochs.epochAt(offset)) continue
      throw new StoreError(
        'corrupt',
        `the batch at offset ${offset} of ${log.id} has another epoch`,
      )
    }
  }
}

function segmentAt(segments: readonly SegmentState[], offset: Offset): SegmentState | undefined {
  let low = 0
  let high = segments.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (segments[middle]!.endOffset <= offset) low = middle + 1
    else high = middle
  }
  return segments[low]
}
