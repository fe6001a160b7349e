// The seam that everything above replication appends to. A replicated log is one Raft group, of one voter on a node by
// itself, of several in a cluster; `raft-log.ts` implements it. Every change of state above it goes
// decide → append → apply: nothing takes effect, and nothing is answered, before it is committed.

import type { LeaderEpoch, LogId, NodeId, Offset } from '../base/brand.ts'
import type { EpochTable } from '../base/epoch-table.ts'
import type { Position } from '../base/position.ts'
import type { Voter } from '../multiraft/descriptor.ts'
import type { TransferOutcome } from '../multiraft/leader-transfers.ts'
import type { QuorumDescription } from '../multiraft/quorum.ts'
import type {
  ReadRequest,
  SegmentInfo,
  SegmentRange,
  SegmentRewriter,
  Snapshots,
  StoredBytes,
} from '../storage/store.ts'

export type Role =
  /** `established` once the own epoch start is committed: only then may it serve reads that must not be stale (law R9). */
  | { readonly kind: 'leader'; readonly epoch: LeaderEpoch; readonly established: boolean }
  | { readonly kind: 'follower'; readonly epoch: LeaderEpoch; readonly leader: NodeId | undefined }

/** Certainly not written. */
export type AppendRejection = 'not-leader' | 'fenced-epoch' | 'storage-full' | 'closed'

/**
 * `unknown` is its own outcome: the bytes may or may not survive. It must reach the client as a timeout or as
 * NOT_ENOUGH_REPLICAS_AFTER_APPEND, never as success and never as "not written".
 */
export type CommitOutcome =
  | { readonly kind: 'committed' }
  | { readonly kind: 'unknown'; readonly reason: 'leadership-lost' | 'quorum-lost' | 'closed' }

export type AppendResult =
  | {
      readonly kind: 'accepted'
      readonly baseOffset: Offset
      /** Exclusive end: the position whose commit this append waits for. */
      readonly end: Position
      readonly committed: Promise<CommitOutcome>
    }
  | { readonly kind: 'rejected'; readonly reason: AppendRejection }

/** What a state machine above the log must follow, on leaders and followers alike (law R9). Called synchronously, in order. */
export interface LogObserver {
  /** After the batches (stamped, whole) were accepted into the local log; not yet committed. */
  onAppended?(batches: Uint8Array, baseOffset: Offset): void
  /**
   * After the local log was cut back: forget everything above the position. Committed records go so too where the log begins
   * anew (law R10): they come again, without those that compaction removed, and the high watermark is the log start.
   */
  onTruncated?(to: Position): void
  /** The commit moved; it never moves back, except where the log begins anew. */
  onCommitted?(highWatermark: Offset): void
  onRoleChanged?(role: Role): void
  /**
   * Before this replica's log start moves there, for what must be kept of the records that go; it moves once the promise has
   * resolved. Undefined: nothing is to be done. Must not reject. The offset is committed.
   */
  beforeLogStart?(logStart: Offset): Promise<void> | undefined
  onLogStartChanged?(logStart: Offset): void
  /**
   * Leader only: another replica is to begin at the log start, and no snapshot that covers what lies below could be read.
   * True: there will be one. False, or nobody answers: there is nothing to know.
   */
  snapshotWanted?(): boolean
  /** A snapshot of the leader's is here now, durable (law R10); the log may not hold its position yet. */
  onSnapshot?(): void
  onClosed?(): void
}

export interface ReplicatedLog {
  readonly id: LogId
  readonly role: Role
  readonly logStart: Offset
  /** The accepted end of the local log. */
  readonly logEnd: Position
  /** The committed offset as known here: everything below it is on a majority, durable. */
  readonly highWatermark: Offset
  readonly epochs: EpochTable
  readonly bytes: number
  /** The group's voters in preferred order, this node among them where it is one. */
  readonly voters: readonly NodeId[]
  segments(): readonly SegmentInfo[]
  readonly snapshots: Snapshots
  /**
   * What must be known of the records below the log start can't be read here: the leader's snapshot is asked for until
   * `onSnapshot`, and this replica does not lead meanwhile (law R5). False: there is no other replica.
   */
  needSnapshot(): boolean

