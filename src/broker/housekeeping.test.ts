// What is due is done in its interval, to each partition, one at a time; what fails is done again; a close ends it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Logger } from '../env/env.ts'
import { VirtualTime } from '../replicated/testing/virtual-time.ts'
import { Housekeeping } from './housekeeping.ts'

const HOUR_MS = 3_600_000

function rig() {
  const time = new VirtualTime()
  const done: string[] = []
  const errors: string[] = []
  let compacts: (pause: () => Promise<void>, name: string) => Promise<undefined> = async () =>
    undefined
  const partition = (name: string) => ({
    applyRetention: async () => {
      done.push(`retention ${name}`)
      return false
    },
    compact: (pause: () => Promise<void>) => {
      done.push(`compact ${name}`)
      return compacts(pause, name)
    },
    producers: {
      expire: (ms: number) => void done.push(`expire ${name} ${ms}`),
      saveWhereResting: () => void done.push(`snapshot ${name}`),
    },
  })
  const log: Logger = {
    debug() {},
    info() {},
    warn() {},
    error: (_message, fields) => void errors.push(String(fields?.['error'])),
    child: () => log,
  }
  const housekeeping = new Housekeeping({
    env: { timers: time.timers, log },
    config: {
      'log.cleaner.backoff.ms': 15_000,
      'log.retention.check.interval.ms': HOUR_MS,
      'producer.id.expiration.ms': 77,
    },
    partitions: { all: () => [partition('a'), partition('b')] },
  })
  housekeeping.start()
  const compactWith = (body: typeof compacts): void => void (compacts = body)
  return { time, done, errors, housekeeping, compactWith }
}

const count = (done: readonly string[], what: string): number =>
  done.filter((one) => one === what).length

test('each kind of work comes in its interval', async () => {
  const { time, done, housekeeping } = rig()
  await time.advance(HOUR_MS)
  assert.equal(count(done, 'compact a'), HOUR_MS / 15_000)
  assert.equal(count(done, 'compact b'), HOUR_MS / 15_000)
  assert.equal(count(done, 'snapshot b'), HOUR_MS / 30_000)
  assert.equal(count(done, 'expire a 77'), HOUR_MS / 600_000)
  assert.equal(count(done, 'retention b'), 1)
  housekeeping.close()
  const before = done.length
  await time.advance(HOUR_MS)
  assert.deepEqual([done.length, time.timerCount], [before, 0])
})

test('logs are compacted one after the other, with pauses, and never twice at once', async () => {
  const { time, done, compactWith } = rig()
  let running = 0
  compactWith(async (pause) => {
    assert.equal(++running, 1)
    for (let i = 0; i < 40; i++) await pause()
    running--
    return undefined
  })
  await time.advance(15_100)
  assert.deepEqual([count(done, 'compact a'), count(done, 'compact b')], [1, 0])
  await time.advance(200)
  assert.deepEqual([count(done, 'compact a'), count(done, 'compact b')], [1, 1])
  // The next run is due when this one has ended.
  await time.advance(15_000)
  assert.equal(count(done, 'compact a'), 1)
  await time.advance(200)
  assert.equal(count(done, 'compact a'), 2)
})

test('what fails is told, keeps nothing else from being done, and is tried again', async () => {
  const { time, done, errors, compactWith } = rig()
  compactWith(() => Promise.reject(new Error('no luck')))
  await time.advance(30_000)
  assert.deepEqual([count(done, 'compact a'), count(done, 'compact b')], [2, 2])
  assert.equal(errors.length, 2)
  assert.match(errors[0]!, /no luck/)
})

test('a compaction that is pausing when the broker closes goes no further', async () => {
  const { time, errors, housekeeping, compactWith } = rig()
  let ended: unknown
  compactWith(async (pause) => {
    try {
      for (;;) await pause()
    } catch (error) {
      ended = error
      throw error
    }
  })
  await time.advance(15_100)
  housekeeping.close()
  await time.advance(100)
  assert.match(String(ended), /the broker was closed/)
  assert.deepEqual(errors, [])
  assert.equal(time.timerCount, 0)
})
