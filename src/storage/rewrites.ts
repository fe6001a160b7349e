// Writes sealed segments anew, for compaction (law R10): only bytes that are committed and durable, several segments as one if
// one likes, under a journal record (see `segment-rewrite.ts`). The log's offsets stay without gaps: every offset of the
// segments lies in one batch of what takes their place.

import { assert } from '../base/assert.ts'
import { asOffset, type Offset } from '../base/brand.ts'
import { DiskError, type Disk } from '../env/disk.ts'
import { leaderEpochAt, summarizeBatches } from '../records/batch-header.ts'
import type { Log } from './log.ts'
import type { SegmentState } from './log-state.ts'
import { SegmentRewrite } from './segment-rewrite.ts'
import { StoreError, type SegmentRange, type SegmentRewriter } from './store.ts'

export class Rewrites {
  readonly #disk: Disk
  readonly #open = new Set<Rewriter>()
  #closed = false

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** See `StoredLog.rewriteSegments`. */
  async begin(log: Log, range: SegmentRange): Promise<SegmentRewriter | undefined> {
    const replaced = sealedSegments(log, range)
    const first = replaced[0]
    if (this.#closed || first === undefined || range.to > log.durable.offset) return undefined
    const file = await refusing(log, () =>
      SegmentRewrite.begin(this.#disk, log.path, {
        base: first.baseOffset,
        revision: log.nextRevision(first),
      }),
    )
    const rewriter = new Rewriter(log, replaced, file, () => this.#open.delete(rewriter))
    this.#open.add(rewriter)
    if (this.#closed) {
      await rewriter.abandon()
      return undefined
    }
    return rewriter
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const rewriter of this.#open) await rewriter.abandon()
  }
}

/** Whole segments of the log from the one end of the range to the other, none active and none damaged; or none at all. */
function sealedSegments(log: Log, { from, to }: SegmentRange): SegmentState[] {
  const { segments } = log.state
  const first = segments.findIndex((segment) => segment.baseOffset === from)
  const last = segments.findIndex((segment) => segment.endOffset === to)
  if (first < 0 || last < first || last === segments.length - 1) return []
  const chosen = segments.slice(first, last + 1)
  if (chosen.some(({ baseOffset }) => log.damages.matters(baseOffset))) return []
  return chosen.map((segment) => ({ ...segment }))
}

class Rewriter implements SegmentRewriter {
  readonly #log: Log
  readonly #replaced: readonly SegmentState[]
  readonly #file: SegmentRewrite
  readonly #ended: () => void
  readonly #end: Offset
  #next: Offset
  #maxTimestampMs = -1
  #state: 'open' | 'done' = 'open'
  /** One call after the other. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(
    log: Log,
    replaced: readonly SegmentState[],
    file: SegmentRewrite,
    ended: () => void,
  ) {
    this.#log = log
    this.#replaced = replaced
    this.#file = file
    this.#ended = ended
    this.#next = replaced[0]!.baseOffset
    this.#end = replaced.at(-1)!.endOffset
  }

  write(batches: Uint8Array): Promise<void> {
    return this.#after(async () => {
      this.#checkOpen()
      let at = 0
      for (const batch of summarizeBatches(batches)) {
        assert(batch.baseOffset === this.#next, `batch at ${batch.baseOffset}, not ${this.#next}`)
        assert(batch.lastOffset < this.#end, `batch beyond ${this.#end}`)
        const known = batch.baseOffset >= this.#log.logStart
        const epoch = this.#log.epochs.epochAt(batch.baseOffset)
        const right =
          leaderEpochAt(batches, at) === epoch &&
          this.#log.epochs.epochAt(batch.lastOffset) === epoch
        assert(!known || right, `batch at ${batch.baseOffset} is not of epoch ${epoch}`)
        at += batch.bytes
        this.#next = asOffset(batch.lastOffset + 1)
        this.#maxTimestampMs = Math.max(this.#maxTimestampMs, batch.maxTimestampMs)
      }
      await refusing(this.#log, () => this.#file.write([batches]))
    })
  }

  commit(options: { readonly tombstonesRemovedBelow: Offset }): Promise<boolean> {
    return this.#after(async () => {
      this.#checkOpen()
      assert(this.#next === this.#end, `rewritten up to ${this.#next}, not ${this.#end}`)
      await refusing(this.#log, () => this.#file.finish())
      this.#close()
      const counts = await this.#log.replaceSegments({
        replaced: this.#replaced,
        revision: this.#file.revision,
        bytes: this.#file.bytes,
        crc: this.#file.crc,
        maxTimestampMs: this.#maxTimestampMs,
        tombstonesRemovedBelow: options.tombstonesRemovedBelow,
      })
      if (!counts) await this.#file.remove()
      return counts
    })
  }

  abandon(): Promise<void> {
    return this.#after(async () => {
      if (this.#state === 'done') return
      this.#close()
      await refusing(this.#log, () => this.#file.abandon())
    })
  }

  #close(): void {
    this.#state = 'done'
    this.#ended()
  }

  #checkOpen(): void {
    if (this.#state === 'done') throw new StoreError('closed', 'the rewrite has ended')
  }

  #after<T>(body: () => Promise<T>): Promise<T> {
    const result = this.#last.then(body)
    this.#last = result.catch(() => undefined)
    return result
  }
}

/** A disk that takes no more is no reason to stop: the segments stay as they are. */
async function refusing<T>(log: Log, body: () => Promise<T>): Promise<T> {
  try {
    return await body()
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    if (log.dropped) throw new StoreError('closed', `log ${log.id} was dropped`)
    const code = error.code === 'ENOSPC' ? 'storage-full' : 'corrupt'
    throw new StoreError(code, `a segment could not be rewritten: ${error.message}`)
  }
}
