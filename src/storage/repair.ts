// Puts batches that were fetched from the leader in the place of damaged ones (law R5): the segment is written anew from
// its good bytes and those, and replaced under a journal record (law R3). The log goes on meanwhile; where a change of the
// log overtakes a repair, the repair begins anew.

import { assert } from '../base/assert.ts'
import { crc32c } from '../base/crc32c.ts'
import { asOffset, type Offset } from '../base/brand.ts'
import type { Disk } from '../env/disk.ts'
import { ATTRIBUTES_AT, crcAt, leaderEpochAt } from '../records/batch-header.ts'
import { fillerBatch, isFillerAt } from '../records/filler.ts'
import type { SegmentDamage } from './find-damage.ts'
import { isDiskError } from './files.ts'
import type { Log } from './log.ts'
import type { SegmentState } from './log-state.ts'
import { SegmentRewrite } from './segment-rewrite.ts'
import { StoreError, type BatchSummary } from './store.ts'

interface Job {
  readonly damage: SegmentDamage
  /** As it was when the job began. */
  readonly segment: SegmentState
  readonly rewrite: SegmentRewrite
  /** Where the next batch must begin. */
  next: Offset
}

export class Repairs {
  readonly #disk: Disk
  readonly #ensureDirectory: (directory: string) => Promise<void>
  readonly #jobs = new Map<Log, Job>()
  readonly #running = new Map<Log, Promise<Offset>>()
  #closed = false

  constructor(deps: {
    readonly disk: Disk
    readonly ensureDirectory: (directory: string) => Promise<void>
  }) {
    this.#disk = deps.disk
    this.#ensureDirectory = deps.ensureDirectory
  }

