// The store in memory loses in a crash what the real one may lose, and keeps the rest.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asLogId, asNodeId, asOffset } from '../../base/brand.ts'
import type { Position } from '../../base/position.ts'
import { stampBatches } from '../../records/batch-header.ts'
import { StoreError, type StoredLog } from '../../storage/store.ts'
import { opaqueBatch } from './batches.ts'
import { MemoryStoredLog, MemoryStore } from './memory-store.ts'

const CONFIG = { segmentBytes: 1 << 20, segmentMs: 1000, indexIntervalBytes: 4096 }

const position = (epoch: number, offset: number): Position => ({
  epoch: asLeaderEpoch(epoch),
  offset: asOffset(offset),
})

function append(log: StoredLog, records: number): void {
  const bytes = opaqueBatch(records)
  log.append(bytes, stampBatches(bytes, log.end.offset, log.end.epoch))
}

function fiveRecords(): { readonly store: MemoryStore; readonly log: StoredLog } {
  const store = new MemoryStore()
  store.autoSync = false
  const descriptor = Buffer.from('voters')
  const log = store.create(asLogId('a'), { directory: 'a', config: CONFIG, descriptor })
  log.startEpoch(asLeaderEpoch(1))
  append(log, 2)
  append(log, 3)
  store.sync()
  return { store, log }
}

const bytesOf = (log: StoredLog): number => {
  const read = log.read({ from: log.logStart, below: log.end.offset, maxBytes: 1e6 })
  assert.ok(!(read instanceof Promise))
  return read.bytes
}

test('a truncation that is not durable is undone by a crash, with what came after it', () => {
  const { store, log } = fiveRecords()
  const before = bytesOf(log)
  log.truncate(position(1, 2))
  assert.deepEqual(log.durable, position(1, 1))
  log.startEpoch(asLeaderEpoch(3))
  append(log, 1)
  store.crash()
  assert.deepEqual([log.end, log.durable], [position(1, 5), position(1, 5)])
  assert.equal(bytesOf(log), before)
  assert.equal(Buffer.from(log.descriptor).toString(), 'voters')
})

test('an install is durable as a whole: before it, nothing is; after a crash, what was there', () => {
  const { store, log } = fiveRecords()
  const install = (): void =>
    log.install({
      logStart: asOffset(20),
      epochs: [
        { epoch: asLeaderEpoch(1), start: asOffset(0) },
        { epoch: asLeaderEpoch(4), start: asOffset(12) },
      ],
    })
  install()
  append(log, 1)
  assert.deepEqual([log.logStart, log.end, log.durable], [20, position(4, 21), position(-1, 0)])
  store.crash()
  assert.deepEqual([log.logStart, log.end], [0, position(1, 5)])
  const heard: Position[] = []
  log.onDurable((durable) => heard.push(durable))
  install()
  append(log, 1)
  store.sync()
  assert.deepEqual(heard, [position(4, 21)])
  append(log, 1)
  store.crash()
  assert.deepEqual([log.logStart, log.end, log.durable], [20, position(4, 21), position(4, 21)])
})

test('a log start that is not durable is undone, one that was there already changes nothing', () => {
  const { store, log } = fiveRecords()
  log.advanceLogStart(asOffset(5))
  log.advanceLogStart(asOffset(1))
  assert.equal(log.logStart, 5)
  store.crash()
  assert.equal(log.logStart, 0)
})

test('being suspect is as durable as term and vote', () => {
  const { store, log } = fiveRecords()
  log.saveHardState({ term: 2, votedFor: asNodeId(1), suspect: true })
  assert.equal(log.durableHardState.suspect, false)
  store.sync()
  log.saveHardState({ term: 2, votedFor: asNodeId(1), suspect: false })
  store.crash()
  assert.deepEqual(log.hardState, { term: 2, votedFor: 1, suspect: true })
})

test('harm makes a range unreadable until it is repaired', async () => {
  const { log } = fiveRecords()
  assert.ok(log instanceof MemoryStoredLog)
  append(log, 1)
  const damage = { from: asOffset(2), to: asOffset(5) }
  const heard: unknown[] = []
  log.onDamage((found) => heard.push(found))
  log.harm(damage)
  assert.deepEqual([heard, log.damage, log.end], [[damage], damage, position(1, 6)])
  const read = (from: number) =>
    log.read({ from: asOffset(from), below: asOffset(6), maxBytes: 1e6 })
  assert.equal(read(0).next, 2)
  assert.throws(() => read(3), StoreError)
  assert.equal(read(5).next, 6)
  const bytes = opaqueBatch(3)
  const summary = stampBatches(bytes, asOffset(2), asLeaderEpoch(1))
  assert.equal(await log.repair(bytes, summary), 5)
  assert.equal(log.damage, undefined)
  assert.equal(read(0).next, 6)
})
