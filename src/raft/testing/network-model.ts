// The network between the replicas of a test. A connection that breaks may lose what is on its way, or deliver it late;
// otherwise messages may be reordered and delivered twice, but not lost: each side learns of a broken connection, as it
// would of a broken TCP connection. What a process sent before its last start is not delivered to who knows the new one.

import type { NodeId } from '../../base/brand.ts'
import type { Message } from '../messages.ts'
import type { TestBatch } from './disk-model.ts'

export interface Envelope {
  readonly from: NodeId
  readonly to: NodeId
  readonly message: Message<TestBatch>
  readonly fromBoot: number
  readonly toBoot: number
  /** The connection it was sent on. */
  readonly session: number
}

interface Link {
  /** Undefined: broken. */
  session: number | undefined
  /** The session that each side has been told to be up. */
  readonly known: Map<NodeId, number>
}

export class NetworkModel {
  readonly #links = new Map<string, Link>()
  #sessions = 0
  inFlight: Envelope[] = []

  #link(a: NodeId, b: NodeId): Link {
    const key = a < b ? `${a}-${b}` : `${b}-${a}`
    let link = this.#links.get(key)
    if (link === undefined) {
      link = { session: undefined, known: new Map() }
      this.#links.set(key, link)
    }
    return link
  }

  connected(a: NodeId, b: NodeId): boolean {
    return this.#link(a, b).session !== undefined
  }

  connect(a: NodeId, b: NodeId): void {
    const link = this.#link(a, b)
    link.session ??= ++this.#sessions
  }

  /** `lost`: which of what is on its way. */
  cut(a: NodeId, b: NodeId, lost: (envelope: Envelope) => boolean): void {
    this.#link(a, b).session = undefined
    this.inFlight = this.inFlight.filter((envelope) => {
      const here =
        (envelope.from === a && envelope.to === b) || (envelope.from === b && envelope.to === a)
      return !here || !lost(envelope)
    })
  }

  /** What the node has not been told yet of its connection to the peer. */
  news(node: NodeId, peer: NodeId): 'peer-up' | 'peer-down' | undefined {
    const { session, known } = this.#link(node, peer)
    const told = known.get(node)
    if (told !== undefined && told !== session) return 'peer-down'
    return told === undefined && session !== undefined ? 'peer-up' : undefined
  }

  /** A process that starts has been told nothing. */
  forget(node: NodeId, peer: NodeId): void {
    this.#link(node, peer).known.delete(node)
  }

  tell(node: NodeId, peer: NodeId): 'peer-up' | 'peer-down' | undefined {
    const link = this.#link(node, peer)
    const news = this.news(node, peer)
    if (news === 'peer-down') link.known.delete(node)
    if (news === 'peer-up') link.known.set(node, link.session!)
    return news
  }

  knowsUp(node: NodeId, peer: NodeId): boolean {
    return this.#link(node, peer).known.has(node)
  }

  /** The session to send on; undefined: it would be lost. */
  sessionFrom(node: NodeId, peer: NodeId): number | undefined {
    const { session, known } = this.#link(node, peer)
    const told = known.get(node)
    return told === undefined || told === session ? session : undefined
  }

  /** Whether the receiver must be told first that an older connection is down. */
  outdated(node: NodeId, { from, session }: Envelope): boolean {
    const told = this.#link(node, from).known.get(node)
    return told !== undefined && told < session
  }

  /** Sent by a process whose successor the receiver knows already. */
  superseded(node: NodeId, { from, session }: Envelope): boolean {
    const told = this.#link(node, from).known.get(node)
    return told !== undefined && told > session
  }
}
