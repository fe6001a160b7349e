// Segments, indexes, journal files, checkpoints and snapshots in words, for people who look for what went wrong. Pure
// functions of the bytes: nothing is opened or repaired, and damage is a line like any other.

import { crc32c } from '../base/crc32c.ts'
import type { EpochStart } from '../base/epoch-table.ts'
import {
  ATTRIBUTES_AT,
  attributesAt,
  baseOffsetAt,
  baseSequenceAt,
  BATCH_HEADER_BYTES,
  batchBytesAt,
  crcAt,
  int32At,
  int64At,
  lastOffsetAt,
  leaderEpochAt,
  MAGIC_V2,
  magicAt,
  maxTimestampAt,
  producerEpochAt,
  producerIdAt,
  recordCountAt,
} from '../records/batch-header.ts'
import { decodeCheckpoint } from './checkpoint.ts'
import { decodeSlotHead, FRAME_MAGIC, SLOT_HEAD_BYTES } from './journal-frame.ts'
import { readFrameAt, type ReadRecord } from './journal-reader.ts'
import type { LogState } from './log-state.ts'
import { OFFSET_ENTRY_BYTES, TIME_ENTRY_BYTES } from './segment-index.ts'

/** One line per batch of a `.log` file, and one for the first bytes that are no batch. */
export function* dumpSegment(bytes: Uint8Array): Generator<string> {
  let at = 0
  while (at + BATCH_HEADER_BYTES <= bytes.length) {
    const size = batchBytesAt(bytes, at)
    if (magicAt(bytes, at) !== MAGIC_V2 || size < BATCH_HEADER_BYTES || at + size > bytes.length)
      break
    const valid = crc32c(bytes.subarray(at + ATTRIBUTES_AT, at + size)) === crcAt(bytes, at)
    yield [
      `position ${at}`,
      `offsets ${baseOffsetAt(bytes, at)}..${lastOffsetAt(bytes, at)}`,
      `epoch ${leaderEpochAt(bytes, at)}`,
      `records ${recordCountAt(bytes, at)}`,
      `bytes ${size}`,
      `max timestamp ${maxTimestampAt(bytes, at)}`,
      `producer ${producerIdAt(bytes, at)}/${producerEpochAt(bytes, at)}`,
      `sequence ${baseSequenceAt(bytes, at)}`,
      `attributes 0x${attributesAt(bytes, at).toString(16)}`,
      `crc ${hex(crcAt(bytes, at))} ${valid ? 'ok' : 'WRONG'}`,
    ].join('  ')
    at += size
  }
  if (at < bytes.length) yield `position ${at}  ${bytes.length - at} bytes that are no whole batch`
}

/** One line per entry of an `.index` file; `baseOffset` is that of the segment. */
export function* dumpOffsetIndex(bytes: Uint8Array, baseOffset: number): Generator<string> {
  for (let at = 0; at + OFFSET_ENTRY_BYTES <= bytes.length; at += OFFSET_ENTRY_BYTES) {
    yield `offset ${baseOffset + int32At(bytes, at)}  position ${int32At(bytes, at + 4)}`
  }
}

/** One line per entry of a `.timeindex` file. */
export function* dumpTimeIndex(bytes: Uint8Array, baseOffset: number): Generator<string> {
  for (let at = 0; at + TIME_ENTRY_BYTES <= bytes.length; at += TIME_ENTRY_BYTES) {
    yield `timestamp ${int64At(bytes, at)}  offset ${baseOffset + int32At(bytes, at + 8)}`
  }
}

