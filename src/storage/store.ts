// What storage offers to the replication layer: many logs on one node, one journal, one fsync for all of them. The
// interface; `open-store.ts` implements it. Calls that change a log are accepted in order and synchronously (the log's
// accepted state moves at once) and become durable together with the next commit group.

import type { LeaderEpoch, LogId, NodeId, Offset } from '../base/brand.ts'
import type { Position } from '../base/position.ts'
import type { EpochStart, EpochTable } from '../base/epoch-table.ts'

export interface Store {
  /** Random, durable before `openStore` returned, and never changed: the identity of this data directory (law R6). */
  readonly directoryId: string
  /** This start's journal generation; grows with every start. */
  readonly generation: number
  /**
   * The journal was damaged, and the store began anew: a replica that is created here may be one that was here before, which
   * has forgotten its promises (law R5). Stays so over restarts, until `trust`.
   */
  readonly suspect: boolean
  /** Every group that had a replica here is here again, durably: from now on what is created is new. */
  trust(): Promise<void>
  logs(): Iterable<StoredLog>
  get(id: LogId): StoredLog | undefined
  /**
   * Starts an empty log. `directory` is the folder's readable part (`<topic>-<partition>`); the incarnation is added to it.
   * Fails (throws StoreError) with `exists` or `storage-full`.
   */
  create(id: LogId, options: CreateOptions): StoredLog
  /** Journals the end of this incarnation; its files go after that record is durable. The handle is dead at once. */
  drop(id: LogId): void
  /** Resolves when everything accepted before the call, on every log, is durable. All calls of one turn share one round. */
  flush(): Promise<void>
  /** True while appends are refused because the disk is full; it recovers by itself. */
  readonly full: boolean
  /** Whether an append of so many bytes would be accepted now. */
  admits(bytes: number): boolean
  stats(): StoreStats
  /** Flushes, writes a checkpoint, closes the files. */
  close(): Promise<void>
}

/** The most that a log's descriptor may have. */
export const DESCRIPTOR_BYTES_MAX = 64 * 1024

export interface CreateOptions {
  /** The folder's readable part, such as `<topic>-<partition>`. */
  readonly directory: string
  readonly config: LogConfig
  /**
   * Whatever must be as durable as the log's existence, such as a group's initial voters (law R7). Opaque here, never
   * changed, at most `DESCRIPTOR_BYTES_MAX` bytes; empty where it is left out.
   */
  readonly descriptor?: Uint8Array | undefined
}

export interface StoreStats {
  readonly journalBytes: number
  readonly tailCacheBytes: number
  readonly openFiles: number
  readonly syncs: number
  readonly freeBytes: number
}

/** Per-log settings; may be changed at any time. Names after Kafka's topic configs. */
export interface LogConfig {
  /** segment.bytes */
  readonly segmentBytes: number
  /** segment.ms: the active segment is rolled once its first batch is this old. */
  readonly segmentMs: number
  /** index.interval.bytes */
  readonly indexIntervalBytes: number
}

export interface HardState {
  readonly term: number
  readonly votedFor: NodeId | undefined
  /** The replica may have lost position, term or vote: it takes no part in majorities until it is sure again (law R5). */
  readonly suspect: boolean
}

/** What an installed log starts from: everything below `logStart` is known by the epochs only. */
export interface InstallPoint {
  /** Log start and log end at once. */
  readonly logStart: Offset
  /** The whole table as of there: ascending, none starts above `logStart`. The last one is the end's epoch. */
  readonly epochs: readonly EpochStart[]
  /** The leader's (law R10): what it has no tombstones of, this replica will not get. */
  readonly tombstonesRemovedBelow?: Offset
}

export interface StoredLog {
  readonly id: LogId
  /** Local replica incarnation: create and drop are journal records, replay skips the dead (law R10). */
  readonly incarnation: number
  /** As given to `create`; durable when the creation is. */
  readonly descriptor: Uint8Array
  readonly logStart: Offset
  /** The accepted end, synced or not: the last epoch and the next offset. */
  readonly end: Position
  /** Everything at or below it is durable: bytes, epoch starts and truncations. */
  readonly durable: Position
  readonly epochs: EpochTable
  readonly hardState: HardState
  /** Bytes of the segments from the log start. */
  readonly bytes: number
  configure(config: LogConfig): void

