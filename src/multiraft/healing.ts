// Damage of a replica's bytes, and its healing (law R5). The log end never moves for it: the replica votes by its recorded
// position. But it neither campaigns nor leads, and acknowledges nothing past the damage, until it has fetched the range again
// from the group's leader. A leader that finds its own bytes damaged hands over first.
//
// Law R10: a range that lacks the tombstones which the leader removed there would keep what they ended below it; and one from
// the leader may hold what tombstones above it ended that are gone here. Then the range alone can't be fetched: the replica
// forgets its log as a whole and is suspect, if the leader can spare it meanwhile.

import { asOffset, type LogId, type NodeId, type Offset } from '../base/brand.ts'
import type { Position } from '../base/position.ts'
import type { Env, Logger, Timer } from '../env/env.ts'
import { Limiter } from '../env/limiter.ts'
import { Reader } from '../protocol/reader.ts'
import { Writer } from '../protocol/writer.ts'
import { summarizeBatches } from '../records/batch-header.ts'
import { StoreError, type StoredLog } from '../storage/store.ts'
import { CallError, type Calls } from './calls.ts'
import type { RaftGroup } from './group.ts'
import { readGroupId } from './group-id.ts'
import { CallMethod } from './methods.ts'
import { canSpare } from './spare.ts'

/** Of one answer; at least one batch comes, whatever its size. Small, since it shares the lane of the heartbeats. */
const ANSWER_BYTES_MAX = 256 * 1024
const CALL_MS_MAX = 5_000
const RETRY_MS = 500
/** Replicas of a node that heal at once. */
const HEALING_MAX = 2

export interface HealingOptions {
  readonly env: Pick<Env, 'timers'> & { readonly log?: Logger }
  readonly calls: Pick<Calls, 'call' | 'handle'>
  readonly groupOf: (id: LogId) => RaftGroup | undefined
  /** A leader whose bytes are damaged hands over to a follower that can take it, if there is one. */
  readonly handOver: (group: RaftGroup) => void
}

/** Up to where a damaged log may acknowledge: the last position before the damage. */
export function soundEnd({ damage, durable, epochs }: StoredLog): Position {
  if (damage === undefined || damage.from >= durable.offset) return durable
  return { epoch: epochs.epochAt(asOffset(damage.from - 1)), offset: damage.from }
}

/** Of one node. */
export class Healing {
  readonly #options: HealingOptions
  readonly #limiter = new Limiter(HEALING_MAX)
  /** Replicas that are healing or wait for it. */
  readonly #sick = new Set<RaftGroup>()
  readonly #timers = new Set<Timer>()
  #closed = false

