// How the messages of one group travel between nodes: our own format, big-endian. The record batches of an append come last
// and are neither copied nor looked into when they are sent.
//
//   u8 kind, u16 + bytes: group id, i32 term, then the fields of the kind
//
// Decoding is strict: what does not fit throws ProtocolError, and the connection ends.

import { asLeaderEpoch, asOffset, type LogId, type Offset } from '../base/brand.ts'
import type { EpochStart } from '../base/epoch-table.ts'
import type { Position } from '../base/position.ts'
import type { Reader } from '../protocol/reader.ts'
import type { Writer } from '../protocol/writer.ts'
import type { BatchRef, Message, SnapshotPart } from '../raft/messages.ts'
import { summarizeBatch, wholeBatchBytesAt, type BatchSummary } from '../records/batch-header.ts'
import { readGroupId } from './group-id.ts'

/** One batch inside the bytes of a message. */
export interface WireBatch extends BatchRef {
  readonly at: number
  readonly summary: BatchSummary
}

export interface GroupMessage {
  readonly group: LogId
  readonly message: Message<WireBatch>
  /** Of an append: the bytes that its batches lie in. Of an install: its piece of a snapshot. */
  readonly bytes: Uint8Array
}

/** Numbers on the wire: never changed, never used again. 10 was an install without a snapshot. */
const KINDS = {
  'pre-vote': 1,
  'pre-vote-reply': 2,
  vote: 3,
  'vote-grant': 4,
  'vote-refusal': 5,
  append: 6,
  ack: 7,
  mismatch: 8,
  deferred: 9,
  install: 14,
  clear: 11,
  'timeout-now': 12,
  'higher-term': 13,
} as const satisfies { readonly [K in Message['kind']]: number }

const KIND_OF: ReadonlyMap<number, Message['kind']> = new Map<number, Message['kind']>(
  Object.entries(KINDS).map(([kind, id]) => [id, kind as Message['kind']]),
)

const EPOCH_START_BYTES = 12
/** A follower gathers a snapshot in memory. */
export const SNAPSHOT_BYTES_MAX = 128 * 1024 * 1024

/** `bytes`: an append's batches, in place of `message.batches`; an install's piece of a snapshot. */
export function encodeGroupMessage(
  writer: Writer,
  group: LogId,
  message: Message,
  bytes: readonly Uint8Array[] = [],
): void {
  writer.int8(KINDS[message.kind])
  writer.string(group, false)
  writer.int32(message.term)
  switch (message.kind) {
    case 'pre-vote':
      putPosition(writer, message.end)
      break
    case 'vote':
      putPosition(writer, message.end)
      writer.uint32(message.candidacy)
      break
    case 'pre-vote-reply':
      writer.int32(message.forTerm)
      writer.int8(message.granted ? 1 : 0)
      break
    case 'vote-grant':
      writer.int64(message.logStart)
      writer.uint32(message.candidacy)
      break
    case 'append':
      putPosition(writer, message.prev)
      putPosition(writer, message.commit)
      writer.int64(message.logStart)
      writer.int8(message.probe ? 1 : 0)
      writer.uint32(message.round)
      putStarts(writer, message.starts)
      for (const chunk of bytes) writer.reference(chunk)
      break
    case 'ack':
      putPosition(writer, message.durable)
      putPosition(writer, message.accepted)
      writer.int64(message.logStart)
      writer.uint32(message.round)
      writer.int8(message.suspect ? 1 : 0)
      writer.int64(message.begunBelow)
      break
    case 'mismatch':
      putPosition(writer, message.prev)
      putPosition(writer, message.end)
      writer.int64(message.logStart)
      putStarts(writer, message.epochs)
      break
    case 'install':
      writer.int64(message.logStart)
      putPosition(writer, message.keep)
      writer.int64(message.tombstonesRemovedBelow)
      putStarts(writer, message.epochs)
      putSnapshotPart(writer, message.snapshot)
      for (const chunk of bytes) writer.reference(chunk)
      break
    case 'clear':
      putPosition(writer, message.at)
      break
    case 'vote-refusal':
    case 'deferred':
    case 'timeout-now':
    case 'higher-term':
      break
  }
}

