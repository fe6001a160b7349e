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
import { testBatch } from './testing.ts'

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
