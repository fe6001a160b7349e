// Log compaction: of each key only the newest record stays, offsets and order do not change (Kafka's documentation, "Log
// compaction"; `LogCleaner`). Two passes over the sealed, committed segments: one finds the newest offset of each key, within
// a bound of memory; the other writes the segments anew without what is outlived, oldest first, so that a tombstone never
// goes before the values that it ended. What differs from Kafka:
//
// - Each offset stays in a batch: where whole batches went, one filler without records stands for the run of them.
// - A tombstone goes `delete.retention.ms` after its own timestamp, not after the pass that first met it (KIP-534).
// - Transactional and control batches stay as they are: they neither go nor outlive other records.

import { asOffset, type LeaderEpoch, type Offset } from '../base/brand.ts'
import * as header from '../records/batch-header.ts'
import { FILLER_OFFSETS_MAX, fillerBatch, isFillerAt } from '../records/filler.ts'
import { emptiedBatch, filterBatch, type FilterRecord } from '../records/filter.ts'
import { StoreError, type SegmentInfo, type StoredLog } from '../storage/store.ts'
import { recordsOf } from '../records/read.ts'

export type CompactableLog = Pick<StoredLog, 'logStart' | 'segments' | 'read' | 'rewriteSegments'>

export interface CompactionOptions {
  /** Nothing from here on is touched: the high watermark, or the last stable offset where that is lower. */
  readonly upTo: Offset
  /** Milliseconds since 1970. */
  readonly now: number
  readonly deleteRetentionMs: number
  /** segment.bytes: small segments become one as long as they are not larger together. */
  readonly segmentBytes: number
  /** Keys are looked at from here on: where the last call ended that had no memory for all of them. Default: the log start. */
  readonly dirtyFrom?: Offset
  /** Tombstones from here on stay. Default: none do for this reason. */
  readonly tombstonesUpTo?: Offset
  /** For the keys of one call, roughly. */
  readonly keyBytesMax?: number
  /** Awaited after each piece of work (128 KiB that were read); the caller sets the pace. It may throw to end the call. */
  readonly pause?: () => Promise<void>
  /** Asked before anything is replaced: false when the log is no longer the one that was read. */
  readonly isCurrent?: () => boolean
}

export type CompactionResult =
  /** No sealed segment lies below `upTo`. */
  | { readonly kind: 'nothing' }
  | {
      readonly kind: 'compacted'
      /** Keys were looked at up to here; below the sealed end when memory was short: go on from here. */
      readonly cleanedTo: Offset
      /** End of the sealed segments that could be compacted. */
      readonly sealedTo: Offset
      readonly records: number
      readonly kept: number
      readonly bytesBefore: number
      readonly bytesAfter: number
    }
  /** What was replaced until then stays so. */
  | { readonly kind: 'interrupted'; readonly why: string }

const KEY_BYTES_MAX = 16 * 1024 * 1024
const READ_BYTES = 128 * 1024
const WRITE_BYTES = 256 * 1024
/** What a key costs beside its bytes. */
const KEY_OVERHEAD_BYTES = 64

/** Compacts what may be compacted, once. Rejects with what `pause` throws, and on batches that can't be read. */
export async function compactOnce(
  log: CompactableLog,
  options: CompactionOptions,
): Promise<CompactionResult> {
  const sealed = log
    .segments()
    .slice(0, -1)
    .filter((segment) => segment.endOffset <= options.upTo)
  const sealedTo = sealed.at(-1)?.endOffset
  if (sealedTo === undefined) return { kind: 'nothing' }
  const totals = { records: 0, kept: 0, bytesBefore: 0, bytesAfter: 0 }
  try {
    const newest = await findNewest(log, sealedTo, options)
    const touched = sealed.filter((segment) => segment.baseOffset < newest.upTo)
    for (const group of groupSegments(touched, options.segmentBytes)) {
      const done = await rewriteGroup(log, group, newest, options)
      if (done === undefined) return { kind: 'interrupted', why: 'the segments changed' }
      totals.records += done.records
      totals.kept += done.kept
      totals.bytesBefore += done.bytesBefore
      totals.bytesAfter += done.bytesAfter
    }
    return { kind: 'compacted', cleanedTo: newest.upTo, sealedTo, ...totals }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    return { kind: 'interrupted', why: error.message }
  }
}

/** Of each key the offset of its newest record, as far as it goes. */
export interface NewestOffsets {
  readonly offsets: ReadonlyMap<string, Offset>
  /** Of each producer the base offset of its last batch: it keeps the sequence, even without records. */
  readonly lastOfProducer: ReadonlyMap<number, Offset>
  /** Exclusive. */
  readonly upTo: Offset
}

export const keyOf = (key: Uint8Array): string =>
  Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')

