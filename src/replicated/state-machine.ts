// The pattern that replicated state is built on: decide → replicate → apply. A command is decided against the state and
// answers with changes and a response; the changes are appended as one batch; `apply` alone changes state, on every replica
// alike; the response leaves after the commit. (Kafka's coordinators and controller follow the same pattern.)
//
// States are immutable values. Commands are decided one after the other against the tip, which is the applied state plus the
// changes that this epoch has pending; on losing leadership the tip is forgotten.

import type { Clock, Host, Timers } from '../env/env.ts'
import { AppliedLog, type SnapshotHandlers } from './applied-log.ts'
import type { SnapshotInterval } from './applied-snapshots.ts'
import { readRecordBatches } from './record-batches.ts'
import { buildBatch } from '../records/build.ts'
import type { LogRecord } from '../records/read.ts'
import { asOffset, type LeaderEpoch, type Offset } from '../base/brand.ts'
import type { AppendRejection, CommitOutcome, ReplicatedLog } from './replicated-log.ts'

export interface StateDefinition<State, Change> {
  readonly initial: State
  encode(change: Change): { readonly key: Uint8Array | null; readonly value: Uint8Array | null }
  /** Throws on a record that this version can't read: state must not be built past it. */
  decode(record: LogRecord): Change
  /** The state after one batch; `next` is the offset after it. Pure. */
  apply(state: State, changes: readonly Change[], next: Offset): State
  /** Absent: the log keeps everything. */
  readonly snapshots?: StateSnapshots<State>
}

export interface StateSnapshots<State> {
  readonly every: SnapshotInterval
  encode(state: State): Uint8Array
  /** The state of which everything below `next` is. Throws on what this version can't read. */
  decode(snapshot: Uint8Array, next: Offset): State
}

export interface Decision<Change, Response> {
  /** Empty: nothing is to be changed; the response still waits for what it was decided against. */
  readonly changes: readonly Change[]
  readonly response: Response
}

export type CommandOutcome<Response> =
  | { readonly kind: 'done'; readonly response: Response }
  /** Certainly not done. `loading`: this node leads but has not applied its log yet. */
  | { readonly kind: 'rejected'; readonly reason: AppendRejection | 'loading' }
  /** May or may not take effect. */
  | Extract<CommitOutcome, { kind: 'unknown' }>

export interface StateMachineOptions<State, Change> {
  readonly log: ReplicatedLog
  readonly definition: StateDefinition<State, Change>
  readonly env: {
    readonly clock: Clock
    readonly timers: Timers
    readonly host: Pick<Host, 'fatal'>
  }
  /** After each applied batch, in order, synchronously. Must not throw. */
  readonly onApplied?: (before: State, after: State, changes: readonly Change[]) => void
  /** A snapshot took the place of what was applied: at a start, or when this node had fallen behind. Must not throw. */
  readonly onRestored?: (before: State, after: State) => void
  readonly onServing?: (epoch: LeaderEpoch) => void
  readonly onResigned?: () => void
}

export class ReplicatedStateMachine<State, Change> {
  readonly #definition: StateDefinition<State, Change>
  readonly #clock: Clock
  readonly #log: AppliedLog<Change>
  readonly #onApplied: StateMachineOptions<State, Change>['onApplied']
  readonly #onRestored: StateMachineOptions<State, Change>['onRestored']
  #applied: State
  /** The applied state plus the pending changes of the serving epoch. */
  #tip: State

  constructor(options: StateMachineOptions<State, Change>) {
    const { log, definition, env } = options
    this.#definition = definition
    this.#clock = env.clock
    this.#onApplied = options.onApplied
    this.#onRestored = options.onRestored
    const { snapshots } = definition
    this.#applied = definition.initial
    this.#tip = definition.initial
    this.#log = new AppliedLog<Change>({
      log,
      env,
      handlers: {
        decode: (batches) =>
          readRecordBatches(batches).map(({ records, next }) => ({
            entries: records.map((record) => definition.decode(record)),
            next,
          })),
        apply: (changes, next) => this.#apply(changes, next),
        ...(snapshots === undefined ? {} : { snapshots: this.#snapshotsOf(snapshots) }),
        onServing: (epoch) => {
          this.#tip = this.#applied
          options.onServing?.(epoch)
        },
        onResigned: () => {
          this.#tip = this.#applied
          options.onResigned?.()
        },
      },
    })
  }

  /** Begins to replay and follow the log. */
  start(): void {
    this.#log.start()
  }

  close(): void {
    this.#log.close()
  }

  /** What is committed and applied on this node. */
  get state(): State {
    return this.#applied
  }

  get serving(): LeaderEpoch | undefined {
    return this.#log.serving
  }

  /**
   * Decides at once, in the order of the calls; resolves when the decision is committed and applied. `decide` is pure but
   * for the random ids it was given.
   */
  async submit<Response>(
    decide: (state: State, nowMs: number) => Decision<Change, Response>,
  ): Promise<CommandOutcome<Response>> {
    if (this.#log.serving === undefined) return this.#notServing()
    const { changes, response } = decide(this.#tip, this.#clock.nowMs())
    const outcome = changes.length > 0 ? this.#replicate(changes) : this.#confirm()
    const settled = await outcome
    return settled.kind === 'committed' ? { kind: 'done', response } : settled
  }

  /** As `submit`, for what only reads: the answer is not staler than the call (law R9). */
  async read<Response>(
    answer: (state: State, nowMs: number) => Response,
  ): Promise<CommandOutcome<Response>> {
    if (this.#log.serving === undefined) return this.#notServing()
    const confirmed = await this.#log.log.readBarrier()
    if (confirmed.kind !== 'committed') return confirmed
    if (!(await this.#log.caughtUp())) return { kind: 'unknown', reason: 'closed' }
    return { kind: 'done', response: answer(this.#applied, this.#clock.nowMs()) }
  }

  #notServing(): { kind: 'rejected'; reason: 'loading' | 'not-leader' } {
    const leads = this.#log.log.role.kind === 'leader'
    return { kind: 'rejected', reason: leads ? 'loading' : 'not-leader' }
  }

  #replicate(
    changes: readonly Change[],
  ): Promise<CommitOutcome> | { kind: 'rejected'; reason: AppendRejection } {
    const timestampMs = this.#clock.nowMs()
    const records = changes.map((change) => ({ ...this.#definition.encode(change), timestampMs }))
    const batch = buildBatch(records)
    const before = this.#tip
    // Moved before the append, which may tell of the commit at once; an append that is refused moves it back.
    const end = this.#log.log.logEnd.offset + records.length
    this.#tip = this.#definition.apply(before, changes, asOffset(end))
    const result = this.#log.propose(changes, batch)
    if (result.kind === 'accepted') return result.committed
    this.#tip = before
    return result
  }

  /** Waits for the pending changes that the decision saw, and that this node still leads. */
  async #confirm(): Promise<CommitOutcome> {
    const { log } = this.#log
    const pending = await log.whenCommitted(log.logEnd)
    return pending.kind === 'committed' ? log.readBarrier() : pending
  }

  #snapshotsOf({ every, encode, decode }: StateSnapshots<State>): SnapshotHandlers {
    return {
      every,
      take: () => encode(this.#applied),
      restore: (snapshot, next) => {
        const before = this.#applied
        this.#applied = decode(snapshot, next)
        this.#tip = this.#applied
        this.#onRestored?.(before, this.#applied)
      },
    }
  }

  #apply(changes: readonly Change[], next: Offset): void {
    const before = this.#applied
    this.#applied = this.#definition.apply(before, changes, next)
    this.#onApplied?.(before, this.#applied, changes)
  }
}
