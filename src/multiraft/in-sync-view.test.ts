// Who is in sync, as a node sees it of its own groups and hears it of others, and what it tells them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asNodeId, type LogId, type NodeId } from '../base/brand.ts'
import { Reader } from '../protocol/reader.ts'
import { Writer } from '../protocol/writer.ts'
import { FrameKind } from './frames.ts'
import { encodeLagging, decodeLagging } from './in-sync.ts'
import { InSyncView } from './in-sync-view.ts'
import { LoneGroup } from './testing/lone-group.ts'
import { ManualTimers } from './testing/manual-timers.ts'

const [one, two, three] = [asNodeId(1), asNodeId(2), asNodeId(3)]
const ALL = [one, two, three]

class View {
  readonly group: LoneGroup
  readonly time = new ManualTimers()
  leader: NodeId | undefined
  /** What was told to whom. */
  readonly told: string[] = []
  readonly view: InSyncView

  constructor(group: LoneGroup, leader: NodeId | undefined) {
    this.group = group
    this.leader = leader
    this.view = new InSyncView({
      nodeId: one,
      timers: this.time,
      groups: new Map([[group.group.id, group.group]]),
      peers: [two, three],
      isUp: (node) => group.up.has(node),
      leaderOf: () => this.leader,
      send: (to, frame) => {
        const reader = new Reader(Buffer.concat(frame))
        assert.equal(reader.uint8(), FrameKind.LAGGING)
        const lagging = [...decodeLagging(reader)].map(([id, nodes]) => `${id}: ${nodes.join(' ')}`)
        this.told.push(`${lagging.join(', ') || 'nobody'} to ${to}`)
      },
    })
  }

  get inSync(): readonly NodeId[] {
    return this.view.inSync(this.group.group.id, ALL)
  }

  hears(from: NodeId, ...lagging: NodeId[]): void {
    const writer = new Writer(64)
    encodeLagging(writer, new Map<LogId, NodeId[]>([[this.group.group.id, lagging]]))
    this.view.receive(from, new Reader(Buffer.concat(writer.finish())))
  }
}

/** Leads; node 3 has not held everything for 40 seconds. */
function leading(): View {
  const group = new LoneGroup().established()
  group.nowMs += 40_000
  group.write()
  group.group.pump()
  group.ack(2)
  return new View(group, one)
}

test('a leader counts who can be reached and does not lag', () => {
  const view = leading()
  assert.deepEqual(view.inSync, [1, 2])
  view.group.goesDown(2)
  assert.deepEqual(view.inSync, [1])
  view.view.setLagMax(50_000)
  assert.deepEqual(view.inSync, [1, 3])
})

test('another node goes by what the leader says, and by whom it can reach itself', () => {
  const view = new View(new LoneGroup(), two)
  assert.deepEqual(view.inSync, [1, 2, 3])
  view.hears(two, three)
  view.hears(three, one)
  assert.deepEqual(view.inSync, [1, 2])
  view.leader = three
  assert.deepEqual(view.inSync, [2, 3])
  view.leader = undefined
  assert.deepEqual(view.inSync, [1, 2, 3])
  view.leader = two
  view.group.up.delete(2)
  assert.deepEqual(view.inSync, [1])
})

test('what a node said before it could not be reached counts no more', () => {
  const view = new View(new LoneGroup(), two)
  view.hears(two, three)
  view.view.peerDown(three)
  assert.deepEqual(view.inSync, [1, 2])
  view.view.peerDown(two)
  assert.deepEqual(view.inSync, [1, 2, 3])
})

test('what has changed is told to all others within half a second, once; a node that comes hears how it is', async () => {
  const view = leading()
  view.view.watch()
  assert.deepEqual(view.told.splice(0), ['fake: 3 to 2', 'fake: 3 to 3'])
  await view.time.pass(5_000)
  assert.deepEqual(view.told, [])
  view.view.peerUp(three)
  assert.deepEqual(view.told.splice(0), ['fake: 3 to 3'])
  view.group.ack(3)
  await view.time.pass(499)
  assert.deepEqual(view.told, [])
  await view.time.pass(1)
  assert.deepEqual(view.told.splice(0), ['nobody to 2', 'nobody to 3'])
  view.view.close()
  assert.equal(view.time.size, 0)
})

test('of groups that others lead nothing is told', () => {
  const view = new View(new LoneGroup(), two)
  view.view.watch()
  assert.deepEqual(view.told, [])
})
