// The journal's records: every change of every log on the node (law R3). A record names the log by its incarnation, so
// that replay skips the dead (law R10). Bytes of batches lie in the frame's data section, one blob after the other in
// record order; the record carries the blob's length and CRC.
//
// Layout of one record (big-endian): type u8, incarnation i64, then the fields in the order of the interfaces below.
// Format version 1; the version stands in the head of each journal file.

import { asLeaderEpoch, asLogId, asNodeId, asOffset } from '../base/brand.ts'
import type { LeaderEpoch, LogId, Offset } from '../base/brand.ts'
import { FormatError, type ByteReader, type ByteWriter } from './byte-io.ts'
import type { HardState, LogConfig } from './store.ts'

export interface CreateRecord {
  readonly type: 'create'
  readonly incarnation: number
  readonly id: LogId
  /** Folder name below `logs/`, with the incarnation in it. */
  readonly directory: string
  readonly config: LogConfig
}

export interface DropRecord {
  readonly type: 'drop'
  readonly incarnation: number
}

export interface HardStateRecord {
  readonly type: 'hard-state'
  readonly incarnation: number
  readonly hardState: HardState
}

/** M(epoch, start), law R1. */
export interface EpochStartRecord {
  readonly type: 'epoch-start'
  readonly incarnation: number
  readonly epoch: LeaderEpoch
  readonly start: Offset
}

/** `append`: whole batches at the log end. `copy`: the same bytes again, so that an older journal file can be recycled. */
export interface BytesRecord {
  readonly type: 'append' | 'copy'
  readonly incarnation: number
  readonly base: Offset
  /** Exclusive. */
  readonly end: Offset
  readonly maxTimestampMs: number
  readonly bytes: number
  readonly crc: number
}

/** The bytes of base … end are in the segment file, synced: new ones at the log end, or a tail that was journaled before. */
export interface ExtentRecord {
  readonly type: 'extent'
  readonly incarnation: number
  /** Of the last byte. */
  readonly epoch: LeaderEpoch
  readonly base: Offset
  readonly end: Offset
  /** Base offset of the segment. */
  readonly segment: Offset
  /** Position in the file; 0 starts the segment. */
  readonly position: number
  readonly bytes: number
  readonly crc: number
  readonly maxTimestampMs: number
  /** Timestamp of the extent's first batch, by which a segment's age is told. */
  readonly firstTimestampMs: number
}

/** Law R1: cut to the position (epoch, offset). */
export interface TruncateRecord {
  readonly type: 'truncate'
  readonly incarnation: number
  readonly epoch: LeaderEpoch
  readonly offset: Offset
  /** Where the offset lies inside a segment file or inside one journaled piece: the bytes of it that stay. Otherwise 0. */
  readonly keptBytes: number
}

export interface LogStartRecord {
  readonly type: 'log-start'
  readonly incarnation: number
  readonly offset: Offset
}

export type JournalRecord =
  | CreateRecord
  | DropRecord
  | HardStateRecord
  | EpochStartRecord
  | BytesRecord
  | ExtentRecord
  | TruncateRecord
  | LogStartRecord

const TYPES: { readonly [K in JournalRecord['type']]: number } = {
  create: 1,
  drop: 2,
  'hard-state': 3,
  'epoch-start': 4,
  append: 5,
  copy: 6,
  extent: 7,
  truncate: 8,
  'log-start': 9,
}

/** Upper bound of a record's encoded size without its id and directory. */
export const RECORD_BYTES_MAX = 128

export function encodeRecord(out: ByteWriter, record: JournalRecord): void {
  out.u8(TYPES[record.type])
  out.i64(record.incarnation)
  switch (record.type) {
    case 'create':
      out.string(record.id)
      out.string(record.directory)
      encodeConfig(out, record.config)
      return
    case 'drop':
      return
    case 'hard-state':
      encodeHardState(out, record.hardState)
      return
    case 'epoch-start':
      out.i32(record.epoch)
      out.i64(record.start)
      return
    case 'append':
    case 'copy':
      out.i64(record.base)
      out.i64(record.end)
      out.i64(record.maxTimestampMs)
      out.u32(record.bytes)
      out.u32(record.crc)
      return
    case 'extent':
      out.i32(record.epoch)
      out.i64(record.base)
      out.i64(record.end)
      out.i64(record.segment)
      out.i64(record.position)
      out.i64(record.bytes)
      out.u32(record.crc)
      out.i64(record.maxTimestampMs)
      out.i64(record.firstTimestampMs)
      return
    case 'truncate':
      out.i32(record.epoch)
      out.i64(record.offset)
      out.i64(record.keptBytes)
      return
    case 'log-start':
      out.i64(record.offset)
  }
}

/** Throws FormatError on anything that `encodeRecord` could not have written. */
export function decodeRecord(input: ByteReader): JournalRecord {
  const type = input.u8()
  const incarnation = input.i64()
  switch (type) {
    case TYPES.create:
      return {
        type: 'create',
        incarnation,
        id: asLogId(input.string()),
        directory: input.string(),
        config: decodeConfig(input),
      }
    case TYPES.drop:
      return { type: 'drop', incarnation }
    case TYPES['hard-state']:
      return { type: 'hard-state', incarnation, hardState: decodeHardState(input) }
    case TYPES['epoch-start']:
      return {
        type: 'epoch-start',
        incarnation,
        epoch: asLeaderEpoch(input.i32()),
        start: asOffset(input.i64()),
      }
    case TYPES.append:
    case TYPES.copy:
      return decodeBytes(input, type === TYPES.append ? 'append' : 'copy', incarnation)
    case TYPES.extent:
      return decodeExtent(input, incarnation)
    case TYPES.truncate:
      return {
        type: 'truncate',
        incarnation,
        epoch: asLeaderEpoch(input.i32()),
        offset: asOffset(input.i64()),
        keptBytes: input.i64(),
      }
    case TYPES['log-start']:
      return { type: 'log-start', incarnation, offset: asOffset(input.i64()) }
    default:
      throw new FormatError(`unknown journal record type ${type}`)
  }
}

function decodeBytes(
  input: ByteReader,
  type: BytesRecord['type'],
  incarnation: number,
): BytesRecord {
  return {
    type,
    incarnation,
    base: asOffset(input.i64()),
    end: asOffset(input.i64()),
    maxTimestampMs: input.i64(),
    bytes: input.u32(),
    crc: input.u32(),
  }
}

function decodeExtent(input: ByteReader, incarnation: number): ExtentRecord {
  return {
    type: 'extent',
    incarnation,
    epoch: asLeaderEpoch(input.i32()),
    base: asOffset(input.i64()),
    end: asOffset(input.i64()),
    segment: asOffset(input.i64()),
    position: input.i64(),
    bytes: input.i64(),
    crc: input.u32(),
    maxTimestampMs: input.i64(),
    firstTimestampMs: input.i64(),
  }
}

export function encodeHardState(out: ByteWriter, state: HardState): void {
  out.i64(state.term)
  out.i64(state.votedFor ?? -1)
}

export function decodeHardState(input: ByteReader): HardState {
  const term = input.i64()
  const votedFor = input.i64()
  return { term, votedFor: votedFor === -1 ? undefined : asNodeId(votedFor) }
}

export function encodeConfig(out: ByteWriter, config: LogConfig): void {
  out.i64(config.segmentBytes)
  out.i64(config.segmentMs)
  out.i64(config.indexIntervalBytes)
}

export function decodeConfig(input: ByteReader): LogConfig {
  return { segmentBytes: input.i64(), segmentMs: input.i64(), indexIntervalBytes: input.i64() }
}
