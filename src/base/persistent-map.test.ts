// The persistent map against a plain Map.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PersistentMap } from './persistent-map.ts'

test('a persistent map answers as a Map does, and older copies do not change', () => {
  const change = fc.record({
    key: fc.constantFrom('a', 'b', 'c', 'Aa', 'BB', '__proto__'),
    value: fc.option(fc.nat()),
  })
  fc.assert(
    fc.property(fc.array(change), (changes) => {
      const model = new Map<string, number>()
      let map = PersistentMap.empty<number>()
      const history: [PersistentMap<number>, [string, number][]][] = []
      for (const { key, value } of changes) {
        if (value === null) {
          model.delete(key)
          map = map.without(key)
        } else {
          model.set(key, value)
          map = map.with(key, value)
        }
        history.push([map, [...model].toSorted()])
      }
      for (const [copy, entries] of history) {
        assert.deepEqual([...copy].toSorted(), entries)
        assert.equal(copy.size, entries.length)
        assert.deepEqual(
          [...copy.keys()].toSorted(),
          entries.map(([key]) => key),
        )
        for (const [key, value] of entries) assert.equal(copy.get(key), value)
      }
      assert.equal(map.has('d'), false)
    }),
  )
})