/** `expired`: a tombstone that nothing outlives goes. `tombstones.upTo` bounds which of them may. */
export function fateOf(
  record: FilterRecord,
  newest: NewestOffsets,
  tombstones: { readonly upTo: Offset; readonly before: number },
): 'stays' | 'outlived' | 'expired' {
  if (record.offset >= newest.upTo) return 'stays'
  // As in Kafka: a record without a key has no place in a compacted log.
  if (record.key === null) return 'outlived'
  const latest = newest.offsets.get(keyOf(record.key))
  if (latest !== undefined && record.offset < latest) return 'outlived'
  if (record.hasValue) return 'stays'
  // One that this pass does not know to be the newest may still have to end older values.
  const mayGo = latest === record.offset && record.offset < tombstones.upTo
  return mayGo && record.timestampMs < tombstones.before ? 'expired' : 'stays'
}

async function findNewest(
  log: CompactableLog,
  end: Offset,
  options: CompactionOptions,
): Promise<NewestOffsets> {
  const offsets = new Map<string, Offset>()
  const lastOfProducer = new Map<number, Offset>()
  const bytesMax = options.keyBytesMax ?? KEY_BYTES_MAX
  let bytes = 0
  let upTo = asOffset(Math.max(log.logStart, options.dirtyFrom ?? 0))
  for await (const { chunk, at } of batchesOf(log, { from: upTo, end }, options.pause)) {
    const baseOffset = header.baseOffsetAt(chunk, at)
    if (!isLeftAlone(chunk, at)) {
      // One batch is always looked at, or there would be no progress.
      if (bytes > bytesMax) break
      for (const { key, offset } of recordsOf(chunk, at)) {
        if (key === null || offset < log.logStart) continue
        const name = keyOf(key)
        if (!offsets.has(name)) bytes += name.length + KEY_OVERHEAD_BYTES
        offsets.set(name, offset)
      }
    }
    const producerId = header.producerIdAt(chunk, at)
    if (producerId >= 0) {
      if (!lastOfProducer.has(producerId)) bytes += KEY_OVERHEAD_BYTES
      lastOfProducer.set(producerId, baseOffset)
    }
    upTo = header.nextOffsetAt(chunk, at)
  }
  return { offsets, lastOfProducer, upTo }
}

/** Neighbours that fit into one segment together (Kafka's `groupSegmentsBySize`). */
export function groupSegments(
  segments: readonly SegmentInfo[],
  bytesMax: number,
): (readonly SegmentInfo[])[] {
  const groups: SegmentInfo[][] = []
  let bytes = 0
  for (const segment of segments) {
    const group = groups.at(-1)
    const base = group?.[0]?.baseOffset ?? segment.baseOffset
    const fits = bytes + segment.bytes <= bytesMax && segment.endOffset - base < FILLER_OFFSETS_MAX
    if (group !== undefined && fits) {
      group.push(segment)
      bytes += segment.bytes
    } else {
      groups.push([segment])
      bytes = segment.bytes
    }
  }
  return groups
}

interface GroupTotals {
  readonly records: number
  readonly kept: number
  readonly bytesBefore: number
  readonly bytesAfter: number
}

/** Undefined when the segments can't be replaced now. */
async function rewriteGroup(
  log: CompactableLog,
  group: readonly SegmentInfo[],
  newest: NewestOffsets,
  options: CompactionOptions,
): Promise<GroupTotals | undefined> {
  const range = { from: group[0]!.baseOffset, to: group.at(-1)!.endOffset }
  const rewriter = await log.rewriteSegments(range)
  if (rewriter === undefined) return undefined
  try {
    const output = new GroupOutput(range.from, (bytes) => rewriter.write(bytes))
    const from = asOffset(Math.max(range.from, log.logStart))
    for await (const { chunk, at } of batchesOf(log, { from, end: range.to }, options.pause)) {
      const batch = compactBatch(chunk, at, newest, options)
      await output.add(batch)
    }
    await output.flush()
    const bytesBefore = group.reduce((sum, segment) => sum + segment.bytes, 0)
    const { records, kept, bytes: bytesAfter, tombstonesRemovedBelow } = output
    const totals = { records, kept, bytesBefore, bytesAfter }
    // A segment that would come out as it is stays.
    if (group.length === 1 && bytesAfter === bytesBefore && records === kept) return totals
    if (options.isCurrent?.() === false) return undefined
    return (await rewriter.commit({ tombstonesRemovedBelow })) ? totals : undefined
  } finally {
    await rewriter.abandon()
  }
}

/** What compaction makes of a batch. */
export interface CompactedBatch {
  readonly base: Offset
  /** Inclusive. */
  readonly last: Offset
  readonly epoch: LeaderEpoch
  /** Undefined: only its offsets are left. */
  readonly bytes: Uint8Array | undefined
  readonly records: number
  readonly kept: number
  /** 0 where no tombstone went. */
  readonly tombstonesRemovedBelow: Offset
}