  constructor(options: HealingOptions) {
    this.#options = options
    options.calls.handle(CallMethod.FETCH_RANGE, (from, body) => this.#serve(from, body))
    options.calls.handle(CallMethod.SNAPSHOT, (from, body) => this.#serveSnapshot(from, body))
  }

  /** The replica has damage: it is healed, however long that takes, where there are others. Idempotent. */
  heal(group: RaftGroup): void {
    if (this.#closed || this.#sick.has(group)) return
    const { id, stored, voters } = group
    const { log } = this.#options.env
    const range = { log: id, from: stored.damage?.from, to: stored.damage?.to }
    if (voters.length === 1) {
      log?.error('bytes of the only replica are damaged', range)
      return
    }
    this.#sick.add(group)
    log?.error('bytes of a replica are damaged and will be fetched again', range)
    void this.#healAll(group)
  }

  close(): void {
    this.#closed = true
    for (const timer of this.#timers) timer.cancel()
    this.#sick.clear()
  }

  async #healAll(group: RaftGroup): Promise<void> {
    const { stored } = group
    while (this.#isSick(group) && (stored.damage !== undefined || group.needsSnapshot)) {
      this.#options.handOver(group)
      const leader = group.raft.leader
      const elsewhere = leader !== undefined && group.raft.role !== 'leader'
      if (elsewhere && group.needsSnapshot) await this.#askForSnapshot(group, leader)
      const further = elsewhere && (await this.#limited(() => this.#fetchRange(group, leader)))
      if (!further || group.needsSnapshot) await this.#pause(RETRY_MS)
    }
    const isWhole = this.#isSick(group)
    this.#sick.delete(group)
    if (!isWhole) return
    this.#options.env.log?.info('a damaged replica is whole again', { log: group.id })
    group.healed()
  }

  #isSick(group: RaftGroup): boolean {
    return this.#sick.has(group) && this.#options.groupOf(group.id) === group
  }

  #limited<T>(run: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#limiter.run(() => {
        void run()
          .then(resolve, reject)
          .finally(() => this.#limiter.release())
      })
    })
  }

  /** True when it got further. */
  async #fetchRange(group: RaftGroup, leader: NodeId): Promise<boolean> {
    const { stored } = group
    const { damage } = stored
    if (damage === undefined) return true
    try {
      // The leader has nothing below its log start; what is damaged there goes with this replica's own.
      let from: Offset = damage.from > stored.logStart ? damage.from : stored.logStart
      while (from < damage.to) {
        const request = encodeRange({ group: group.id, from, to: damage.to })
        const answer = await this.#options.calls.call(
          leader,
          CallMethod.FETCH_RANGE,
          request,
          CALL_MS_MAX,
        )
        const { tombstonesRemovedBelow, spared, bytes } = decodeAnswer(answer)
        if (!this.#isSick(group)) return false
        if (tombstonesRemovedBelow > from || stored.tombstonesRemovedBelow > damage.to) {
          return this.#distrust(group, spared)
        }
        if (bytes.length === 0) return false
        const next = await stored.repair(bytes, summarizeBatches(bytes))
        if (next <= from) return false
        from = next
      }
      return true
    } catch (error) {
      this.#options.env.log?.warn('a damaged replica could not be healed yet', {
        log: group.id,
        error: String(error),
      })
      return false
    }
  }

  /** It comes as an install does. */
  async #askForSnapshot({ id }: RaftGroup, leader: NodeId): Promise<void> {
    const writer = new Writer(96)
    writer.string(id, false)
    const body = Buffer.concat(writer.finish())
    try {
      await this.#options.calls.call(leader, CallMethod.SNAPSHOT, body, CALL_MS_MAX)
    } catch (error) {
      if (!(error instanceof CallError)) throw error
    }
  }

  #serveSnapshot(from: NodeId, body: Uint8Array): Promise<Uint8Array> {
    const reader = new Reader(body)
    const group = this.#options.groupOf(readGroupId(reader))
    const isVoter = group?.voters.some(({ nodeId }) => nodeId === from) === true
    if (isVoter) group.sendSnapshot(from)
    return Promise.resolve(NOTHING)
  }

  /** True when it was done. */
  #distrust(group: RaftGroup, spared: boolean): boolean {
    const what =
      'a damaged range lacks removed tombstones: the replica begins its log anew once it can be spared'
    this.#options.env.log?.warn(what, { log: group.id, spared, voters: group.voters.length })
    if (spared) group.distrust()
    return spared
  }

  /** As leader: what the other asked for, if this replica is sure of it; no bytes otherwise. */
  async #serve(from: NodeId, body: Uint8Array): Promise<Uint8Array> {
    const bytes = await this.#read(body)
    const group = this.#options.groupOf(decodeRange(body).group)
    // As of after the read: what is gone may be missing from it.
    const tombstonesRemovedBelow = group?.stored.tombstonesRemovedBelow ?? asOffset(0)
    const spared = group !== undefined && canSpare(group, from)
    return encodeAnswer({ tombstonesRemovedBelow, spared, bytes })
  }

  async #read(body: Uint8Array): Promise<Uint8Array> {
    const { group: id, from, to } = decodeRange(body)
    const group = this.#options.groupOf(id)
    if (group === undefined || group.raft.role !== 'leader') return NOTHING
    const { stored } = group
    if (to > stored.end.offset) return NOTHING
    try {
      const { chunks } = await stored.read({ from, below: to, maxBytes: ANSWER_BYTES_MAX })
      return Buffer.concat(chunks)
    } catch (error) {
      if (error instanceof StoreError) return NOTHING
      throw error
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.env.timers.after(ms, () => {
        this.#timers.delete(timer)
        resolve()
      })
      this.#timers.add(timer)
    })
  }
}

interface Range {
  readonly group: LogId
  readonly from: Offset
  readonly to: Offset
}

function encodeRange({ group, from, to }: Range): Uint8Array {
  const writer = new Writer(96)
  writer.string(group, false)
  writer.int64(from)
  writer.int64(to)
  return Buffer.concat(writer.finish())
}

interface Answer {
  readonly tombstonesRemovedBelow: Offset
  /** The replica that asks may forget its log: all others are whole. */
  readonly spared: boolean
  /** Whole batches; none: not now. */
  readonly bytes: Uint8Array
}

function encodeAnswer({ tombstonesRemovedBelow, spared, bytes }: Answer): Uint8Array {
  const writer = new Writer(16)
  writer.int64(tombstonesRemovedBelow)
  writer.int8(spared ? 1 : 0)
  return Buffer.concat([...writer.finish(), bytes])
}

/** Throws ProtocolError. */
function decodeAnswer(answer: Uint8Array): Answer {
  const reader = new Reader(answer)
  const tombstonesRemovedBelow = asOffset(reader.int64())
  const spared = reader.int8() === 1
  return { tombstonesRemovedBelow, spared, bytes: reader.rest() }
}

/** Throws ProtocolError. */
function decodeRange(body: Uint8Array): Range {
  const reader = new Reader(body)
  const group = readGroupId(reader)
  const from = asOffset(reader.int64())
  const to = asOffset(reader.int64())
  if (from < 0 || to <= from || reader.remaining > 0) reader.fail(`a range from ${from} to ${to}`)
  return { group, from, to }
}

const NOTHING = new Uint8Array(0)
