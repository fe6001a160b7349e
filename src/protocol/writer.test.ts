// The writer's buffer is replaced as it fills up; nothing may depend on where that happens.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EncodeError } from './errors.ts'
import { INT64_MAX, Reader } from './reader.ts'
import { Writer } from './writer.ts'

const LARGE = new Uint8Array(1500).fill(7)

function writeEverything(writer: Writer): void {
  writer.int8(-5)
  writer.int16(-3000)
  writer.uint16(60_000)
  writer.int32(-2_000_000_000)
  writer.uint32(4_000_000_000)
  writer.int64(-(2 ** 40) - 1)
  writer.int64OrMax(INT64_MAX)
  writer.float64(-1.5)
  writer.unsignedVarint(300)
  writer.unsignedVarint(0xffffffff)
  writer.uuid('9gEJxs5DQmOuWpmUxKa-lw')
  writer.string('ascii', true)
  writer.string('héllo', false)
  writer.string('x'.repeat(200), true)
  writer.bytes(new Uint8Array([1, 2, 3]))
  writer.bytes(LARGE)
}

function readEverything(reader: Reader): void {
  assert.equal(reader.int8(), -5)
  assert.equal(reader.int16(), -3000)
  assert.equal(reader.uint16(), 60_000)
  assert.equal(reader.int32(), -2_000_000_000)
  assert.equal(reader.uint32(), 4_000_000_000)
  assert.equal(reader.int64(), -(2 ** 40) - 1)
  assert.equal(reader.int64OrMax(), INT64_MAX)
  assert.equal(reader.float64(), -1.5)
  assert.equal(reader.unsignedVarint(), 300)
  assert.equal(reader.unsignedVarint(), 0xffffffff)
  assert.equal(reader.uuid(), '9gEJxs5DQmOuWpmUxKa-lw')
  assert.equal(reader.string(reader.compactLength()), 'ascii')
  assert.equal(reader.string(reader.int16()), 'héllo')
  assert.equal(reader.string(reader.compactLength()), 'x'.repeat(200))
  assert.deepEqual(reader.bytes(3), new Uint8Array([1, 2, 3]))
  assert.deepEqual(reader.bytes(1500), LARGE)
  assert.equal(reader.remaining, 0)
}

test('what is written comes back, wherever the buffer is replaced', () => {
  for (let initialBytes = 1; initialBytes < 400; initialBytes++) {
    const writer = new Writer(initialBytes)
    writeEverything(writer)
    const size = writer.size
    const chunks = writer.finish()
    assert.ok(chunks.includes(LARGE), 'large bytes are referenced')
    const bytes = Buffer.concat(chunks)
    assert.equal(bytes.length, size)
    readEverything(new Reader(bytes))
  }
})

test('values that do not fit are refused', () => {
  const writer = new Writer()
  const refused: (() => void)[] = [
    () => writer.int8(128),
    () => writer.int16(-0x8001),
    () => writer.uint16(-1),
    () => writer.int32(2 ** 31),
    () => writer.int32(1.5),
    () => writer.int32(Number.NaN),
    () => writer.uint32(2 ** 32),
    () => writer.int64(2 ** 53),
    () => writer.int64(INT64_MAX),
    () => writer.uuid('short'),
    () => writer.uuid('!!!!!!!!!!!!!!!!!!!!!!'),
    () => writer.string('x'.repeat(0x8000), false),
    () => writer.string('x'.repeat(0x8000), true),
    () => writer.string('ü'.repeat(0x4000), true),
  ]
  for (const write of refused) assert.throws(write, EncodeError, write.toString())
})

test('integers beyond ±2^53 are refused on reading', () => {
  for (const hex of [
    '0020000000000000',
    '7fffffffffffffff',
    '8000000000000000',
    'ffe0000000000000',
  ]) {
    assert.throws(() => new Reader(Buffer.from(hex, 'hex')).int64(), { name: 'ProtocolError' }, hex)
  }
  assert.equal(new Reader(Buffer.from('001fffffffffffff', 'hex')).int64(), Number.MAX_SAFE_INTEGER)
  assert.equal(new Reader(Buffer.from('ffe0000000000001', 'hex')).int64(), Number.MIN_SAFE_INTEGER)
  assert.throws(() => new Reader(Buffer.from('7ffffffffffffffe', 'hex')).int64OrMax(), {
    name: 'ProtocolError',
  })
})