export function compactBatch(
  chunk: Uint8Array,
  at: number,
  newest: NewestOffsets,
  options: Pick<CompactionOptions, 'now' | 'deleteRetentionMs' | 'tombstonesUpTo'>,
): CompactedBatch {
  const base = header.baseOffsetAt(chunk, at)
  const last = header.lastOffsetAt(chunk, at)
  const epoch = header.leaderEpochAt(chunk, at)
  const whole = chunk.subarray(at, at + header.batchBytesAt(chunk, at))
  const same = { base, last, epoch, tombstonesRemovedBelow: asOffset(0) }
  if (isFillerAt(chunk, at)) return { ...same, bytes: undefined, records: 0, kept: 0 }
  if (isLeftAlone(chunk, at)) {
    const records = header.recordCountAt(chunk, at)
    return { ...same, bytes: whole, records, kept: records }
  }
  const upTo = options.tombstonesUpTo ?? newest.upTo
  const tombstones = { upTo, before: options.now - options.deleteRetentionMs }
  let tombstonesRemovedBelow = 0
  const { batch, records, kept } = filterBatch(chunk, at, (record) => {
    const fate = fateOf(record, newest, tombstones)
    if (fate === 'expired') tombstonesRemovedBelow = record.offset + 1
    return fate === 'stays'
  })
  const bytes = batch ?? (keepsSequence(chunk, at, newest) ? emptiedBatch(chunk, at) : undefined)
  const removed = asOffset(tombstonesRemovedBelow)
  return { base, last, epoch, bytes, records, kept, tombstonesRemovedBelow: removed }
}

/** Joins what comes out of the batches, fillers for what did not, and writes it in pieces. */
class GroupOutput {
  readonly #write: (bytes: Uint8Array) => Promise<void>
  #pieces: Uint8Array[] = []
  #pending = 0
  /** Offsets up to `next` that no batch stands for yet. */
  #run: { readonly from: Offset; to: Offset; epoch: LeaderEpoch } | undefined
  #next: Offset
  records = 0
  kept = 0
  bytes = 0
  tombstonesRemovedBelow = asOffset(0)

  constructor(from: Offset, write: (bytes: Uint8Array) => Promise<void>) {
    this.#next = from
    this.#write = write
  }

  async add(batch: CompactedBatch): Promise<void> {
    // Below the log start nothing is read any more.
    if (batch.base > this.#next) this.#skip(this.#next, asOffset(batch.base - 1), batch.epoch)
    this.#next = asOffset(batch.last + 1)
    this.records += batch.records
    this.kept += batch.kept
    if (batch.tombstonesRemovedBelow > this.tombstonesRemovedBelow) {
      this.tombstonesRemovedBelow = batch.tombstonesRemovedBelow
    }
    if (batch.bytes === undefined) {
      this.#skip(batch.base, batch.last, batch.epoch)
      return
    }
    this.#endRun()
    this.#push(batch.bytes)
    if (this.#pending >= WRITE_BYTES) await this.#writePending()
  }

  async flush(): Promise<void> {
    this.#endRun()
    await this.#writePending()
  }

  #skip(from: Offset, to: Offset, epoch: LeaderEpoch): void {
    const run = this.#run
    if (run?.epoch === epoch && to - run.from < FILLER_OFFSETS_MAX) {
      run.to = to
      return
    }
    this.#endRun()
    this.#run = { from, to, epoch }
  }

  #endRun(): void {
    if (this.#run === undefined) return
    const { from, to, epoch } = this.#run
    this.#run = undefined
    this.#push(fillerBatch(from, to, epoch))
  }

  #push(bytes: Uint8Array): void {
    this.#pieces.push(bytes)
    this.#pending += bytes.length
    this.bytes += bytes.length
  }

  async #writePending(): Promise<void> {
    if (this.#pending === 0) return
    const bytes = Buffer.concat(this.#pieces)
    this.#pieces = []
    this.#pending = 0
    await this.#write(bytes)
  }
}

const isLeftAlone = (bytes: Uint8Array, at: number): boolean =>
  header.isControlAt(bytes, at) || header.isTransactionalAt(bytes, at)

/** Whether the batch is the last of its producer, as far as is known. */
function keepsSequence(bytes: Uint8Array, at: number, newest: NewestOffsets): boolean {
  const producerId = header.producerIdAt(bytes, at)
  if (producerId < 0) return false
  const last = newest.lastOfProducer.get(producerId)
  return last === undefined || last === header.baseOffsetAt(bytes, at)
}

async function* batchesOf(
  log: CompactableLog,
  range: { readonly from: Offset; readonly end: Offset },
  pause: CompactionOptions['pause'],
): AsyncGenerator<{ readonly chunk: Uint8Array; readonly at: number }> {
  for (let { from } = range; from < range.end;) {
    const read = await log.read({ from, below: range.end, maxBytes: READ_BYTES })
    if (read.bytes === 0) throw new StoreError('offset-out-of-range', `nothing at offset ${from}`)
    for (const chunk of read.chunks) {
      for (const at of header.batchesIn(chunk)) yield { chunk, at }
    }
    from = read.next
    await pause?.()
  }
}
