// What a group can do without: tombstones, and a replica that must forget its log.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asNodeId } from '../base/brand.ts'
import { at } from './testing/fake-log.ts'
import { LoneGroup } from './testing/lone-group.ts'
import { canSpare, tombstonesKeptFrom } from './spare.ts'

const two = asNodeId(2)

test('R10: tombstones that a follower is about to get stay; of what is committed everywhere they may go', () => {
  const { group } = new LoneGroup().established()
  assert.equal(tombstonesKeptFrom(group), 6)
  const ahead = new LoneGroup().established()
  ahead.write()
  ahead.group.pump()
  ahead.ack(3)
  assert.equal(tombstonesKeptFrom(ahead.group), 6)
  ahead.sync()
  assert.deepEqual(ahead.raft.commit, at(2, 7))
  assert.equal(tombstonesKeptFrom(ahead.group), 6)
  ahead.goesDown(2)
  assert.equal(tombstonesKeptFrom(ahead.group), 7)
})

test('R10: between two voters all tombstones stay', () => {
  const { group } = new LoneGroup({ voters: 2, up: [2] }).established()
  assert.equal(tombstonesKeptFrom(group), 0)
})

test('R5: a replica can be spared while all others are whole, have answered and hold what is committed', () => {
  const group = new LoneGroup().established()
  assert.ok(canSpare(group.group, two))
  group.goesDown(2)
  assert.ok(canSpare(group.group, two))
  assert.ok(!canSpare(group.group, asNodeId(3)))
  group.comesUp(2)
  group.group.pump()
  group.ack(2)
  group.goesDown(3)
  group.write()
  group.group.pump()
  group.sync()
  group.ack(2)
  group.comesUp(3)
  group.group.pump()
  group.ack(3, { durable: at(2, 6) })
  assert.ok(!canSpare(group.group, two))
})

test('R5: one that has said nothing yet, or is suspect, is not whole, even where nothing is committed yet', () => {
  const group = new LoneGroup().lead()
  group.group.pump()
  assert.ok(!canSpare(group.group, two))
  group.ack(3, { suspect: true })
  assert.ok(!canSpare(group.group, two))
})

test('R5: only a leader knows, and between two voters neither can be spared', () => {
  assert.ok(!canSpare(new LoneGroup().group, two))
  assert.ok(!canSpare(new LoneGroup({ voters: 2, up: [2] }).established().group, two))
})
