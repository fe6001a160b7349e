// Which segments have outlived the topic's retention. The leader decides and moves the log start to a segment's end; the log
// does the rest on every replica (law R10). Rules from Kafka's `UnifiedLog.deleteOldSegments`.

import type { Offset } from '../base/brand.ts'
import type { SegmentInfo } from '../storage/store.ts'

export interface RetentionInput {
  readonly segments: readonly SegmentInfo[]
  readonly logStart: Offset
  readonly highWatermark: Offset
  readonly nowMs: number
  /** retention.ms; -1: for ever. */
  readonly retentionMs: number
  /** retention.bytes; -1: no limit. */
  readonly retentionBytes: number
}

/** The new log start, or undefined when everything stays. Only whole segments below the high watermark go. */
export function retainedFrom(input: RetentionInput): Offset | undefined {
  const { segments, highWatermark, nowMs, retentionMs, retentionBytes } = input
  let excess = -1
  if (retentionBytes >= 0) {
    excess = -retentionBytes
    for (const segment of segments) excess += segment.bytes
  }
  let start = input.logStart
  for (const segment of segments) {
    if (segment.endOffset > highWatermark) break
    const tooLarge = retentionBytes >= 0 && excess >= segment.bytes
    const tooOld =
      retentionMs >= 0 &&
      segment.maxTimestampMs >= 0 &&
      nowMs - segment.maxTimestampMs > retentionMs
    if (!tooLarge && !tooOld) break
    excess -= segment.bytes
    if (segment.endOffset > start) start = segment.endOffset
  }
  return start > input.logStart ? start : undefined
}
