// A leader's installs of one group (law R10): a follower that is to begin at the log start is sent what its state machine must
// know of the records below, in pieces on the data lane, so that it never stands before a heartbeat or a vote.
//
// What is sent was taken at a committed position: the follower can't be elected before its log holds that position, and
// from then on the snapshot counts there.

import type { LogId, NodeId } from '../base/brand.ts'
import { comparePositions } from '../base/position.ts'
import type { InstallPlan } from '../raft/events.ts'
import type { Raft } from '../raft/raft.ts'
import type { Snapshot, StoredLog } from '../storage/store.ts'
import { encodeGroupMessage, SNAPSHOT_BYTES_MAX, type WireBatch } from './group-codec.ts'
import type { GroupNode } from './group-node.ts'

const PIECE_BYTES = 256 * 1024

interface Sending {
  readonly plan: InstallPlan
  /** Undefined while it is being looked for. */
  found: { readonly snapshot: Snapshot | undefined } | undefined
  sentBytes: number
  /** It counts among those that the node sends at a time. */
  running: boolean
}

export interface OutgoingInstallsOptions {
  readonly node: GroupNode
  readonly group: LogId
  readonly stored: StoredLog
  readonly raft: Raft<WireBatch>
  /** There is something to send now. */
  readonly ready: () => void
  /** The follower is to be left alone for a while. */
  readonly defer: (to: NodeId) => void
  /** No snapshot is there: true when there will be one, false when there is nothing to know. */
  readonly snapshotWanted: () => boolean
}

export class OutgoingInstalls {
  readonly #options: OutgoingInstallsOptions
  readonly #sending = new Map<NodeId, Sending>()

  constructor(options: OutgoingInstallsOptions) {
    this.#options = options
  }

  /** True once all of it has been sent; otherwise to be called again, when `ready` says so or the lane has drained. */
  send(to: NodeId, plan: InstallPlan): boolean {
    let sending = this.#sending.get(to)
    if (sending === undefined || sending.plan.logStart !== plan.logStart) {
      this.forget(to)
      sending = this.#begin(to, plan)
    }
    if (sending.found === undefined) return false
    const { snapshot } = sending.found
    do {
      if (!this.#sendPiece(to, sending, snapshot)) return false
    } while (sending.sentBytes < (snapshot?.bytes.length ?? 0))
    this.forget(to)
    return true
  }

  forget(to: NodeId): void {
    const sending = this.#sending.get(to)
    this.#sending.delete(to)
    if (sending?.running === true) this.#options.node.installs.release()
  }

  forgetAll(): void {
    for (const to of [...this.#sending.keys()]) this.forget(to)
  }

  #begin(to: NodeId, plan: InstallPlan): Sending {
    const { node, group, ready, defer } = this.#options
    const sending: Sending = { plan, found: undefined, sentBytes: 0, running: false }
    this.#sending.set(to, sending)
    if (plan.logStart === 0) {
      sending.found = NOTHING_BELOW
      return sending
    }
    const isCurrent = (): boolean => this.#sending.get(to) === sending
    node.installs.run(() => {
      if (!isCurrent()) return node.installs.release()
      sending.running = true
      const looked = this.find(plan).then((found) => {
        if (!isCurrent()) return
        sending.found = found
        if (found !== undefined) return ready()
        this.forget(to)
        defer(to)
      })
      looked.catch((error: unknown) => node.failed(`the snapshot of ${group}`, error))
    })
    return sending
  }

  /**
   * Of those at or above the log start the newest that is committed. A leader that has just started knows of no commit; then
   * the oldest, which was committed when the log start moved (see `storage/snapshots.ts`). Undefined: not now.
   */
  async find({ logStart }: InstallPlan): Promise<Sending['found']> {
    const { stored, raft, snapshotWanted } = this.#options
    const { held, read } = await stored.snapshots.survey()
    const usable = held.filter(({ offset }) => offset >= logStart)
    const committed = usable.filter((at) => comparePositions(at, raft.commit) <= 0)
    for (const at of new Set([...committed.toReversed(), ...usable.slice(0, 1)])) {
      const snapshot = await read(at)
      if (snapshot !== undefined && snapshot.bytes.length <= SNAPSHOT_BYTES_MAX) return { snapshot }
    }
    return snapshotWanted() ? undefined : NOTHING_BELOW
  }

  #sendPiece(to: NodeId, sending: Sending, snapshot: Snapshot | undefined): boolean {
    const { node, group, raft } = this.#options
    const { term } = raft
    const from = sending.sentBytes
    const piece = snapshot?.bytes.subarray(from, from + PIECE_BYTES)
    const part =
      snapshot === undefined
        ? undefined
        : { at: snapshot.at, totalBytes: snapshot.bytes.length, from }
    const writer = node.groupFrame()
    encodeGroupMessage(
      writer,
      group,
      { ...sending.plan, term, snapshot: part },
      piece === undefined ? [] : [piece],
    )
    if (!node.send(to, 'data', writer.finish())) return false
    sending.sentBytes += piece?.length ?? 0
    return true
  }
}

const NOTHING_BELOW: Sending['found'] = { snapshot: undefined }
