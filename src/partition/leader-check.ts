// Whether this replica may answer a client's request for the partition. Order as Kafka's `Partition.getLocalLog`: first the
// epoch the client believes in (KIP-320), then leadership.

import { ErrorCode } from '../protocol/error-codes.ts'
import type { Role } from '../replicated/replicated-log.ts'

/** `currentLeaderEpoch` is -1 where the client names none. */
export function checkLeader(role: Role, currentLeaderEpoch: number): ErrorCode {
  if (currentLeaderEpoch >= 0 && currentLeaderEpoch !== role.epoch) {
    return currentLeaderEpoch < role.epoch
      ? ErrorCode.FENCED_LEADER_EPOCH
      : ErrorCode.UNKNOWN_LEADER_EPOCH
  }
  return role.kind === 'leader' ? ErrorCode.NONE : ErrorCode.NOT_LEADER_OR_FOLLOWER
}
