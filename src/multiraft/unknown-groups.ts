// Groups that peers spoke of before they were created here. A sender is told to wait, and told again once the group is here, so
// that it need not try in between.

import type { LeaderEpoch, LogId, NodeId } from '../base/brand.ts'
import { Writer } from '../protocol/writer.ts'
import { FrameKind } from './frames.ts'
import { encodeGroupMessage } from './group-codec.ts'

const WANTED_MAX = 20_000

export class UnknownGroups {
  readonly #send: (to: NodeId, frame: readonly Uint8Array[]) => void
  /** Who asked for a group that is not here. */
  readonly #wanted = new Map<LogId, Set<NodeId>>()

  constructor(send: (to: NodeId, frame: readonly Uint8Array[]) => void) {
    this.#send = send
  }

  /** A message of a group that is not here. */
  onMessage(from: NodeId, group: LogId, message: { kind: string; term: LeaderEpoch }): void {
    const { kind, term } = message
    if (kind !== 'append' && kind !== 'install' && kind !== 'pre-vote') return
    let wanting = this.#wanted.get(group)
    if (wanting === undefined) {
      if (this.#wanted.size >= WANTED_MAX) return
      wanting = new Set()
      this.#wanted.set(group, wanting)
    }
    wanting.add(from)
    if (kind === 'pre-vote') return
    const writer = new Writer(160)
    writer.int8(FrameKind.GROUP)
    encodeGroupMessage(writer, group, { kind: 'deferred', term })
    this.#send(from, writer.finish())
  }

  /** It is here now. */
  opened(group: LogId): void {
    const wanting = this.#wanted.get(group)
    this.#wanted.delete(group)
    for (const node of wanting ?? []) {
      const writer = new Writer(64)
      writer.int8(FrameKind.GROUP_HERE)
      writer.string(group, false)
      this.#send(node, writer.finish())
    }
  }
}
