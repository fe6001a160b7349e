// The range assignor: Kafka's documented examples, and that every partition has exactly one owner.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { assignRanges } from './range-assignor.ts'

test('consecutive ranges, the first members get the rest', () => {
  const members = ['c', 'a', 'b'].map((memberId) => ({ memberId, topics: ['t', 'u'] }))
  const assignment = assignRanges(
    members,
    new Map([
      ['t', 4],
      ['u', 2],
    ]),
  )
  assert.deepEqual(assignment.get('a'), [
    { topic: 't', partitions: [0, 1] },
    { topic: 'u', partitions: [0] },
  ])
  assert.deepEqual(assignment.get('b'), [
    { topic: 't', partitions: [2] },
    { topic: 'u', partitions: [1] },
  ])
  assert.deepEqual(assignment.get('c'), [{ topic: 't', partitions: [3] }])
})

test('every partition that someone subscribes to has one owner, who subscribes to it', () => {
  const topic = fc.constantFrom('t', 'u', 'v')
  const members = fc.uniqueArray(
    fc.record({ memberId: fc.string({ minLength: 1 }), topics: fc.uniqueArray(topic) }),
    { selector: ({ memberId }) => memberId },
  )
  const counts = fc.uniqueArray(fc.tuple(topic, fc.integer({ min: 1, max: 20 })), {
    selector: ([name]) => name,
  })
  fc.assert(
    fc.property(members, counts, (all, sizes) => {
      const owners = new Map<string, string>()
      for (const [memberId, list] of assignRanges(all, new Map(sizes))) {
        for (const { topic: name, partitions } of list) {
          const owner = all.find((member) => member.memberId === memberId)
          assert.ok(owner?.topics.some((subscribed) => subscribed === name))
          for (const partition of partitions) {
            assert.equal(owners.get(`${name} ${partition}`), undefined)
            owners.set(`${name} ${partition}`, memberId)
          }
        }
      }
      const subscribed = new Set<string>(all.flatMap((member) => member.topics))
      const wanted = sizes.filter(([name]) => subscribed.has(name))
      assert.equal(
        owners.size,
        wanted.reduce((sum, [, count]) => sum + count, 0),
      )
    }),
  )
})
