// Frames through every cut of the stream; bad lengths and checksums.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FrameReader, frameHeader } from './frames.ts'

const frameOf = (payload: Uint8Array): Uint8Array =>
  new Uint8Array(Buffer.concat([frameHeader([payload]), payload]))
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

test('a frame has exactly these bytes, whatever chunks its payload comes in', () => {
  const text = new TextEncoder().encode('123456789')
  // The check value of CRC-32C.
  assert.equal(hex(frameHeader([text])), '00000009e3069283')
  assert.equal(hex(frameHeader([text.subarray(0, 2), text.subarray(2)])), '00000009e3069283')
})

test('payloads come out whole and in order, however the stream is cut', () => {
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.nat(5_000).map((size) => new Uint8Array(size).fill(size)),
  )
  fc.assert(
    fc.property(
      fc.array(payload, { maxLength: 12 }),
      fc.infiniteStream(fc.nat(3_000)),
      (sent, cuts) => {
        const stream = Buffer.concat(sent.map(frameOf))
        const reader = new FrameReader({ frameBytesMax: 5_000 })
        const got: string[] = []
        for (let at = 0; at < stream.byteLength;) {
          const size = 1 + (cuts.next().value ?? 0)
          got.push(...reader.push(stream.subarray(at, at + size)).map(hex))
          at += size
        }
        assert.deepEqual(got, sent.filter(({ byteLength }) => byteLength > 0).map(hex))
        assert.equal(reader.fault, undefined)
      },
    ),
  )
})

test('a forbidden length is a fault as soon as the header is there; frames before it count', () => {
  const reader = new FrameReader({ frameBytesMax: 100 })
  const header = frameHeader([new Uint8Array(101)])
  const got = reader.push(Buffer.concat([frameOf(Uint8Array.of(1)), header]))
  assert.deepEqual(got.map(hex), ['01'])
  assert.match(reader.fault ?? '', /101 bytes, at most 100/)
  assert.deepEqual(reader.push(frameOf(Uint8Array.of(2))), [], 'nothing after a fault')
})

test('every flipped bit of a frame is a fault or leaves it incomplete', () => {
  const frame = frameOf(new Uint8Array(50).map((_, i) => i))
  for (let bit = 0; bit < frame.byteLength * 8; bit++) {
    const flipped = frame.slice()
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    const reader = new FrameReader({ frameBytesMax: 1_000 })
    assert.deepEqual(reader.push(flipped), [], `bit ${bit}`)
    if (bit >= 32) assert.match(reader.fault ?? '', /checksum/)
  }
})

test('arbitrary bytes never throw and never hold more than what is allowed', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 10 }), (chunks) => {
      const reader = new FrameReader({ frameBytesMax: 256 })
      for (const chunk of chunks) {
        for (const payload of reader.push(chunk)) assert.ok(payload.byteLength <= 256)
      }
    }),
  )
})