  /** Journals term and vote. `durableHardState` moves when it is durable (law R2). */
  saveHardState(state: HardState): void
  readonly durableHardState: HardState

  /** Appends the zero-width entry M(epoch, end.offset) (law R1). `epoch` must exceed every epoch of the log. */
  startEpoch(epoch: LeaderEpoch): void
  /**
   * Appends whole record batches, base offset and leader epoch already stamped, contiguous from `end.offset`, all of the
   * epoch `end.epoch`. The bytes belong to the store afterwards and must not change. Throws StoreError `storage-full`
   * while the disk is full; nothing is accepted then.
   */
  append(batches: Uint8Array, summary: readonly BatchSummary[]): void
  /** Removes bytes above the position's offset and the starts of epochs above its epoch, nothing else (law R1). */
  truncate(to: Position): void
  /**
   * Replaces the whole log, as one change: afterwards it is empty, with log start and end at `to.logStart` and the epochs of
   * `to`; what it held is gone, snapshots of positions it no longer holds too. The hard state stays. Until the change is
   * durable, `durable` is below every position; then it is the new end. Appends may follow at once.
   */
  install(to: InstallPoint): void
  /** Law R10: journaled before a segment goes. Never above `end`, but may be that. Offsets below it are no longer served. */
  advanceLogStart(offset: Offset): void

  /**
   * Called in order: after each accepted append or truncation became durable, with the new durable position. The callback
   * must not throw.
   */
  onDurable(listener: (durable: Position) => void): void

  /**
   * Whole batches from the one that contains `from` up to (not including) `below`, which must be a batch border, at most
   * `maxBytes` but at least one batch when there is one. A batch that only stands for offsets without records begins at
   * `from`. Answers without waiting (synchronously) when the tail cache holds them.
   * Fails with StoreError `offset-out-of-range` below the log start or above the end; `corrupt` on bytes that fail their check.
   */
  read(request: ReadRequest): StoredBytes | Promise<StoredBytes>
  /** From here on `read` answers without waiting. */
  readonly memoryStart: Offset
  /** First batch whose max timestamp is ≥ `timestampMs`, the place to scan from; undefined when there is none below `below`. */
  seekTimestamp(timestampMs: number, below: Offset): Promise<Offset | undefined>
  /**
   * The lowest range known to be bad, at batch borders (law R5): a missing or shortened segment is found at the start, bytes
   * that fail their check when they are read. Reads in it fail with `corrupt`; the end never moves for it, and everything
   * else goes on. Changes of the log take from it what they take from the log; `repair` takes the rest.
   */
  readonly damage: Damage | undefined
  /** Called for each range that is found after the call, and once more when it turns out larger. Must not throw. */
  onDamage(listener: (damage: Damage) => void): void
  /**
   * Puts whole batches, as the leader has them, in the place of the damage: the first call from `damage.from` on (or from
   * where the leader's batches begin, if that is not above the log start), each further one from the offset that the last one
   * resolved with, up to `damage.to`, which must be reached exactly. What comes resolved is where to go on: at `damage.to`
   * it is durable and `damage` is the next range or undefined; `damage.from` again when the log was changed meanwhile. One
   * call at a time. The bytes must not change until then. Fails with StoreError `corrupt` for batches of another epoch or
   * with a wrong CRC, and where more of the segment is gone, `storage-full`, `closed`; then it begins anew.
   */
  repair(batches: Uint8Array, summary: readonly BatchSummary[]): Promise<Offset>
  /**
   * Law R10: begins to write whole sealed segments anew, as one, for compaction. `range` goes from one's base offset to one's
   * end; what it holds must be committed. Undefined when that can't be now: not durable yet, damaged, the active segment
   * among them, or no segment borders at all. Nothing changes before `commit`.
   */
  rewriteSegments(range: SegmentRange): Promise<SegmentRewriter | undefined>
  /**
   * Every tombstone and transaction marker below it may be gone from this replica: a follower whose log ends below its
   * leader's must be installed anew (law R10). 0 where none was removed.
   */
  readonly tombstonesRemovedBelow: Offset
  /** The segment list, oldest first, for retention, DescribeLogDirs and dumps. The last one is active. */
  segments(): readonly SegmentInfo[]

