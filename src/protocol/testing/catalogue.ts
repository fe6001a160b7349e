// Every message that the codec has, so that one test goes through them all.

import { APIS } from '../apis.ts'
import type { Message } from '../message.ts'
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
} from '../persisted/consumer-protocol.ts'
import { groupMetadataKey, groupMetadataValue } from '../persisted/group-metadata.ts'
import { offsetCommitKey, offsetCommitValue } from '../persisted/offset-commit.ts'

export const MESSAGES: readonly Message<unknown, unknown>[] = [
  ...Object.values(APIS).flatMap((api): Message<unknown, unknown>[] => [api.request, api.response]),
  consumerProtocolAssignment,
  consumerProtocolSubscription,
  groupMetadataKey,
  groupMetadataValue,
  offsetCommitKey,
  offsetCommitValue,
]

export function versionsOf(message: Message<unknown, unknown>): readonly number[] {
  const count = message.maxVersion - message.minVersion + 1
  return Array.from({ length: count }, (_, i) => message.minVersion + i)
}
