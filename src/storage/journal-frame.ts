// How the journal's bytes are laid out. A journal file ("slot") starts with a head that says which generation and which
// file of the journal's sequence it currently is; then frames follow, one per commit group, 8-byte aligned. A frame is
// all or nothing: its CRC covers generation, salt, LSN, the predecessor's CRC and every record; the records carry the
// CRCs of the data blobs (law R4). So neither a stale frame of a recycled slot nor one after a torn frame is ever taken.
//
// Slot head, 64 bytes: "CHRJ", version u16, 0 u16, generation u32, salt u32, sequence i64, capacity i64, first LSN i64,
//   0 …, CRC-32C u32 (of the 60 bytes before).
// Frame, 48 bytes: "CHRF", meta bytes u32, data bytes u32, record count u32, generation u32, salt u32, LSN i64, previous
//   frame's CRC u32, data blobs' total CRC is in the records; 0 u32, 0 u32, CRC-32C u32 (of the 44 bytes before, then the
//   meta section). Then the meta section (records) and the data section (blobs), padded to 8 bytes.

import { crc32c } from '../base/crc32c.ts'
import { ByteReader, ByteWriter, FormatError, NewerFormatError } from './byte-io.ts'

/** 2: creation with a descriptor, hard state with `suspect`, install. */
export const JOURNAL_VERSION = 2
export const SLOT_HEAD_BYTES = 64
export const FRAME_HEAD_BYTES = 48
const SLOT_MAGIC = 0x4348524a
export const FRAME_MAGIC = 0x43485246

/** One start of the store: a number that grows, and a random salt in case a start died before it could be counted. */
export interface Generation {
  readonly number: number
  readonly salt: number
}

export const sameGeneration = (generation: Generation, other: Generation): boolean =>
  generation.number === other.number && generation.salt === other.salt

export interface SlotHead {
  readonly generation: Generation
  /** Place of the file in the journal; grows by one with each file, over generations. */
  readonly sequence: number
  readonly capacity: number
  readonly firstLsn: number
}

export interface FrameHead {
  readonly metaBytes: number
  readonly dataBytes: number
  readonly records: number
  readonly generation: Generation
  readonly lsn: number
  readonly previousCrc: number
  readonly crc: number
}

export function encodeSlotHead(head: SlotHead): Uint8Array {
  const out = new ByteWriter(SLOT_HEAD_BYTES)
  out.u32(SLOT_MAGIC)
  out.u16(JOURNAL_VERSION)
  out.u16(0)
  out.u32(head.generation.number)
  out.u32(head.generation.salt)
  out.i64(head.sequence)
  out.i64(head.capacity)
  out.i64(head.firstLsn)
  out.bytes(new Uint8Array(SLOT_HEAD_BYTES - 4 - out.length))
  out.u32(crc32c(out.view()))
  return out.view()
}

/** Undefined where there is no whole head (a slot that was never used, or a torn one). Throws FormatError for a newer version. */
export function decodeSlotHead(bytes: Uint8Array): SlotHead | undefined {
  if (bytes.length < SLOT_HEAD_BYTES) return undefined
  const input = new ByteReader(bytes)
  if (input.u32() !== SLOT_MAGIC) return undefined
  const crc = new ByteReader(bytes, SLOT_HEAD_BYTES - 4).u32()
  if (crc !== crc32c(bytes.subarray(0, SLOT_HEAD_BYTES - 4))) return undefined
  const version = input.u16()
  if (version > JOURNAL_VERSION) {
    throw new NewerFormatError(
      `journal version ${version} is newer than ${JOURNAL_VERSION}, the newest known here`,
    )
  }
  input.u16()
  return {
    generation: { number: input.u32(), salt: input.u32() },
    sequence: input.i64(),
    capacity: input.i64(),
    firstLsn: input.i64(),
  }
}

export const frameBytes = (metaBytes: number, dataBytes: number): number =>
  Math.ceil((FRAME_HEAD_BYTES + metaBytes + dataBytes) / 8) * 8

/** The head of a frame over the encoded records `meta`. */
export function encodeFrameHead(
  head: Omit<FrameHead, 'crc' | 'metaBytes'>,
  meta: Uint8Array,
): { readonly bytes: Uint8Array; readonly crc: number } {
  const out = new ByteWriter(FRAME_HEAD_BYTES)
  out.u32(FRAME_MAGIC)
  out.u32(meta.length)
  out.u32(head.dataBytes)
  out.u32(head.records)
  out.u32(head.generation.number)
  out.u32(head.generation.salt)
  out.i64(head.lsn)
  out.u32(head.previousCrc)
  out.u32(0)
  out.u32(0)
  const crc = crc32c(meta, crc32c(out.view()))
  out.u32(crc)
  return { bytes: out.view(), crc }
}

/** Undefined where no frame head can be. The CRC is not checked here: `frameCrc` needs the meta section. */
export function decodeFrameHead(bytes: Uint8Array, at: number): FrameHead | undefined {
  if (at + FRAME_HEAD_BYTES > bytes.length) return undefined
  const input = new ByteReader(bytes, at)
  if (input.u32() !== FRAME_MAGIC) return undefined
  const metaBytes = input.u32()
  const dataBytes = input.u32()
  const records = input.u32()
  const generation = { number: input.u32(), salt: input.u32() }
  const lsn = safeLsn(input)
  if (lsn === undefined) return undefined
  const previousCrc = input.u32()
  input.u32()
  input.u32()
  return { metaBytes, dataBytes, records, generation, lsn, previousCrc, crc: input.u32() }
}

/** The CRC that the frame at `at` should carry. */
export function frameCrc(bytes: Uint8Array, at: number, head: FrameHead): number {
  const meta = at + FRAME_HEAD_BYTES
  const covered = bytes.subarray(at, meta - 4)
  return crc32c(bytes.subarray(meta, meta + head.metaBytes), crc32c(covered))
}

function safeLsn(input: ByteReader): number | undefined {
  try {
    return input.i64()
  } catch (error) {
    if (error instanceof FormatError) return undefined
    throw error
  }
}
