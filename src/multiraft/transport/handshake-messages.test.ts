// The bytes of the handshake: each kind of message there and back, and everything that is not one.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { asNodeId } from '../../base/brand.ts'
import { crc32c } from '../../base/crc32c.ts'
import {
  decodeMessage,
  encodeMessage,
  MESSAGE_BYTES_MAX,
  NONCE_BYTES,
  type Decoded,
  type HandshakeMessage,
} from './handshake-messages.ts'

/** Plain objects, so that they compare with what is decoded. */
const record = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(fields, { noNullPrototype: true })

const id = fc.oneof(
  fc.string({ minLength: 1, maxLength: 16, unit: 'grapheme-ascii' }),
  fc.constantFrom('é', '節点', 'x'.repeat(64)),
)
const identity = record({
  nodeId: fc.nat(2 ** 31 - 1).map(asNodeId),
  directoryId: id,
  bootId: id,
})
const nonce = fc.uint8Array({ minLength: NONCE_BYTES, maxLength: NONCE_BYTES })
const message: fc.Arbitrary<HandshakeMessage> = fc.oneof(
  record({
    kind: fc.constant('hello' as const),
    lane: fc.constantFrom('control' as const, 'data' as const),
    hasSecret: fc.boolean(),
    from: identity,
    to: fc.nat(2 ** 31 - 1).map(asNodeId),
    nonce,
  }),
  record({
    kind: fc.constant('welcome' as const),
    hasSecret: fc.boolean(),
    from: identity,
    nonce,
    proof: nonce,
  }),
  record({ kind: fc.constant('proof' as const), proof: nonce }),
  fc.constant({ kind: 'accepted' as const }),
  record({
    kind: fc.constant('refused' as const),
    cause: fc.constantFrom('version' as const, 'occupied' as const, 'other' as const),
    reason: fc.string({ maxLength: 255, unit: 'grapheme-ascii' }),
  }),
)

/** As `decodeMessage` would find them, with the checksum made right again. */
function sealed(bytes: Uint8Array): Uint8Array {
  const crcAt = bytes.byteLength - 4
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(crcAt, crc32c(bytes.subarray(0, crcAt)))
  return bytes
}

const faultOf = (decoded: Decoded): string =>
  decoded.kind === 'fault' ? decoded.fault : decoded.kind

test('messages come back as they were', () => {
  fc.assert(
    fc.property(message, (sent) => {
      const bytes = encodeMessage(sent)
      assert.ok(bytes.byteLength <= MESSAGE_BYTES_MAX)
      const decoded = decodeMessage(bytes)
      assert.ok(decoded.kind === 'message')
      assert.deepEqual(decoded.message, sent)
    }),
  )
})

test('part of a message is incomplete, more than one is malformed, a flipped bit is found', () => {
  fc.assert(
    fc.property(message, fc.nat(), fc.nat(7), (sent, at, bit) => {
      const bytes = encodeMessage(sent)
      assert.equal(decodeMessage(bytes.subarray(0, at % bytes.byteLength)).kind, 'incomplete')
      assert.equal(faultOf(decodeMessage(Uint8Array.of(...bytes, 0))), 'malformed')
      const flipped = bytes.slice()
      flipped[at % bytes.byteLength]! ^= 1 << bit
      assert.notEqual(decodeMessage(flipped).kind, 'message')
    }),
  )
})

test('a hello has exactly these bytes', () => {
  const bytes = encodeMessage({
    kind: 'hello',
    lane: 'data',
    hasSecret: true,
    from: { nodeId: asNodeId(258), directoryId: 'dir', bootId: 'b' },
    to: asNodeId(3),
    nonce: new Uint8Array(NONCE_BYTES).fill(0xab),
  })
  const body = `01 01 00000003 00000102 03 646972 01 62 ${'ab'.repeat(32)}`
  const head = `4348524e 0001 01 00 0030 ${body}`.replaceAll(' ', '')
  assert.equal(Buffer.from(bytes.subarray(0, -4)).toString('hex'), head)
})

