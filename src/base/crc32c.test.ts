// The CRC against known vectors, and both ways of computing it against each other.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { crc32c, crc32cTable } from './crc32c.ts'

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Bit by bit, straight from the definition. */
function reference(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return ~crc >>> 0
}

test('gives the known check values (RFC 3720, B.4)', () => {
  assert.equal(crc32c(ascii('123456789')), 0xe3069283)
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa)
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43)
  assert.equal(crc32c(new Uint8Array(0)), 0)
})

test('agrees with the definition, natively and by tables, at every length and alignment', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1200 }), fc.nat(7), (bytes, skip) => {
      const view = bytes.subarray(Math.min(skip, bytes.length))
      assert.equal(crc32c(view), reference(view))
      assert.equal(crc32cTable(view), reference(view))
    }),
    { numRuns: 300 },
  )
})

test('chains: the seed is the CRC of what came before', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 900 }), fc.nat(900), (bytes, at) => {
      const head = bytes.subarray(0, at)
      const tail = bytes.subarray(at)
      assert.equal(crc32c(tail, crc32c(head)), reference(bytes))
      assert.equal(crc32cTable(tail, crc32cTable(head)), reference(bytes))
    }),
    { numRuns: 300 },
  )
})
