// Follows one replicated log and applies what is committed, in order, each batch once: by replay at start, from the log as
// a follower, and from memory as a leader, which has its own pending batches at hand. It says when this node may serve: it
// leads, its epoch start is committed, and everything up to that start is applied (law R9).

import { assert } from '../base/assert.ts'
import { asOffset, type LeaderEpoch, type Offset } from '../base/brand.ts'
import type { Host, Timers } from '../env/env.ts'
import { StoreError } from '../storage/store.ts'
import { AppliedSnapshots, type SnapshotInterval } from './applied-snapshots.ts'
import type { AppendRejection, CommitOutcome, ReplicatedLog } from './replicated-log.ts'

export interface AppliedLogHandlers<Entry> {
  /** What each of the concatenated batches holds. Throws when it is not what this version can read. */
  decode(batches: Uint8Array): readonly DecodedBatch<Entry>[]
  /** One committed batch. `next` is the offset after it. Must not throw. */
  apply(entries: readonly Entry[], next: Offset): void
  /** This node serves in the epoch from now on. */
  onServing?(epoch: LeaderEpoch): void
  /**
   * Everything that was applied is to be forgotten: the log begins anew, or was compacted past where this node had come to,
   * so that the ends of keys are missing from what it would read next (law R10). Only for logs that are compacted.
   */
  onBegunAnew?(): void
  /** Absent: the log keeps everything, or compaction takes what is outlived. */
  readonly snapshots?: SnapshotHandlers
  /** It no longer does: what it proposed and is not applied may or may not come back through `apply`. */
  onResigned?(): void
}

export interface SnapshotHandlers {
  readonly every: SnapshotInterval
  /** Everything that was applied. */
  take(): Uint8Array
  /** In the place of everything that was applied. Throws when it is not what this version can read. */
  restore(snapshot: Uint8Array, next: Offset): void
}

export interface DecodedBatch<Entry> {
  readonly entries: readonly Entry[]
  /** The offset after the batch. */
  readonly next: Offset
}

export interface AppliedLogOptions<Entry> {
  readonly log: ReplicatedLog
  readonly env: { readonly timers: Timers; readonly host: Pick<Host, 'fatal'> }
  readonly handlers: AppliedLogHandlers<Entry>
}

export type ProposeResult =
  | { readonly kind: 'accepted'; readonly committed: Promise<CommitOutcome> }
  | { readonly kind: 'rejected'; readonly reason: AppendRejection }

interface Pending<Entry> {
  readonly base: Offset
  readonly end: Offset
  readonly entries: readonly Entry[]
  readonly bytes: number
}

const REPLAY_READ_BYTES_MAX = 1 << 20
/** How long until a damaged range is read again, which may be healed by then. */
const DAMAGE_RETRY_MS = 100

export class AppliedLog<Entry> {
  readonly log: ReplicatedLog
  readonly #timers: Timers
  readonly #host: Pick<Host, 'fatal'>
  readonly #handlers: AppliedLogHandlers<Entry>
  readonly #stopObserving: () => void
  /** Proposed in the serving epoch and not applied yet; ascending and contiguous. */
  #pending: Pending<Entry>[] = []
  #appliedTo: Offset
  #waiters: { readonly offset: Offset; readonly resolve: () => void }[] = []
  #serving: LeaderEpoch | undefined
  #reading = false
  /** There was something to do while it was reading. */
  #missed = false
  readonly #snapshots: AppliedSnapshots | undefined
  /** The newest snapshot was looked for, as a start does. */
  #looked = false
  /** Grows with each beginning anew: what was read before is not applied. */
  #life = 0
  /** The log's, when this life began. */
  #tombstonesRemovedBelow: Offset
  #proposing = false
  #closed = false

