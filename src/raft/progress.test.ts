// What a leader knows of a follower, where whole groups don't easily show it.

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { asOffset } from '../base/brand.ts'
import { Progress } from './progress.ts'
import { ACK, at } from './testing/single.ts'

const sentWith = { commit: at(1, 0), logStart: asOffset(0), round: 0 }

test('an acknowledgement that was on its way answers nothing that is still to be asked', () => {
  const progress = new Progress({ up: true, next: at(1, 5) })
  progress.accepted(at(1, 3))
  assert.equal(progress.state, 'probe')
  progress.sent(at(1, 7), sentWith)
  progress.accepted(at(1, 7))
  assert.equal(progress.state, 'stream')
  progress.down()
  progress.up()
  progress.accepted(at(1, 7))
  assert.equal(progress.state, 'probe', 'it is asked anew after a reconnect')
})

test('who defers is asked again where it was, and not before', () => {
  const progress = new Progress({ up: true, next: at(1, 5) })
  progress.sent(at(1, 7), sentWith)
  progress.defer()
  progress.accepted(at(1, 4))
  assert.equal(progress.state, 'deferred')
  progress.resume()
  assert.equal(progress.state, 'probe')
  assert.equal(progress.waiting, undefined)
})

test('who is down is told nothing, whatever arrives late', () => {
  const never = new Progress({ up: false, next: at(1, 5) })
  const asked = new Progress({ up: true, next: at(1, 5) })
  asked.sent(at(1, 7), sentWith)
  asked.down()
  for (const progress of [never, asked]) {
    progress.defer()
    progress.accepted(at(1, 5))
    progress.resume()
    assert.equal(progress.state, 'down')
    assert.equal(progress.answered, false)
  }
})

test('what it holds already is not sent again, nor what is on its way', () => {
  const progress = new Progress({ up: true, next: at(1, 5) })
  progress.sent(at(1, 6), sentWith)
  progress.accepted(at(1, 9))
  assert.deepEqual(progress.next, at(1, 9))
  progress.sent(at(1, 12), sentWith)
  progress.accepted(at(1, 9))
  assert.deepEqual(progress.next, at(1, 12))
})

test('a log that begins anew goes on from there, wherever the old one was taken to end', () => {
  const progress = new Progress({ up: true, next: at(1, 12) })
  progress.mustInstall()
  progress.sent(at(1, 9), sentWith)
  progress.accepted(at(1, 9))
  assert.deepEqual(progress.next, at(1, 9))
})

test('what was acknowledged as durable is not taken back by what was said before', () => {
  const progress = new Progress({ up: true, next: at(1, 5) })
  progress.durable({ ...ACK, durable: at(2, 9), logStart: asOffset(3) })
  progress.durable({ ...ACK, durable: at(2, 7), logStart: asOffset(1) })
  assert.deepEqual(progress.match, at(2, 9))
  assert.equal(progress.logStart, 3)
})

test('a mismatch is heeded if it is about what was asked', () => {
  const progress = new Progress({ up: true, next: at(1, 5) })
  assert.equal(progress.awaits(at(1, 5)), false)
  progress.sent(at(1, 7), sentWith)
  assert.equal(progress.awaits(at(1, 5)), true)
  assert.equal(progress.awaits(at(1, 6)), false)
  progress.mustInstall()
  progress.sent(at(1, 9), sentWith)
  assert.equal(progress.awaits(at(1, 9)), true)
})
