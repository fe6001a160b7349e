// Snappy as Kafka uses it. Java writes the "xerial" framing (snappy-java's SnappyOutputStream): an 8-byte magic, two
// int32 versions, then chunks of [int32 length, raw Snappy block]; librdkafka and others also write one raw block.
// Both are read, the framing is written. Raw blocks after google/snappy's format_description.txt. Our own decoder,
// because it must hold its output to the declared and allowed size and survive hostile input at no lasting cost.

import { corrupt, tooLarge } from './codec-fault.ts'
import { copyLiteral, copyMatch, hashWord, sameWord } from './copy-match.ts'
import { int32At, putInt32 } from './batch-header.ts'

const XERIAL_MAGIC = Uint8Array.of(0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00)
const XERIAL_HEADER_BYTES = 16
/** What snappy-java puts into one chunk. */
const CHUNK_BYTES = 32 * 1024
/** A two-byte-offset copy makes 64 bytes of 3, which nothing exceeds: more is a lie, found before allocating. */
const EXPANSION_MAX = 22
const HASH_BITS = 13

/** Decompresses either form. Throws CodecFault. */
export function snappyDecompress(bytes: Uint8Array, maxBytes: number): Uint8Array {
  if (!isXerial(bytes)) {
    const raw = rawHeader(bytes, 0, bytes.length)
    if (raw.length > maxBytes) throw tooLarge(maxBytes)
    const out = new Uint8Array(raw.length)
    decodeRaw(bytes, raw.at, bytes.length, out, 0, raw.length)
    return out
  }
  const out = new Uint8Array(xerialLength(bytes, maxBytes))
  let written = 0
  for (let at = XERIAL_HEADER_BYTES; at < bytes.length;) {
    const end = at + 4 + int32At(bytes, at)
    const raw = rawHeader(bytes, at + 4, end)
    decodeRaw(bytes, raw.at, end, out, written, written + raw.length)
    written += raw.length
    at = end
  }
  return out
}

/** Compresses in the xerial framing, as Java's producer does. */
export function snappyCompress(bytes: Uint8Array): Uint8Array {
  const chunks = Math.ceil(bytes.length / CHUNK_BYTES)
  // A chunk that does not compress grows by its length varint and one literal tag per 64 KiB.
  const out = new Uint8Array(XERIAL_HEADER_BYTES + bytes.length + chunks * 16)
  out.set(XERIAL_MAGIC)
  putInt32(out, 8, 1)
  putInt32(out, 12, 1)
  const table = new Int32Array(1 << HASH_BITS)
  let at = XERIAL_HEADER_BYTES
  for (let from = 0; from < bytes.length; from += CHUNK_BYTES) {
    const to = Math.min(from + CHUNK_BYTES, bytes.length)
    const end = encodeRaw(bytes, from, to, out, at + 4, table)
    putInt32(out, at, end - at - 4)
    at = end
  }
  return out.subarray(0, at)
}

function isXerial(bytes: Uint8Array): boolean {
  if (bytes.length < XERIAL_HEADER_BYTES) return false
  return XERIAL_MAGIC.every((byte, i) => bytes[i] === byte)
}

/** The sum of the chunks' declared lengths, with the framing checked. */
function xerialLength(bytes: Uint8Array, maxBytes: number): number {
  let total = 0
  for (let at = XERIAL_HEADER_BYTES; at < bytes.length;) {
    if (at + 4 > bytes.length) throw corrupt('snappy: a chunk length is cut off')
    const length = int32At(bytes, at)
    if (length <= 0 || length > bytes.length - at - 4) {
      throw corrupt(`snappy: a chunk of ${length} bytes, ${bytes.length - at - 4} are left`)
    }
    total += rawHeader(bytes, at + 4, at + 4 + length).length
    if (total > maxBytes) throw tooLarge(maxBytes)
    at += 4 + length
  }
  return total
}

/** The declared length of a raw block and where its elements start. */
function rawHeader(bytes: Uint8Array, from: number, to: number): { length: number; at: number } {
  let length = 0
  let at = from
  for (let scale = 1; ; scale *= 128) {
    if (at >= to || at - from >= 5) throw corrupt('snappy: the length varint does not end')
    const byte = bytes[at++]!
    length += (byte & 0x7f) * scale
    if (byte < 0x80) break
  }
  if (length > (to - from) * EXPANSION_MAX) {
    throw corrupt(`snappy: ${to - from} bytes can't decompress to the declared ${length}`)
  }
  return { length, at }
}

