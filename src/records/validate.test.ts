// Validation of produced batches, with builder, reader and rewriting around it: every rule has a batch that breaks it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { crc32c } from '../base/crc32c.ts'
import * as header from './batch-header.ts'
import { buildBatch, sealBatch, type BatchOptions, type NewRecord } from './build.ts'
import { CODECS, compress } from './codecs.ts'
import { recordsOf } from './read.ts'
import { setProducer, setTimestamps } from './rewrite.ts'
import { recompressed } from './testing/recompressed.ts'
import { putVarint, putVarlong } from './varint.ts'
import {
  validateProduced,
  VALIDATION_ERRORS,
  type ValidationError,
  type ValidationRules,
} from './validate.ts'

const NOW_MS = 1_700_000_000_000
const RULES: ValidationRules = {
  nowMs: NOW_MS,
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: Infinity,
  timestampAfterMaxMs: 3_600_000,
  batchBytesMax: 1_048_588,
  uncompressedBytesMax: 1 << 24,
  keyRequired: false,
  zstdAllowed: true,
}
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

function records(count: number): NewRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    key: i % 3 === 0 ? null : text(`key ${i}`),
    value: i % 4 === 1 ? null : text(`value ${i}`),
    timestampMs: NOW_MS + ((i * 7) % 5),
    headers:
      i % 2 === 0
        ? []
        : [
            { key: text('h'), value: null },
            { key: text(''), value: text('v') },
          ],
  }))
}

function expectInvalid(
  bytes: Uint8Array,
  error: ValidationError,
  match: RegExp,
  rules = RULES,
): void {
  const result = validateProduced(bytes, rules)
  assert(result.kind === 'invalid', `valid, but expected ${error} ${match}`)
  assert.equal(result.error, error, result.message)
  assert.equal(result.code, VALIDATION_ERRORS[error])
  assert.match(result.message, match)
}

/** A copy with a changed header, its CRC right again. */
function changed(bytes: Uint8Array, change: (copy: Uint8Array) => void): Uint8Array {
  const copy = bytes.slice()
  change(copy)
  header.putInt32(copy, header.CRC_AT, crc32c(copy.subarray(header.ATTRIBUTES_AT)))
  return copy
}

/** A batch of one record whose body is given; `count` as declared. */
function handmade(
  payload: readonly number[],
  count = 1,
  codec: BatchOptions['codec'] = 'none',
): Uint8Array {
  const head = buildBatch(records(count), { codec }).subarray(0, header.BATCH_HEADER_BYTES)
  return sealBatch(head, compress(codec, Uint8Array.from(payload)))
}

test('a batch of every codec is valid, is not touched, and its records come back', () => {
  for (const codec of CODECS) {
    const sent = records(50)
    const batch = buildBatch(sent, {
      codec,
      producer: { producerId: 7, producerEpoch: 0, baseSequence: 5 },
    })
    const before = batch.slice()
    const result = validateProduced(batch, RULES)
    assert(result.kind === 'valid', JSON.stringify(result))
    assert.equal(result.codec, codec)
    assert.equal(result.recordCount, 50)
    assert.equal(result.maxTimestampMs, NOW_MS + 4)
    assert.equal(result.maxTimestampRight, true)
    assert.deepEqual(batch, before)
    const read = [...recordsOf(batch, 0)]
    assert.deepEqual(
      read.map((record) => record.offset),
      sent.map((_, i) => i),
    )
    assert.deepEqual(
      read.map(({ key, value, timestampMs, headers }) =>
        plain({ key, value, timestampMs, headers }),
      ),
      sent.map(plain),
    )
  }
})

function plain(record: NewRecord): unknown {
  const list = (bytes: Uint8Array | null): number[] | null => (bytes === null ? null : [...bytes])
  return {
    key: list(record.key),
    value: list(record.value),
    timestampMs: record.timestampMs,
    headers: (record.headers ?? []).map((h) => [list(h.key), list(h.value)]),
  }
}

