// Which replicas are in sync. The leader of a group knows: a follower that has, within `replica.lag.time.max.ms`, held all that
// the leader held (Kafka's `Replica.maybeUpdateFetchState` judges alike). Leaders tell the other nodes of followers that are
// reachable and lag, so that every node can answer for every partition; who can't be reached is out of sync at once.

import { asNodeId, type LogId, type NodeId } from '../base/brand.ts'
import { comparePositions, type Position } from '../base/position.ts'
import type { Reader } from '../protocol/reader.ts'
import type { Writer } from '../protocol/writer.ts'
import { readGroupId } from './group-id.ts'

/** After an election nothing is known of followers; for so long those that can be reached count. */
const GRACE_MS = 1_000

interface Lag {
  caughtUpMs: number
  /** The leader's end when the follower last said something, and when that was. */
  seenEnd: Position
  seenMs: number
}

/** A leader's followers, in one epoch. */
export class FollowerLags {
  readonly #sinceMs: number
  readonly #lags = new Map<NodeId, Lag>()

  constructor(nowMs: number) {
    this.#sinceMs = nowMs
  }

  acknowledged(node: NodeId, durable: Position, end: Position, nowMs: number): void {
    const lag = this.#lags.get(node)
    if (lag === undefined) {
      const caughtUpMs = comparePositions(durable, end) >= 0 ? nowMs : -Infinity
      this.#lags.set(node, { caughtUpMs, seenEnd: end, seenMs: nowMs })
      return
    }
    if (comparePositions(durable, end) >= 0) lag.caughtUpMs = nowMs
    else if (comparePositions(durable, lag.seenEnd) >= 0) lag.caughtUpMs = lag.seenMs
    lag.seenEnd = end
    lag.seenMs = nowMs
  }

  /** When it last held everything; undefined: not in this epoch, or not since it could not be reached. */
  caughtUpMs(node: NodeId): number | undefined {
    const caughtUpMs = this.#lags.get(node)?.caughtUpMs
    return caughtUpMs === -Infinity ? undefined : caughtUpMs
  }

  /** It can't be reached: what it held says nothing about when it is back. */
  down(node: NodeId): void {
    this.#lags.delete(node)
  }

  /** `caughtUp`: it holds everything now. */
  inSync(node: NodeId, options: { caughtUp: boolean; nowMs: number; lagMsMax: number }): boolean {
    if (options.caughtUp) return true
    if (options.nowMs - this.#sinceMs <= GRACE_MS) return true
    const caughtUpMs = this.#lags.get(node)?.caughtUpMs ?? -Infinity
    return options.nowMs - caughtUpMs <= options.lagMsMax
  }
}

export type LaggingByGroup = ReadonlyMap<LogId, readonly NodeId[]>

export function sameLagging(a: LaggingByGroup, b: LaggingByGroup): boolean {
  if (a.size !== b.size) return false
  for (const [group, nodes] of a) if (b.get(group)?.join() !== nodes.join()) return false
  return true
}

/** u32 count, then for each group its id, u8 count and the lagging nodes. */
export function encodeLagging(writer: Writer, lagging: LaggingByGroup): void {
  writer.uint32(lagging.size)
  for (const [group, nodes] of lagging) {
    writer.string(group, false)
    writer.uint16(nodes.length)
    for (const node of nodes) writer.int32(node)
  }
}

/** Throws ProtocolError. */
export function decodeLagging(reader: Reader): LaggingByGroup {
  const count = reader.uint32()
  reader.claimElements(count, 5)
  const lagging = new Map<LogId, readonly NodeId[]>()
  for (let i = 0; i < count; i++) {
    const group = readGroupId(reader)
    const nodes = reader.uint16()
    reader.claimElements(nodes, 4)
    lagging.set(
      group,
      Array.from({ length: nodes }, () => asNodeId(reader.int32())),
    )
  }
  if (reader.remaining > 0) reader.fail(`${reader.remaining} bytes too many`)
  return lagging
}