  constructor({ log, env, handlers }: AppliedLogOptions<Entry>) {
    this.log = log
    this.#timers = env.timers
    this.#host = env.host
    this.#handlers = handlers
    this.#snapshots = this.#newSnapshots()
    this.#appliedTo = this.#snapshots === undefined ? log.logStart : asOffset(0)
    this.#tombstonesRemovedBelow = log.tombstonesRemovedBelow
    this.#stopObserving = log.observe({
      onTruncated: (to) => {
        if (to.offset < this.#appliedTo) this.#beginAnew()
      },
      onCommitted: () => this.#advance(),
      onRoleChanged: () => {
        this.#resignIfMoved()
        this.#advance()
      },
      beforeLogStart: (logStart) => this.#snapshots?.beforeLogStart(logStart),
      snapshotWanted: () => this.#snapshots?.wanted() ?? false,
      onSnapshot: () => this.#advance(),
      onClosed: () => this.close(),
    })
  }

  #newSnapshots(): AppliedSnapshots | undefined {
    const { snapshots } = this.#handlers
    if (snapshots === undefined) return undefined
    return new AppliedSnapshots({
      log: this.log,
      timers: this.#timers,
      every: snapshots.every,
      take: () => snapshots.take(),
      appliedTo: () => this.#appliedTo,
      whenApplied: (offset) => this.#whenApplied(offset),
      failed: (error) => this.#failed(error),
    })
  }

  /** Begins to apply. Separate from the constructor, so that the handlers' owner is complete before its first call. */
  start(): void {
    this.#advance()
  }

  /** Everything below it is applied. */
  get appliedTo(): Offset {
    return this.#appliedTo
  }

  /** The epoch in which this node serves, if it does. */
  get serving(): LeaderEpoch | undefined {
    return this.#serving
  }

  /**
   * Appends one batch that encodes the entries. They are applied when it commits, before `committed` resolves. Only while
   * serving: what was decided against the state of another epoch must not get in.
   */
  propose(entries: readonly Entry[], batch: Uint8Array): ProposeResult {
    if (this.#serving === undefined) return { kind: 'rejected', reason: 'not-leader' }
    // Commit may be told from within the append; the batch must be known as pending by then.
    this.#proposing = true
    const result = this.log.append(batch, { expectedEpoch: this.#serving })
    this.#proposing = false
    if (result.kind === 'rejected') return result
    const end = result.end.offset
    this.#pending.push({ base: result.baseOffset, end, entries, bytes: batch.length })
    this.#advance()
    return { kind: 'accepted', committed: this.#appliedOutcome(result.committed, end) }
  }

  /** Resolves when everything that is committed by now is applied. False: this node no longer follows the log. */
  async caughtUp(): Promise<boolean> {
    const committed = this.log.highWatermark
    await this.#whenApplied(committed)
    return this.#appliedTo >= committed
  }

  /** Or nothing is applied any more. */
  async #whenApplied(offset: Offset): Promise<void> {
    if (this.#appliedTo >= offset || this.#closed) return
    await new Promise<void>((resolve) => this.#waiters.push({ offset, resolve }))
  }

  /** Usually applied before the commit is told; not where someone else appended in between, which takes a read. */
  async #appliedOutcome(committed: Promise<CommitOutcome>, end: Offset): Promise<CommitOutcome> {
    const outcome = await committed
    if (outcome.kind !== 'committed' || this.#appliedTo >= end) return outcome
    return (await this.caughtUp()) ? outcome : { kind: 'unknown', reason: 'closed' }
  }

  /** Stops applying. The log is its owner's to close. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#snapshots?.close()
    this.#stopObserving()
    this.#resign()
    this.#wake(Infinity)
  }

  #advance(): void {
    if (this.#closed || this.#proposing) return
    if (this.#reading) {
      this.#missed = true
      return
    }
    if (this.#snapshots !== undefined && (!this.#looked || this.#isBehindStart)) {
      return this.#restore(this.#snapshots)
    }
    const committed = this.log.highWatermark
    while (this.#appliedTo < committed) {
      this.#dropReplayed()
      const [head] = this.#pending
      if (head === undefined || head.base !== this.#appliedTo) {
        this.#replay()
        return
      }
      if (head.end > committed) break
      this.#pending.shift()
      this.#apply(head.entries, head.end, head.bytes)
    }
    this.#dropReplayed()
    this.#serveIfReady()
    this.#wake(this.#appliedTo)
  }

  /** A read that was needed for a foreign batch may have applied what was pending after it. */
  #dropReplayed(): void {
    while ((this.#pending[0]?.base ?? Infinity) < this.#appliedTo) this.#pending.shift()
  }

  #wake(appliedTo: number): void {
    if (this.#waiters.length === 0) return
    const waiters = this.#waiters
    this.#waiters = waiters.filter(({ offset }) => offset > appliedTo)
    for (const { offset, resolve } of waiters) if (offset <= appliedTo) resolve()
  }

  #apply(entries: readonly Entry[], next: Offset, bytes: number): void {
    this.#appliedTo = next
    this.#handlers.apply(entries, next)
    this.#snapshots?.applied({ records: entries.length, bytes })
  }

  /** What would be applied next is in the log no more; a snapshot stands for it. */
  get #isBehindStart(): boolean {
    return this.#snapshots !== undefined && this.#appliedTo < this.log.logStart
  }

  #restore(snapshots: AppliedSnapshots): void {
    this.#reading = true
    this.#missed = false
    const restored = snapshots.find(this.#appliedTo).then((found) => {
      this.#reading = false
      this.#looked = true
      if (this.#closed) return
      if (found !== undefined) {
        this.#appliedTo = found.at.offset
        this.#handlers.snapshots?.restore(found.bytes, found.at.offset)
      }
      // Otherwise with the next commit, or when the leader's is here.
      if (!this.#isBehindStart || this.#missed) this.#advance()
    })
    restored.catch((error: unknown) => this.#failed(error))
  }

  #failed(error: unknown): void {
    this.#closed = true
    this.#host.fatal(`the log ${this.log.id} can't be followed from ${this.#appliedTo}`, error)
  }

  #replay(): void {
    this.#reading = true
    const caughtUp = this.#readCommitted().then(() => {
      this.#reading = false
      this.#advance()
    })
    caughtUp.catch((error: unknown) => this.#failed(error))
  }

  async #readCommitted(): Promise<void> {
    while (!this.#closed && this.#appliedTo < this.log.highWatermark) {
      if (this.#isBehindStart) return
      const from = asOffset(Math.max(this.#appliedTo, this.log.logStart))
      const below = this.log.highWatermark
      const life = this.#life
      const read = await this.#read(from, below)
      if (this.#closed) return
      if (this.#lacksTombstones) this.#beginAnew()
      if (read === undefined || this.#life !== life) continue
      const { chunks, next } = read
      assert(next > from, `${this.log.id}: nothing to read at ${from} below the commit ${below}`)
      for (const chunk of chunks) {
        const batches = this.#handlers.decode(chunk)
        const bytes = chunk.length / batches.length
        for (const { entries, next: end } of batches) this.#apply(entries, end, bytes)
      }
      this.#appliedTo = next
      this.#wake(next)
      await new Promise<void>((resolve) => this.#timers.soon(resolve))
    }
  }

  /**
   * Reads are awaited only where storage could not answer at once. Undefined: closed, or to be tried again, since the range is
   * damaged and other replicas are there to heal it from (law R5). A replica by itself has nowhere to heal from.
   */
  async #read(
    from: Offset,
    below: Offset,
  ): Promise<{ chunks: readonly Uint8Array[]; next: Offset } | undefined> {
    const life = this.#life
    try {
      return await this.log.read({ from, below, maxBytes: REPLAY_READ_BYTES_MAX })
    } catch (error) {
      if (error instanceof StoreError && error.code === 'closed') {
        this.close()
        return undefined
      }
      if (error instanceof StoreError && error.code === 'offset-out-of-range') {
        // The log begins anew, or its start moved on.
        if (this.#life !== life || from < this.log.logStart) return undefined
      }
      if (error instanceof StoreError && error.code === 'corrupt' && this.log.voters.length > 1) {
        await new Promise<void>((resolve) => this.#timers.after(DAMAGE_RETRY_MS, resolve))
        return undefined
      }
      throw error
    }
  }

  /** Some that were to be read next went while this node was still behind them. */
  get #lacksTombstones(): boolean {
    const { tombstonesRemovedBelow } = this.log
    return (
      tombstonesRemovedBelow > this.#tombstonesRemovedBelow &&
      tombstonesRemovedBelow > this.#appliedTo
    )
  }

  #beginAnew(): void {
    if (this.#handlers.onBegunAnew === undefined) return
    this.#life++
    this.#resign()
    this.#appliedTo = this.log.logStart
    this.#tombstonesRemovedBelow = this.log.tombstonesRemovedBelow
    this.#handlers.onBegunAnew()
  }

  #resignIfMoved(): void {
    const { role } = this.log
    if (this.#serving === undefined) return
    if (role.kind === 'leader' && role.epoch === this.#serving) return
    this.#resign()
  }

  #resign(): void {
    this.#pending = []
    if (this.#serving === undefined) return
    this.#serving = undefined
    this.#handlers.onResigned?.()
  }

  #serveIfReady(): void {
    const { role } = this.log
    if (this.#serving !== undefined || role.kind !== 'leader' || !role.established) return
    const start = this.log.epochs.entries.at(-1)
    assert(start?.epoch === role.epoch, `${this.log.id}: leads in ${role.epoch} without its start`)
    if (this.#appliedTo < start.start) return
    this.#serving = role.epoch
    this.#handlers.onServing?.(role.epoch)
  }
}