test('any records round-trip through builder, validation and reader', () => {
  const bytes = fc.uint8Array({ maxLength: 200 })
  const record = fc.record({
    key: fc.option(bytes),
    value: fc.option(bytes),
    timestampMs: fc.oneof(fc.integer({ min: -1, max: 2 ** 52 }), fc.constant(NOW_MS)),
    headers: fc.array(fc.record({ key: bytes, value: fc.option(bytes) }), { maxLength: 3 }),
  })
  const rules = { ...RULES, timestampAfterMaxMs: Infinity }
  fc.assert(
    fc.property(
      fc.array(record, { minLength: 1, maxLength: 20 }),
      fc.constantFrom(...CODECS),
      (sent, codec) => {
        const batch = buildBatch(sent, { codec })
        const result = validateProduced(batch, rules)
        assert(result.kind === 'valid', JSON.stringify(result))
        assert.equal(result.maxTimestampMs, Math.max(...sent.map((r) => r.timestampMs)))
        assert.deepEqual([...recordsOf(batch, 0)].map(plain), sent.map(plain))
      },
    ),
  )
})

test('what is not exactly one whole v2 batch is refused', () => {
  const batch = buildBatch(records(3))
  expectInvalid(new Uint8Array(0), 'INVALID_RECORD', /no record batch/)
  expectInvalid(Buffer.concat([batch, batch]), 'INVALID_RECORD', /exactly one/)
  expectInvalid(Buffer.concat([batch, Uint8Array.of(0)]), 'INVALID_RECORD', /exactly one/)
  for (let cut = 1; cut < batch.length; cut++) {
    expectInvalid(batch.subarray(0, cut), 'CORRUPT_MESSAGE', /cut off|a batch of/)
  }
  for (const magic of [0, 1]) {
    expectInvalid(
      changed(batch, (b) => (b[header.MAGIC_AT] = magic)),
      'INVALID_RECORD',
      /format v[01]/,
    )
  }
  expectInvalid(
    changed(batch, (b) => (b[header.MAGIC_AT] = 3)),
    'CORRUPT_MESSAGE',
    /magic 3/,
  )
  expectInvalid(batch, 'MESSAGE_TOO_LARGE', /max\.message\.bytes/, {
    ...RULES,
    batchBytesMax: batch.length - 1,
  })
})

test('every flipped bit is found, but for those that the log stamps', () => {
  const batch = buildBatch(records(3))
  for (let bit = 0; bit < batch.length * 8; bit++) {
    const at = bit >> 3
    if (at >= header.LEADER_EPOCH_AT && at < header.MAGIC_AT) continue
    const copy = batch.slice()
    copy[at] = copy[at]! ^ (1 << (bit & 7))
    assert.equal(validateProduced(copy, RULES).kind, 'invalid', `bit ${bit}`)
  }
})

