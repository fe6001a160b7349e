// Reads the journal back: from a checkpoint's cursor on, frame by frame, to the last whole one. A bad frame followed by
// any later frame is corruption, since a frame is written only after the one before was synced (law R4).

import { crc32c } from '../base/crc32c.ts'
import { ByteReader, FormatError } from './byte-io.ts'
import type { JournalCursor } from './checkpoint.ts'
import {
  decodeFrameHead,
  FRAME_HEAD_BYTES,
  FRAME_MAGIC,
  frameBytes,
  frameCrc,
  type FrameHead,
  sameGeneration,
  SLOT_HEAD_BYTES,
  type SlotHead,
} from './journal-frame.ts'
import { decodeRecord, type JournalRecord } from './journal-record.ts'
import type { JournalPlace } from './log-state.ts'

export interface ReadableSlot {
  readonly name: string
  /** Undefined where it can't be read. A file that was never used is not given at all. */
  readonly head: SlotHead | undefined
  /** The whole file. */
  load(): Promise<Uint8Array>
}

export interface ReadRecord {
  readonly record: JournalRecord
  /** Of the blob, with `append` and `copy`. */
  readonly place: JournalPlace | undefined
}

export interface ReadFrame {
  readonly lsn: number
  readonly crc: number
  readonly sequence: number
  readonly position: number
  /** Where the next frame would be. */
  readonly nextPosition: number
  readonly records: readonly ReadRecord[]
}

/** The whole frame at `at`, its records decoded and every blob checked; undefined when it is not whole. */
export function readFrameAt(
  bytes: Uint8Array,
  at: number,
  sequence: number,
): { readonly head: FrameHead; readonly frame: ReadFrame } | undefined {
  const head = wholeFrameHead(bytes, at)
  if (head === undefined) return undefined
  const metaAt = at + FRAME_HEAD_BYTES
  const input = new ByteReader(bytes.subarray(metaAt, metaAt + head.metaBytes))
  const records: ReadRecord[] = []
  let position = metaAt + head.metaBytes
  const dataEnd = position + head.dataBytes
  for (let i = 0; i < head.records; i++) {
    const record = decodeRecord(input)
    if (record.type !== 'append' && record.type !== 'copy') {
      records.push({ record, place: undefined })
      continue
    }
    if (position + record.bytes > dataEnd) return undefined
    if (crc32c(bytes.subarray(position, position + record.bytes)) !== record.crc) return undefined
    const place = { sequence, position, bytes: record.bytes, crc: record.crc }
    records.push({ record, place })
    position += record.bytes
  }
  const nextPosition = at + frameBytes(head.metaBytes, head.dataBytes)
  return {
    head,
    frame: { lsn: head.lsn, crc: head.crc, sequence, position: at, nextPosition, records },
  }
}

/** Calls `onFrame` with every whole frame from the cursor on. Throws FormatError when the journal is damaged. */
export async function replayJournal(
  slots: readonly ReadableSlot[],
  cursor: JournalCursor,
  onFrame: (frame: ReadFrame) => void,
): Promise<{ readonly nextLsn: number; readonly last: ReadFrame | undefined }> {
  const bySequence = new Map<number, ReadableSlot>()
  for (const slot of slots) {
    if (slot.head === undefined) continue
    if (!sameGeneration(slot.head.generation, cursor.generation)) continue
    bySequence.set(slot.head.sequence, slot)
  }
  let { sequence, position, nextLsn, previousCrc } = cursor
  let last: ReadFrame | undefined
  let bytes = await bySequence.get(sequence)?.load()
  for (;;) {
    const found = nextFrame(bytes, position, sequence, { cursor, nextLsn, previousCrc })
    if (found !== undefined) {
      onFrame(found)
      last = found
      position = found.nextPosition
      nextLsn = found.lsn + 1
      previousCrc = found.crc
      continue
    }
    checkNothingAfter(bytes, position, { cursor, nextLsn, name: bySequence.get(sequence)?.name })
    const following = bySequence.get(sequence + 1)
    if (following === undefined) break
    bytes = await following.load()
    sequence++
    position = SLOT_HEAD_BYTES
  }
  for (const [later, slot] of bySequence) {
    if (later <= sequence) continue
    checkNothingAfter(await slot.load(), SLOT_HEAD_BYTES, { cursor, nextLsn, name: slot.name })
  }
  for (const slot of slots) {
    if (slot.head !== undefined) continue
    // Head and first frame share a sector, so that a torn write leaves both or neither: a whole frame behind a bad head
    // was synced with it.
    const expected = { cursor, nextLsn: nextLsn - 1, name: slot.name }
    checkNothingAfter(await slot.load(), SLOT_HEAD_BYTES, expected)
  }
  return { nextLsn, last }
}

interface Expected {
  readonly cursor: JournalCursor
  readonly nextLsn: number
}

function nextFrame(
  bytes: Uint8Array | undefined,
  position: number,
  sequence: number,
  expected: Expected & { readonly previousCrc: number },
): ReadFrame | undefined {
  if (bytes === undefined) return undefined
  const found = readFrameAt(bytes, position, sequence)
  if (found === undefined || found.head.lsn !== expected.nextLsn) return undefined
  if (!sameGeneration(found.head.generation, expected.cursor.generation)) return undefined
  if (found.head.previousCrc !== expected.previousCrc) {
    throw new FormatError(`journal frame ${found.head.lsn} does not follow its predecessor`)
  }
  return found.frame
}

/** A frame of this generation above the expected LSN proves that the expected one was once synced. */
function checkNothingAfter(
  bytes: Uint8Array | undefined,
  from: number,
  expected: Expected & { readonly name: string | undefined },
): void {
  if (bytes === undefined) return
  for (const at of magicsIn(bytes, from)) {
    const head = wholeFrameHead(bytes, at)
    if (head === undefined || head.lsn <= expected.nextLsn) continue
    if (!sameGeneration(head.generation, expected.cursor.generation)) continue
    throw new FormatError(
      `journal file ${expected.name} is damaged: frame ${head.lsn} is beyond what can be reached`,
    )
  }
}

/** All whole frames of a file, whether they can be reached or not. */
export function* framesIn(bytes: Uint8Array): Generator<ReadFrame> {
  for (const at of magicsIn(bytes, 0)) {
    const found = readFrameAt(bytes, at, 0)
    if (found !== undefined) yield found.frame
  }
}

function* magicsIn(bytes: Uint8Array, from: number): Generator<number> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const magic = Buffer.alloc(4)
  magic.writeUInt32BE(FRAME_MAGIC)
  for (let at = buffer.indexOf(magic, from); at >= 0; at = buffer.indexOf(magic, at + 1)) yield at
}

/** The head at `at` if it and the meta section pass their CRC. */
function wholeFrameHead(bytes: Uint8Array, at: number): FrameHead | undefined {
  const head = decodeFrameHead(bytes, at)
  if (head === undefined) return undefined
  if (at + frameBytes(head.metaBytes, head.dataBytes) > bytes.length) return undefined
  return frameCrc(bytes, at, head) === head.crc ? head : undefined
}