  /** See `StoredLog.repair`. */
  repair(log: Log, batches: Uint8Array, summary: readonly BatchSummary[]): Promise<Offset> {
    assert(!this.#running.has(log), `two repairs of ${log.id} at once`)
    if (this.#closed) throw new StoreError('closed', 'the store was closed')
    const running = this.#guarded(log, batches, summary).finally(() => this.#running.delete(log))
    this.#running.set(log, running)
    return running
  }

  /** Those that were begun come to their end; nothing is left open. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#running.values())
    for (const log of this.#jobs.keys()) await this.#abandon(log)
  }

  async #guarded(log: Log, batches: Uint8Array, summary: readonly BatchSummary[]): Promise<Offset> {
    try {
      return await this.#repair(log, batches, summary)
    } catch (error) {
      await this.#abandon(log)
      if (log.dropped) throw new StoreError('closed', `log ${log.id} was dropped`)
      if (isDiskError(error, 'ENOSPC')) throw new StoreError('storage-full', 'the disk is full')
      if (isDiskError(error, 'ENOENT') || isDiskError(error, 'EIO')) {
        throw new StoreError('corrupt', `${log.id} could not be repaired: ${String(error)}`)
      }
      throw error
    }
  }

  async #repair(log: Log, batches: Uint8Array, summary: readonly BatchSummary[]): Promise<Offset> {
    const damage = log.damages.first
    const first = summary[0]
    assert(damage !== undefined && first !== undefined, `nothing to repair in ${log.id}`)
    const job = await this.#job(log, damage, first.baseOffset)
    if (job === undefined) return log.damages.first?.from ?? damage.to
    const fitting = upTo(damage.to, batches, summary)
    checkBatches(log, job, fitting.bytes, fitting.summary)
    await job.rewrite.write([fitting.bytes])
    job.next = asOffset(fitting.summary.at(-1)!.lastOffset + 1)
    if (job.next < damage.to) return job.next
    return this.#finish(log, job)
  }

  async #job(log: Log, damage: SegmentDamage, from: Offset): Promise<Job | undefined> {
    const known = this.#jobs.get(log)
    if (known?.damage === damage && known.next === from) return known
    await this.#abandon(log)
    const segment = log.state.segments.find((one) => one.baseOffset === damage.segment)
    // A truncation that is under way may have taken it.
    if (segment === undefined) return undefined
    // The leader may have nothing below the log start any more: it is not missed.
    const filled = from > damage.from && from <= log.logStart && from < damage.to
    assert(from === damage.from || filled, `repair from ${from}, the damage is at ${damage.from}`)
    await this.#ensureDirectory(log.path)
    const rewrite = await SegmentRewrite.begin(this.#disk, log.path, {
      base: segment.baseOffset,
      revision: log.nextRevision(segment),
    })
    const job: Job = { damage, segment: { ...segment }, rewrite, next: from }
    this.#jobs.set(log, job)
    if (!(await rewrite.copy(damage.segment, 0, damage.position))) {
      throw new StoreError('corrupt', `more of segment ${damage.segment} of ${log.id} is gone`)
    }
    if (filled) {
      const epoch = log.epochs.epochAt(damage.from)
      await rewrite.write([fillerBatch(damage.from, asOffset(from - 1), epoch)])
    }
    return job
  }

  async #finish(log: Log, job: Job): Promise<Offset> {
    const { damage, rewrite, segment } = job
    if (!(await rewrite.copy(segment.baseOffset, damage.endPosition, segment.bytes))) {
      throw new StoreError('corrupt', `more of segment ${damage.segment} of ${log.id} is gone`)
    }
    await rewrite.finish()
    this.#jobs.delete(log)
    const counts = await log.replaceSegments({
      replaced: [segment],
      revision: rewrite.revision,
      bytes: rewrite.bytes,
      crc: rewrite.crc,
      maxTimestampMs: segment.maxTimestampMs,
      tombstonesRemovedBelow: asOffset(0),
    })
    if (counts) return damage.to
    await rewrite.remove()
    return damage.from
  }

  async #abandon(log: Log): Promise<void> {
    const job = this.#jobs.get(log)
    if (job === undefined) return
    this.#jobs.delete(log)
    await job.rewrite.abandon()
  }
}

/** The leader's compaction may have put one filler where the damage ends and on: it stands for less here. */
function upTo(
  to: Offset,
  batches: Uint8Array,
  summary: readonly BatchSummary[],
): { readonly bytes: Uint8Array; readonly summary: readonly BatchSummary[] } {
  const last = summary.at(-1)!
  const at = batches.length - last.bytes
  if (last.lastOffset < to || last.baseOffset >= to || !isFillerAt(batches, at)) {
    return { bytes: batches, summary }
  }
  const filler = fillerBatch(last.baseOffset, asOffset(to - 1), leaderEpochAt(batches, at))
  const bytes = Buffer.concat([batches.subarray(0, at), filler])
  return { bytes, summary: [...summary.slice(0, -1), { ...last, lastOffset: asOffset(to - 1) }] }
}

/** They continue the job, stay in the damage, and are what the log says they must be. */
function checkBatches(
  log: Log,
  job: Job,
  batches: Uint8Array,
  summary: readonly BatchSummary[],
): void {
  let { next } = job
  let at = 0
  for (const batch of summary) {
    assert(batch.baseOffset === next, `repair with a batch at ${batch.baseOffset}, not ${next}`)
    assert(batch.lastOffset < job.damage.to, `repair beyond ${job.damage.to}`)
    const crc = crc32c(batches.subarray(at + ATTRIBUTES_AT, at + batch.bytes))
    const epoch = leaderEpochAt(batches, at)
    const known = batch.lastOffset < log.logStart || epoch === log.epochs.epochAt(next)
    if (crc !== crcAt(batches, at) || !known) {
      throw new StoreError('corrupt', `the batch for offset ${next} of ${log.id} is not the one`)
    }
    at += batch.bytes
    next = asOffset(batch.lastOffset + 1)
  }
  assert(at === batches.length, `summary of ${at} bytes for ${batches.length}`)
}
