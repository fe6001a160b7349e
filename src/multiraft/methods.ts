// The methods of calls between nodes. Numbers on the wire: never changed, never used again.

export const CallMethod = {
  /** A command for the node that leads the metadata log (`controller/call-codec.ts`). */
  CONTROLLER: 1,
  /** Bytes for a damaged replica (`healing.ts`). */
  FETCH_RANGE: 2,
  /** To the node that leads a group: hand it over (`leader-transfers.ts`). */
  TRANSFER: 3,
  /** To the node that leads a group: how far its voters are (`quorum.ts`). */
  QUORUM: 4,
  /** To the node that leads a group: the caller's replica lost its snapshot (`healing.ts`). */
  SNAPSHOT: 5,
} as const
