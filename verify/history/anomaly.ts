// What a checker found, in plain words.

import type { Operation } from './history.ts'

/** The first names are those of Jepsen's Kafka workload; the later ones are ours. */
export type AnomalyName =
  /** Acknowledged, below the highest offset read, and not there. */
  | 'lost-write'
  /** Acknowledged, and never read by anyone: a lost tail shows only so. */
  | 'unseen'
  /** One value at several offsets, although its producer was idempotent. */
  | 'duplicate'
  /** One offset with several values. */
  | 'inconsistent-offsets'
  /** One process sent two records one after the other, and their offsets are the other way round. */
  | 'nonmonotonic-send'
  | 'int-nonmonotonic-send'
  /** One process was given an offset again, or an earlier one, without having asked for it. */
  | 'nonmonotonic-poll'
  | 'int-nonmonotonic-poll'
  /** One process was not given a record that lies between two that it was given. */
  | 'poll-skip'
  | 'int-poll-skip'
  /** A write that certainly was not done was read. */
  | 'aborted-read'
  /** A value was read that nobody wrote. */
  | 'phantom'
  /** What was read differs from what was written. */
  | 'corrupted'
  /** It was read once, and later it was not there. */
  | 'vanished'
  /** The same batch had other bytes when it was read again. */
  | 'changed-bytes'
  /** Records went although nobody deleted them, or came back after they were deleted. */
  | 'unasked-trim'
  | 'untrimmed'
  | 'high-watermark-back'
  /** A group committed past records that none of its members was given. */
  | 'group-skip'
  /** A committed offset was read that had been overwritten, or never been written. */
  | 'stale-commit'
  | 'lost-commit'
  /** The same for a setting, or for whether a topic exists. */
  | 'stale-read'
  | 'topic-resurrected'
  | 'producer-id-reused'

export interface Anomaly {
  readonly name: AnomalyName
  /** A partition, a group, a topic. */
  readonly where: string
  readonly text: string
}

/** "poll of consumer-2 at 1234 ms": how a text names an operation. */
export function describe(op: Operation): string {
  return `${op.kind} of ${op.process} at ${op.invokedMs.toFixed(1)} ms`
}