test('header fields that a client may not send so are refused', () => {
  const batch = buildBatch(records(3), {
    producer: { producerId: 7, producerEpoch: 1, baseSequence: 0 },
  })
  const with32 = (at: number, value: number): Uint8Array =>
    changed(batch, (b) => header.putInt32(b, at, value))
  const withBits = (bits: number): Uint8Array =>
    changed(batch, (b) => header.putInt16(b, header.ATTRIBUTES_AT, bits))
  expectInvalid(
    changed(batch, (b) => header.putInt64(b, 0, 5)),
    'INVALID_RECORD',
    /base offset 5/,
  )
  expectInvalid(with32(header.RECORD_COUNT_AT, 0), 'INVALID_RECORD', /count of 0/)
  expectInvalid(with32(header.RECORD_COUNT_AT, -1), 'INVALID_RECORD', /count of -1/)
  expectInvalid(with32(header.LAST_OFFSET_DELTA_AT, 3), 'INVALID_RECORD', /last offset delta of 3/)
  expectInvalid(with32(header.BASE_SEQUENCE_AT, -1), 'INVALID_RECORD', /base sequence -1/)
  expectInvalid(
    changed(batch, (b) => header.putInt16(b, header.PRODUCER_EPOCH_AT, -1)),
    'INVALID_RECORD',
    /epoch -1/,
  )
  expectInvalid(
    changed(batch, (b) => header.putInt64(b, header.PRODUCER_ID_AT, -2)),
    'INVALID_RECORD',
    /id -2/,
  )
  expectInvalid(with32(header.PRODUCER_ID_AT, 0x7fff_ffff), 'INVALID_RECORD', /producer id/)
  expectInvalid(with32(header.BASE_TIMESTAMP_AT, 0x7fff_ffff), 'INVALID_TIMESTAMP', /out of range/)
  expectInvalid(with32(header.MAX_TIMESTAMP_AT, 0x7fff_ffff), 'INVALID_TIMESTAMP', /out of range/)
  expectInvalid(withBits(header.CONTROL_BIT), 'INVALID_RECORD', /control/)
  expectInvalid(withBits(header.DELETE_HORIZON_BIT), 'INVALID_RECORD', /delete horizon/)
  expectInvalid(withBits(header.TIMESTAMP_TYPE_BIT), 'INVALID_TIMESTAMP', /LogAppendTime/)
  for (const codec of [5, 6, 7])
    expectInvalid(withBits(codec), 'UNSUPPORTED_COMPRESSION_TYPE', /codec/)
  expectInvalid(buildBatch(records(1), { transactional: true }), 'INVALID_RECORD', /transactional/)
  const zstd = buildBatch(records(1), { codec: 'zstd' })
  expectInvalid(zstd, 'UNSUPPORTED_COMPRESSION_TYPE', /version 7/, { ...RULES, zstdAllowed: false })
})

test('counts and offset deltas must be exact, compressed or not', () => {
  for (const codec of CODECS) {
    const batch = buildBatch(records(4), { codec })
    const declare = (count: number): Uint8Array =>
      changed(batch, (b) => {
        header.putInt32(b, header.RECORD_COUNT_AT, count)
        header.putInt32(b, header.LAST_OFFSET_DELTA_AT, count - 1)
      })
    expectInvalid(declare(3), 'INVALID_RECORD', /more records than the 3/)
    expectInvalid(declare(5), 'INVALID_RECORD', /4 records, 5 declared/)
    //                     length attributes time offset key value headers
    const record = (offset: number): number[] => [12, 0, 0, offset * 2, 1, 1, 0]
    expectInvalid(
      handmade([...record(0), ...record(2)], 2, codec),
      'INVALID_RECORD',
      /record 1 has the offset delta 2/,
    )
    expectInvalid(handmade([...record(1)], 1, codec), 'INVALID_RECORD', /offset delta 1/)
    assert.equal(
      validateProduced(handmade([...record(0), ...record(1)], 2, codec), RULES).kind,
      'valid',
    )
  }
})

