// The times that the core waits for, all in milliseconds. The driver may change what they return as it measures.

export interface RaftTiming {
  /** Between candidates: a little over two journal commits and a round trip (architecture, "Liveness belongs to nodes"). */
  readonly rankStepMs: number
  /** Before an election that got nowhere is tried again. */
  readonly retryMs: number
  /** How long a leader that made itself known may take to claim the group (law R8). */
  readonly claimMs: number
  /** A leader without a quorum steps down after it. */
  readonly quorumMs: number
  /** Before a follower that deferred is asked again. */
  readonly deferMs: number
  /** A transfer that has not happened by then is called off. */
  readonly transferMs: number
}
