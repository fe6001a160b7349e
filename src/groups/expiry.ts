// Which committed offsets have outlived their group (KIP-211; Kafka's OffsetMetadataManager and ClassicGroup).

import type { ClassicGroup } from './classic-group.ts'
import { CONSUMER_PROTOCOL_TYPE } from './classic-group.ts'
import type { CommittedOffset } from './committed-offsets.ts'

/**
 * Since when the offset is unused, in milliseconds since 1970; undefined while it may be in use: the group has members that
 * subscribe to the topic, or whose subscription is not known.
 */
export function unusedSinceMs(
  group: ClassicGroup,
  { topic, entry }: CommittedOffset,
): number | undefined {
  if (group.protocolType === null) return entry.commitTimestampMs
  if (group.is('Empty')) {
    return group.stateTimestampMs === -1 ? entry.commitTimestampMs : group.stateTimestampMs
  }
  const known = group.protocolType === CONSUMER_PROTOCOL_TYPE && group.knowsSubscription
  if (!known || !group.is('Stable') || group.isSubscribedTo(topic)) return undefined
  return entry.commitTimestampMs
}

export function isExpired(
  group: ClassicGroup,
  offset: CommittedOffset,
  { nowMs, retentionMs }: { readonly nowMs: number; readonly retentionMs: number },
): boolean {
  const sinceMs = unusedSinceMs(group, offset)
  if (sinceMs === undefined) return false
  const { expireTimestampMs } = offset.entry
  return expireTimestampMs === -1 ? nowMs - sinceMs >= retentionMs : nowMs >= expireTimestampMs
}
