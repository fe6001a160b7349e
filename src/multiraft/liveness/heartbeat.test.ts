// The bytes of a heartbeat: every message comes back, every byte string is either refused or the one encoding of what it
// was read as.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { asLeaderEpoch, asLogId } from '../../base/brand.ts'
import {
  claimBytesMax,
  decodeHeartbeat,
  encodeHeartbeat,
  HEARTBEAT_BYTES_MAX,
  objectionBytesMax,
  type ClaimNews,
  type Heartbeat,
  type News,
  type ObjectionNews,
} from './heartbeat.ts'

const number = fc.oneof(fc.nat(300), fc.maxSafeNat())
const id = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter((text) => Buffer.byteLength(text) <= 64)
const epoch = fc.nat(0x7fff_ffff).map(asLeaderEpoch)

/** As the decoder makes them, with a prototype. */
function recordOf<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true })
}

function newsOf<T>(entry: fc.Arbitrary<T>): fc.Arbitrary<News<T & { readonly version: number }>> {
  const parts = fc.record({
    after: fc.nat(1_000_000),
    beyond: fc.nat(5),
    steps: fc.array(fc.record({ step: fc.integer({ min: 1, max: 300 }), entry }), {
      maxLength: 20,
    }),
  })
  return parts.map(({ after, beyond, steps }) => {
    let version = after
    const entries = steps.map(({ step, entry: one }) => ({ ...one, version: (version += step) }))
    return { after, through: version + beyond, entries }
  })
}

const claims: fc.Arbitrary<News<ClaimNews>> = newsOf(
  fc.record({ group: id.map(asLogId), epoch: fc.option(epoch, { nil: undefined }) }),
)
const objections: fc.Arbitrary<News<ObjectionNews>> = newsOf(
  fc.record({
    claim: number,
    objection: fc.oneof(fc.constantFrom('unknown' as const, 'withdrawn' as const), epoch),
  }),
)
const heartbeat: fc.Arbitrary<Heartbeat> = recordOf({
  fromBoot: id,
  toBoot: id,
  session: number,
  echoSession: number,
  seq: number,
  timeUs: number,
  urgent: fc.boolean(),
  round: number,
  receipt: recordOf({
    seq: number,
    timeUs: number,
    heldUs: number,
    claims: number,
    objections: number,
    status: number,
    round: number,
  }),
  objectionsVersion: number,
  claims: fc.option(claims, { nil: undefined }),
  objections: fc.option(objections, { nil: undefined }),
  status: fc.option(fc.record({ version: number, bytes: fc.uint8Array({ maxLength: 1_024 }) }), {
    nil: undefined,
  }),
})

const plain = (message: Heartbeat | undefined): unknown =>
  message?.status === undefined
    ? message
    : { ...message, status: { ...message.status, bytes: [...message.status.bytes] } }

test('a heartbeat comes back as it was', () => {
  fc.assert(
    fc.property(heartbeat, (message) => {
      assert.deepEqual(plain(decodeHeartbeat(encodeHeartbeat(message))), plain(message))
    }),
    { numRuns: 300 },
  )
})

test('the bounds by which frames are filled hold', () => {
  fc.assert(
    fc.property(heartbeat, claims, objections, (message, someClaims, someObjections) => {
      const bytesWith = (parts: Partial<Heartbeat>): number =>
        encodeHeartbeat({ ...message, claims: undefined, objections: undefined, ...parts }).length
      const alone = bytesWith({})
      const claimBytes = someClaims.entries.reduce(
        (sum, { group }) => sum + claimBytesMax(group),
        24,
      )
      assert.ok(bytesWith({ claims: someClaims }) - alone <= claimBytes)
      const objectionBytes = someObjections.entries.length * objectionBytesMax + 24
      assert.ok(bytesWith({ objections: someObjections }) - alone <= objectionBytes)
    }),
    { numRuns: 200 },
  )
})

test('every shorter and every longer frame is refused', () => {
  fc.assert(
    fc.property(heartbeat, (message) => {
      const bytes = encodeHeartbeat(message)
      for (let length = 0; length < bytes.length; length++) {
        assert.equal(decodeHeartbeat(bytes.subarray(0, length)), undefined, `${length} bytes`)
      }
      assert.equal(decodeHeartbeat(Uint8Array.from([...bytes, 0])), undefined)
    }),
    { numRuns: 20 },
  )
})

test('a changed frame is refused, or read as what it says', () => {
  const change = fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255) }), {
    minLength: 1,
    maxLength: 3,
  })
  fc.assert(
    fc.property(heartbeat, change, (message, changes) => {
      const bytes = Uint8Array.from(encodeHeartbeat(message))
      for (const { at, byte } of changes) bytes[at % bytes.length] = byte
      const read = decodeHeartbeat(bytes)
      if (read !== undefined) assert.deepEqual([...encodeHeartbeat(read)], [...bytes])
    }),
    { numRuns: 1_000 },
  )
})

test('random bytes never do anything but be refused or read', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => {
      const bytes = Uint8Array.from([1, 15, 1, 65, 1, 66, ...tail])
      const read = decodeHeartbeat(bytes)
      if (read !== undefined) assert.deepEqual([...encodeHeartbeat(read)], [...bytes])
    }),
    { numRuns: 1_000 },
  )
})

test('a newer version, unknown flags, a frame too long and a count too large are refused', () => {
  const [message] = fc.sample(heartbeat, { numRuns: 1, seed: 1 })
  assert.ok(message !== undefined)
  const bytes = Uint8Array.from(encodeHeartbeat(message))
  assert.ok(decodeHeartbeat(bytes) !== undefined)
  assert.equal(
    decodeHeartbeat(Uint8Array.from(bytes, (byte, i) => (i === 0 ? 2 : byte))),
    undefined,
  )
  assert.equal(
    decodeHeartbeat(Uint8Array.from(bytes, (byte, i) => (i === 1 ? byte | 16 : byte))),
    undefined,
  )
  assert.equal(decodeHeartbeat(new Uint8Array(HEARTBEAT_BYTES_MAX + 1)), undefined)
  const head = encodeHeartbeat({
    ...message,
    urgent: false,
    claims: undefined,
    objections: undefined,
    status: undefined,
  })
  // Claims after 0, through and count 2^49 - 1, and no entry.
  const huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]
  const lie = Uint8Array.from([...head, 0, ...huge, ...huge])
  lie[1] = 2
  assert.equal(decodeHeartbeat(lie), undefined)
})
