// The bytes of group messages: every message comes back, every byte string is either refused or the one encoding of what it
// was read as.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { asLeaderEpoch, asLogId, asOffset } from '../base/brand.ts'
import type { Position } from '../base/position.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { Reader } from '../protocol/reader.ts'
import { Writer } from '../protocol/writer.ts'
import type { Message } from '../raft/messages.ts'
import { testBatch } from '../storage/testing/batches.ts'
import {
  decodeGroupMessage,
  encodeGroupMessage,
  SNAPSHOT_BYTES_MAX,
  type GroupMessage,
} from './group-codec.ts'

const GROUP = asLogId('topic-0')
const term = fc.nat(0x7fff_ffff).map(asLeaderEpoch)
const offset = fc.maxSafeNat().map(asOffset)
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff })
const flag = fc.boolean()
const position: fc.Arbitrary<Position> = recordOf({
  epoch: fc.integer({ min: -1, max: 0x7fff_ffff }).map(asLeaderEpoch),
  offset,
})
const starts = fc.array(fc.tuple(fc.nat(1000), fc.nat(1000)), { maxLength: 5 }).map((steps) => {
  let epoch = -1
  let start = 0
  return steps.map(([epochs, offsets]) => {
    epoch += epochs + 1
    start += offsets
    return { epoch: asLeaderEpoch(epoch), start: asOffset(start) }
  })
})

/** As the decoder makes them, with a prototype. */
function recordOf<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true })
}

const is = <K extends Message['kind']>(kind: K): fc.Arbitrary<K> => fc.constant(kind)
const logStart = offset
const round = uint32
const candidacy = uint32

const MODELS: { [K in Message['kind']]: fc.Arbitrary<Extract<Message, { kind: K }>> } = {
  'pre-vote': recordOf({ kind: is('pre-vote'), term, end: position }),
  'pre-vote-reply': recordOf({ kind: is('pre-vote-reply'), term, forTerm: term, granted: flag }),
  vote: recordOf({ kind: is('vote'), term, end: position, candidacy }),
  'vote-grant': recordOf({ kind: is('vote-grant'), term, candidacy, logStart }),
  'vote-refusal': recordOf({ kind: is('vote-refusal'), term }),
  append: recordOf({
    kind: is('append'),
    term,
    prev: position,
    starts,
    batches: fc.constant([]),
    commit: position,
    logStart,
    probe: flag,
    round,
  }),
  ack: recordOf({
    kind: is('ack'),
    term,
    durable: position,
    accepted: position,
    logStart,
    round,
    suspect: flag,
    begunBelow: logStart,
  }),
  mismatch: recordOf({
    kind: is('mismatch'),
    term,
    prev: position,
    end: position,
    epochs: starts,
    logStart,
  }),
  deferred: recordOf({ kind: is('deferred'), term }),
  install: recordOf({
    kind: is('install'),
    term,
    logStart,
    keep: position,
    tombstonesRemovedBelow: logStart,
    epochs: starts,
    snapshot: fc.option(
      recordOf({ at: position, totalBytes: fc.constant(0), from: fc.constant(0) }),
      { nil: undefined },
    ),
  }),
  clear: recordOf({ kind: is('clear'), term, at: position }),
  'timeout-now': recordOf({ kind: is('timeout-now'), term }),
  'higher-term': recordOf({ kind: is('higher-term'), term }),
}

const message: fc.Arbitrary<Message> = fc.oneof(...Object.values<fc.Arbitrary<Message>>(MODELS))

function bytesOf(value: Message, batches: readonly Uint8Array[] = []): Uint8Array {
  const writer = new Writer(64)
  encodeGroupMessage(writer, GROUP, value, batches)
  return Buffer.concat(writer.finish())
}

const decoded = (bytes: Uint8Array): GroupMessage => decodeGroupMessage(new Reader(bytes))

for (const [kind, model] of Object.entries<fc.Arbitrary<Message>>(MODELS)) {
  test(`${kind}: comes back`, () => {
    fc.assert(
      fc.property(model, (value) => {
        const { group, message: read, bytes } = decoded(bytesOf(value))
        assert.equal(group, GROUP)
        assert.deepEqual(read, value)
        assert.equal(bytes.length, 0)
      }),
    )
  })
}

const APPEND = {
  kind: 'append',
  term: asLeaderEpoch(3),
  prev: { epoch: asLeaderEpoch(3), offset: asOffset(5) },
  starts: [],
  batches: [],
  commit: { epoch: asLeaderEpoch(3), offset: asOffset(5) },
  logStart: asOffset(0),
  probe: false,
  round: 0,
} as const satisfies Message

