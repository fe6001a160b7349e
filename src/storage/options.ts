// The knobs of a store and their defaults. All sizes in bytes, all times in milliseconds.

import type { Env } from '../env/env.ts'
import type { JournalDamage } from './store.ts'

/** What of the world a store uses. */
export type StoreEnv = Pick<Env, 'clock' | 'timers' | 'random' | 'disk' | 'log' | 'host'>

export interface StoreOptions {
  /** Absolute path of the data directory; created when missing. */
  readonly directory: string
  /** Size of one journal file. Files are zero-filled once and recycled. */
  readonly journalFileBytes: number
  /** Size of the two files that a first start makes while somebody waits for it. */
  readonly journalFirstFileBytes: number
  /** The journal's files together never take more. */
  readonly journalBytesMax: number
  /** A log with at least this many new bytes in one commit cycle writes its segment directly. */
  readonly directBytesMin: number
  /** A commit group takes no further appends once it holds this many bytes. */
  readonly groupBytesMax: number
  /** A tail up to this size is copied forward when its journal file is recycled; a larger one is written to its segment. */
  readonly copyForwardBytesMax: number
  /** A log with this many journal-only bytes is written back to its segment in the background. */
  readonly writebackBytes: number
  /** Above half of it the largest tails are written back, wherever they stand. */
  readonly dirtyBytesMax: number
  /** Appends are refused once this many accepted bytes wait for a place in the journal or a segment. */
  readonly queuedBytesMax: number
  /** Recent batches kept in memory beyond the journal-only ones. */
  readonly tailCacheBytes: number
  readonly maxOpenFiles: number
  /** With less free space than this, an append is accepted only if the preallocated journal can hold it. */
  readonly freeBytesMin: number
  /** How often a full disk is tried again, and free space is measured. */
  readonly probeMs: number
  /**
   * Asked when the journal is damaged: why it must be refused, or undefined where all replicas may begin anew, as suspects.
   * Absent: it is refused.
   */
  readonly onJournalDamage?: ((damage: JournalDamage) => string | undefined) | undefined
  /** A tail that got nothing for this long is written back to its segment. */
  readonly idleWritebackMs: number
}

const KIB = 1024
const MIB = 1024 * KIB

export const STORE_DEFAULTS: Omit<StoreOptions, 'directory'> = {
  journalFileBytes: 32 * MIB,
  journalFirstFileBytes: 256 * KIB,
  journalBytesMax: 512 * MIB,
  directBytesMin: 64 * KIB,
  groupBytesMax: 4 * MIB,
  copyForwardBytesMax: 64 * KIB,
  writebackBytes: 1 * MIB,
  dirtyBytesMax: 96 * MIB,
  queuedBytesMax: 256 * MIB,
  tailCacheBytes: 32 * MIB,
  maxOpenFiles: 512,
  freeBytesMin: 256 * MIB,
  probeMs: 1000,
  idleWritebackMs: 10_000,
}
