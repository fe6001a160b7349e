// The records of `__consumer_offsets`: Kafka's bytes, and back.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ZERO_UUID } from '../protocol/schema.ts'
import { decodeGroupRecord, encodeGroupRecord } from './group-records.ts'

const hex = (bytes: Uint8Array | null): string => Buffer.from(bytes ?? []).toString('hex')

test('keys and values are laid out as in Kafka', () => {
  const entry = {
    offset: 7,
    leaderEpoch: 2,
    metadata: 'm',
    commitTimestampMs: 9,
    expireTimestampMs: -1,
    topicId: ZERO_UUID,
  }
  const offset = encodeGroupRecord({ type: 'offset', group: 'g', topic: 't', partition: 3, entry })
  assert.equal(hex(offset.key), '0001' + '000167' + '000174' + '00000003')
  assert.equal(
    hex(offset.value),
    '0003' + '0000000000000007' + '00000002' + '00016d' + '0000000000000009',
  )
  const topicId = 'V8_S243z5emwWkrIQP89GA'
  const withId = encodeGroupRecord({
    type: 'offset',
    group: 'g',
    topic: 't',
    partition: 3,
    entry: { ...entry, topicId },
  })
  assert.equal(
    hex(withId.value),
    '0004' +
      '0000000000000007' +
      '00000002' +
      '026d' +
      '0000000000000009' +
      '010010' +
      Buffer.from(topicId, 'base64url').toString('hex'),
  )
  const expiring = { ...entry, leaderEpoch: -1, expireTimestampMs: 11 }
  const old = encodeGroupRecord({
    type: 'offset',
    group: 'g',
    topic: 't',
    partition: 3,
    entry: expiring,
  })
  assert.equal(
    hex(old.value),
    '0001' + '0000000000000007' + '00016d' + '0000000000000009' + '000000000000000b',
  )
  const gone = encodeGroupRecord({ type: 'group', group: 'g', metadata: null })
  assert.deepEqual([hex(gone.key), gone.value], ['0002' + '000167', null])
})

test('what is written is read back, sharing no memory', () => {
  const text = fc.string({ maxLength: 10 })
  const bytes = fc.uint8Array({ maxLength: 10 })
  const times = fc.record({
    commitTimestampMs: fc.maxSafeNat(),
    expireTimestampMs: fc.constant(-1),
  })
  const entry = fc.record(
    {
      offset: fc.maxSafeNat(),
      leaderEpoch: fc.integer({ min: -1, max: 99 }),
      metadata: text,
      topicId: fc.constantFrom(ZERO_UUID, 'V8_S243z5emwWkrIQP89GA'),
    },
    { noNullPrototype: true },
  )
  const member = fc.record(
    {
      memberId: text,
      groupInstanceId: fc.option(text),
      clientId: text,
      clientHost: text,
      rebalanceTimeout: fc.nat(),
      sessionTimeout: fc.nat(),
      subscription: bytes,
      assignment: bytes,
    },
    { noNullPrototype: true },
  )
  const metadata = fc.record(
    {
      protocolType: text,
      generation: fc.nat(),
      protocol: fc.option(text),
      leader: fc.option(text),
      currentStateTimestamp: fc.maxSafeNat(),
      members: fc.array(member, { maxLength: 3 }),
    },
    { noNullPrototype: true },
  )
  const record = fc.oneof(
    fc.record(
      {
        type: fc.constant('offset' as const),
        group: text,
        topic: text,
        partition: fc.nat(),
        entry: fc.option(fc.tuple(entry, times).map(([one, at]) => ({ ...one, ...at }))),
      },
      { noNullPrototype: true },
    ),
    fc.record(
      { type: fc.constant('group' as const), group: text, metadata: fc.option(metadata) },
      { noNullPrototype: true },
    ),
  )
  fc.assert(
    fc.property(record, (one) => {
      const encoded = encodeGroupRecord(one)
      const decoded = decodeGroupRecord(encoded)
      encoded.key.fill(255)
      encoded.value?.fill(255)
      assert.deepEqual(decoded, one)
    }),
  )
})

test('records of other kinds are passed over, malformed ones are not', () => {
  assert.deepEqual(decodeGroupRecord({ key: Uint8Array.of(0, 3, 1), value: null }), {
    type: 'other',
  })
  assert.deepEqual(decodeGroupRecord({ key: null, value: null }), { type: 'other' })
  assert.throws(() => decodeGroupRecord({ key: Uint8Array.of(0, 1, 0, 9), value: null }))
})
