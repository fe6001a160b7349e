// The frame splitter: any cut of a byte stream gives the same frames, and a bad size is refused
// before it costs memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ProtocolError } from './errors.ts'
import { FrameSplitter } from './frames.ts'

function framed(payload: Uint8Array): Buffer {
  const size = Buffer.alloc(4)
  size.writeInt32BE(payload.length)
  return Buffer.concat([size, payload])
}

test('frames come out whole and in order, however the stream is cut', () => {
  const frames = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 })
  const cuts = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(frames, cuts, (payloads, sizes) => {
      const stream = Buffer.concat(payloads.map(framed))
      const splitter = new FrameSplitter({ frameBytesMax: 300 })
      const out: Uint8Array[] = []
      for (let at = 0, i = 0; at < stream.length; i++) {
        const size = sizes[i % sizes.length]!
        // A copy, so that a frame that kept a view of an earlier chunk is not repaired by the next.
        out.push(...splitter.push(new Uint8Array(stream.subarray(at, at + size))))
        at += size
      }
      assert.deepEqual(out.map(hex), payloads.map(hex))
      assert.equal(splitter.bufferedBytes, 0)
    }),
  )
})

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

test('a frame within one chunk is not copied', () => {
  const chunk = framed(new Uint8Array([1, 2, 3]))
  const [frame] = new FrameSplitter({ frameBytesMax: 10 }).push(chunk)
  assert.equal(frame?.buffer, chunk.buffer)
})

test('sizes that are negative or too large are refused before anything is allocated', () => {
  for (const size of [-1, -0x80000000, 101, 0x7fffffff]) {
    const chunk = Buffer.alloc(4)
    chunk.writeInt32BE(size)
    const splitter = new FrameSplitter({ frameBytesMax: 100 })
    assert.throws(() => splitter.push(chunk), ProtocolError)
  }
})

test('a large frame has little room while little has come, and all of it once much has', () => {
  const announced = 100_000_000
  const splitter = new FrameSplitter({ frameBytesMax: announced })
  const head = Buffer.alloc(4)
  head.writeInt32BE(announced)
  splitter.push(head)
  assert.ok(splitter.roomBytes <= 16_384, `${splitter.roomBytes} bytes for nothing`)
  const chunk = new Uint8Array(65_536)
  const rooms: number[] = []
  while (splitter.bufferedBytes < 2_000_000) {
    splitter.push(chunk)
    rooms.push(splitter.roomBytes)
    if (splitter.bufferedBytes <= 98_304) assert.ok(splitter.roomBytes <= 98_304)
  }
  // The bytes that have come are copied a few times at most, and never when they are many.
  assert.ok(new Set(rooms).size <= 4, `room was ${[...new Set(rooms)].join(', ')}`)
  assert.equal(splitter.roomBytes, announced)
})

test('a stream that ended gives the room of its last frame back at once', () => {
  const splitter = new FrameSplitter({ frameBytesMax: 50_000_000 })
  const stream = framed(new Uint8Array(50_000_000))
  splitter.push(stream.subarray(0, 1_000_000))
  splitter.push(stream.subarray(1_000_000, 2_000_000))
  const before = process.memoryUsage().arrayBuffers
  splitter.discard()
  assert.ok(process.memoryUsage().arrayBuffers <= before - 50_000_000)
  assert.equal(splitter.announcedBytes + splitter.bufferedBytes, 0)
})

test('the first bytes of a frame can be looked at before it is whole', () => {
  const splitter = new FrameSplitter({ frameBytesMax: 100 })
  const stream = framed(new Uint8Array([1, 2, 3, 4, 5, 6]))
  splitter.push(stream.subarray(0, 7))
  assert.equal(splitter.begun(4), undefined)
  splitter.push(stream.subarray(7, 8))
  assert.deepEqual([...(splitter.begun(4) ?? [])], [1, 2, 3, 4])
  splitter.push(stream.subarray(8))
  assert.equal(splitter.begun(4), undefined, 'it is whole and was given out')
})

test('a large frame grows with what has arrived', () => {
  const payload = new Uint8Array(5_000_000).map((_, i) => i % 251)
  const stream = framed(payload)
  const splitter = new FrameSplitter({ frameBytesMax: 100_000_000 })
  const out: Uint8Array[] = []
  for (let at = 0; at < stream.length; at += 65_536) {
    out.push(...splitter.push(stream.subarray(at, at + 65_536)))
  }
  assert.equal(out.length, 1)
  assert.ok(Buffer.from(out[0]!).equals(payload))
})
