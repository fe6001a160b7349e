// Records as text: what `consume --json` prints is what `produce --json` takes, for any bytes; and every wrong line
// is named.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { asOffset } from '../base/brand.ts'
import type { ConsumedRecord } from '../client/consumer.ts'
import { bytesText, plural } from './amounts.ts'
import { linesOf } from './lines.ts'
import { lineFromRecord, recordFromLine, type InputFormat } from './record-text.ts'
import { textTable } from './text-table.ts'

const read = (bytes: Uint8Array): string =>
  new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const hex = (bytes: Uint8Array | null): string | null =>
  bytes === null ? null : Buffer.from(bytes).toString('hex')
const PLAIN: InputFormat = {
  topic: 't',
  json: false,
  keySeparator: undefined,
  partition: undefined,
  headers: [],
}
const JSON_LINES: InputFormat = { ...PLAIN, json: true }

test('JSON lines carry every record there and back', () => {
  const content = fc.option(fc.oneof(fc.uint8Array(), fc.string({ unit: 'binary' }).map(text)))
  const header = fc.tuple(fc.string(), fc.option(fc.string()))
  fc.assert(
    fc.property(
      content,
      content,
      fc.array(header, { maxLength: 4 }),
      fc.nat(),
      (key, value, pairs, at) => {
        const headers = pairs.map(([name, of]) => ({
          key: text(name),
          value: of === null ? null : text(of),
        }))
        const record: ConsumedRecord = {
          topic: 'other',
          partition: 3,
          offset: asOffset(17),
          timestampMs: at,
          key,
          value,
          headers,
        }
        const line = read(lineFromRecord(record, { json: true, keySeparator: undefined }))
        assert(line.endsWith('\n') && !line.slice(0, -1).includes('\n'))
        const back = recordFromLine(text(line.slice(0, -1)), 1, JSON_LINES)
        assert.deepEqual([hex(back.key), hex(back.value)], [hex(key), hex(value)])
        assert.deepEqual([back.topic, back.partition, back.timestampMs], ['t', 3, at])
        assert.deepEqual(
          back.headers?.map((h) => [hex(h.key), hex(h.value)]),
          headers.map((h) => [hex(h.key), hex(h.value)]),
        )
      },
    ),
  )
})

test('plain lines are bytes, with a key before the separator', () => {
  const bytes = Uint8Array.of(0xff, 0, 13, 58, 58, 1)
  assert.equal(hex(recordFromLine(bytes, 1, PLAIN).value), hex(bytes))
  const record = recordFromLine(bytes, 1, { ...PLAIN, keySeparator: '::', partition: 2 })
  assert.deepEqual([hex(record.key), hex(record.value), record.partition], ['ff000d', '01', 2])
  assert.throws(
    () => recordFromLine(text('no separator'), 7, { ...PLAIN, keySeparator: '::' }),
    /line 7/,
  )
})

test('JSON lines: other values as JSON, dates as text, what is wrong is named', () => {
  const take = (line: string) => recordFromLine(text(line), 4, JSON_LINES)
  assert.equal(hex(take('{"value": {"a": [1, true]}}').value), hex(text('{"a":[1,true]}')))
  assert.equal(take('{"timestamp": "2026-01-31T12:00:00Z"}').timestampMs, 1_769_860_800_000)
  assert.equal(take('{}').value, null)
  for (const [line, what] of [
    ['{', /line 4: no JSON/],
    ['[]', /line 4: no JSON object/],
    ['{"vlaue": 1}', /line 4: unknown field "vlaue"/],
    ['{"partition": -1}', /line 4: the partition/],
    ['{"timestamp": "yesterday"}', /line 4: the timestamp/],
    ['{"headers": 3}', /line 4: the headers/],
    ['{"headers": [["a"]]}', /line 4: a header/],
    ['{"keyBase64": 3}', /line 4: keyBase64/],
  ] as const) {
    assert.throws(() => take(line), what)
  }
})

test('input is cut at line feeds, wherever its chunks end', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.constantFrom(10, 13, 65, 66), { maxLength: 6 })),
      async (chunks) => {
        const input = async function* (): AsyncGenerator<Uint8Array> {
          for (const chunk of chunks) yield Uint8Array.from(chunk)
        }
        const lines: string[] = []
        for await (const line of linesOf(input())) lines.push(Buffer.from(line).toString())
        const all = Buffer.from(chunks.flat()).toString()
        const expected = all.split('\n')
        if (expected.at(-1) === '') expected.pop()
        assert.deepEqual(lines, expected)
      },
    ),
  )
})

test('tables line up, numbers to the right', () => {
  const rows = [
    ['a', 1],
    ['long name', 20],
  ]
  assert.equal(
    textTable(['name', 'count'], rows),
    'name       count\na              1\nlong name     20\n',
  )
  assert.deepEqual(
    [1, 2].map((n) => plural(n, 'record')),
    ['1 record', '2 records'],
  )
  assert.deepEqual([1, 999, 1000, 2_500_000].map(bytesText), [
    '1 byte',
    '999 bytes',
    '1.0 kB',
    '2.5 MB',
  ])
})
