// When a replica is compacted: once enough of it is new, on from where memory ended, and with the tombstones that another
// replica needs.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asOffset, type Offset } from '../base/brand.ts'
import type { StoredLog } from '../storage/store.ts'
import type { CompactionResult } from './compaction.ts'
import { Compactor } from './compactor.ts'
import { append, COMPACTION_NOW, Machine, seal, value } from './testing/compactable.ts'

const CONFIG = {
  'delete.retention.ms': 1000,
  'max.compaction.lag.ms': Number.MAX_SAFE_INTEGER,
  'min.cleanable.dirty.ratio': 0.5,
  'min.compaction.lag.ms': 0,
  'segment.bytes': 600,
}

interface Rig {
  readonly machine: Machine
  readonly log: StoredLog
  readonly replica: { highWatermark: Offset; tombstonesKeptFrom: Offset }
  readonly compactor: Compactor
  run(changed?: Partial<typeof CONFIG>): Promise<CompactionResult | undefined>
}

async function rig(): Promise<Rig> {
  const machine = new Machine()
  const log = await machine.open()
  const replica = {
    highWatermark: asOffset(0),
    tombstonesKeptFrom: asOffset(1_000_000),
    get logStart() {
      return log.logStart
    },
    segments: () => log.segments(),
    read: log.read.bind(log),
    rewriteSegments: log.rewriteSegments.bind(log),
  }
  const nothing = (): void => {}
  const logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }
  const compactor = new Compactor(replica, {
    clock: { nowMs: () => COMPACTION_NOW, monotonicMs: () => 0 },
    log: { ...logger, child: () => ({ ...logger, child: () => assert.fail() }) },
  })
  const run = (changed: Partial<typeof CONFIG> = {}) =>
    machine.do(compactor.run({ ...CONFIG, ...changed }, () => Promise.resolve()))
  return { machine, log, replica, compactor, run }
}

async function write({ machine, log, replica }: Rig, count: number): Promise<void> {
  for (let i = 0; i < count; i++) append(log, [{ key: `k${i % 3}`, value: value(i) }])
  await seal(machine, log)
  replica.highWatermark = log.end.offset
}

test('it waits until enough of the sealed segments is new, and below the commit', async () => {
  const world = await rig()
  await write(world, 20)
  const { replica } = world
  replica.highWatermark = asOffset(0)
  assert.equal(await world.run(), undefined)
  replica.highWatermark = world.log.end.offset
  assert.equal((await world.run())?.kind, 'compacted')
  assert.equal(await world.run(), undefined)
  await write(world, 20)
  assert.equal((await world.run())?.kind, 'compacted')
})

test('less than half of it new is not enough', async () => {
  const world = await rig()
  // Distinct keys: nothing gets smaller.
  for (let i = 0; i < 40; i++) append(world.log, [{ key: `unique ${i}`, value: value(i) }])
  await seal(world.machine, world.log)
  world.replica.highWatermark = world.log.end.offset
  assert.equal((await world.run())?.kind, 'compacted')
  await write(world, 3)
  assert.equal(await world.run(), undefined)
})

test('a log that was cut back below what was compacted counts as new', async () => {
  const world = await rig()
  await write(world, 20)
  assert.equal((await world.run())?.kind, 'compacted')
  world.compactor.onTruncated(world.log.end.offset)
  assert.equal(await world.run(), undefined)
  world.compactor.onTruncated(asOffset(3))
  assert.equal((await world.run())?.kind, 'compacted')
})

test('one that is cut back meanwhile is not replaced any more', async () => {
  const world = await rig()
  await write(world, 20)
  const { machine, compactor } = world
  let reads = 0
  const running = compactor.run(CONFIG, async () => {
    if (++reads === 1) compactor.onTruncated(asOffset(0))
  })
  assert.equal((await machine.do(running))?.kind, 'interrupted')
})

test('tombstones that another replica needs stay', async () => {
  for (const keptFrom of [0, 1, 2]) {
    const world = await rig()
    world.replica.tombstonesKeptFrom = asOffset(keptFrom)
    append(world.log, [{ key: 'k0', value: null, timestampMs: 1 }])
    append(world.log, [{ key: 'gone', value: null, timestampMs: 1 }])
    await write(world, 6)
    assert.equal((await world.run())?.kind, 'compacted')
    assert.equal(world.log.tombstonesRemovedBelow, keptFrom < 2 ? 0 : 2)
  }
})

test('what is young stays as it is, and what is new for too long is enough by itself', async () => {
  const world = await rig()
  for (let i = 0; i < 40; i++) {
    append(world.log, [{ key: `unique ${i}`, value: value(i), timestampMs: COMPACTION_NOW - 500 }])
  }
  await seal(world.machine, world.log)
  world.replica.highWatermark = world.log.end.offset
  assert.equal(await world.run({ 'min.compaction.lag.ms': 501 }), undefined)
  assert.equal((await world.run({ 'min.compaction.lag.ms': 499 }))?.kind, 'compacted')
  // Of the rest, the record that sealed the segments, little is new.
  append(world.log, [{ key: 'one', value: value(1), timestampMs: COMPACTION_NOW - 100 }])
  await seal(world.machine, world.log)
  world.replica.highWatermark = world.log.end.offset
  assert.equal(await world.run(), undefined)
  assert.equal(await world.run({ 'max.compaction.lag.ms': 1_000 }), undefined)
  assert.equal((await world.run({ 'max.compaction.lag.ms': 50 }))?.kind, 'compacted')
})
