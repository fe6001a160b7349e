// The compression codecs of record batches: Kafka's ids and names, one door to compress and one to decompress. All
// are synchronous and pure. Decompression is bounded: a declared size is checked before anything is allocated and the
// output never exceeds what the caller allows. gzip and zstd are Node's; snappy and lz4 are ours.

import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { assert, unreachable } from '../base/assert.ts'
import { CodecFault, corrupt, tooLarge } from './codec-fault.ts'
import { lz4Compress, lz4Decompress } from './lz4.ts'
import { snappyCompress, snappyDecompress } from './snappy.ts'

export type Codec = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** By id, as in the lowest three bits of a batch's attributes. */
export const CODECS: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

export const codecId = (codec: Codec): number => CODECS.indexOf(codec)

/** Undefined for the ids 5 to 7, which Kafka does not assign. */
export const codecOf = (id: number): Codec | undefined => CODECS[id]

/**
 * What one batch may decompress to unless the caller says otherwise. Kafka has no such bound, since it streams; a
 * batch of the usual largest size stays below it at any ratio that real data reaches.
 */
export const UNCOMPRESSED_BYTES_MAX = 64 * 1024 * 1024

const OUTPUT_CHUNK_BYTES_MIN = 16 * 1024
const OUTPUT_CHUNK_BYTES_MAX = 1024 * 1024

export type Decompressed =
  | { readonly kind: 'ok'; readonly bytes: Uint8Array }
  /** Malformed input; the message says how. */
  | { readonly kind: 'corrupt'; readonly message: string }
  /** It would exceed `maxBytes`. */
  | { readonly kind: 'too-large'; readonly message: string }

/** `none` gives the input itself. */
export function decompress(codec: Codec, bytes: Uint8Array, maxBytes: number): Decompressed {
  try {
    return { kind: 'ok', bytes: decompressed(codec, bytes, maxBytes) }
  } catch (error) {
    return faultOf(error, codec)
  }
}

/** `level` as in Kafka's `compression.gzip.level` and `compression.zstd.level`; each codec's default without it. */
export function compress(codec: Codec, bytes: Uint8Array, level?: number): Uint8Array {
  switch (codec) {
    case 'none':
      return bytes
    case 'gzip':
      return gzipSync(bytes, level === undefined ? {} : { level })
    case 'snappy':
      return snappyCompress(bytes)
    case 'lz4':
      return lz4Compress(bytes)
    case 'zstd':
      return zstdCompressSync(bytes, {
        params: level === undefined ? {} : { [constants.ZSTD_c_compressionLevel]: level },
      })
    default:
      return unreachable(codec)
  }
}

function decompressed(codec: Codec, bytes: Uint8Array, maxBytes: number): Uint8Array {
  switch (codec) {
    case 'none':
      if (bytes.length > maxBytes) throw new CodecFault('too-large', `more than ${maxBytes} bytes`)
      return bytes
    case 'gzip':
      return wholeGzip(bytes, maxBytes)
    case 'snappy':
      return snappyDecompress(bytes, maxBytes)
    case 'lz4':
      return lz4Decompress(bytes, maxBytes)
    case 'zstd':
      return wholeZstd(bytes, maxBytes)
    default:
      return unreachable(codec)
  }
}

/** All members; Node stops without a word at bytes that start no further one. */
function wholeGzip(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const { buffer, consumed } = inflated(gunzipSync(bytes, zlibOptions(bytes, maxBytes)))
  if (consumed !== bytes.length) throw corrupt('gzip: bytes after the end')
  return buffer
}

/** All frames; Node decodes one at a time. */
function wholeZstd(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const parts: Uint8Array[] = []
  let total = 0
  for (let at = 0; at < bytes.length || at === 0;) {
    const rest = at === 0 ? bytes : bytes.subarray(at)
    const { buffer, consumed } = inflated(zstdDecompressSync(rest, zlibOptions(rest, maxBytes)))
    if (consumed === 0) throw corrupt('zstd: no frame')
    parts.push(buffer)
    total += buffer.length
    if (total > maxBytes) throw tooLarge(maxBytes)
    at += consumed
  }
  const [only] = parts
  return only !== undefined && parts.length === 1 ? only : Buffer.concat(parts, total)
}

/** What zlib's `info` option makes of its result (its declared type leaves that out). */
function inflated(result: unknown): { buffer: Uint8Array; consumed: number } {
  assert(typeof result === 'object' && result !== null, 'zlib gave no result')
  assert('buffer' in result && result.buffer instanceof Uint8Array, 'zlib gave no buffer')
  assert('engine' in result && typeof result.engine === 'object', 'zlib gave no engine')
  const engine = result.engine
  assert(engine !== null && 'bytesWritten' in engine, 'zlib gave no count')
  assert(typeof engine.bytesWritten === 'number', 'zlib gave no count')
  return { buffer: result.buffer, consumed: engine.bytesWritten }
}

function zlibOptions(
  bytes: Uint8Array,
  maxBytes: number,
): { maxOutputLength: number; chunkSize: number; info: true } {
  const guess = Math.min(bytes.length * 4, maxBytes, OUTPUT_CHUNK_BYTES_MAX)
  return {
    maxOutputLength: Math.max(maxBytes, 1),
    chunkSize: Math.max(guess, OUTPUT_CHUNK_BYTES_MIN),
    info: true,
  }
}

function faultOf(error: unknown, codec: Codec): Decompressed {
  if (error instanceof CodecFault) return { kind: error.kind, message: error.message }
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    if (error.code === 'ERR_BUFFER_TOO_LARGE') {
      return { kind: 'too-large', message: `${codec}: decompresses to more than allowed` }
    }
    if (error.code.startsWith('Z_') || error.code.startsWith('ZSTD_')) {
      return { kind: 'corrupt', message: `${codec}: ${error.message}` }
    }
  }
  throw error
}
