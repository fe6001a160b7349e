// What every implementation of the clock, timer and randomness ports must do.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Env } from '../env.ts'

export type WithEnv = (body: (env: Env) => Promise<void>) => Promise<void>

export function clockContract(name: string, withEnv: WithEnv): void {
  const check = (what: string, body: (env: Env) => Promise<void>): void => {
    test(`${name}: ${what}`, () => withEnv(body))
  }

  check('a timer fires once, not early, in order of its delay', async ({ clock, timers }) => {
    const fired: number[] = []
    const started = clock.monotonicMs()
    await new Promise<void>((resolve) => {
      for (const delayMs of [150, 0, 30.5, 80]) {
        timers.after(delayMs, () => {
          assert.ok(clock.monotonicMs() - started >= delayMs, `${delayMs} ms came early`)
          fired.push(delayMs)
          if (delayMs === 150) resolve()
        })
      }
    })
    assert.deepEqual(fired, [0, 30.5, 80, 150])
  })

  check('a cancelled timer does not fire', async ({ timers }) => {
    const cancelled = timers.after(1, () => assert.fail('was cancelled'))
    const soon = timers.soon(() => assert.fail('was cancelled'))
    cancelled.cancel()
    cancelled.cancel()
    soon.cancel()
    await new Promise<void>((resolve) => {
      // Far apart, since a busy machine may run a real timer late.
      const other = timers.after(100, () => assert.fail('was cancelled by an earlier timer'))
      timers.after(2, () => other.cancel())
      timers.after(120, resolve)
    })
  })

  check('soon comes in a later turn, in order, after the microtasks', async ({ timers }) => {
    const order: string[] = []
    await new Promise<void>((resolve) => {
      timers.soon(() => order.push('first'))
      timers.soon(() => {
        order.push('second')
        resolve()
      })
      void Promise.resolve().then(() => order.push('microtask'))
      order.push('now')
    })
    assert.deepEqual(order, ['now', 'microtask', 'first', 'second'])
  })

  check('the clocks', async ({ clock, timers }) => {
    assert.ok(Number.isInteger(clock.nowMs()))
    let last = clock.monotonicMs()
    for (let i = 0; i < 20; i++) {
      await new Promise<void>((resolve) => timers.soon(resolve))
      const now = clock.monotonicMs()
      assert.ok(now >= last)
      last = now
    }
  })

  // oxlint-disable-next-line require-await -- nothing to wait for
  check('randomness stays in its bounds', async ({ random }) => {
    const seen = new Set<number>()
    for (let i = 0; i < 500; i++) {
      const value = random.below(7)
      assert.ok(Number.isInteger(value) && value >= 0 && value < 7)
      seen.add(value)
      const float = random.float()
      assert.ok(float >= 0 && float < 1)
    }
    assert.equal(seen.size, 7)
    assert.equal(random.below(1), 0)
    assert.ok(random.below(2 ** 32) < 2 ** 32)
    assert.equal(random.bytes(16).byteLength, 16)
    assert.notDeepEqual(random.bytes(16), random.bytes(16))
  })
}
