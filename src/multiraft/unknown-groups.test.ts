// What a node says to those who speak of groups that it does not have yet.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asLogId, asNodeId } from '../base/brand.ts'
import { Reader } from '../protocol/reader.ts'
import { FrameKind } from './frames.ts'
import { decodeGroupMessage } from './group-codec.ts'
import { readGroupId } from './group-id.ts'
import { UnknownGroups } from './unknown-groups.ts'

const A = asLogId('a')
const term = asLeaderEpoch(3)
const two = asNodeId(2)

class Told {
  readonly sent: string[] = []
  readonly groups = new UnknownGroups((to, frame) => {
    const reader = new Reader(Buffer.concat(frame))
    if (reader.uint8() === FrameKind.GROUP_HERE) {
      this.sent.push(`${readGroupId(reader)} is here, to ${to}`)
      return
    }
    const { group, message } = decodeGroupMessage(reader)
    this.sent.push(`${message.kind} of ${group} in ${message.term}, to ${to}`)
  })

  take(): string[] {
    return this.sent.splice(0)
  }
}

test('a leader is told to wait, and again once the group is here; each once, however often it asked', () => {
  const told = new Told()
  told.groups.onMessage(two, A, { kind: 'append', term })
  told.groups.onMessage(two, A, { kind: 'install', term })
  assert.deepEqual(told.take(), ['deferred of a in 3, to 2', 'deferred of a in 3, to 2'])
  told.groups.onMessage(asNodeId(3), A, { kind: 'pre-vote', term })
  assert.deepEqual(told.take(), [])
  told.groups.opened(asLogId('b'))
  assert.deepEqual(told.take(), [])
  told.groups.opened(A)
  assert.deepEqual(told.take(), ['a is here, to 2', 'a is here, to 3'])
  told.groups.opened(A)
  assert.deepEqual(told.take(), [])
})

test('other messages are none of a group that is not here', () => {
  const told = new Told()
  told.groups.onMessage(two, A, { kind: 'vote', term })
  told.groups.onMessage(two, A, { kind: 'ack', term })
  told.groups.opened(A)
  assert.deepEqual(told.take(), [])
})

test('of many thousands of groups no more are remembered than a node may have', () => {
  const told = new Told()
  for (let i = 0; i <= 20_000; i++)
    told.groups.onMessage(two, asLogId(`g${i}`), { kind: 'append', term })
  told.take()
  told.groups.onMessage(asNodeId(3), asLogId('g19999'), { kind: 'pre-vote', term })
  told.groups.opened(asLogId('g19999'))
  told.groups.opened(asLogId('g20000'))
  assert.deepEqual(told.take(), ['g19999 is here, to 2', 'g19999 is here, to 3'])
})