test('every malformed record is refused', () => {
  const cases: readonly [string, number[], RegExp][] = [
    ['length beyond the batch', [14, 0, 0, 0, 1, 1, 0], /a record of 7 bytes/],
    ['negative length', [1, 0, 0, 0, 1, 1, 0], /a record of -1 bytes/],
    ['empty', [0], /cut off/],
    ['shorter than its fields', [10, 0, 0, 0, 1, 1, 0], /cut off/],
    ['longer than its fields', [14, 0, 0, 0, 1, 1, 0, 0], /before or after its length/],
    ['key beyond the record', [12, 0, 0, 0, 8, 1, 0], /a key of 4 bytes/],
    ['key length -2', [12, 0, 0, 0, 3, 1, 0], /a key of -2 bytes/],
    ['value beyond the record', [12, 0, 0, 0, 1, 8, 0], /a value of 4 bytes/],
    ['value length -2', [12, 0, 0, 0, 1, 3, 0], /a value of -2 bytes/],
    ['negative header count', [12, 0, 0, 0, 1, 1, 1], /-1 headers/],
    ['more headers than bytes', [14, 0, 0, 0, 1, 1, 4, 0], /2 headers/],
    ['null header key', [16, 0, 0, 0, 1, 1, 2, 1, 0], /a header key of -1 bytes/],
    ['header key beyond the record', [16, 0, 0, 0, 1, 1, 2, 8, 0], /a header key of 4 bytes/],
    ['header value beyond the record', [16, 0, 0, 0, 1, 1, 2, 0, 8], /a header value of 4 bytes/],
    ['varint of six bytes', [22, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 1, 1, 0], /32 bits/],
    ['varint above 32 bits', [20, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x1f, 1, 1, 0], /32 bits/],
    [
      'varlong of eleven bytes',
      [32, 0, ...Array.from({ length: 10 }, () => 0x80), 0, 0, 1, 1, 0],
      /64 bits/,
    ],
    [
      'timestamp delta above 2^53',
      [30, 0, ...Array.from({ length: 9 }, () => 0xff), 1, 0, 1, 1, 0],
      /out of range/,
    ],
  ]
  for (const [name, payload, match] of cases) {
    for (const codec of CODECS) {
      const result = validateProduced(handmade(payload, 1, codec), RULES)
      assert(result.kind === 'invalid', `${name}, ${codec}`)
      assert.match(result.message, match, `${name}, ${codec}`)
      assert.throws(
        () => [...recordsOf(handmade(payload, 1, codec), 0)],
        match,
        `${name}, ${codec}`,
      )
    }
  }
  assert.equal(validateProduced(handmade([12, 0, 0, 0, 1, 1, 0]), RULES).kind, 'valid')
})

test('a truncated payload is refused at every byte', () => {
  for (const codec of CODECS) {
    const batch = buildBatch(records(3), { codec })
    const head = batch.subarray(0, header.BATCH_HEADER_BYTES)
    for (let end = header.BATCH_HEADER_BYTES; end < batch.length; end++) {
      const cut = sealBatch(head, batch.subarray(header.BATCH_HEADER_BYTES, end))
      expectInvalid(cut, 'INVALID_RECORD', /./)
    }
  }
})

test('hostile payloads under a right CRC never throw', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 80 }),
      fc.constantFrom(...CODECS),
      fc.boolean(),
      (payload, codec, raw) => {
        const head = buildBatch(records(2), { codec }).subarray(0, header.BATCH_HEADER_BYTES)
        validateProduced(sealBatch(head, raw ? payload : compress(codec, payload)), RULES)
      },
    ),
    { numRuns: 2000 },
  )
})

test('a payload that decompresses to more than allowed is too large', () => {
  const bomb = [{ key: null, value: new Uint8Array(1 << 20), timestampMs: NOW_MS }]
  for (const codec of CODECS) {
    expectInvalid(buildBatch(bomb, { codec }), 'MESSAGE_TOO_LARGE', /./, {
      ...RULES,
      batchBytesMax: 1 << 24,
      uncompressedBytesMax: 1 << 20,
    })
  }
})

test('timestamps out of range and missing keys name the records', () => {
  const at = (timestampMs: number): NewRecord => ({ key: text('k'), value: null, timestampMs })
  const rules = { ...RULES, timestampBeforeMaxMs: 1000, timestampAfterMaxMs: 500 }
  const edges = buildBatch([at(NOW_MS - 1000), at(NOW_MS + 500), at(-1)])
  assert.equal(validateProduced(edges, rules).kind, 'valid')
  const result = validateProduced(
    buildBatch([at(NOW_MS), at(NOW_MS - 1001), at(NOW_MS), at(NOW_MS + 501)]),
    rules,
  )
  assert(result.kind === 'invalid')
  assert.equal(result.error, 'INVALID_TIMESTAMP')
  assert.deepEqual(
    result.recordErrors.map((error) => error.index),
    [1, 3],
  )
  const appendTime = { ...rules, timestampType: 'LogAppendTime' as const }
  assert.equal(validateProduced(buildBatch([at(5)]), appendTime).kind, 'valid')

  const keyless = validateProduced(buildBatch(records(5)), { ...RULES, keyRequired: true })
  assert(keyless.kind === 'invalid')
  assert.equal(keyless.error, 'INVALID_RECORD')
  assert.deepEqual(
    keyless.recordErrors.map((error) => error.index),
    [0, 3],
  )
})

