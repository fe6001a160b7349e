// The codecs that kafkajs leaves to its users: snappy in Java's framing (xerial), lz4 frames, zstd.

import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import kafkajs from 'kafkajs'
import { compressFrameSync, decompressFrameSync } from 'lz4-napi'
import snappy from 'snappyjs'

const xerialMagic = Buffer.from([
  0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1,
])
const xerialBlockBytes = 32 * 1024

interface Encoder {
  readonly buffer: Buffer
}

function codec(compress: (data: Buffer) => Buffer, decompress: (data: Buffer) => Buffer) {
  return () => ({
    compress: async (encoder: Encoder) => compress(encoder.buffer),
    decompress: async (data: Buffer) => decompress(data),
  })
}

export function xerialCompress(data: Buffer): Buffer {
  const parts: Buffer[] = [xerialMagic]
  for (let at = 0; at < data.length; at += xerialBlockBytes) {
    const block = Buffer.from(snappy.compress(data.subarray(at, at + xerialBlockBytes)))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(block.length)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}

/** Takes both the framed form and one bare snappy block, which librdkafka sends. */
export function xerialDecompress(data: Buffer): Buffer {
  if (!data.subarray(0, 8).equals(xerialMagic.subarray(0, 8)))
    return Buffer.from(snappy.uncompress(data))
  const parts: Buffer[] = []
  let at = 16
  while (at < data.length) {
    const end = at + 4 + data.readUInt32BE(at)
    parts.push(Buffer.from(snappy.uncompress(data.subarray(at + 4, end))))
    at = end
  }
  return Buffer.concat(parts)
}

export function registerCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs
  CompressionCodecs[CompressionTypes.Snappy] = codec(xerialCompress, xerialDecompress)
  CompressionCodecs[CompressionTypes.LZ4] = codec(compressFrameSync, decompressFrameSync)
  CompressionCodecs[CompressionTypes.ZSTD] = codec(
    (data) => zstdCompressSync(data),
    (data) => zstdDecompressSync(data),
  )
}
