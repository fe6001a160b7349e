import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { asLeaderEpoch, asLogId, asNodeId, asOffset } from '../base/brand.ts'
import { ByteReader, ByteWriter, FormatError } from './byte-io.ts'
import {
  decodeRecord,
  encodeRecord,
  RECORD_BYTES_MAX,
  type JournalRecord,
} from './journal-record.ts'

const int = fc.maxSafeNat()
const u32 = fc.nat(0xffff_ffff)
const offset = int.map(asOffset)
const epoch = fc.integer({ min: -1, max: 0x7fff_ffff }).map(asLeaderEpoch)
const time = fc.maxSafeInteger().map((value) => value + 0)
const config = fc.record({ segmentBytes: int, segmentMs: int, indexIntervalBytes: int })

const record: fc.Arbitrary<JournalRecord> = fc.oneof(
  fc.record({
    type: fc.constant('create' as const),
    incarnation: int,
    id: fc.string().map(asLogId),
    directory: fc.string(),
    config,
    descriptor: fc.uint8Array({ maxLength: 300 }),
  }),
  fc.record({ type: fc.constant('drop' as const), incarnation: int }),
  fc.record({
    type: fc.constant('hard-state' as const),
    incarnation: int,
    hardState: fc.record({
      term: int,
      votedFor: fc.option(int.map(asNodeId), { nil: undefined }),
      suspect: fc.boolean(),
    }),
  }),
  fc.record({ type: fc.constant('epoch-start' as const), incarnation: int, epoch, start: offset }),
  fc.record({
    type: fc.constantFrom('append' as const, 'copy' as const),
    incarnation: int,
    base: offset,
    end: offset,
    maxTimestampMs: time,
    bytes: u32,
    crc: u32,
  }),
  fc.record({
    type: fc.constant('extent' as const),
    incarnation: int,
    epoch,
    base: offset,
    end: offset,
    segment: offset,
    position: int,
    bytes: int,
    crc: u32,
    maxTimestampMs: time,
    firstTimestampMs: time,
  }),
  fc.record({
    type: fc.constant('truncate' as const),
    incarnation: int,
    epoch,
    offset,
    keptBytes: int,
  }),
  fc.record({
    type: fc.constant('install' as const),
    incarnation: int,
    logStart: offset,
    tombstonesRemovedBelow: offset,
    epochs: fc.array(fc.record({ epoch, start: offset }), { maxLength: 20 }),
  }),
  fc.record({
    type: fc.constant('replace' as const),
    incarnation: int,
    base: offset,
    end: offset,
    revision: int,
    bytes: int,
    crc: u32,
    maxTimestampMs: time,
    tombstonesRemovedBelow: offset,
  }),
  fc.record({ type: fc.constant('log-start' as const), incarnation: int, offset }),
)

/** Fast-check makes records without a prototype. */
function plain(each: JournalRecord): JournalRecord {
  if (each.type === 'hard-state') return { ...each, hardState: { ...each.hardState } }
  if (each.type === 'create') return { ...each, config: { ...each.config } }
  if (each.type === 'install') return { ...each, epochs: each.epochs.map((one) => ({ ...one })) }
  return { ...each }
}

test('records come back as they were written, one after the other', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 8 }), (records) => {
      const out = new ByteWriter(8)
      for (const each of records) {
        const before = out.length
        encodeRecord(out, each)
        const free = each.type === 'install' ? 12 * each.epochs.length : 0
        const bytes = out.length - before - free
        if (each.type !== 'create') assert.ok(bytes <= RECORD_BYTES_MAX)
      }
      const input = new ByteReader(out.view())
      for (const each of records) assert.deepEqual(decodeRecord(input), plain(each))
      assert.equal(input.remaining, 0)
    }),
  )
})

test('a record that ends early or has no known type is a format error', () => {
  fc.assert(
    fc.property(record, fc.nat(), (each, cut) => {
      const out = new ByteWriter()
      encodeRecord(out, each)
      const bytes = out.view().subarray(0, cut % out.length)
      assert.throws(() => decodeRecord(new ByteReader(bytes)), FormatError)
    }),
  )
  assert.throws(() => decodeRecord(new ByteReader(new Uint8Array(64).fill(99))), FormatError)
})

test('creations and hard states of version 1 are still read', () => {
  const create = new ByteWriter()
  create.u8(1)
  create.i64(7)
  create.string('id')
  create.string('topic-0.7')
  for (const setting of [1, 2, 3]) create.i64(setting)
  assert.deepEqual(decodeRecord(new ByteReader(create.view())), {
    type: 'create',
    incarnation: 7,
    id: 'id',
    directory: 'topic-0.7',
    config: { segmentBytes: 1, segmentMs: 2, indexIntervalBytes: 3 },
    descriptor: new Uint8Array(0),
  })
  const vote = new ByteWriter()
  vote.u8(3)
  vote.i64(7)
  vote.i64(5)
  vote.i64(2)
  const input = new ByteReader(vote.view())
  const hardState = { term: 5, votedFor: 2, suspect: false }
  assert.deepEqual(decodeRecord(input), { type: 'hard-state', incarnation: 7, hardState })
  assert.equal(input.remaining, 0)
})
