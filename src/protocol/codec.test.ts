// The schema machinery: what every message does in every version, and the finer rules on small schemas.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EncodeError, ProtocolError } from './errors.ts'
import {
  decodeVersioned,
  encodeVersioned,
  join,
  Message,
  peekVersion,
  versioned,
  type InputOf,
  type ValueOf,
} from './message.ts'
import { consumerProtocolSubscription } from './persisted/consumer-protocol.ts'
import { offsetCommitKey } from './persisted/offset-commit.ts'
import { array, bytes, field, int32, int64, nullable, string, struct } from './schema.ts'
import { MESSAGES, versionsOf } from './testing/catalogue.ts'
import { generate } from './testing/generate.ts'
import { seeded } from './testing/random.ts'

test('what is written in a version is read back, for every message and version', () => {
  const size = { arrayMin: 0, arrayMax: 4, bytesMax: 40, long: true }
  for (const message of MESSAGES) {
    for (const version of versionsOf(message)) {
      for (let seed = 0; seed < 8; seed++) {
        const value = generate(message, version, seeded(seed), size)
        const read = message.decode(join(message.encode(value, version)), version)
        assert.deepEqual(read, value, `${message.name} v${version}, seed ${seed}`)
      }
    }
  }
})

const entry = struct([field('id', int32), field('note', nullable(string), { default: null })])

const sample = versioned({
  name: 'Sample',
  versions: [0, 3],
  flexibleSince: 2,
  fields: [
    field('name', string),
    field('count', int64, { since: 1, default: -1 }),
    field('hint', string, { since: 1, ignorable: true }),
    field('entries', nullable(array(entry)), { nullableSince: 1 }),
    field('extra', entry, { since: 2, tag: 1 }),
    field('more', array(int32), { since: 2, tag: 0 }),
    field('maybe', nullable(entry), { since: 3, default: null }),
    field('blob', nullable(bytes), { since: 3, tag: 2, default: null }),
  ],
})

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type Entry = { readonly id: number; readonly note: string | null }
type EntryInput = { readonly id: number; readonly note?: string | null | undefined }

test('types are inferred from the schema', () => {
  // Checked by the compiler: these lines do not type-check unless the types are the same.
  const read: Same<
    ValueOf<typeof sample>,
    {
      readonly name: string
      readonly count: number
      readonly hint: string
      readonly entries: readonly Entry[] | null
      readonly extra: Entry
      readonly more: readonly number[]
      readonly maybe: Entry | null
      readonly blob: Uint8Array | null
    }
  > = true
  const written: Same<InputOf<typeof sample>['entries'], readonly EntryInput[] | null> = true
  const omittable: Same<InputOf<typeof sample>['count'], number | undefined> = true
  assert.ok(read && written && omittable)
})

function hexOf(value: InputOf<typeof sample>, version: number): string {
  return Buffer.concat(sample.encode(value, version)).toString('hex')
}

test('each version has its own layout', () => {
  const value = { name: 'ab', entries: [{ id: 1 }] }
  assert.equal(hexOf(value, 0), '00026162' + '00000001' + '00000001' + 'ffff')
  const count = 'ffffffffffffffff'
  assert.equal(hexOf(value, 1), '00026162' + count + '0000' + '00000001' + '00000001' + 'ffff')
  assert.equal(hexOf(value, 2), '036162' + count + '01' + '02' + '00000001' + '00' + '00' + '00')
  assert.equal(
    hexOf({ ...value, entries: null, maybe: { id: 2 } }, 3),
    '036162' + count + '01' + '00' + '01' + '00000002' + '00' + '00' + '00',
  )
})

test('tagged fields are written in order, and only when they differ from their default', () => {
  const value = { name: '', entries: null, extra: { id: 5 }, more: [7] }
  const head = '01' + 'ffffffffffffffff' + '01' + '00'
  assert.equal(hexOf(value, 2), `${head}02` + '0005' + '0200000007' + '0106' + '00000005' + '0000')
  assert.equal(hexOf({ ...value, extra: { id: 0, note: null }, more: [] }, 2), `${head}00`)
})

test('unknown tags are skipped; tags out of order, repeated or of a wrong size are refused', () => {
  const head = '01' + 'ffffffffffffffff' + '01' + '00'
  const read = (tags: string): ValueOf<typeof sample> =>
    sample.decode(Buffer.from(head + tags, 'hex'), 2)
  assert.deepEqual(read('02' + '0005' + '0200000007' + '09020102').more, [7])
  for (const tags of [
    '02' + '09020102' + '0005' + '0200000007',
    '02' + '0005' + '0200000007' + '0005' + '0200000007',
    '01' + '0006' + '020000000700',
    '01' + '0004' + '0200000007',
    '01' + '09ff',
    '01' + '09ffffffff0f',
    'ffffffff0f',
    '02' + '0005' + '0200000007',
  ]) {
    assert.throws(() => read(tags), ProtocolError, tags)
  }
})