  /** State as of a position, opaque here, kept beside the log: see `Snapshots`. */
  readonly snapshots: Snapshots
}

export interface SegmentRange {
  readonly from: Offset
  /** Exclusive. */
  readonly to: Offset
}

/** Calls are done one after the other. Fails with StoreError `storage-full`, `corrupt` (the disk failed), `closed`. */
export interface SegmentRewriter {
  /**
   * Whole batches, the first at the range's start, each at the end of the last: no offset is left out (see `fillerBatch`).
   * The bytes must not change until it resolves.
   */
  write(batches: Uint8Array): Promise<void>
  /**
   * Once the range is written up to its end: durable and in place when it resolves to true. False when the segments were
   * changed meanwhile, by a truncation or a log start or somebody else who rewrote them; then nothing has changed.
   */
  commit(options: { readonly tombstonesRemovedBelow: Offset }): Promise<boolean>
  /** To be called unless `commit` was. */
  abandon(): Promise<void>
}

export interface Damage {
  readonly from: Offset
  /** Exclusive. */
  readonly to: Offset
}

export interface ReadRequest {
  readonly from: Offset
  readonly below: Offset
  readonly maxBytes: number
}

export interface StoredBytes {
  readonly chunks: readonly Uint8Array[]
  readonly bytes: number
  /** Offset after the last batch returned. */
  readonly next: Offset
}

/** What storage must know of a batch without parsing it again. */
export interface BatchSummary {
  readonly baseOffset: Offset
  readonly lastOffset: Offset
  readonly bytes: number
  readonly maxTimestampMs: number
}

export interface SegmentInfo {
  readonly baseOffset: Offset
  /** Exclusive. */
  readonly endOffset: Offset
  readonly bytes: number
  /** -1 where it holds no timestamp. */
  readonly maxTimestampMs: number
  /** Of its first batch; -1 where it has none. Undefined for the active segment of what is in the journal only. */
  readonly firstTimestampMs?: number
}

/**
 * State that was derived from the log, as of a position, so that it need not be derived again; and once the log start has
 * moved, all that is left of what lay below. A snapshot counts only while the log holds its position: by log matching the
 * position names the whole prefix, so that truncation and power cuts need no care.
 */
export interface Snapshots {
  /**
   * Queues a write in the background; keeps the newest few, and of those that no truncation can take any more (`settled`)
   * always one. Resolves to whether this one, or a later one in its place, is durable. Never rejects for want of space or a
   * failing disk.
   */
  save(at: Position, bytes: Uint8Array): Promise<boolean>
  /** As `save`, of another replica's, for a position that this log does not hold yet: before an install (law R10). */
  adopt(at: Position, bytes: Uint8Array): Promise<boolean>
  /** Nothing up to there is ever truncated: it is committed. */
  settled(upTo: Position): void
  /** The newest whose position the log holds, from the log start on, and whose offset is ≤ `upTo`. */
  latest(upTo: Offset): Promise<Snapshot | undefined>
  /** What there is, and what there should be. */
  survey(): Promise<SnapshotSurvey>
}

export interface Snapshot {
  readonly at: Position
  readonly bytes: Uint8Array
}

export interface SnapshotSurvey {
  /** Positions that the log holds, from the log start on, ascending, with those that are damaged. */
  readonly held: readonly Position[]
  /** Above the log end: of an install that brought more than the log has yet. */
  readonly ahead: readonly Position[]
  /** Undefined where it is damaged, or gone. */
  read(at: Position): Promise<Snapshot | undefined>
}

export type StoreErrorCode =
  | 'exists'
  | 'storage-full'
  | 'offset-out-of-range'
  | 'corrupt'
  | 'closed'

/** An operating error of the store; a failed fsync is none, it ends the process (law R4). */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: StoreErrorCode
  constructor(code: StoreErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

export interface DamagedLog {
  readonly id: LogId
  /** Its folder. */
  readonly directory: string
  readonly descriptor: Uint8Array
}

/** The journal or the checkpoint is damaged: what the node has promised since is not known (law R5). */
export class JournalDamage extends StoreError {
  /** Those that are still known. There may have been others. */
  readonly logs: readonly DamagedLog[]
  constructor(message: string, logs: JournalDamage['logs']) {
    super('corrupt', message)
    this.logs = logs
  }
}