test('another protocol is foreign from its first byte on', () => {
  assert.equal(faultOf(decodeMessage(Buffer.from('GET / HTTP/1.1\r\n'))), 'foreign')
  assert.equal(faultOf(decodeMessage(Buffer.from('X'))), 'foreign')
  assert.equal(faultOf(decodeMessage(Buffer.from('CHRX'))), 'foreign')
  assert.equal(decodeMessage(Buffer.from('CHR')).kind, 'incomplete')
})

test('another version is refused by its number, but for refusals: they read in every version', () => {
  const accepted = encodeMessage({ kind: 'accepted' })
  new DataView(accepted.buffer).setUint16(4, 7)
  // Only the head is known of a newer version.
  assert.deepEqual(decodeMessage(accepted.subarray(0, 10)), {
    kind: 'fault',
    fault: 'version',
    detail: 'protocol version 7 is newer than 1, the one spoken here',
  })
  new DataView(accepted.buffer).setUint16(4, 0)
  assert.equal(faultOf(decodeMessage(accepted)), 'version')
  const refused = encodeMessage({ kind: 'refused', cause: 'version', reason: 'too old' })
  new DataView(refused.buffer).setUint16(4, 7)
  assert.deepEqual(decodeMessage(sealed(refused)), {
    kind: 'message',
    message: { kind: 'refused', cause: 'version', reason: 'too old' },
  })
})

test('lengths and values out of range are malformed', () => {
  const hello = encodeMessage({
    kind: 'hello',
    lane: 'control',
    hasSecret: false,
    from: { nodeId: asNodeId(1), directoryId: 'd', bootId: 'b' },
    to: asNodeId(2),
    nonce: new Uint8Array(NONCE_BYTES),
  })
  const changed = (at: number, value: number): string => {
    const bytes = hello.slice()
    bytes[at] = value
    return faultOf(decodeMessage(sealed(bytes)))
  }
  assert.equal(changed(6, 9), 'malformed', 'kind')
  assert.equal(changed(7, 1), 'malformed', 'reserved')
  assert.equal(changed(8, 0xff), 'malformed', 'body length')
  assert.equal(changed(10, 2), 'malformed', 'lane')
  assert.equal(changed(11, 2), 'malformed', 'secret')
  assert.equal(changed(20, 0), 'malformed', 'an empty directory id')
  assert.equal(changed(20, 200), 'malformed', 'a text beyond the body')
  assert.equal(changed(21, 0xff), 'malformed', 'not UTF-8')
})

test('a reason is cut and cleaned for the log', () => {
  const decoded = decodeMessage(
    encodeMessage({ kind: 'refused', cause: 'other', reason: `a\nb\u001b${'x'.repeat(500)}` }),
  )
  assert.ok(decoded.kind === 'message' && decoded.message.kind === 'refused')
  assert.match(decoded.message.reason, /^a\?b\?x{251}$/)
})

test('a cause of a later version reads as another one', () => {
  const bytes = encodeMessage({ kind: 'refused', cause: 'other', reason: '' })
  bytes[10] = 200
  const decoded = decodeMessage(sealed(bytes))
  assert.ok(decoded.kind === 'message' && decoded.message.kind === 'refused')
  assert.equal(decoded.message.cause, 'other')
})

test('arbitrary bytes never throw', () => {
  const anyBytes = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc
      .tuple(fc.nat(6), fc.uint8Array({ maxLength: 120 }))
      .map(([kind, body]) =>
        sealed(
          Uint8Array.of(...Buffer.from('CHRN'), 0, 1, kind, 0, 0, body.length, ...body, 0, 0, 0, 0),
        ),
      ),
  )
  fc.assert(fc.property(anyBytes, (bytes) => assert.ok(decodeMessage(bytes).kind.length > 0)))
})
