// When a partition's log is compacted, and from where on. Each replica compacts its own copy, whoever leads: what is gone was
// outlived on all of them. A tombstone is another matter: a follower that has not got it yet would keep the value for ever, and
// begins its log anew (law R10). So tombstones that a follower is about to get stay for now.

import type { TopicConfigs } from '../base/config/topic-configs.ts'
import { asOffset, type Offset } from '../base/brand.ts'
import type { Env } from '../env/env.ts'
import type { ReplicatedLog } from '../replicated/replicated-log.ts'
import { compactOnce, type CompactableLog, type CompactionResult } from './compaction.ts'

/** What a compactor must know of a replica. */
type Replica = CompactableLog & Pick<ReplicatedLog, 'highWatermark' | 'tombstonesKeptFrom'>

export class Compactor {
  readonly #log: Replica
  readonly #env: Pick<Env, 'clock' | 'log'>
  /** Sealed segments below it were compacted by this process. */
  #cleanedTo = asOffset(0)
  /** Memory did not suffice for all keys: the next run looks at those from here on. */
  #resumeFrom: Offset | undefined
  /** Grows when something below `#cleanedTo` may have changed. */
  #resets = 0

  constructor(log: Replica, env: Pick<Env, 'clock' | 'log'>) {
    this.#log = log
    this.#env = env
  }

  onTruncated(offset: Offset): void {
    if (offset >= this.#cleanedTo && offset >= this.#log.highWatermark) return
    this.#cleanedTo = asOffset(0)
    this.#resumeFrom = undefined
    this.#resets++
  }

  /**
   * Undefined when not enough is new (min.cleanable.dirty.ratio) and nothing is new for too long (max.compaction.lag.ms). What
   * is younger than min.compaction.lag.ms stays as it is. `pause` sets the pace.
   */
  async run(
    config: Pick<
      TopicConfigs,
      | 'delete.retention.ms'
      | 'max.compaction.lag.ms'
      | 'min.cleanable.dirty.ratio'
      | 'min.compaction.lag.ms'
      | 'segment.bytes'
    >,
    pause: () => Promise<void>,
  ): Promise<CompactionResult | undefined> {
    const log = this.#log
    const now = this.#env.clock.nowMs()
    const upTo = this.#upTo(now, config['min.compaction.lag.ms'])
    const dueSince = now - config['max.compaction.lag.ms']
    if (!this.#isDue(upTo, config['min.cleanable.dirty.ratio'], dueSince)) return undefined
    const resets = this.#resets
    const result = await compactOnce(log, {
      upTo,
      now,
      deleteRetentionMs: config['delete.retention.ms'],
      segmentBytes: config['segment.bytes'],
      ...(this.#resumeFrom === undefined ? {} : { dirtyFrom: this.#resumeFrom }),
      tombstonesUpTo: log.tombstonesKeptFrom,
      pause,
      isCurrent: () => this.#resets === resets,
    })
    if (this.#resets !== resets) return result
    if (result.kind === 'compacted') {
      const { cleanedTo, sealedTo, ...totals } = result
      this.#resumeFrom = cleanedTo < sealedTo ? cleanedTo : undefined
      if (this.#resumeFrom === undefined) this.#cleanedTo = sealedTo
      this.#env.log.info('a log was compacted', { upTo: cleanedTo, ...totals })
    } else if (result.kind === 'interrupted') {
      this.#env.log.debug('a compaction was interrupted', { why: result.why })
    }
    return result
  }

  /** Committed, and no segment that holds something younger (Kafka's `cleanableOffsets`). */
  #upTo(now: number, lagMsMin: number): Offset {
    const { highWatermark } = this.#log
    // Timestamps may lie ahead of the clock.
    if (lagMsMin === 0) return highWatermark
    const young = this.#log.segments().find(({ maxTimestampMs }) => maxTimestampMs > now - lagMsMin)
    return young !== undefined && young.baseOffset < highWatermark
      ? young.baseOffset
      : highWatermark
  }

  #isDue(upTo: Offset, ratioMin: number, dueSinceMs: number): boolean {
    if (this.#resumeFrom !== undefined) return true
    let bytes = 0
    let dirty = 0
    let overdue = false
    for (const segment of this.#log.segments().slice(0, -1)) {
      if (segment.endOffset > upTo) break
      bytes += segment.bytes
      if (segment.endOffset <= this.#cleanedTo) continue
      dirty += segment.bytes
      const { firstTimestampMs = -1 } = segment
      overdue ||= firstTimestampMs >= 0 && firstTimestampMs < dueSinceMs
    }
    return dirty > 0 && (overdue || dirty >= bytes * ratioMin)
  }
}
