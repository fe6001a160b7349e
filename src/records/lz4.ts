// LZ4 as Kafka uses it: one frame of the LZ4 frame format, with independent blocks (Kafka's `Lz4BlockInputStream`
// reads nothing else, so anything else is refused rather than stored where Java could not read it). After
// lz4_Frame_format.md and lz4_Block_format.md. Our own decoder, because it must hold its output to the allowed size
// and survive hostile input at no lasting cost.

import { corrupt, tooLarge } from './codec-fault.ts'
import { copyLiteral, copyMatch, hashWord, sameWord } from './copy-match.ts'
import { xxhash32 } from './xxhash32.ts'

const FRAME_MAGIC = 0x184d2204
const UNCOMPRESSED_BLOCK_BIT = 0x8000_0000
const VERSION = 0x40
const VERSION_MASK = 0xc0
const INDEPENDENT_BLOCKS = 0x20
const BLOCK_CHECKSUMS = 0x10
const CONTENT_SIZE = 0x08
const CONTENT_CHECKSUM = 0x04
const RESERVED_AND_DICTIONARY = 0x03
/** What Java writes: blocks of 64 KiB. */
const BLOCK_SIZE_ID = 4
const BLOCK_BYTES = 64 * 1024
const HASH_BITS = 13
/** The format wants the last five bytes as literals and the last match to start twelve before the end. */
const LAST_LITERALS = 5
const MATCH_SAFE_DISTANCE = 12
/** A length byte of 255 stands for at most that many bytes. */
const EXPANSION_MAX = 256
const FIRST_OUTPUT_BYTES_MIN = 64 * 1024

interface Frame {
  readonly at: number
  readonly blockBytesMax: number
  readonly blockChecksums: boolean
  readonly contentChecksum: boolean
  readonly contentBytes: number | undefined
}

/** Throws CodecFault. */
export function lz4Decompress(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const frame = readFrameHeader(bytes)
  if (frame.contentBytes !== undefined && frame.contentBytes > maxBytes) throw tooLarge(maxBytes)
  let out = new Uint8Array(firstCapacity(frame, bytes.length, maxBytes))
  let written = 0
  let at = frame.at
  for (;;) {
    const word = littleEndian32(bytes, at)
    at += 4
    if (word === 0) break
    const length = word % UNCOMPRESSED_BLOCK_BIT
    const trailer = frame.blockChecksums ? 4 : 0
    if (length > frame.blockBytesMax) throw corrupt(`lz4: a block of ${length} bytes`)
    if (length + trailer > bytes.length - at) throw corrupt('lz4: a block is cut off')
    const stored = word >= UNCOMPRESSED_BLOCK_BIT
    const blockMax = stored ? length : Math.min(frame.blockBytesMax, length * EXPANSION_MAX)
    out = withRoom(out, written, blockMax, maxBytes)
    const limit = Math.min(written + blockMax, maxBytes)
    if (!stored) written = decodeBlock(bytes, at, at + length, out, written, limit, maxBytes)
    else {
      if (length > limit - written) throw tooLarge(maxBytes)
      copyLiteral(bytes, at, out, written, length)
      written += length
    }
    if (trailer > 0 && littleEndian32(bytes, at + length) !== xxhash32(bytes, at, at + length)) {
      throw corrupt('lz4: a block checksum is wrong')
    }
    at += length + trailer
  }
  if (frame.contentChecksum) {
    if (littleEndian32(bytes, at) !== xxhash32(out, 0, written)) {
      throw corrupt('lz4: the content checksum is wrong')
    }
    at += 4
  }
  if (at !== bytes.length) throw corrupt('lz4: bytes after the end of the frame')
  if (frame.contentBytes !== undefined && frame.contentBytes !== written) {
    throw corrupt('lz4: another content size than declared')
  }
  return out.subarray(0, written)
}

/** One frame with independent 64 KiB blocks and no checksums but the header's, as Java's producer writes it. */
export function lz4Compress(bytes: Uint8Array): Uint8Array {
  const blocks = Math.ceil(bytes.length / BLOCK_BYTES)
  const out = new Uint8Array(bytes.length + blocks * 4 + 16)
  putLittleEndian32(out, 0, FRAME_MAGIC)
  out[4] = VERSION | INDEPENDENT_BLOCKS
  out[5] = BLOCK_SIZE_ID << 4
  out[6] = xxhash32(out, 4, 6) >>> 8
  let at = 7
  const table = new Int32Array(1 << HASH_BITS)
  const scratch = new Uint8Array(BLOCK_BYTES + Math.ceil(BLOCK_BYTES / 255) + 16)
  for (let from = 0; from < bytes.length; from += BLOCK_BYTES) {
    const to = Math.min(from + BLOCK_BYTES, bytes.length)
    const length = encodeBlock(bytes, from, to, scratch, table)
    if (length < to - from) {
      putLittleEndian32(out, at, length)
      out.set(scratch.subarray(0, length), at + 4)
      at += 4 + length
    } else {
      putLittleEndian32(out, at, UNCOMPRESSED_BLOCK_BIT + (to - from))
      out.set(bytes.subarray(from, to), at + 4)
      at += 4 + to - from
    }
  }
  putLittleEndian32(out, at, 0)
  return out.subarray(0, at + 4)
}

