// Whole requests and responses: headers, sizes, records by reference, and what is refused.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EncodeError, ProtocolError } from './errors.ts'
import { decodeRequestHeader, encodeRequestHeader } from './headers.ts'
import { apiVersions } from './messages/api-versions.ts'
import { fetch } from './messages/fetch.ts'
import { metadata } from './messages/metadata.ts'
import { produce } from './messages/produce.ts'
import { decodeRequest, decodeResponse, encodeRequest, encodeResponse } from './requests.ts'
import { Writer } from './writer.ts'

function frameOf(chunks: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.concat(chunks)
  assert.equal(bytes.readInt32BE(0), bytes.length - 4)
  return bytes.subarray(4)
}

test('a request comes back with its header and body, in every version', () => {
  const body = {
    acks: -1,
    timeoutMs: 30_000,
    topicData: [{ name: 'events', partitionData: [{ index: 3, records: new Uint8Array([1, 2]) }] }],
  }
  for (let version = 0; version <= 12; version++) {
    const chunks = encodeRequest(produce, version, { correlationId: 77, clientId: 'é' }, body)
    const { header, body: rest } = decodeRequestHeader(frameOf(chunks))
    assert.deepEqual(header, { apiKey: 0, apiVersion: version, correlationId: 77, clientId: 'é' })
    const decoded = produce.request.decode(rest, version)
    assert.deepEqual(decoded.topicData, [
      { topicId: 'AAAAAAAAAAAAAAAAAAAAAA', ...body.topicData[0] },
    ])
    assert.equal(decoded.transactionalId, null)
  }
})

test('records travel by reference', () => {
  const records = new Uint8Array(5000)
  const chunks = encodeResponse(fetch, 16, 1, {
    responses: [
      {
        topicId: 'AAAAAAAAAAAAAAAAAAAAAQ',
        partitions: [
          { partitionIndex: 0, errorCode: 0, highWatermark: 9, abortedTransactions: null, records },
        ],
      },
    ],
  })
  assert.ok(chunks.includes(records))
  const { correlationId, body } = decodeResponse(fetch, 16, frameOf(chunks))
  assert.equal(correlationId, 1)
  assert.deepEqual(body.responses[0]?.partitions[0]?.records, records)
})

test('a list of record batches is written one after the other', () => {
  const batches = [new Uint8Array(2000).fill(1), new Uint8Array(10).fill(2)]
  const partition = { partitionIndex: 0, errorCode: 0, highWatermark: 9, abortedTransactions: [] }
  for (const version of [11, 12]) {
    const chunks = encodeResponse(fetch, version, 1, {
      responses: [{ topic: 't', partitions: [{ ...partition, records: batches }] }],
    })
    const { body } = decodeResponse(fetch, version, frameOf(chunks))
    const read = body.responses[0]?.partitions[0]?.records
    assert.deepEqual(Buffer.from(read ?? []), Buffer.concat(batches))
  }
})

test('the ApiVersions response never has a flexible header', () => {
  const body = { errorCode: 0, apiKeys: [] }
  assert.equal(
    frameOf(encodeResponse(apiVersions, 3, 5, body)).toString('hex'),
    '00000005' + '0000' + '01' + '00000000' + '00',
  )
  assert.equal(frameOf(encodeResponse(metadata, 9, 5, { brokers: [], topics: [] }))[4], 0)
})

test('headers have the bytes that Kafka gives them', () => {
  const headerOf = (apiKey: number, apiVersion: number, clientId: string | null): string => {
    const writer = new Writer()
    encodeRequestHeader(writer, { apiKey, apiVersion, correlationId: 77, clientId })
    return Buffer.concat(writer.finish()).toString('hex')
  }
  assert.equal(headerOf(0, 8, 'me'), '0000' + '0008' + '0000004d' + '00026d65')
  assert.equal(headerOf(0, 9, 'me'), '0000' + '0009' + '0000004d' + '00026d65' + '00')
  assert.equal(headerOf(18, 3, null), '0012' + '0003' + '0000004d' + 'ffff' + '00')
  assert.equal(headerOf(17, 1, ''), '0011' + '0001' + '0000004d' + '0000')
})

test('a request header of an unknown version can be read, of an unknown API not', () => {
  const writer = new Writer()
  encodeRequestHeader(writer, { apiKey: 18, apiVersion: 99, correlationId: 4, clientId: null })
  const { header } = decodeRequestHeader(Buffer.concat(writer.finish()))
  assert.deepEqual(header, { apiKey: 18, apiVersion: 99, correlationId: 4, clientId: null })
  const unknown = Buffer.from('7fff' + '0000' + '00000001' + 'ffff', 'hex')
  assert.throws(() => decodeRequestHeader(unknown), ProtocolError)
})

test('a tagged field of a request header may be unknown, but not large', () => {
  const withField = (bytes: number): Buffer => {
    const writer = new Writer()
    encodeRequestHeader(writer, { apiKey: 18, apiVersion: 3, correlationId: 4, clientId: null })
    const header = Buffer.concat(writer.finish())
    const tail = new Writer()
    for (const varint of [1, 7, bytes]) tail.unsignedVarint(varint)
    return Buffer.concat([
      header.subarray(0, -1),
      ...tail.finish(),
      Buffer.alloc(bytes),
      Buffer.of(9),
    ])
  }
  assert.deepEqual([...decodeRequestHeader(withField(4096)).body], [9])
  assert.throws(() => decodeRequestHeader(withField(4097)), ProtocolError)
})

test('null where the version does not allow it, and fields that it lacks, are refused', () => {
  assert.throws(() => metadata.request.encode({ topics: null }, 0), EncodeError)
  assert.doesNotThrow(() => metadata.request.encode({ topics: null }, 1))
  assert.throws(() => metadata.request.encode({ topics: null, allowAutoTopicCreation: false }, 3), {
    name: 'EncodeError',
    message:
      "MetadataRequest v3: field 'allowAutoTopicCreation': set, but the version does not have it",
  })
  assert.throws(() => metadata.request.decode(Buffer.from('ffffffff', 'hex'), 0), ProtocolError)
  assert.equal(metadata.request.decode(Buffer.from('ffffffff', 'hex'), 1).topics, null)
})

test('the number of array elements is bounded, since they cost more memory than bytes', () => {
  // Two bytes each: an empty name and no tagged fields.
  const request = (count: number): Buffer => {
    const length = new Writer()
    length.unsignedVarint(count + 1)
    const topics = Buffer.alloc(count * 2).fill('0100', 'hex')
    return Buffer.concat([...length.finish(), topics, Buffer.alloc(4)])
  }
  assert.equal(metadata.request.decode(request(1000), 9).topics?.length, 1000)
  assert.throws(() => metadata.request.decode(request(1_000_001), 9), ProtocolError)
})

test('lengths are checked against what is left', () => {
  for (const hex of ['7fffffff', '80000000', 'fffffffe', '00000002', '000000010005']) {
    assert.throws(() => metadata.request.decode(Buffer.from(hex, 'hex'), 1), ProtocolError, hex)
  }
})

test('bytes after a request are left unread, as Kafka does: a librdkafka sends some', () => {
  const chunks = encodeRequest(metadata, 13, { correlationId: 1, clientId: 'c' }, { topics: null })
  const { body } = decodeRequestHeader(frameOf(chunks))
  const decoded = decodeRequest(metadata, 13, Buffer.concat([body, Buffer.alloc(3)]))
  assert.deepEqual(decoded, decodeRequest(metadata, 13, body))
})
