// What a creation record holds for ever comes back; anything else is refused.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asNodeId } from '../base/brand.ts'
import { decodeDescriptor, encodeDescriptor } from './descriptor.ts'

const voters = [
  { nodeId: asNodeId(2), directoryId: 'b' },
  { nodeId: asNodeId(1), directoryId: 'ä' },
]

const bytesOf = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

test('voters come back in their order, a cluster id if there was one', () => {
  for (const descriptor of [{ voters }, { voters, clusterId: 'c' }]) {
    assert.deepEqual(decodeDescriptor(encodeDescriptor(descriptor)), descriptor)
  }
})

test('a replica of a node by itself had none', () => {
  assert.equal(decodeDescriptor(new Uint8Array(0)), undefined)
})

test('a later version is refused, and so is what is no descriptor', () => {
  assert.throws(
    () => decodeDescriptor(bytesOf({ version: 2, voters: [] })),
    /version 2: written by a later version/,
  )
  const pairs = [[1], [1, 'a', 2], ['1', 'a'], [1.5, 'a'], [1, 2], 'ab', null]
  const wrong = [7, null, {}, ...pairs.map((pair) => [[1, 'a'], pair])]
  for (const value of wrong) {
    assert.throws(() => decodeDescriptor(bytesOf(value)))
    assert.throws(() => decodeDescriptor(bytesOf({ version: 1, voters: value })))
  }
  assert.throws(() => decodeDescriptor(Uint8Array.of(0x22, 0xff, 0x22)))
})
