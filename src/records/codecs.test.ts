// The codecs against themselves, against other implementations, and against hostile input.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { compressFrameSync, decompressFrameSync } from 'lz4-napi'
import { CODECS, codecId, codecOf, compress, decompress, type Codec } from './codecs.ts'
import { xxhash32 } from './xxhash32.ts'

const snappyjs: {
  compress(input: Uint8Array): Uint8Array
  uncompress(input: Uint8Array): Uint8Array
} = createRequire(import.meta.url)('snappyjs')

const COMPRESSED: readonly Codec[] = ['gzip', 'snappy', 'lz4', 'zstd']
const MAX = 1 << 24

function expand(codec: Codec, bytes: Uint8Array, maxBytes = MAX): Uint8Array {
  const result = decompress(codec, bytes, maxBytes)
  assert(result.kind === 'ok', result.kind === 'ok' ? '' : result.message)
  return result.bytes
}

/** Bytes with repetitions near and far, so that every kind of match turns up. */
const content = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.tuple(fc.nat(255), fc.nat(700)).map(([byte, n]) => new Uint8Array(n).fill(byte)),
      fc
        .tuple(fc.uint8Array({ minLength: 1, maxLength: 30 }), fc.nat(90))
        .map(([part, n]) => Uint8Array.from(Array.from({ length: n }, () => [...part]).flat())),
    ),
    { maxLength: 12 },
  )
  .map((parts) => new Uint8Array(Buffer.concat(parts)))

/** Several blocks of every codec, partly random, partly repetitive. */
function large(): Uint8Array {
  const bytes = new Uint8Array(300_000)
  let state = 1
  for (let i = 0; i < bytes.length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[i] = i % 70_000 < 20_000 ? state >>> 24 : (i >> 4) % 23
  }
  return bytes
}

test('codec ids are those of the batch attributes', () => {
  assert.deepEqual(CODECS.map(codecId), [0, 1, 2, 3, 4])
  assert.deepEqual([0, 1, 2, 3, 4, 5, 7].map(codecOf), [...CODECS, undefined, undefined])
})

for (const codec of CODECS) {
  test(`${codec}: what is compressed comes back`, () => {
    fc.assert(
      fc.property(content, (bytes) => {
        assert.deepEqual(Buffer.from(expand(codec, compress(codec, bytes))), Buffer.from(bytes))
      }),
    )
    const bytes = large()
    assert.ok(Buffer.from(expand(codec, compress(codec, bytes))).equals(bytes))
  })
}

test('the output is bounded to the byte', () => {
  for (const codec of CODECS) {
    const bytes = large()
    const packed = compress(codec, bytes)
    assert.equal(expand(codec, packed, bytes.length).length, bytes.length)
    assert.equal(decompress(codec, packed, bytes.length - 1).kind, 'too-large', codec)
    assert.equal(decompress(codec, packed, 1).kind, 'too-large', codec)
  }
})

test('levels change the size', () => {
  const bytes = large()
  for (const codec of ['gzip', 'zstd'] as const) {
    assert.ok(compress(codec, bytes, 1).length > compress(codec, bytes, 9).length, codec)
  }
})

test('lz4: others read what we write, and we read what they write', () => {
  const property = (bytes: Uint8Array): void => {
    assert.ok(decompressFrameSync(Buffer.from(compress('lz4', bytes))).equals(bytes))
    for (const contentChecksum of [false, true]) {
      for (const blockChecksums of [false, true]) {
        const theirs = compressFrameSync(Buffer.from(bytes), { contentChecksum, blockChecksums })
        assert.ok(Buffer.from(expand('lz4', theirs)).equals(bytes))
      }
    }
  }
  fc.assert(fc.property(content, property))
  property(large())
})

test('snappy: others read what we write, and we read what they write, framed and raw', () => {
  const property = (bytes: Uint8Array): void => {
    const raw = snappyjs.compress(bytes)
    assert.ok(Buffer.from(expand('snappy', raw)).equals(bytes))
    assert.ok(
      Buffer.from(expand('snappy', xerial([raw, raw]))).equals(Buffer.concat([bytes, bytes])),
    )
    assert.ok(
      Buffer.concat(
        xerialChunks(compress('snappy', bytes)).map((chunk) => snappyjs.uncompress(chunk)),
      ).equals(bytes),
    )
  }
  fc.assert(fc.property(content, property))
  property(large())
})

test('concatenated gzip members and zstd frames are one content', () => {
  const a = Buffer.from('first, ')
  const b = Buffer.from('second')
  const both = Buffer.concat([a, b])
  assert.deepEqual(expand('gzip', Buffer.concat([gzipSync(a), gzipSync(b)])), both)
  const frames = Buffer.concat([zstdCompressSync(a), zstdCompressSync(b)])
  assert.deepEqual(expand('zstd', frames), both)
  assert.equal(decompress('zstd', frames, both.length - 1).kind, 'too-large')
})

test('bytes after the end are refused', () => {
  for (const codec of ['gzip', 'lz4', 'zstd'] as const) {
    for (const rest of [Uint8Array.of(0), Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)]) {
      const bytes = Buffer.concat([compress(codec, large()), rest])
      assert.equal(decompress(codec, bytes, MAX).kind, 'corrupt', codec)
    }
  }
})

