// What is written with a magic number, a version and a checksum is believed only with all of them right.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asOffset } from '../base/brand.ts'
import { MAGIC_AT } from '../records/batch-header.ts'
import { checkedSummary } from './batch-scan.ts'
import { FormatError } from './byte-io.ts'
import { decodeCheckpoint, encodeCheckpoint } from './checkpoint.ts'
import { decodeFrameHead, encodeFrameHead } from './journal-frame.ts'
import { NodeState } from './node-state.ts'
import { decodeSnapshot, encodeSnapshot } from './snapshots.ts'
import { StoreError } from './store.ts'
import { testBatch } from './testing/batches.ts'

const GENERATION = { number: 4, salt: 77 }

function changed(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = new Uint8Array(bytes)
  copy[at] = value
  return copy
}

test('a checkpoint', () => {
  const cursor = { generation: GENERATION, nextLsn: 5, previousCrc: 9, sequence: 3, position: 64 }
  const bytes = encodeCheckpoint({ cursor, state: new NodeState() })
  assert.deepEqual(decodeCheckpoint(bytes).cursor, cursor)
  for (const [at, value, message] of [
    [0, 0, /not a checkpoint/],
    [5, 9, /version 9 is newer than/],
    [12, bytes[12]! ^ 1, /CRC/],
    [bytes.length - 1, 1, /CRC/],
  ] as const) {
    assert.throws(
      () => decodeCheckpoint(changed(bytes, at, value)),
      (error) => error instanceof FormatError && message.test(error.message),
      `byte ${at}`,
    )
  }
})

/** As the first version wrote it, before logs had descriptors and segments revisions. */
const CHECKPOINT_V1 = [
  '434843500001000000000128f496c6af000000040000004d000000000000000500000009000000000000',
  '0003000000000000004000000000000000030000000100000000000000020001610009746f7069632d30',
  '2e3200000000000003e800000000000007d0000000000000001e00000000000000070000000000000004',
  '0000000000000005000000000000000c0000000200000001000000000000000000000006000000000000',
  '000800000002000000000000000400000000000000080000000000000190000000000000000b00000000',
  '0000000a010000000000000008000000000000000a00000000000000c8000000000000000d0000000000',
  '00000c0000000001000000000000000a000000000000000c00000064000000000000000e000000000000',
  '000300000000000000800000006400000063',
].join('')

test('a checkpoint of version 1', () => {
  const { cursor, state } = decodeCheckpoint(Buffer.from(CHECKPOINT_V1, 'hex'))
  const expected = { nextLsn: 5, previousCrc: 9, sequence: 3, position: 64 }
  assert.deepEqual(cursor, { generation: GENERATION, ...expected })
  const [log, ...others] = state.logs.values()
  assert.ok(log !== undefined && others.length === 0)
  assert.equal(state.nextIncarnation, 3)
  assert.deepEqual([log.incarnation, log.id, log.directory], [2, 'a', 'topic-0.2'])
  assert.deepEqual(log.config, { segmentBytes: 1000, segmentMs: 2000, indexIntervalBytes: 30 })
  assert.deepEqual(log.hardState, { term: 7, votedFor: 4, suspect: false })
  assert.deepEqual(log.descriptor, new Uint8Array(0))
  assert.deepEqual([log.logStart, log.end], [5, { epoch: 6, offset: 12 }])
  assert.deepEqual(log.epochs.entries, [
    { epoch: 1, start: 0 },
    { epoch: 6, start: 8 },
  ])
  assert.deepEqual(
    log.segments.map(({ baseOffset, endOffset, bytes, indexed }) => [
      baseOffset,
      endOffset,
      bytes,
      indexed,
    ]),
    [
      [4, 8, 400, true],
      [8, 10, 200, false],
    ],
  )
  const place = { sequence: 3, position: 128, bytes: 100, crc: 99 }
  assert.deepEqual(
    log.tail.map(({ base, end, bytes, blob }) => ({ base, end, bytes, place: blob.place })),
    [{ base: 10, end: 12, bytes: 100, place }],
  )
})

test('a snapshot', () => {
  const at = { epoch: asLeaderEpoch(3), offset: asOffset(8) }
  const bytes = encodeSnapshot(at, Buffer.from('body'))
  assert.equal(Buffer.from(decodeSnapshot(bytes, at) ?? []).toString(), 'body')
  // Magic, version, epoch, offset, length, checksum, body.
  for (const byte of [0, 5, 11, 19, 23, 27, 28]) {
    assert.equal(decodeSnapshot(changed(bytes, byte, 9), at), undefined, `byte ${byte}`)
  }
  assert.equal(decodeSnapshot(bytes, { ...at, epoch: asLeaderEpoch(4) }), undefined)
  assert.equal(decodeSnapshot(bytes, { ...at, offset: asOffset(9) }), undefined)
  assert.equal(decodeSnapshot(bytes.subarray(0, 20), at), undefined)
})

test('a batch of another magic, which its own CRC does not cover', () => {
  const batch = testBatch({ baseOffset: 0, epoch: 1 })
  const where = { position: 0, end: batch.length, offsetMin: 0 }
  assert.equal(checkedSummary(batch, 0, where).bytes, batch.length)
  assert.throws(() => checkedSummary(changed(batch, MAGIC_AT, 1), 0, where), StoreError)
})

test('a frame whose number is beyond what a number can say', () => {
  const frame = { dataBytes: 0, records: 0, generation: GENERATION, lsn: 7, previousCrc: 0 }
  const { bytes } = encodeFrameHead(frame, new Uint8Array())
  assert.equal(decodeFrameHead(bytes, 0)?.lsn, 7)
  assert.equal(decodeFrameHead(changed(bytes, 24, 0x7f), 0), undefined)
  assert.equal(decodeFrameHead(changed(bytes, 0, 0), 0), undefined)
})