test('null is a length of -1, and only where it is allowed', () => {
  const read = (hex: string, version: number): ValueOf<typeof sample> =>
    sample.decode(Buffer.from(hex, 'hex'), version)
  assert.equal(read('0000' + 'ffffffffffffffff' + '0000' + 'ffffffff', 1).entries, null)
  for (const [hex, version] of [
    ['0000' + 'ffffffff', 0],
    ['ffff' + '00000000', 0],
    ['0000' + 'ffffffffffffffff' + '0000' + 'fffffffe', 1],
    ['fffe' + 'ffffffffffffffff' + '0000' + 'ffffffff', 1],
    ['00' + 'ffffffffffffffff' + '01' + '00' + '00', 2],
  ] as const) {
    assert.throws(() => read(hex, version), ProtocolError, hex)
  }
  assert.throws(() => hexOf({ name: '', entries: null }, 0), EncodeError)
})

test('a field that a version lacks is refused unless it has its default or is ignorable', () => {
  const value = { name: '', entries: [] }
  assert.throws(() => hexOf({ ...value, count: 3 }, 0), EncodeError)
  assert.throws(() => hexOf({ ...value, more: [1] }, 1), EncodeError)
  assert.throws(() => hexOf({ ...value, maybe: { id: 0 } }, 2), EncodeError)
  const dropped = { ...value, count: -1, hint: 'x', extra: { id: 0 }, more: [], maybe: null }
  assert.equal(hexOf(dropped, 0), '0000' + '00000000')
})

test('fields that a version lacks have their defaults after reading, and defaults cannot be changed', () => {
  const value = sample.decode(Buffer.from('0000' + '00000000', 'hex'), 0)
  assert.deepEqual(value, {
    name: '',
    count: -1,
    hint: '',
    entries: [],
    extra: { id: 0, note: null },
    more: [],
    maybe: null,
    blob: null,
  })
  assert.throws(() => (value.more as number[]).push(1), TypeError)
  assert.throws(() => Object.assign(value.extra, { id: 1 }), TypeError)
})

test('values of the wrong kind are refused by name', () => {
  const wrong = new Message<unknown, unknown>({ name: 'Wrong', versions: [0, 0] }, sample.node)
  for (const value of [
    { name: 5, entries: [] },
    { name: '', entries: 'none' },
    { name: '', entries: [{ id: 'x' }] },
    { name: '', entries: [null] },
    { entries: [{}] },
  ]) {
    assert.throws(() => wrong.encode(value, 0), EncodeError, JSON.stringify(value))
  }
  assert.throws(() => wrong.encode({ name: '', entries: [{ id: 'x' }] }, 0), {
    message: "Wrong v0: field 'id': x is not an integer in -2147483648..2147483647",
  })
})

test('a version that the message does not have is refused', () => {
  for (const version of [-1, 4, 1.5, Number.NaN]) {
    assert.throws(() => sample.encode({ name: '', entries: [] }, version), EncodeError)
    assert.throws(() => sample.decode(new Uint8Array(0), version), ProtocolError)
  }
})

test('versioned records carry their version', () => {
  const bytesOfKey = encodeVersioned(offsetCommitKey, 1, { group: 'g', topic: 't', partition: 2 })
  assert.equal(Buffer.from(bytesOfKey).toString('hex'), '0001' + '000167' + '000174' + '00000002')
  assert.equal(peekVersion(bytesOfKey), 1)
  assert.deepEqual(decodeVersioned(offsetCommitKey, bytesOfKey), {
    version: 1,
    value: { group: 'g', topic: 't', partition: 2 },
  })
  assert.throws(() => decodeVersioned(offsetCommitKey, Buffer.from('0009', 'hex')), ProtocolError)
  assert.throws(() => decodeVersioned(offsetCommitKey, new Uint8Array(1)), ProtocolError)
})

test('a newer consumer protocol is read as the last one known', () => {
  const written = encodeVersioned(consumerProtocolSubscription, 3, { topics: ['t'], rackId: 'r' })
  const newer = Buffer.concat([Buffer.from('0007', 'hex'), written.subarray(2), Buffer.alloc(9)])
  const { version, value } = decodeVersioned(consumerProtocolSubscription, newer, {
    newerAs: 'last',
  })
  assert.equal(version, 7)
  assert.deepEqual(value.topics, ['t'])
  assert.equal(value.rackId, 'r')
  assert.throws(() => decodeVersioned(consumerProtocolSubscription, newer), ProtocolError)
  const negative = Buffer.from('ffff', 'hex')
  assert.throws(
    () => decodeVersioned(consumerProtocolSubscription, negative, { newerAs: 'last' }),
    ProtocolError,
  )
})
