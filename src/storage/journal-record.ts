// The journal's records: every change of every log on the node (law R3). A record names the log by its incarnation, so
// that replay skips the dead (law R10). Bytes of batches lie in the frame's data section, one blob after the other in
// record order; the record carries the blob's length and CRC.
//
// Layout of one record (big-endian): type u8, incarnation i64, then the fields in the order of the interfaces below.
// The format's version stands in the head of each journal file. A type's layout never changes: a record that needs other
// fields gets a new type, and the old one is still read.

import { asLeaderEpoch, asLogId, asNodeId, asOffset } from '../base/brand.ts'
import type { LeaderEpoch, LogId, Offset } from '../base/brand.ts'
import type { EpochStart } from '../base/epoch-table.ts'
import { NewerFormatError, type ByteReader, type ByteWriter } from './byte-io.ts'
import type { HardState, LogConfig } from './store.ts'

export interface CreateRecord {
  readonly type: 'create'
  readonly incarnation: number
  readonly id: LogId
  /** Folder name below `logs/`, with the incarnation in it. */
  readonly directory: string
  readonly config: LogConfig
  readonly descriptor: Uint8Array
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

/** The whole log is replaced by an empty one at `logStart`. */
export interface InstallRecord {
  readonly type: 'install'
  readonly incarnation: number
  readonly logStart: Offset
  readonly tombstonesRemovedBelow: Offset
  readonly epochs: readonly EpochStart[]
}

export interface LogStartRecord {
  readonly type: 'log-start'
  readonly incarnation: number
  readonly offset: Offset
}

/** Segments from `base` up to `end` are one now: its bytes are in the swap file of that revision, synced. */
export interface ReplaceRecord {
  readonly type: 'replace'
  readonly incarnation: number
  readonly base: Offset
  /** Exclusive. */
  readonly end: Offset
  readonly revision: number
  readonly bytes: number
  readonly crc: number
  readonly maxTimestampMs: number
  /** Tombstones and transaction markers below it may be gone from the log now (law R10). */
  readonly tombstonesRemovedBelow: Offset
}

export type JournalRecord =
  | CreateRecord
  | DropRecord
  | HardStateRecord
  | EpochStartRecord
  | BytesRecord
  | ExtentRecord
  | TruncateRecord
  | InstallRecord
  | ReplaceRecord
  | LogStartRecord

const TYPES: { readonly [K in JournalRecord['type']]: number } = {
  create: 10,
  drop: 2,
  'hard-state': 11,
  'epoch-start': 4,
  append: 5,
  copy: 6,
  extent: 7,
  truncate: 8,
  'log-start': 9,
  install: 12,
  replace: 13,
}
/** As version 1 of the journal had them: without a descriptor, and without `suspect`. */
const OLD_CREATE = 1
const OLD_HARD_STATE = 3

/** Upper bound of a record's encoded size without its id, directory, descriptor and epochs. */
export const RECORD_BYTES_MAX = 128

export function encodeRecord(out: ByteWriter, record: JournalRecord): void {
  out.u8(TYPES[record.type])
  out.i64(record.incarnation)
  switch (record.type) {
    case 'create':
      out.string(record.id)
      out.string(record.directory)
      encodeConfig(out, record.config)
      encodeDescriptor(out, record.descriptor)
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
    case 'install':
      out.i64(record.logStart)
      out.i64(record.tombstonesRemovedBelow)
      encodeEpochs(out, record.epochs)
      return
    case 'replace':
      out.i64(record.base)
      out.i64(record.end)
      out.i64(record.revision)
      out.i64(record.bytes)
      out.u32(record.crc)
      out.i64(record.maxTimestampMs)
      out.i64(record.tombstonesRemovedBelow)
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
    case OLD_CREATE:
      return {
        type: 'create',
        incarnation,
        id: asLogId(input.string()),
        directory: input.string(),
        config: decodeConfig(input),
        descriptor: type === OLD_CREATE ? NO_DESCRIPTOR : decodeDescriptor(input),
      }
    case TYPES.drop:
      return { type: 'drop', incarnation }
    case TYPES['hard-state']:
    case OLD_HARD_STATE: {
      const withSuspect = type !== OLD_HARD_STATE
      return { type: 'hard-state', incarnation, hardState: decodeHardState(input, withSuspect) }
    }
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
    case TYPES.install:
      return {
        type: 'install',
        incarnation,
        logStart: asOffset(input.i64()),
        tombstonesRemovedBelow: asOffset(input.i64()),
        epochs: decodeEpochs(input),
      }
    case TYPES.replace:
      return decodeReplace(input, incarnation)
    case TYPES['log-start']:
      return { type: 'log-start', incarnation, offset: asOffset(input.i64()) }
    default:
      throw new NewerFormatError(`unknown journal record type ${type}`)
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

function decodeReplace(input: ByteReader, incarnation: number): ReplaceRecord {
  return {
    type: 'replace',
    incarnation,
    base: asOffset(input.i64()),
    end: asOffset(input.i64()),
    revision: input.i64(),
    bytes: input.i64(),
    crc: input.u32(),
    maxTimestampMs: input.i64(),
    tombstonesRemovedBelow: asOffset(input.i64()),
  }
}

export function encodeHardState(out: ByteWriter, state: HardState): void {
  out.i64(state.term)
  out.i64(state.votedFor ?? -1)
  out.u8(state.suspect ? 1 : 0)
}

/** What was written before there was `suspect` ends with the vote. */
export function decodeHardState(input: ByteReader, withSuspect: boolean): HardState {
  const term = input.i64()
  const votedFor = input.i64()
  const suspect = withSuspect && input.u8() !== 0
  return { term, votedFor: votedFor === -1 ? undefined : asNodeId(votedFor), suspect }
}

/** Of logs made before there were descriptors. */
export const NO_DESCRIPTOR = new Uint8Array(0)

export function encodeDescriptor(out: ByteWriter, descriptor: Uint8Array): void {
  out.u32(descriptor.length)
  out.bytes(descriptor)
}

export function decodeDescriptor(input: ByteReader): Uint8Array {
  return new Uint8Array(input.bytes(input.u32()))
}

export function encodeEpochs(out: ByteWriter, epochs: readonly EpochStart[]): void {
  out.u32(epochs.length)
  for (const { epoch, start } of epochs) {
    out.i32(epoch)
    out.i64(start)
  }
}

export function decodeEpochs(input: ByteReader): EpochStart[] {
  const epochs: EpochStart[] = []
  for (let n = input.u32(); n > 0; n--) {
    epochs.push({ epoch: asLeaderEpoch(input.i32()), start: asOffset(input.i64()) })
  }
  return epochs
}

export function encodeConfig(out: ByteWriter, config: LogConfig): void {
  out.i64(config.segmentBytes)
  out.i64(config.segmentMs)
  out.i64(config.indexIntervalBytes)
}

export function decodeConfig(input: ByteReader): LogConfig {
  return { segmentBytes: input.i64(), segmentMs: input.i64(), indexIntervalBytes: input.i64() }
}
