// Which nodes a client is told of.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asNodeId } from '../base/brand.ts'
import { worthTrying } from './cluster-view.ts'

const brokers = [1, 2, 3].map((id) => ({ nodeId: asNodeId(id) }))
const told = (...up: number[]) =>
  worthTrying(brokers, (nodeId) => up.includes(nodeId)).map(({ nodeId }) => nodeId)

test('a dead node is not named', () => {
  assert.deepEqual(told(1, 2, 3), [1, 2, 3])
  assert.deepEqual(told(1, 3), [1, 3])
})

test('a node that hears no majority names all: it may be the one that is cut off', () => {
  assert.deepEqual(told(2), [1, 2, 3])
})