test('a wrong maximum timestamp is reported, and put right with a new CRC', () => {
  const batch = changed(buildBatch(records(5)), (b) =>
    header.putInt64(b, header.MAX_TIMESTAMP_AT, 5),
  )
  const result = validateProduced(batch, RULES)
  assert(result.kind === 'valid')
  assert.equal(result.maxTimestampRight, false)
  assert.equal(result.maxTimestampMs, NOW_MS + 4)
  setTimestamps(batch, 0, { type: 'CreateTime', maxTimestampMs: result.maxTimestampMs })
  assert.deepEqual(batch, buildBatch(records(5)))
})

test('LogAppendTime stamps type and maximum, and readers see it on every record', () => {
  const sent = buildBatch(records(5), { codec: 'lz4' })
  const batch = new Uint8Array(Buffer.concat([sent, sent, sent]))
  setTimestamps(batch, sent.length, { type: 'LogAppendTime', maxTimestampMs: NOW_MS + 99 })
  assert.deepEqual(batch.subarray(0, sent.length), sent)
  assert.deepEqual(batch.subarray(sent.length * 2), sent)
  const middle = batch.subarray(sent.length, sent.length * 2)
  assert.equal(header.crcAt(middle, 0), crc32c(middle.subarray(header.ATTRIBUTES_AT)))
  assert.ok(header.isLogAppendTimeAt(middle, 0))
  assert.ok(
    [...recordsOf(batch, sent.length)].every((record) => record.timestampMs === NOW_MS + 99),
  )
  const once = batch.slice()
  setTimestamps(batch, sent.length, { type: 'LogAppendTime', maxTimestampMs: NOW_MS + 99 })
  assert.deepEqual(batch, once)
})

test('recompression keeps everything but codec, length and CRC', () => {
  const options = { producer: { producerId: 7, producerEpoch: 1, baseSequence: 9 } }
  for (const from of CODECS) {
    for (const to of CODECS) {
      const batch = recompressed(buildBatch(records(20), { ...options, codec: from }), 0, to)
      assert.deepEqual(
        batch,
        buildBatch(records(20), { ...options, codec: to }),
        `${from} to ${to}`,
      )
    }
  }
})

test('a producer stamp set later is the one that was built in', () => {
  const producer = { producerId: 2 ** 40, producerEpoch: 3, baseSequence: 0x7fff_ffff }
  const batch = buildBatch(records(3), { codec: 'gzip' })
  setProducer(batch, 0, producer)
  assert.deepEqual(batch, buildBatch(records(3), { codec: 'gzip', producer }))
})

test('varints and varlongs are exact up to the edges', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      const bytes = new Uint8Array(10)
      const end = putVarlong(bytes, 0, value)
      let zigzag = 0n
      for (let i = end - 1; i >= 0; i--) zigzag = (zigzag << 7n) | BigInt(bytes[i]! & 0x7f)
      assert.equal((zigzag >> 1n) ^ -(zigzag & 1n), BigInt(value))
    }),
    {
      examples: [
        [0],
        [-1],
        [63],
        [64],
        [-64],
        [-65],
        [Number.MAX_SAFE_INTEGER],
        [Number.MIN_SAFE_INTEGER],
      ],
    },
  )
  fc.assert(
    fc.property(fc.integer(), (value) => {
      const bytes = new Uint8Array(10)
      const other = new Uint8Array(10)
      assert.equal(putVarint(bytes, 0, value), putVarlong(other, 0, value))
      assert.deepEqual(bytes, other)
    }),
  )
  const far = { key: null, value: null }
  const batch = buildBatch([
    { ...far, timestampMs: Number.MIN_SAFE_INTEGER + 1 },
    { ...far, timestampMs: 0 },
  ])
  assert.equal([...recordsOf(batch, 0)][1]?.timestampMs, 0)
})
