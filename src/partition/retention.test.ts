// Retention by time and size, at segment borders and below the high watermark.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asOffset } from '../base/brand.ts'
import { retainedFrom } from './retention.ts'

const segment = (base: number, end: number, maxTimestampMs: number, bytes = 100) => ({
  baseOffset: asOffset(base),
  endOffset: asOffset(end),
  bytes,
  maxTimestampMs,
})

const segments = [segment(0, 10, 1000), segment(10, 20, 2000), segment(20, 25, 3000, 50)]
const base = {
  segments,
  logStart: asOffset(0),
  highWatermark: asOffset(25),
  nowMs: 3000,
  retentionMs: -1,
  retentionBytes: -1,
}

test('without limits everything stays', () => {
  assert.equal(retainedFrom({ ...base, nowMs: 1e15 }), undefined)
})

test('by time: a segment goes when its newest record is older than retention.ms', () => {
  assert.equal(retainedFrom({ ...base, retentionMs: 2000 }), undefined)
  assert.equal(retainedFrom({ ...base, retentionMs: 1999 }), 10)
  assert.equal(retainedFrom({ ...base, retentionMs: 999 }), 20)
  assert.equal(retainedFrom({ ...base, nowMs: 4000, retentionMs: 999 }), 25)
})

test('by size: the oldest go while what remains is at least retention.bytes', () => {
  assert.equal(retainedFrom({ ...base, retentionBytes: 151 }), undefined)
  assert.equal(retainedFrom({ ...base, retentionBytes: 150 }), 10)
  assert.equal(retainedFrom({ ...base, retentionBytes: 50 }), 20)
  assert.equal(retainedFrom({ ...base, retentionBytes: 0 }), 25)
})

test('nothing above the high watermark goes, and a young segment holds back older ones', () => {
  assert.equal(
    retainedFrom({ ...base, nowMs: 1e9, retentionMs: 0, highWatermark: asOffset(19) }),
    10,
  )
  const mixed = [segment(0, 10, 5000), segment(10, 20, 1000), segment(20, 25, 6000)]
  assert.equal(
    retainedFrom({ ...base, segments: mixed, nowMs: 6000, retentionMs: 2000 }),
    undefined,
  )
})

test('a log start inside a segment stays until that whole segment goes', () => {
  assert.equal(retainedFrom({ ...base, logStart: asOffset(5), retentionMs: 2000 }), undefined)
  assert.equal(retainedFrom({ ...base, logStart: asOffset(5), retentionMs: 1999 }), 10)
})
