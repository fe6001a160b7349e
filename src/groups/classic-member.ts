// A member of a classic group, as its coordinator knows it.

import type { Timer } from '../env/env.ts'
import type { JoinGroupResponse, SyncGroupResponse } from './group-api.ts'

export interface GroupProtocol {
  readonly name: string
  /** In the consumer protocol: the subscription. */
  readonly metadata: Uint8Array
}

export const NO_BYTES = new Uint8Array(0)

export interface MemberOptions {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly rebalanceTimeoutMs: number
  readonly sessionTimeoutMs: number
  readonly protocolType: string
  readonly protocols: readonly GroupProtocol[]
  readonly assignment?: Uint8Array
}

export class ClassicMember {
  readonly memberId: string
  /** Not null: a static member (KIP-345). */
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly protocolType: string
  rebalanceTimeoutMs: number
  sessionTimeoutMs: number
  /** In the member's order of preference. */
  protocols: readonly GroupProtocol[]
  assignment: Uint8Array
  /** Answers the JoinGroup that waits for the next generation. Owned by the group, which counts them. */
  awaitingJoin: ((response: JoinGroupResponse) => void) | undefined
  /** Answers the SyncGroup that waits for the leader's assignment. */
  awaitingSync: ((response: SyncGroupResponse) => void) | undefined
  /** Has not completed a join yet: it is dropped after a fixed time, even while its join waits. */
  isNew = false
  /** When its session ends, on the monotonic clock. */
  expiresAtMs = Infinity
  /** Fires at `expiryAtMs` or earlier; a heartbeat only moves `expiresAtMs`, and the timer follows when it fires. */
  expiry: Timer | undefined
  expiryAtMs = Infinity

  constructor(options: MemberOptions) {
    this.memberId = options.memberId
    this.groupInstanceId = options.groupInstanceId
    this.clientId = options.clientId
    this.clientHost = options.clientHost
    this.rebalanceTimeoutMs = options.rebalanceTimeoutMs
    this.sessionTimeoutMs = options.sessionTimeoutMs
    this.protocolType = options.protocolType
    this.protocols = options.protocols
    this.assignment = options.assignment ?? NO_BYTES
  }

  /** A member whose request waits here is alive as long as its connection is. */
  get waits(): boolean {
    return !this.isNew && (this.awaitingJoin !== undefined || this.awaitingSync !== undefined)
  }

  metadata(protocolName: string | null): Uint8Array {
    return this.protocols.find(({ name }) => name === protocolName)?.metadata ?? NO_BYTES
  }

  /** Whether a further JoinGroup says nothing new. */
  matches(protocols: readonly GroupProtocol[]): boolean {
    return (
      protocols.length === this.protocols.length &&
      protocols.every(({ name, metadata }, i) => {
        const own = this.protocols[i]
        return own?.name === name && Buffer.compare(own.metadata, metadata) === 0
      })
    )
  }

  /** The first of the member's protocols that everyone supports. */
  vote(candidates: ReadonlySet<string>): string | undefined {
    return this.protocols.find(({ name }) => candidates.has(name))?.name
  }
}
