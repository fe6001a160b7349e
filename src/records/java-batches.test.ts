// Batches that Kafka's own Java classes built (`MemoryRecordsBuilder` of kafka-clients 4.3.0, one per codec, as hex):
// ours come out the same byte for byte where no codec is involved, and theirs are valid and read the same.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { buildBatch, type NewRecord } from './build.ts'
import { CODECS, type Codec } from './codecs.ts'
import { recordsOf } from './read.ts'
import { recompressed } from './testing/recompressed.ts'
import { validateProduced } from './validate.ts'

const JAVA: Record<Codec, string> = createRequire(import.meta.url)('./fixtures/java-batches.json')
const java = (codec: Codec): Uint8Array => new Uint8Array(Buffer.from(JAVA[codec], 'hex'))
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** What the Java program appended. */
const RECORDS: readonly NewRecord[] = Array.from({ length: 40 }, (_, i) => ({
  timestampMs: 1_700_000_000_000 + (i % 7) * 50 - (i % 3) * 70_000,
  key: i % 5 === 0 ? null : text(`key-${i}`),
  value: i % 7 === 3 ? null : text(`value value value ${i} ${i * i} the end`),
  headers:
    i % 4 === 1
      ? [
          { key: text('trace'), value: text(`t${i}`) },
          { key: text('null'), value: null },
        ]
      : [],
}))
const PRODUCER = { producerId: 4000, producerEpoch: 3, baseSequence: 17 }

function plain(record: NewRecord): unknown {
  const hex = (bytes: Uint8Array | null): string | null =>
    bytes === null ? null : Buffer.from(bytes).toString('hex')
  const headers = (record.headers ?? []).map(({ key, value }) => [hex(key), hex(value)])
  return { at: record.timestampMs, key: hex(record.key), value: hex(record.value), headers }
}

test('an uncompressed batch comes out as from Java, byte for byte', () => {
  assert.deepEqual(buildBatch(RECORDS, { producer: PRODUCER }), java('none'))
})

for (const codec of CODECS) {
  test(`Java's ${codec} batch is valid and reads the same`, () => {
    const batch = java(codec)
    const result = validateProduced(batch, {
      nowMs: 1_700_000_000_000,
      timestampType: 'CreateTime',
      timestampBeforeMaxMs: Infinity,
      timestampAfterMaxMs: 3_600_000,
      batchBytesMax: 1_048_588,
      uncompressedBytesMax: 1 << 20,
      keyRequired: false,
      zstdAllowed: true,
    })
    assert(result.kind === 'valid', JSON.stringify(result))
    assert.equal(result.codec, codec)
    assert.equal(result.maxTimestampRight, true)
    assert.deepEqual([...recordsOf(batch, 0)].map(plain), RECORDS.map(plain))
  })

  test(`Java's ${codec} batch recompressed to none is ours`, () => {
    const transactional = codec === 'lz4'
    assert.deepEqual(
      recompressed(java(codec), 0, 'none'),
      buildBatch(RECORDS, { producer: PRODUCER, transactional }),
    )
  })
}
