// The records of `__consumer_offsets`, byte for byte Kafka's: committed offsets and classic groups. The key's first int16
// tells which; a record without a value is a tombstone. Kinds that are not known here (written for other group protocols)
// are passed over, as Kafka does.

import {
  decodeVersioned,
  encodeVersioned,
  type InputOf,
  type ValueOf,
} from '../protocol/message.ts'
import { groupMetadataKey, groupMetadataValue } from '../protocol/persisted/group-metadata.ts'
import { offsetCommitKey, offsetCommitValue } from '../protocol/persisted/offset-commit.ts'
import { ZERO_UUID } from '../protocol/schema.ts'

/** A committed offset. */
export interface OffsetEntry {
  readonly offset: number
  /** -1 where the client gave none. */
  readonly leaderEpoch: number
  readonly metadata: string
  readonly commitTimestampMs: number
  /** -1: expires with its group. */
  readonly expireTimestampMs: number
  /** Of the topic when it was committed: one of the same name may come after it. 16 zero bytes as text where not known. */
  readonly topicId: string
}

export type GroupMetadata = ValueOf<typeof groupMetadataValue>

export interface OffsetRecord {
  readonly type: 'offset'
  readonly group: string
  readonly topic: string
  readonly partition: number
  /** Null: deleted. */
  readonly entry: OffsetEntry | null
}

export interface GroupMetadataRecord {
  readonly type: 'group'
  readonly group: string
  /** Null: deleted. */
  readonly metadata: GroupMetadata | null
}

export type GroupRecord = OffsetRecord | GroupMetadataRecord | { readonly type: 'other' }

/** Undefined where it is not known. */
export function topicIdOf(entry: OffsetEntry | undefined): string | undefined {
  return entry === undefined || entry.topicId === ZERO_UUID ? undefined : entry.topicId
}

const OFFSET_KEY_VERSION = 1
const OFFSET_VALUE_VERSION = 4
/** Kafka's choice where there is no topic id. */
const NAMED_OFFSET_VALUE_VERSION = 3
/** The only version that carries an expiry of its own. */
const EXPIRING_OFFSET_VALUE_VERSION = 1
const GROUP_KEY_VERSION = 2
const GROUP_VALUE_VERSION = 3

export interface KeyValue {
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}

export function encodeGroupRecord(record: OffsetRecord | GroupMetadataRecord): KeyValue {
  if (record.type === 'offset') {
    const { group, topic, partition, entry } = record
    return {
      key: encodeVersioned(offsetCommitKey, OFFSET_KEY_VERSION, { group, topic, partition }),
      value: entry === null ? null : encodeOffset(entry),
    }
  }
  const { group, metadata } = record
  return {
    key: encodeVersioned(groupMetadataKey, GROUP_KEY_VERSION, { group }),
    value:
      metadata === null ? null : encodeVersioned(groupMetadataValue, GROUP_VALUE_VERSION, metadata),
  }
}

function encodeOffset(entry: OffsetEntry): Uint8Array {
  const { offset, leaderEpoch, metadata, commitTimestampMs, expireTimestampMs, topicId } = entry
  const value: InputOf<typeof offsetCommitValue> = {
    offset,
    leaderEpoch,
    metadata,
    commitTimestamp: commitTimestampMs,
    expireTimestamp: expireTimestampMs,
    topicId,
  }
  return encodeVersioned(offsetCommitValue, versionOf(entry), value)
}

function versionOf({ expireTimestampMs, topicId }: OffsetEntry): number {
  if (expireTimestampMs !== -1) return EXPIRING_OFFSET_VALUE_VERSION
  return topicId === ZERO_UUID ? NAMED_OFFSET_VALUE_VERSION : OFFSET_VALUE_VERSION
}

/** Throws ProtocolError on a malformed record. Nothing of the result shares memory with the input. */
export function decodeGroupRecord({
  key,
  value,
}: {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
}): GroupRecord {
  if (key === null || key.length < 2) return { type: 'other' }
  const kind = (key[0]! << 8) | key[1]!
  if (kind <= OFFSET_KEY_VERSION) {
    const { group, topic, partition } = decodeVersioned(offsetCommitKey, key).value
    const entry = value === null ? null : decodeOffset(value)
    return { type: 'offset', group, topic, partition, entry }
  }
  if (kind !== GROUP_KEY_VERSION) return { type: 'other' }
  const { group } = decodeVersioned(groupMetadataKey, key).value
  return { type: 'group', group, metadata: value === null ? null : decodeMetadata(value) }
}

function decodeOffset(value: Uint8Array): OffsetEntry {
  const read = decodeVersioned(offsetCommitValue, value).value
  return {
    offset: read.offset,
    leaderEpoch: read.leaderEpoch,
    metadata: read.metadata,
    commitTimestampMs: read.commitTimestamp,
    expireTimestampMs: read.expireTimestamp,
    topicId: read.topicId,
  }
}

/** The members' bytes outlive the buffer that they were read from. */
function decodeMetadata(value: Uint8Array): GroupMetadata {
  const read = decodeVersioned(groupMetadataValue, value).value
  const members = read.members.map((member) => ({
    ...member,
    subscription: member.subscription.slice(),
    assignment: member.assignment.slice(),
  }))
  return { ...read, members }
}
