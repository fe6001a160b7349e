// The versioned list against a plain map, read by a reader that takes it in piece by piece.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { VersionedList } from './versioned-list.ts'

const keys = ['a', 'b', 'c', 'd', 'e', 'f']
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('set'), key: fc.constantFrom(...keys) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('remove'), key: fc.constantFrom(...keys) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('read'), key: fc.constantFrom(...keys) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('prune'), key: fc.constant('') }) },
)

test('a reader of the changes ends with what the list holds', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 4 }), (steps, n) => {
      const list = new VersionedList<string, number>()
      const model = new Map<string, number>()
      const reader = new Map<string, number>()
      let read = 0
      const readOn = (): void => {
        const { through, entries } = list.after(read, n, () => 1)
        assert.ok(entries.length <= n)
        let last = read
        for (const { version, key, value } of entries) {
          assert.ok(version > last && version <= through)
          last = version
          if (value === undefined) reader.delete(key)
          else reader.set(key, value)
        }
        read = through
      }
      for (const [i, { kind, key }] of steps.entries()) {
        if (kind === 'set') {
          list.set(key, i)
          model.set(key, i)
          const entry = list.get(key)
          assert.equal(entry?.version, list.version)
          assert.deepEqual(list.at(list.version), entry)
        } else if (kind === 'remove') {
          list.remove(key)
          model.delete(key)
        } else if (kind === 'read') {
          readOn()
        } else {
          list.prune(read)
        }
        for (const one of keys) assert.equal(list.get(one)?.value, model.get(one))
        for (let v = 0; v <= list.version + 1; v++) {
          const entry = list.at(v)
          if (entry !== undefined) assert.equal(model.get(entry.key), entry.value)
        }
      }
      while (read < list.version) readOn()
      assert.deepEqual([...reader].toSorted(), [...model].toSorted())
      list.prune(read)
      assert.equal(list.size, model.size, 'nothing is kept of what all have seen removed')
    }),
    { numRuns: 200 },
  )
})

test('memory follows what is in the list, not its history', () => {
  const list = new VersionedList<number, number>()
  for (let i = 0; i < 100_000; i++) list.set(i % 10, i)
  const { entries, through } = list.after(0, 1_000, () => 1)
  assert.equal(entries.length, 10)
  assert.equal(through, 100_000)
  assert.equal(list.at(5), undefined)
})

test('a forgotten entry leaves no trace', () => {
  const list = new VersionedList<string, number>()
  list.set('a', 1)
  list.set('b', 2)
  list.forget('a')
  assert.equal(list.at(1), undefined)
  assert.deepEqual(
    list.after(0, 10, () => 1).entries.map(({ key }) => key),
    ['b'],
  )
})

test('a version is of what it set, while that stands', () => {
  const list = new VersionedList<string, number>()
  list.set('a', 1)
  list.set('b', 2)
  assert.deepEqual([list.at(1)?.value, list.at(2)?.value, list.at(3)], [1, 2, undefined])
  for (let i = 0; i < 100; i++) list.set('a', i)
  assert.deepEqual(
    [list.at(1), list.at(50), list.at(list.version)?.value],
    [undefined, undefined, 99],
  )
  list.remove('b')
  assert.equal(list.at(list.version), undefined)
})
