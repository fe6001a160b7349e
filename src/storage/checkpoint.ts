// The checkpoint: the node's state as of one LSN, and where the journal goes on from there. Replaced as a whole (temporary
// file, sync, rename, directory sync), so there is always one that is whole. Tails that are in the journal only are
// recorded by their place there.
//
// Format: "CHCP", version u16, 0 u16, body bytes u32, CRC-32C of the body u32, body.

import { assert } from '../base/assert.ts'
import { crc32c } from '../base/crc32c.ts'
import { asLogId, asOffset } from '../base/brand.ts'
import { EpochTable } from '../base/epoch-table.ts'
import type { Disk } from '../env/disk.ts'
import { ByteReader, ByteWriter, FormatError, NewerFormatError } from './byte-io.ts'
import { readFileIfThere, writeFileWhole } from './files.ts'
import type { Generation } from './journal-frame.ts'
import {
  decodeConfig,
  decodeDescriptor,
  decodeEpochs,
  decodeHardState,
  encodeConfig,
  encodeDescriptor,
  encodeEpochs,
  encodeHardState,
  NO_DESCRIPTOR,
} from './journal-record.ts'
import { LogState, type Piece } from './log-state.ts'
import { NodeState } from './node-state.ts'

export const CHECKPOINT_FILE = 'checkpoint'
/** 2: descriptors, `suspect`, the highest removed tombstone, revisions of segments. */
const VERSION = 2
const MAGIC = 0x43484350
const HEAD_BYTES = 16

/** Where the journal continues after the checkpoint. */
export interface JournalCursor {
  readonly generation: Generation
  /** LSN of the next frame. */
  readonly nextLsn: number
  /** CRC of the frame before it; 0 at the start of a generation. */
  readonly previousCrc: number
  /** The next frame is at this place, or the first one of the following file. */
  readonly sequence: number
  readonly position: number
}

export interface Checkpoint {
  readonly cursor: JournalCursor
  readonly state: NodeState
}

export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  const body = new ByteWriter(4096)
  const { cursor, state } = checkpoint
  body.u32(cursor.generation.number)
  body.u32(cursor.generation.salt)
  body.i64(cursor.nextLsn)
  body.u32(cursor.previousCrc)
  body.i64(cursor.sequence)
  body.i64(cursor.position)
  body.i64(state.nextIncarnation)
  body.u32(state.logs.size)
  for (const log of state.logs.values()) encodeLog(body, log)
  const out = new ByteWriter(HEAD_BYTES + body.length)
  out.u32(MAGIC)
  out.u16(VERSION)
  out.u16(0)
  out.u32(body.length)
  out.u32(crc32c(body.view()))
  out.bytes(body.view())
  return out.view()
}

/** Throws FormatError on damage and on a newer version. */
export function decodeCheckpoint(bytes: Uint8Array): Checkpoint {
  const head = new ByteReader(bytes)
  if (head.u32() !== MAGIC) throw new FormatError('not a checkpoint')
  const version = head.u16()
  if (version > VERSION) {
    throw new NewerFormatError(
      `checkpoint version ${version} is newer than ${VERSION}, the newest known here`,
    )
  }
  head.u16()
  const bodyBytes = head.u32()
  const crc = head.u32()
  const bodyView = head.bytes(bodyBytes)
  if (crc32c(bodyView) !== crc) throw new FormatError('checkpoint fails its CRC')
  const body = new ByteReader(bodyView)
  const cursor = {
    generation: { number: body.u32(), salt: body.u32() },
    nextLsn: body.i64(),
    previousCrc: body.u32(),
    sequence: body.i64(),
    position: body.i64(),
  }
  const state = new NodeState()
  state.nextIncarnation = body.i64()
  for (let n = body.u32(); n > 0; n--) {
    const log = decodeLog(body, version)
    state.logs.set(log.incarnation, log)
  }
  return { cursor, state }
}

function encodeLog(out: ByteWriter, log: LogState): void {
  out.i64(log.incarnation)
  out.string(log.id)
  out.string(log.directory)
  encodeConfig(out, log.config)
  encodeDescriptor(out, log.descriptor)
  encodeHardState(out, log.hardState)
  out.i64(log.logStart)
  out.i64(log.endOffset)
  out.i64(log.tombstonesRemovedBelow)
  encodeEpochs(out, log.epochs.entries)
  out.u32(log.segments.length)
  for (const segment of log.segments) {
    out.i64(segment.baseOffset)
    out.i64(segment.endOffset)
    out.i64(segment.bytes)
    out.i64(segment.maxTimestampMs)
    out.i64(segment.firstTimestampMs)
    out.i64(segment.revision)
    out.u8(segment.indexed ? 1 : 0)
  }
  out.u32(log.tail.length)
  for (const piece of log.tail) encodePiece(out, piece)
}

function encodePiece(out: ByteWriter, piece: Piece): void {
  const { place } = piece.blob
  assert(place !== undefined, 'a journaled piece has its place')
  out.i64(piece.base)
  out.i64(piece.end)
  out.u32(piece.bytes)
  out.i64(piece.maxTimestampMs)
  out.i64(place.sequence)
  out.i64(place.position)
  out.u32(place.bytes)
  out.u32(place.crc)
}

function decodeLog(input: ByteReader, version: number): LogState {
  const old = version < 2
  const log = new LogState({
    incarnation: input.i64(),
    id: asLogId(input.string()),
    directory: input.string(),
    config: decodeConfig(input),
    descriptor: old ? NO_DESCRIPTOR : decodeDescriptor(input),
  })
  log.hardState = decodeHardState(input, !old)
  log.logStart = asOffset(input.i64())
  log.endOffset = asOffset(input.i64())
  if (!old) log.tombstonesRemovedBelow = asOffset(input.i64())
  log.epochs = new EpochTable(decodeEpochs(input))
  for (let n = input.u32(); n > 0; n--) {
    log.segments.push({
      baseOffset: asOffset(input.i64()),
      endOffset: asOffset(input.i64()),
      bytes: input.i64(),
      maxTimestampMs: input.i64(),
      firstTimestampMs: input.i64(),
      revision: old ? 0 : input.i64(),
      indexed: input.u8() === 1,
    })
  }
  for (let n = input.u32(); n > 0; n--) {
    const piece = decodePiece(input)
    log.tail.push(piece)
    log.tailBytes += piece.bytes
  }
  return log
}

function decodePiece(input: ByteReader): Piece {
  return {
    base: asOffset(input.i64()),
    end: asOffset(input.i64()),
    bytes: input.u32(),
    maxTimestampMs: input.i64(),
    blob: {
      place: {
        sequence: input.i64(),
        position: input.i64(),
        bytes: input.u32(),
        crc: input.u32(),
      },
    },
    data: undefined,
    batches: undefined,
  }
}

/** Undefined when there is none. Throws FormatError on damage. */
export async function readCheckpoint(
  disk: Disk,
  directory: string,
): Promise<Checkpoint | undefined> {
  const bytes = await readFileIfThere(disk, `${directory}/${CHECKPOINT_FILE}`)
  return bytes === undefined ? undefined : decodeCheckpoint(bytes)
}

/** Durable when it returns. `beforeRename` is awaited once the new file is whole: what the state relies on must be durable. */
export async function writeCheckpoint(
  disk: Disk,
  directory: string,
  bytes: Uint8Array,
  beforeRename: () => Promise<void>,
): Promise<void> {
  await writeFileWhole(disk, directory, CHECKPOINT_FILE, bytes, beforeRename)
}