test('the batches of an append come back, as the bytes that they were', () => {
  const first = testBatch({ baseOffset: 5, epoch: 3, count: 3 })
  const second = testBatch({ baseOffset: 8, epoch: 3 })
  const { message: read, bytes } = decoded(bytesOf(APPEND, [first, second]))
  assert.ok(read.kind === 'append')
  assert.deepEqual(Buffer.from(bytes), Buffer.concat([first, second]))
  assert.deepEqual(
    read.batches.map(({ baseOffset, nextOffset, at }) => [baseOffset, nextOffset, at]),
    [
      [5, 8, 0],
      [8, 9, first.length],
    ],
  )
})

test('batches that overlap, go backwards or are cut off are refused', () => {
  const first = testBatch({ baseOffset: 5, epoch: 3, count: 3 })
  for (const baseOffset of [0, 5, 7]) {
    const second = testBatch({ baseOffset, epoch: 3 })
    assert.throws(() => decoded(bytesOf(APPEND, [first, second])), ProtocolError)
  }
  for (let bytes = 1; bytes < first.length; bytes++) {
    assert.throws(() => decoded(bytesOf(APPEND, [first.subarray(0, bytes)])), ProtocolError)
  }
})

test('other bytes are refused, or are the one encoding of what they are read as', () => {
  fc.assert(
    fc.property(message, fc.nat(), fc.nat(255), fc.nat(3), (value, place, byte, kind) => {
      const bytes = bytesOf(value)
      const at = place % bytes.length
      const other = [
        bytes.with(at, byte),
        bytes.subarray(0, at),
        Uint8Array.of(...bytes, byte),
        Uint8Array.of(byte, ...bytes.subarray(at)),
      ][kind]!
      try {
        const { group, message: read, bytes: batches } = decoded(other)
        // Names are ASCII; others are of no group.
        if (Buffer.byteLength(group) !== group.length) return
        const writer = new Writer(64)
        encodeGroupMessage(writer, group, read, [batches])
        assert.deepEqual(Buffer.concat(writer.finish()), Buffer.from(other))
      } catch (error) {
        assert.ok(error instanceof ProtocolError, String(error))
      }
    }),
    { numRuns: 2000 },
  )
})

test('epoch starts that do not ascend, and an epoch, an offset or a flag that is none, are refused', () => {
  const start = (epoch: number, at: number) => ({
    epoch: asLeaderEpoch(epoch),
    start: asOffset(at),
  })
  const kind = 'install'
  const none = asOffset(0)
  const keep = { epoch: asLeaderEpoch(1), offset: none }
  const install = { kind, term: asLeaderEpoch(3), logStart: none, keep } as const
  const fields = { ...install, tombstonesRemovedBelow: none, snapshot: undefined }
  for (const epochs of [
    [start(1, 0), start(1, 1)],
    [start(2, 0), start(1, 1)],
    [start(1, 1), start(2, 0)],
    [start(-2, 0)],
    [start(1, -1)],
  ]) {
    assert.throws(() => decoded(bytesOf({ ...fields, epochs })), ProtocolError)
  }
  const grant = { kind: 'vote-grant', term: asLeaderEpoch(1), candidacy: 1 } as const
  assert.throws(() => decoded(bytesOf({ ...grant, logStart: asOffset(-1) })), ProtocolError)
  const reply = bytesOf({
    kind: 'pre-vote-reply',
    term: asLeaderEpoch(1),
    forTerm: asLeaderEpoch(1),
    granted: true,
  })
  assert.throws(() => decoded(reply.with(-1, 2)), ProtocolError)
})

test('a piece of a snapshot comes back, and one that is empty or too long is refused', () => {
  const head = {
    kind: 'install',
    term: asLeaderEpoch(3),
    logStart: asOffset(7),
    epochs: [{ epoch: asLeaderEpoch(3), start: asOffset(0) }],
    keep: { epoch: asLeaderEpoch(3), offset: asOffset(7) },
    tombstonesRemovedBelow: asOffset(2),
  } as const
  const at = { epoch: asLeaderEpoch(3), offset: asOffset(9) }
  const piece = Buffer.from('a piece')
  const encoded = (from: number, totalBytes: number, bytes: Uint8Array): Uint8Array =>
    bytesOf({ ...head, snapshot: { at, totalBytes, from } }, [bytes])
  const { message: read, bytes } = decoded(encoded(3, 10, piece))
  assert.deepEqual(read, { ...head, snapshot: { at, totalBytes: 10, from: 3 } })
  assert.deepEqual(Buffer.from(bytes), piece)
  for (const refused of [
    encoded(4, 10, piece),
    encoded(3, 10, new Uint8Array(0)),
    encoded(0, SNAPSHOT_BYTES_MAX + 1, piece),
  ]) {
    assert.throws(() => decoded(refused), ProtocolError)
  }
})
