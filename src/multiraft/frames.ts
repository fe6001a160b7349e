// What kinds of frames travel between nodes; the first byte of each says which. Numbers on the wire: never used again.

export const FrameKind = {
  /** Heartbeats, claims, read rounds (`liveness/`). */
  LIVENESS: 1,
  /** A message of one Raft group (`group-codec.ts`). */
  GROUP: 2,
  /** A replica that was asked for before it was here is here now. */
  GROUP_HERE: 3,
  /** A call between nodes and its answer (`calls.ts`). */
  CALL: 4,
  ANSWER: 5,
  /** A cluster that is forming (`formation.ts`). */
  FORMATION: 6,
  /** Which followers lag in the groups that the sender leads (`in-sync.ts`). */
  LAGGING: 7,
} as const