/** Decodes the elements in `source[at, end)` into exactly `out[start, limit)`. */
function decodeRaw(
  source: Uint8Array,
  at: number,
  end: number,
  out: Uint8Array,
  start: number,
  limit: number,
): void {
  let to = start
  while (at < end) {
    const tag = source[at++]!
    const kind = tag & 3
    if (kind === 0) {
      let length = (tag >>> 2) + 1
      if (length > 60) {
        const extra = length - 60
        if (at + extra > end) throw corrupt('snappy: a literal length is cut off')
        length = 1
        for (let i = 0, scale = 1; i < extra; i++, scale *= 256) length += source[at++]! * scale
      }
      if (length > end - at || length > limit - to) throw corrupt('snappy: a literal is too long')
      copyLiteral(source, at, out, to, length)
      at += length
      to += length
      continue
    }
    const operand = kind === 1 ? 1 : kind === 2 ? 2 : 4
    if (at + operand > end) throw corrupt('snappy: a copy is cut off')
    const length = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
    let distance = source[at]!
    if (kind === 1) distance |= (tag >>> 5) << 8
    else distance |= source[at + 1]! << 8
    if (kind === 3) distance = (distance | (source[at + 2]! << 16) | (source[at + 3]! << 24)) >>> 0
    at += operand
    if (distance === 0 || distance > to - start)
      throw corrupt('snappy: a copy from before the start')
    if (length > limit - to) throw corrupt('snappy: a copy is too long')
    copyMatch(out, to, distance, length)
    to += length
  }
  if (to !== limit) throw corrupt('snappy: shorter than declared')
}

/**
 * Writes `source[from, to)` (at most 64 KiB) as a raw block at `out[at]`; returns where it ends. `table` holds, per hash,
 * the last position + 1; positions before `from` belong to earlier chunks and are not taken.
 */
function encodeRaw(
  source: Uint8Array,
  from: number,
  to: number,
  out: Uint8Array,
  at: number,
  table: Int32Array,
): number {
  let length = to - from
  for (; length >= 0x80; length >>>= 7) out[at++] = (length & 0x7f) | 0x80
  out[at++] = length
  let literalFrom = from
  let position = from
  let misses = 32
  while (position + 4 <= to) {
    const hash = hashWord(source, position, HASH_BITS)
    const candidate = table[hash]! - 1
    table[hash] = position + 1
    if (candidate < from || !sameWord(source, candidate, position)) {
      position += misses++ >>> 5
      continue
    }
    let end = position + 4
    for (let match = candidate + 4; end < to && source[end] === source[match]; match++) end++
    if (literalFrom < position) at = emitLiteral(source, literalFrom, position, out, at)
    at = emitCopy(out, at, position - candidate, end - position)
    position = end
    literalFrom = end
    misses = 32
  }
  return literalFrom < to ? emitLiteral(source, literalFrom, to, out, at) : at
}

function emitLiteral(
  source: Uint8Array,
  from: number,
  to: number,
  out: Uint8Array,
  at: number,
): number {
  const length = to - from
  const less = length - 1
  if (less < 60) {
    out[at++] = less << 2
  } else if (less < 256) {
    out[at++] = 60 << 2
    out[at++] = less
  } else {
    out[at++] = 61 << 2
    out[at++] = less
    out[at++] = less >>> 8
  }
  copyLiteral(source, from, out, at, length)
  return at + length
}

/** `distance` below 64 KiB. Pieces of 64, keeping the last one at 4 or more, which is what a short copy needs. */
function emitCopy(out: Uint8Array, at: number, distance: number, length: number): number {
  while (length > 0) {
    const piece = length > 67 ? 64 : length > 64 ? 60 : length
    if (piece >= 4 && piece <= 11 && distance < 2048) {
      out[at++] = 1 | ((piece - 4) << 2) | ((distance >>> 8) << 5)
      out[at++] = distance
    } else {
      out[at++] = 2 | ((piece - 1) << 2)
      out[at++] = distance
      out[at++] = distance >>> 8
    }
    length -= piece
  }
  return at
}
