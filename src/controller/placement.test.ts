// Where replicas go.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asNodeId } from '../base/brand.ts'
import { place, type PlacementNode } from './placement.ts'

const node = (nodeId: number, rack: string | null = null, up = true): PlacementNode => ({
  nodeId: asNodeId(nodeId),
  rack,
  up,
})

function assignmentsOf(
  nodes: readonly PlacementNode[],
  options: { from?: number; count: number; replicationFactor: number },
): readonly (readonly number[])[] {
  const placed = place(nodes, { from: 0, ...options })
  assert.ok(placed.ok)
  return placed.assignments
}

test('leaders and replicas are spread evenly, and one after the other over several topics', () => {
  const nodes = [1, 2, 3, 4, 5].map((id) => node(id))
  const counts = new Map<number, number>()
  const leaders = new Map<number, number>()
  for (let from = 0; from < 100; from++) {
    const [replicas] = assignmentsOf(nodes, { from, count: 1, replicationFactor: 3 })
    assert.equal(new Set(replicas).size, 3)
    leaders.set(replicas![0]!, (leaders.get(replicas![0]!) ?? 0) + 1)
    for (const id of replicas!) counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  assert.deepEqual([...leaders.values()], [20, 20, 20, 20, 20])
  assert.deepEqual([...counts.values()], [60, 60, 60, 60, 60])
})

test('when a node fails, all others take over some of its partitions', () => {
  const nodes = [1, 2, 3, 4].map((id) => node(id))
  const heirs = new Set(
    assignmentsOf(nodes, { count: 40, replicationFactor: 3 })
      .filter(([leader]) => leader === 1)
      .map(([, heir]) => heir),
  )
  assert.deepEqual([...heirs].toSorted(), [2, 3, 4])
})

test('no two replicas share a rack while there are racks enough', () => {
  const nodes = [node(1, 'a'), node(2, 'a'), node(3, 'b'), node(4, 'b'), node(5, 'c'), node(6, 'c')]
  const rackOf = new Map(nodes.map(({ nodeId, rack }) => [Number(nodeId), rack]))
  for (const replicas of assignmentsOf(nodes, { count: 60, replicationFactor: 3 })) {
    assert.equal(new Set(replicas.map((id) => rackOf.get(id))).size, 3, replicas.join())
  }
  for (const replicas of assignmentsOf(nodes, { count: 12, replicationFactor: 5 })) {
    assert.equal(new Set(replicas).size, 5)
  }
})

test('a node that is down does not lead first, and holds replicas only where it must', () => {
  const nodes = [node(1), node(2, null, false), node(3)]
  for (const replicas of assignmentsOf(nodes, { count: 12, replicationFactor: 3 })) {
    assert.notEqual(replicas[0], 2)
    assert.equal(new Set(replicas).size, 3)
  }
  for (const replicas of assignmentsOf(nodes, { count: 12, replicationFactor: 2 })) {
    assert.ok(!replicas.includes(2))
  }
})

test('more replicas than nodes are refused with both numbers', () => {
  const placed = place([node(1), node(2)], { from: 0, count: 1, replicationFactor: 3 })
  assert.ok(!placed.ok)
  assert.match(placed.error.errorMessage ?? '', /3 time.*2 nodes/)
})