test('a second lz4 frame is refused, since Java reads only the first', () => {
  const frame = compress('lz4', large())
  assert.equal(decompress('lz4', Buffer.concat([frame, frame]), MAX).kind, 'corrupt')
})

test('truncation at every byte is found', () => {
  const bytes = Buffer.from(
    'a record, and another record, and another record, and yet another one.',
  )
  for (const codec of COMPRESSED) {
    const packed = compress(codec, bytes)
    for (let cut = 0; cut < packed.length; cut++) {
      const result = decompress(codec, packed.subarray(0, cut), MAX)
      // A snappy stream that ends between chunks can't be told from a whole one; the record count will.
      if (codec === 'snappy' && cut === 16) continue
      assert.equal(result.kind, 'corrupt', `${codec} cut to ${cut} of ${packed.length}`)
    }
  }
})

test('hostile bytes give a result, never an exception or more output than allowed', () => {
  const samples = COMPRESSED.map((codec) => compress(codec, large().subarray(0, 3000)))
  fc.assert(
    fc.property(
      fc.nat(3),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      fc.nat(10_000),
      (which, edits, maxBytes) => {
        const packed = samples[which]!.slice()
        for (const [at, byte] of edits) packed[at % packed.length] = byte
        const result = decompress(COMPRESSED[which]!, packed, maxBytes)
        if (result.kind === 'ok') assert.ok(result.bytes.length <= maxBytes)
      },
    ),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(
      fc.constantFrom(...COMPRESSED),
      fc.uint8Array({ maxLength: 64 }),
      (codec, bytes) => {
        decompress(codec, bytes, 1000)
      },
    ),
    { numRuns: 2000 },
  )
})

test('declared sizes are checked before they are allocated', () => {
  const cases: readonly [Codec, number[]][] = [
    // A raw block that claims 4 GiB − 1.
    ['snappy', [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]],
    // A chunk that claims more than is left, and a negative one.
    [
      'snappy',
      [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff],
    ],
    [
      'snappy',
      [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff],
    ],
  ]
  for (const [codec, bytes] of cases) {
    assert.equal(decompress(codec, Uint8Array.from(bytes), 2 ** 33).kind, 'corrupt')
  }
  // An lz4 frame with a content size of 2^40 and no blocks: refused by the cap, or for the difference.
  const frame = [4, 0x22, 0x4d, 0x18, 0x68, 0x40, 0, 0, 0, 0, 0, 1, 0, 0]
  frame.push((xxhash32(Uint8Array.from(frame), 4, 14) >>> 8) & 0xff, 0, 0, 0, 0)
  assert.equal(decompress('lz4', Uint8Array.from(frame), MAX).kind, 'too-large')
  assert.equal(decompress('lz4', Uint8Array.from(frame), 2 ** 41).kind, 'corrupt')
})

test('a bomb stops at the bound', () => {
  const zeros = new Uint8Array(1 << 25)
  for (const codec of COMPRESSED) {
    const bomb = compress(codec, zeros)
    assert.equal(decompress(codec, bomb, 1 << 20).kind, 'too-large', codec)
  }
})

test('lz4 frames that Kafka does not read are refused', () => {
  const good = compress('lz4', Buffer.from('some content that is here'))
  const changed = (at: number, value: number): Uint8Array => {
    const bytes = good.slice()
    bytes[at] = value
    bytes[6] = xxhash32(bytes, 4, 6) >>> 8
    return bytes
  }
  assert.equal(decompress('lz4', changed(4, 0x60), MAX).kind, 'ok')
  assert.equal(decompress('lz4', changed(4, 0x40), MAX).kind, 'corrupt', 'dependent blocks')
  assert.equal(decompress('lz4', changed(4, 0x20), MAX).kind, 'corrupt', 'version 0')
  assert.equal(decompress('lz4', changed(4, 0x61), MAX).kind, 'corrupt', 'dictionary')
  assert.equal(decompress('lz4', changed(5, 0x30), MAX).kind, 'corrupt', 'block size 3')
  const wrong = good.slice()
  wrong[6] = wrong[6]! ^ 1
  assert.equal(decompress('lz4', wrong, MAX).kind, 'corrupt', 'header checksum')
})

test('xxHash matches its published vectors', () => {
  const hash = (text: string): number => {
    const bytes = new TextEncoder().encode(text)
    return xxhash32(bytes, 0, bytes.length)
  }
  assert.equal(hash(''), 0x02cc5d05)
  assert.equal(hash('abc'), 0x32d153ff)
  assert.equal(hash('Nobody inspects the spammish repetition'), 0xe2293b2f)
})

function xerial(blocks: readonly Uint8Array[]): Uint8Array {
  const header = Buffer.from('82534e4150505900' + '00000001' + '00000001', 'hex')
  const parts = blocks.flatMap((block) => {
    const length = Buffer.alloc(4)
    length.writeInt32BE(block.length)
    return [length, block]
  })
  return Buffer.concat([header, ...parts])
}

function xerialChunks(bytes: Uint8Array): Uint8Array[] {
  const view = Buffer.from(bytes)
  assert.equal(view.subarray(0, 16).toString('hex'), '82534e41505059000000000100000001')
  const chunks: Uint8Array[] = []
  for (let at = 16; at < view.length;) {
    const end = at + 4 + view.readInt32BE(at)
    chunks.push(view.subarray(at + 4, end))
    at = end
  }
  return chunks
}
