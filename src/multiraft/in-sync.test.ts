// Who is in sync, as its leader sees it, and how that is told.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { asLeaderEpoch, asLogId, asNodeId, asOffset } from '../base/brand.ts'
import type { Position } from '../base/position.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { Reader } from '../protocol/reader.ts'
import { Writer } from '../protocol/writer.ts'
import {
  decodeLagging,
  encodeLagging,
  FollowerLags,
  sameLagging,
  type LaggingByGroup,
} from './in-sync.ts'

const node = asNodeId(2)
const at = (offset: number): Position => ({ epoch: asLeaderEpoch(1), offset: asOffset(offset) })
/** Elected so long ago that nobody counts for that any more. */
const elected = () => new FollowerLags(-2000)
const behind = (nowMs: number) => ({ caughtUp: false, nowMs, lagMsMax: 100 })

test('after an election a follower counts for a second, whatever it holds', () => {
  const lags = new FollowerLags(500)
  lags.acknowledged(node, at(1), at(5), 600)
  assert.equal(lags.inSync(node, behind(1500)), true)
  assert.equal(lags.inSync(node, behind(1501)), false)
  assert.equal(lags.inSync(node, { ...behind(1501), caughtUp: true }), true)
  assert.equal(lags.caughtUpMs(node), undefined)
})

test('one that never held everything is out of sync once it has said so', () => {
  const lags = elected()
  lags.acknowledged(node, at(1), at(5), 10)
  assert.equal(lags.inSync(node, behind(10)), false)
  assert.equal(lags.caughtUpMs(node), undefined)
})

test('one that held everything counts until the lag is over', () => {
  const lags = elected()
  lags.acknowledged(node, at(5), at(5), 10)
  assert.equal(lags.inSync(node, behind(110)), true)
  assert.equal(lags.inSync(node, behind(111)), false)
  assert.equal(lags.caughtUpMs(node), 10)
  lags.acknowledged(node, at(9), at(9), 200)
  assert.equal(lags.caughtUpMs(node), 200)
})

test('one that always holds what there was when it last spoke keeps up with a busy leader', () => {
  const lags = elected()
  lags.acknowledged(node, at(5), at(5), 10)
  lags.acknowledged(node, at(7), at(9), 60)
  assert.equal(lags.caughtUpMs(node), 10)
  lags.acknowledged(node, at(9), at(12), 110)
  assert.equal(lags.caughtUpMs(node), 60)
  lags.acknowledged(node, at(10), at(20), 160)
  assert.equal(lags.caughtUpMs(node), 60, 'it fell behind')
  lags.acknowledged(node, at(19), at(30), 210)
  assert.equal(lags.caughtUpMs(node), 60, 'what counts is the end when it last spoke')
})

test('what one held before it could not be reached says nothing', () => {
  const lags = elected()
  lags.acknowledged(node, at(5), at(5), 2000)
  lags.down(node)
  assert.equal(lags.caughtUpMs(node), undefined)
  assert.equal(lags.inSync(node, behind(2001)), false)
})

const groups = fc
  .array(
    fc.tuple(
      fc.string({ minLength: 1, maxLength: 30 }).map(asLogId),
      fc.array(fc.nat(0x7fff_ffff).map(asNodeId), { maxLength: 7 }),
    ),
    { maxLength: 20 },
  )
  .map((entries): LaggingByGroup => new Map(entries))

function bytesOf(lagging: LaggingByGroup): Uint8Array {
  const writer = new Writer(64)
  encodeLagging(writer, lagging)
  return Buffer.concat(writer.finish())
}

test('who lags comes back', () => {
  fc.assert(
    fc.property(groups, (lagging) => {
      const read = decodeLagging(new Reader(bytesOf(lagging)))
      assert.deepEqual(read, lagging)
      assert.equal(sameLagging(read, lagging), true)
    }),
  )
})

test('two lists differ by a group, a node or an order', () => {
  const list = (...entries: readonly [string, number[]][]): LaggingByGroup =>
    new Map(entries.map(([group, nodes]) => [asLogId(group), nodes.map(asNodeId)]))
  const one = list(['a', [1, 2]])
  for (const other of [list(), list(['a', [1]]), list(['b', [1, 2]]), list(['a', [2, 1]])]) {
    assert.equal(sameLagging(one, other), false)
    assert.equal(sameLagging(other, one), false)
  }
  assert.equal(sameLagging(one, list(['a', [1, 2]], ['b', []])), false)
})

test('other bytes are refused, or read as something that is no longer than they are', () => {
  fc.assert(
    fc.property(groups, fc.nat(), fc.nat(255), fc.nat(3), (lagging, place, byte, kind) => {
      const bytes = bytesOf(lagging)
      const damaged = [
        bytes.with(place % bytes.length, byte),
        bytes.subarray(0, place % bytes.length),
        Uint8Array.of(...bytes, byte),
        Uint8Array.of(byte, byte, byte, byte),
      ][kind]!
      try {
        assert.ok(decodeLagging(new Reader(damaged)).size * 4 <= damaged.length)
      } catch (error) {
        assert.ok(error instanceof ProtocolError, String(error))
      }
    }),
  )
  assert.throws(() => decodeLagging(new Reader(Uint8Array.of(0, 0, 0, 0, 7))), ProtocolError)
})