  /**
   * Accepts one or more whole, validated v2 batches whose base offsets are relative to 0 and contiguous; stamps base offset
   * and leader epoch in place and takes the bytes over. Synchronous: a later append comes after it in the log.
   * `expectedEpoch`: rejected as `fenced-epoch` when this node leads in another epoch.
   */
  append(batches: Uint8Array, options?: { readonly expectedEpoch?: LeaderEpoch }): AppendResult

  /** Resolves when the commit has reached `position` in this leadership, whoever appended it (a duplicate waits so). */
  whenCommitted(position: Position): Promise<CommitOutcome>

  /** As `whenCommitted`, and so many of the voters hold it durably: min.insync.replicas may ask for more than a majority. */
  whenHeld(position: Position, voters: number): Promise<CommitOutcome>
  /**
   * Resolves once a majority has confirmed this leadership in a round that began after the call (law R9), so that what is
   * committed here is not stale; `unknown` when it could not be confirmed.
   */
  readBarrier(): Promise<CommitOutcome>

  /** As StoredLog.read; the caller bounds `below` by the high watermark. */
  read(request: ReadRequest): StoredBytes | Promise<StoredBytes>
  seekTimestamp(timestampMs: number, below: Offset): Promise<Offset | undefined>

  /** As StoredLog.rewriteSegments, of this replica alone; the caller bounds the range by the high watermark (law R10). */
  rewriteSegments(range: SegmentRange): Promise<SegmentRewriter | undefined>

  /** As StoredLog.tombstonesRemovedBelow. */
  readonly tombstonesRemovedBelow: Offset
  /** Compaction leaves tombstones from here on: another replica may need them soon, or could not be healed without them. */
  readonly tombstonesKeptFrom: Offset

  /** Leader only, at most the high watermark: deletes what lies below (law R10). Resolves when a majority holds it. */
  advanceLogStart(offset: Offset): Promise<CommitOutcome>

  /** Returns the function that takes the observer off again. */
  observe(observer: LogObserver): () => void
}

/** The replicated logs of this node, and what it knows of those of other nodes. */
export interface LogHost {
  readonly nodeId: NodeId
  /** Identity of this node's data (law R6). */
  readonly directoryId: string
  /** Reachable, as this node sees it; itself always. */
  isUp(node: NodeId): boolean
  /** Who leads the log, whether this node has a replica of it or not; undefined: nobody that is known. */
  leaderOf(id: LogId): Leader | undefined
  /** Those of the replicas that are in sync with the leader (replica.lag.time.max.ms), as far as known here. */
  inSync(id: LogId, replicas: readonly NodeId[]): readonly NodeId[]
  /** Up, and its disk answers (law R8). */
  isFit(node: NodeId): boolean
  /** Hands the log's leadership over, wherever it is; resolves when that is done or has failed, within some seconds. */
  transferLeadership(id: LogId, to: NodeId): Promise<TransferOutcome>
  /** How far the log's voters are, as its leader knows it; undefined: nobody is known to lead, or it does not answer. */
  describeQuorum(id: LogId): Promise<QuorumDescription | undefined>
  logs(): Iterable<ReplicatedLog>
  get(id: LogId): ReplicatedLog | undefined
  /** Creates (durably, before it resolves) or opens the log. */
  open(spec: LogSpec): Promise<ReplicatedLog>
  configure(id: LogId, config: LogSpec['config']): void
  /** Drops this node's replica for good; waiting appends end as unknown. */
  drop(id: LogId): Promise<void>
  /** True while appends are refused because this node's disk is full. */
  readonly storageFull: boolean
  close(): Promise<void>
}

export type { QuorumDescription, TransferOutcome }

export interface Leader {
  readonly nodeId: NodeId
  readonly epoch: LeaderEpoch
}

export interface LogSpec {
  readonly id: LogId
  /** Readable folder name, `<topic>-<partition>`. */
  readonly directory: string
  readonly config: {
    readonly segmentBytes: number
    readonly segmentMs: number
    readonly indexIntervalBytes: number
  }
  /** Preferred order; the first is the preferred leader. They count when the replica is created, once and for all (law R7). */
  readonly voters: readonly Voter[]
  /** Of the metadata log only. */
  readonly clusterId?: string
}