function readFrameHeader(bytes: Uint8Array): Frame {
  if (bytes.length < 7 || littleEndian32(bytes, 0) !== FRAME_MAGIC) throw corrupt('lz4: no frame')
  const flags = bytes[4]!
  const sizeId = bytes[5]! >>> 4
  if ((flags & VERSION_MASK) !== VERSION || (flags & RESERVED_AND_DICTIONARY) !== 0) {
    throw corrupt('lz4: an unsupported frame')
  }
  if ((flags & INDEPENDENT_BLOCKS) === 0) throw corrupt('lz4: dependent blocks are not supported')
  if (sizeId < 4 || sizeId > 7 || (bytes[5]! & 0x8f) !== 0) throw corrupt('lz4: a bad block size')
  const withSize = (flags & CONTENT_SIZE) !== 0
  const checksumAt = withSize ? 14 : 6
  if (bytes.length <= checksumAt) throw corrupt('lz4: the frame header is cut off')
  if (bytes[checksumAt] !== ((xxhash32(bytes, 4, checksumAt) >>> 8) & 0xff)) {
    throw corrupt('lz4: the header checksum is wrong')
  }
  return {
    at: checksumAt + 1,
    blockBytesMax: 1 << (8 + 2 * sizeId),
    blockChecksums: (flags & BLOCK_CHECKSUMS) !== 0,
    contentChecksum: (flags & CONTENT_CHECKSUM) !== 0,
    contentBytes: withSize
      ? littleEndian32(bytes, 10) * 0x1_0000_0000 + littleEndian32(bytes, 6)
      : undefined,
  }
}

/** What is allocated at first: the declared size if it can be true, else a guess; grown as blocks turn up. */
function firstCapacity(frame: Frame, inputBytes: number, maxBytes: number): number {
  const possible = Math.min(maxBytes, inputBytes * EXPANSION_MAX)
  const wanted = frame.contentBytes ?? Math.max(FIRST_OUTPUT_BYTES_MIN, inputBytes * 4)
  return Math.min(wanted, possible)
}

function withRoom(
  out: Uint8Array<ArrayBuffer>,
  written: number,
  more: number,
  maxBytes: number,
): Uint8Array<ArrayBuffer> {
  const needed = Math.min(written + more, maxBytes)
  if (needed <= out.length) return out
  const grown = new Uint8Array(Math.min(maxBytes, Math.max(needed, out.length * 2)))
  grown.set(out.subarray(0, written))
  return grown
}

/** Decodes `source[at, end)` into `out` from `start`, not beyond `limit`; returns where the output ends. */
function decodeBlock(
  source: Uint8Array,
  at: number,
  end: number,
  out: Uint8Array,
  start: number,
  limit: number,
  maxBytes: number,
): number {
  let to = start
  const overflow = (): Error =>
    limit === maxBytes
      ? tooLarge(maxBytes)
      : corrupt('lz4: a block is larger than its frame allows')
  while (at < end) {
    const token = source[at++]!
    let literals = token >>> 4
    if (literals === 15) {
      let byte = 255
      while (byte === 255) {
        if (at >= end) throw corrupt('lz4: a length is cut off')
        byte = source[at++]!
        literals += byte
      }
    }
    if (literals > end - at) throw corrupt('lz4: literals are cut off')
    if (literals > limit - to) throw overflow()
    copyLiteral(source, at, out, to, literals)
    at += literals
    to += literals
    if (at === end) return to
    if (at + 2 > end) throw corrupt('lz4: an offset is cut off')
    const distance = source[at]! | (source[at + 1]! << 8)
    at += 2
    if (distance === 0 || distance > to - start) throw corrupt('lz4: a match from before the block')
    let length = (token & 15) + 4
    if (length === 19) {
      let byte = 255
      while (byte === 255) {
        if (at >= end) throw corrupt('lz4: a length is cut off')
        byte = source[at++]!
        length += byte
      }
    }
    if (length > limit - to) throw overflow()
    copyMatch(out, to, distance, length)
    to += length
  }
  throw corrupt('lz4: a block does not end with literals')
}

/** Writes `source[from, to)` (at most 64 KiB) as one block at the start of `out`; returns its length. */
function encodeBlock(
  source: Uint8Array,
  from: number,
  to: number,
  out: Uint8Array,
  table: Int32Array,
): number {
  const matchStartEnd = to - MATCH_SAFE_DISTANCE
  const matchEnd = to - LAST_LITERALS
  let at = 0
  let literalFrom = from
  let position = from
  let misses = 64
  while (position <= matchStartEnd) {
    const hash = hashWord(source, position, HASH_BITS)
    const candidate = table[hash]! - 1
    table[hash] = position + 1
    if (candidate < from || !sameWord(source, candidate, position)) {
      position += misses++ >>> 6
      continue
    }
    let end = position + 4
    for (let match = candidate + 4; end < matchEnd && source[end] === source[match]; match++) end++
    at = emitSequence(source, literalFrom, position, out, at, end - position - 4)
    const distance = position - candidate
    out[at] = distance
    out[at + 1] = distance >>> 8
    at += 2
    if (end - position - 4 >= 15) at = emitLength(out, at, end - position - 4 - 15)
    position = end
    literalFrom = end
    misses = 64
  }
  return emitSequence(source, literalFrom, to, out, at, 0)
}

/** The token and the literals; `extra` is the match length above four, 0 for the last sequence, which has no match. */
function emitSequence(
  source: Uint8Array,
  from: number,
  to: number,
  out: Uint8Array,
  at: number,
  extra: number,
): number {
  const literals = to - from
  out[at++] = (Math.min(literals, 15) << 4) | Math.min(extra, 15)
  if (literals >= 15) at = emitLength(out, at, literals - 15)
  copyLiteral(source, from, out, at, literals)
  return at + literals
}

function emitLength(out: Uint8Array, at: number, rest: number): number {
  for (; rest >= 255; rest -= 255) out[at++] = 255
  out[at++] = rest
  return at
}

/** Unsigned. Throws CodecFault beyond the end. */
function littleEndian32(bytes: Uint8Array, at: number): number {
  if (at + 4 > bytes.length) throw corrupt('lz4: the frame is cut off')
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  )
}

function putLittleEndian32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}
