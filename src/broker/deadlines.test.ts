// Deadlines share one timer, come never early and at most a step late, and may be cancelled.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualTime } from '../replicated/testing/virtual-time.ts'
import { Deadlines } from './deadlines.ts'

test('each comes in its time, over one timer', async () => {
  const time = new VirtualTime()
  const deadlines = new Deadlines(time)
  const start = time.clock.monotonicMs()
  const fired: [number, number][] = []
  for (const delay of [500, 30, 100, 0, 31, 1000]) {
    deadlines.after(delay, () => fired.push([delay, time.clock.monotonicMs() - start]))
  }
  const cancelled = deadlines.after(40, () => assert.fail('it was cancelled'))
  deadlines.cancel(cancelled)
  assert.equal(time.timerCount, 1)
  await time.advance(2000)
  assert.deepEqual(
    fired.map(([delay]) => delay),
    [0, 30, 31, 100, 500, 1000],
  )
  for (const [delay, at] of fired) assert.ok(at >= delay && at <= delay + 40, `${delay} at ${at}`)
  assert.equal(time.timerCount, 0)
  assert.equal(deadlines.size, 0)
})

test('one that is set while others fire is kept', async () => {
  const time = new VirtualTime()
  const deadlines = new Deadlines(time)
  const fired: string[] = []
  deadlines.after(10, () => {
    fired.push('first')
    deadlines.after(10, () => fired.push('second'))
  })
  await time.advance(100)
  assert.deepEqual(fired, ['first', 'second'])
})

test('expired at once, or forgotten', async () => {
  const time = new VirtualTime()
  const deadlines = new Deadlines(time)
  let fired = 0
  deadlines.after(1000, () => fired++)
  deadlines.after(2000, () => fired++)
  deadlines.expire()
  assert.equal(fired, 2)
  deadlines.after(10, () => fired++)
  deadlines.close()
  await time.advance(100)
  assert.equal(fired, 2)
})