/** The head, then each whole frame with its records, wherever in the file it lies; older ones show up as stale. */
export function* dumpJournalFile(bytes: Uint8Array): Generator<string> {
  const head = decodeSlotHead(bytes)
  if (head === undefined) {
    yield 'no head: a file that was not used yet, or a torn head'
    return
  }
  const { generation, sequence, firstLsn, capacity } = head
  yield [
    `generation ${generation.number}  salt ${hex(generation.salt)}`,
    `sequence ${sequence}  first LSN ${firstLsn}  capacity ${capacity}`,
  ].join('  ')
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const magic = Buffer.alloc(4)
  magic.writeUInt32BE(FRAME_MAGIC)
  let at = SLOT_HEAD_BYTES
  let expected: number | undefined = firstLsn
  while (at >= 0 && at < bytes.length) {
    const found = readFrameAt(bytes, at, sequence)
    if (found === undefined) {
      const next = buffer.indexOf(magic, at + 1)
      if (next >= 0) yield `position ${at}  ${next - at} bytes that are no whole frame`
      expected = undefined
      at = next
      continue
    }
    const { head: frame } = found
    const same =
      frame.generation.number === generation.number && frame.generation.salt === generation.salt
    const stale: boolean = !same || (expected !== undefined && frame.lsn !== expected)
    const size = `records ${frame.records}  data bytes ${frame.dataBytes}`
    yield `position ${at}  LSN ${frame.lsn}  ${size}${stale ? '  STALE' : ''}`
    for (const record of found.frame.records) yield `  ${recordLine(record)}`
    expected = stale ? undefined : frame.lsn + 1
    at = found.frame.nextPosition
  }
}

/** What the node knew at its last checkpoint, log by log. Throws FormatError where `decodeCheckpoint` does. */
export function* dumpCheckpoint(bytes: Uint8Array): Generator<string> {
  const { cursor, state } = decodeCheckpoint(bytes)
  const { generation, nextLsn, sequence, position } = cursor
  const next = `next LSN ${nextLsn}  in file ${sequence} from ${position}`
  yield `generation ${generation.number}  ${next}  next incarnation ${state.nextIncarnation}`
  for (const log of state.logs.values()) yield* dumpLog(log)
}

function* dumpLog(log: LogState): Generator<string> {
  const { term, votedFor, suspect } = log.hardState
  yield [
    `log ${log.id}  folder ${log.directory}  term ${term}  vote ${votedFor ?? 'none'}${suspect ? '  SUSPECT' : ''}`,
    `descriptor of ${log.descriptor.length} bytes  offsets ${log.logStart}..${log.endOffset}`,
  ].join('  ')
  yield `  epochs ${epochsText(log.epochs.entries)}`
  for (const segment of log.segments) {
    const { baseOffset, endOffset, bytes, maxTimestampMs, revision } = segment
    const written = revision === 0 ? '' : `  revision ${revision}`
    yield `  segment ${baseOffset}..${endOffset}  ${bytes} bytes  max timestamp ${maxTimestampMs}${written}`
  }
  for (const piece of log.tail) {
    const { place } = piece.blob
    const where = `file ${place?.sequence} at ${place?.position}`
    yield `  in the journal ${piece.base}..${piece.end}  ${piece.bytes} bytes, ${where}`
  }
}

function recordLine({ record, place }: ReadRecord): string {
  const log = `log ${record.incarnation}`
  switch (record.type) {
    case 'create':
      return `create ${log}  ${record.id} in ${record.directory}`
    case 'drop':
      return `drop ${log}`
    case 'hard-state': {
      const { term, votedFor, suspect } = record.hardState
      return `hard state ${log}  term ${term}  vote ${votedFor ?? 'none'}${suspect ? '  SUSPECT' : ''}`
    }
    case 'epoch-start':
      return `epoch start ${log}  epoch ${record.epoch} at ${record.start}`
    case 'append':
    case 'copy':
      return [
        `${record.type} ${log}  offsets ${record.base}..${record.end}`,
        `bytes ${record.bytes}  at ${place?.position}`,
      ].join('  ')
    case 'extent':
      return [
        `extent ${log}  offsets ${record.base}..${record.end}  epoch ${record.epoch}`,
        `segment ${record.segment} at ${record.position}  bytes ${record.bytes}`,
        `crc ${hex(record.crc)}`,
      ].join('  ')
    case 'truncate':
      return `truncate ${log}  to epoch ${record.epoch}, offset ${record.offset}`
    case 'replace':
      return [
        `replace ${log}  offsets ${record.base}..${record.end}  revision ${record.revision}`,
        `bytes ${record.bytes}  crc ${hex(record.crc)}`,
        `tombstones removed below ${record.tombstonesRemovedBelow}`,
      ].join('  ')
    case 'install':
      return `install ${log}  empty from ${record.logStart}, epochs ${epochsText(record.epochs)}`
    case 'log-start':
      return `log start ${log}  at ${record.offset}`
  }
}

const epochsText = (epochs: readonly EpochStart[]): string =>
  epochs.map(({ epoch, start }) => `${epoch}@${start}`).join(' ')

const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`
