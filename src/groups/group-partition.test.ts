// The values are what Java prints for "…".hashCode().

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { groupPartition, javaHashCode } from './group-partition.ts'

test('hashes as Java does', () => {
  const known: [string, number][] = [
    ['', 0],
    ['a', 97],
    ['hello', 99162322],
    ['The quick brown fox jumps over the lazy dog', -609428141],
    ['polygenelubricants', -2147483648],
    ['ä😀', 228 * 31 * 31 + 0xd83d * 31 + 0xde00],
  ]
  for (const [text, hash] of known) assert.equal(javaHashCode(text), hash, text)
})

test('a group with the smallest hash has a partition too', () => {
  assert.equal(groupPartition('polygenelubricants', 50), 0)
  assert.equal(groupPartition('hello', 50), 22)
  assert.equal(
    groupPartition('The quick brown fox jumps over the lazy dog', 50),
    (2 ** 31 - 609428141) % 50,
  )
})
