// A follower's side of an install that brings a snapshot (law R10): gathers the pieces, which come in order on one lane, and
// makes the whole durable before anything of the install counts, and so before anything above is acknowledged.

import type { LeaderEpoch, NodeId } from '../base/brand.ts'
import { comparePositions } from '../base/position.ts'
import type { InstallRequest } from '../raft/messages.ts'
import type { StoredLog } from '../storage/store.ts'
import type { GroupNode } from './group-node.ts'

interface Gathering {
  readonly from: NodeId
  readonly head: InstallRequest
  readonly pieces: Uint8Array[]
  bytes: number
}

export interface IncomingInstallOptions {
  readonly node: Pick<GroupNode, 'failed'>
  readonly stored: StoredLog
  /** The snapshot is durable: the install may be carried out. */
  readonly install: (from: NodeId, message: InstallRequest) => void
  /** It could not be made durable now. */
  readonly refuse: (from: NodeId, term: LeaderEpoch) => void
}

export class IncomingInstall {
  readonly #options: IncomingInstallOptions
  #gathering: Gathering | undefined

  constructor(options: IncomingInstallOptions) {
    this.#options = options
  }

  receive(from: NodeId, message: InstallRequest, piece: Uint8Array): void {
    const { node, stored, install, refuse } = this.#options
    const whole = this.#take(from, message, piece)
    if (message.snapshot === undefined || whole === undefined) return
    const adopted = stored.snapshots.adopt(message.snapshot.at, whole).then((durable) => {
      if (durable) install(from, message)
      else refuse(from, message.term)
    })
    adopted.catch((error: unknown) => node.failed(`the snapshot of ${stored.id}`, error))
  }

  /** The whole snapshot, with its last piece. Undefined: more is to come, or it continues nothing that is being gathered. */
  #take(from: NodeId, message: InstallRequest, piece: Uint8Array): Uint8Array | undefined {
    const part = message.snapshot
    if (part === undefined) return undefined
    if (part.from === 0) this.#gathering = { from, head: message, pieces: [], bytes: 0 }
    const gathering = this.#gathering
    if (gathering === undefined || !continues(gathering, from, message)) {
      this.#gathering = undefined
      return undefined
    }
    // The frame's buffer is used again.
    gathering.pieces.push(piece.slice())
    gathering.bytes += piece.length
    if (gathering.bytes < part.totalBytes) return undefined
    this.#gathering = undefined
    return Buffer.concat(gathering.pieces)
  }

  /** The connection to the leader has ended, and what was to come is lost. */
  forget(from: NodeId): void {
    if (this.#gathering?.from === from) this.#gathering = undefined
  }
}

function continues(
  { from, head, bytes }: Gathering,
  node: NodeId,
  message: InstallRequest,
): boolean {
  const [one, other] = [head.snapshot, message.snapshot]
  return (
    from === node &&
    head.term === message.term &&
    head.logStart === message.logStart &&
    one !== undefined &&
    other !== undefined &&
    comparePositions(one.at, other.at) === 0 &&
    one.totalBytes === other.totalBytes &&
    other.from === bytes
  )
}