/** Throws ProtocolError. `batchBytesMax` bounds nothing here: the frame was bounded before. */
export function decodeGroupMessage(reader: Reader): GroupMessage {
  const id = reader.uint8()
  const kind = KIND_OF.get(id)
  if (kind === undefined) return reader.fail(`message of kind ${id}`)
  const group = readGroupId(reader)
  const term = asLeaderEpoch(reader.int32())
  let bytes: Uint8Array = NO_BYTES
  let message: Message<WireBatch>
  switch (kind) {
    case 'pre-vote':
      message = { kind, term, end: position(reader) }
      break
    case 'vote':
      message = { kind, term, end: position(reader), candidacy: reader.uint32() }
      break
    case 'pre-vote-reply':
      message = { kind, term, forTerm: asLeaderEpoch(reader.int32()), granted: flag(reader) }
      break
    case 'vote-grant':
      message = { kind, term, logStart: offset(reader), candidacy: reader.uint32() }
      break
    case 'append': {
      const prev = position(reader)
      const commit = position(reader)
      const logStart = offset(reader)
      const probe = flag(reader)
      const round = reader.uint32()
      const starts = startsOf(reader)
      bytes = reader.rest()
      const batches = batchesOf(reader, bytes)
      message = { kind, term, prev, commit, logStart, probe, round, starts, batches }
      break
    }
    case 'ack':
      message = {
        kind,
        term,
        durable: position(reader),
        accepted: position(reader),
        logStart: offset(reader),
        round: reader.uint32(),
        suspect: flag(reader),
        begunBelow: offset(reader),
      }
      break
    case 'mismatch':
      message = {
        kind,
        term,
        prev: position(reader),
        end: position(reader),
        logStart: offset(reader),
        epochs: startsOf(reader),
      }
      break
    case 'install':
      message = {
        kind,
        term,
        logStart: offset(reader),
        keep: position(reader),
        tombstonesRemovedBelow: offset(reader),
        epochs: startsOf(reader),
        snapshot: snapshotPartOf(reader),
      }
      if (message.snapshot !== undefined) bytes = pieceOf(reader, message.snapshot)
      break
    case 'clear':
      message = { kind, term, at: position(reader) }
      break
    case 'vote-refusal':
    case 'deferred':
    case 'timeout-now':
    case 'higher-term':
      message = { kind, term }
      break
  }
  if (reader.remaining > 0) reader.fail(`${reader.remaining} bytes too many`)
  return { group, message, bytes }
}

function batchesOf(reader: Reader, bytes: Uint8Array): WireBatch[] {
  const batches: WireBatch[] = []
  let at = 0
  let next = -1
  while (at < bytes.length) {
    const length = wholeBatchBytesAt(bytes, at)
    if (length === undefined) return reader.fail(`no whole batch at byte ${at}`)
    const summary = summarizeBatch(bytes, at)
    const { baseOffset, lastOffset } = summary
    if (!Number.isSafeInteger(baseOffset) || baseOffset < next || lastOffset < baseOffset) {
      return reader.fail(`batch at offset ${baseOffset} after ${next}`)
    }
    next = lastOffset + 1
    batches.push({ baseOffset, nextOffset: asOffset(next), at, summary })
    at += length
  }
  return batches
}

function putSnapshotPart(writer: Writer, part: SnapshotPart | undefined): void {
  writer.int8(part === undefined ? 0 : 1)
  if (part === undefined) return
  putPosition(writer, part.at)
  writer.uint32(part.totalBytes)
  writer.uint32(part.from)
}

function snapshotPartOf(reader: Reader): SnapshotPart | undefined {
  if (!flag(reader)) return undefined
  const at = position(reader)
  const totalBytes = reader.uint32()
  const from = reader.uint32()
  if (totalBytes > SNAPSHOT_BYTES_MAX) reader.fail(`a snapshot of ${totalBytes} bytes`)
  return { at, totalBytes, from }
}

function pieceOf(reader: Reader, { from, totalBytes }: SnapshotPart): Uint8Array {
  const bytes = reader.rest()
  const to = from + bytes.length
  // None is empty, but that of an empty snapshot.
  if (to > totalBytes || (bytes.length === 0 && totalBytes > 0)) {
    reader.fail(`bytes ${from} … ${to} of a snapshot of ${totalBytes}`)
  }
  return bytes
}

function putPosition(writer: Writer, { epoch, offset: at }: Position): void {
  writer.int32(epoch)
  writer.int64(at)
}

function position(reader: Reader): Position {
  const epoch = reader.int32()
  if (epoch < -1) reader.fail(`epoch ${epoch}`)
  return { epoch: asLeaderEpoch(epoch), offset: offset(reader) }
}

function offset(reader: Reader): Offset {
  const value = reader.int64()
  if (value < 0) reader.fail(`offset ${value}`)
  return asOffset(value)
}

function putStarts(writer: Writer, starts: readonly EpochStart[]): void {
  writer.uint32(starts.length)
  for (const { epoch, start } of starts) {
    writer.int32(epoch)
    writer.int64(start)
  }
}

function startsOf(reader: Reader): EpochStart[] {
  const count = reader.uint32()
  reader.claimElements(count, EPOCH_START_BYTES)
  const starts: EpochStart[] = []
  for (let i = 0; i < count; i++) {
    const { epoch, offset: start } = position(reader)
    const last = starts.at(-1)
    if (last !== undefined && (epoch <= last.epoch || start < last.start)) {
      reader.fail(`epoch start (${epoch}, ${start}) after (${last.epoch}, ${last.start})`)
    }
    starts.push({ epoch, start })
  }
  return starts
}

function flag(reader: Reader): boolean {
  const value = reader.uint8()
  if (value > 1) reader.fail(`flag ${value}`)
  return value === 1
}

const NO_BYTES = new Uint8Array(0)
