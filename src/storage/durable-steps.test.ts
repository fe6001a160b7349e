// What makes something durable is a sequence of steps, each of which must be waited for before the next, and the last before
// anybody is told. Here the sequences stand written out; and whichever of the steps does not come to an end, nobody is told.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asOffset } from '../base/brand.ts'
import { FileCache } from './file-cache.ts'
import { writeFileWhole } from './files.ts'
import { IndexStore } from './index-store.ts'
import { planParts, SegmentWriter } from './segment-writer.ts'
import type { WritablePiece } from './segment-writer.ts'
import { summarizeBatches } from '../records/batch-header.ts'
import type { StoredLog } from './store.ts'
import { SMALL_LOG, testBatch } from './testing/batches.ts'
import { append, create, found, isStep, position, World } from './testing/world.ts'

interface Scenario {
  readonly name: string
  /** Brings the world to where it begins, and returns what begins it. */
  readonly prepare: (world: World) => Promise<() => Promise<unknown>>
  /** What must be done, in this order. */
  readonly steps: readonly string[]
}

const LOG_FILE = '00000000000000000000'
const CHECKPOINT = ['sync /data/checkpoint.tmp', 'rename /data/checkpoint', 'syncDirectory /data']

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'a new directory',
    prepare: async (world) => () => world.opening(),
    steps: [
      ...CHECKPOINT,
      'syncDirectory /',
      'sync /data/chronik.json.tmp',
      'rename /data/chronik.json',
      'syncDirectory /data',
      // From here on it is the start of any store.
      'syncDirectory /data',
      'syncDirectory /data/journal',
      ...CHECKPOINT,
      'sync /data/journal/000001.journal',
      'syncDirectory /data/journal',
      'sync /data/journal/000002.journal',
      'syncDirectory /data/journal',
    ],
  },
  {
    name: 'a start after a kill, with a segment that is longer than it counts',
    prepare: async (world) => {
      const store = await world.open()
      const log = create(store)
      append(log, 3000)
      await world.do(store.flush())
      append(log, 50)
      await world.do(store.flush())
      world.host.kill()
      const file = await world.do(world.disk.open(`/data/logs/a.1/${LOG_FILE}.log`, 'write'))
      await world.do(file.write([new Uint8Array(100)], 3061))
      world.host.kill()
      return () => world.opening()
    },
    steps: [
      'syncDirectory /data',
      'syncDirectory /data/journal',
      'sync /data/journal/000001.journal',
      `truncate /data/logs/a.1/${LOG_FILE}.log`,
      ...CHECKPOINT,
    ],
  },
  {
    name: 'the first large append to a log',
    prepare: async (world) => {
      const store = await world.open()
      const log = create(store)
      await world.do(store.flush())
      await world.pass(100)
      return () => {
        append(log, 3000)
        return store.flush()
      }
    },
    steps: [
      'syncDirectory /data/logs',
      `sync /data/logs/a.1/${LOG_FILE}.log`,
      'syncDirectory /data/logs/a.1',
      'sync /data/journal/000001.journal',
    ],
  },
  {
    name: 'the next large append',
    prepare: async (world) => {
      const store = await world.open()
      const log = create(store)
      append(log, 3000)
      await world.do(store.flush())
      return () => {
        append(log, 3000)
        return store.flush()
      }
    },
    steps: [`sync /data/logs/a.1/${LOG_FILE}.log`, 'sync /data/journal/000001.journal'],
  },
  {
    name: 'a segment in place of what an earlier attempt left',
    prepare: async (world) => {
      const { disk } = world
      await world.do(disk.makeDirectory('/logs/a'))
      const left = await world.do(disk.open(`/logs/a/${LOG_FILE}.log`, 'create'))
      await world.do(left.write([new Uint8Array(9000)], 0))
      const writer = new SegmentWriter(disk, new FileCache(disk, 4), '/logs')
      await world.do(writer.ensureDirectory('/logs/a'))
      return () => writer.write('/logs/a', planParts(undefined, [piece()], SMALL_LOG))
    },
    steps: [
      `truncate /logs/a/${LOG_FILE}.log`,
      `sync /logs/a/${LOG_FILE}.log`,
      'syncDirectory /logs/a',
    ],
  },
  {
    name: 'the indexes of a segment that takes no more',
    prepare: async (world) => {
      const { disk } = world
      await world.do(disk.makeDirectory('/a'))
      const indexes = new IndexStore(disk, new FileCache(disk, 4), world.env.log)
      const { bytes, batches } = piece()
      const segment = { directory: '/a', base: asOffset(0), intervalBytes: 1 }
      indexes.onWritten(segment, 0, batches)
      return async () => assert.ok(await indexes.seal({ ...segment, bytes }, { scan: false }))
    },
    steps: [
      `truncate /a/${LOG_FILE}.index`,
      `truncate /a/${LOG_FILE}.timeindex`,
      `sync /a/${LOG_FILE}.index`,
      `sync /a/${LOG_FILE}.timeindex`,
      'syncDirectory /a',
    ],
  },
  {
    name: 'a snapshot',
    prepare: async (world) => {
      const store = await world.open()
      const log = create(store)
      await world.do(store.flush())
      await world.pass(100)
      return () => log.snapshots.save(position(1, 0), Buffer.from('snapshot'))
    },
    steps: [
      'syncDirectory /data/logs',
      `sync /data/logs/a.1/${LOG_FILE}-1.snapshot.tmp`,
      `rename /data/logs/a.1/${LOG_FILE}-1.snapshot`,
      'syncDirectory /data/logs/a.1',
    ],
  },
  {
    name: 'a file in place of what a crash left of it',
    prepare: async (world) => {
      const { disk } = world
      const left = await world.do(disk.open('/x.tmp', 'create'))
      await world.do(left.write([new Uint8Array(100)], 0))
      return () => writeFileWhole(disk, '', 'x', Buffer.from('short'))
    },
    steps: ['truncate /x.tmp', 'sync /x.tmp', 'rename /x', 'syncDirectory '],
  },
  {
    name: 'a segment that is repaired',
    prepare: async (world) => {
      const log = await shortenedLog(world)
      return () => repair(log)
    },
    steps: [
      'syncDirectory /data/logs',
      `sync /data/logs/a.1/${LOG_FILE}.1.swap`,
      'syncDirectory /data/logs/a.1',
      'sync /data/journal/000001.journal',
      `rename /data/logs/a.1/${LOG_FILE}.log`,
      'syncDirectory /data/logs/a.1',
    ],
  },
  {
    name: 'a start that finds a repaired segment not yet in its place',
    prepare: async (world) => {
      const log = await shortenedLog(world)
      world.disk.holds = ({ operation }) => operation === 'rename'
      assert.equal(await world.settles(repair(log)), false)
      world.host.kill()
      return () => world.opening()
    },
    steps: [
      'syncDirectory /data',
      'syncDirectory /data/journal',
      'sync /data/journal/000001.journal',
      `rename /data/logs/a.1/${LOG_FILE}.log`,
      'syncDirectory /data/logs/a.1',
      ...CHECKPOINT,
    ],
  },
  {
    name: 'a clean stop',
    prepare: async (world) => {
      const store = await world.open({ idleWritebackMs: 100_000 })
      append(create(store), 3000)
      await world.do(store.flush())
      return () => store.close()
    },
    steps: [
      `truncate /data/logs/a.1/${LOG_FILE}.index`,
      `truncate /data/logs/a.1/${LOG_FILE}.timeindex`,
      `sync /data/logs/a.1/${LOG_FILE}.index`,
      `sync /data/logs/a.1/${LOG_FILE}.timeindex`,
      'syncDirectory /data/logs/a.1',
      ...CHECKPOINT,
    ],
  },
]

function piece(): WritablePiece {
  const data = testBatch({ baseOffset: 0, epoch: 1, payloadBytes: 3000 })
  const batches = summarizeBatches(data)
  return {
    base: asOffset(0),
    end: asOffset(1),
    bytes: data.length,
    maxTimestampMs: 1000,
    blob: { place: undefined },
    data,
    batches,
  }
}

/** A log whose only segment lost its end. */
async function shortenedLog(world: World): Promise<StoredLog> {
  const store = await world.open()
  append(create(store), 3000)
  await world.do(store.close())
  world.host.kill()
  const file = await world.do(world.disk.open(`/data/logs/a.1/${LOG_FILE}.log`, 'write'))
  await world.do(file.truncate(2000))
  world.host.kill()
  const log = found(await world.open())
  assert.deepEqual(log.damage, { from: 0, to: 1 })
  return log
}

function repair(log: StoredLog): Promise<unknown> {
  const batch = testBatch({ baseOffset: 0, epoch: 1, payloadBytes: 3000, seed: 1000 })
  return log.repair(batch, summarizeBatches(batch))
}

for (const { name, prepare, steps } of SCENARIOS) {
  test(`${name}: each step is done and waited for`, async () => {
    const world = new World()
    const begin = await prepare(world)
    const before = world.disk.steps.length
    await world.do(begin())
    assert.deepEqual(world.disk.steps.slice(before), steps)
    for (const [i, step] of steps.entries()) {
      const other = new World()
      const beginOther = await prepare(other)
      let left = i
      other.disk.holds = (call) => isStep(call) && left-- === 0
      assert.equal(await other.settles(beginOther()), false, `not waited for: ${step}`)
      assert.equal(other.disk.steps.at(-1), step, 'nothing is done before it has come to an end')
    }
  })
}

test('what a crash left of a file does not show in its successor', async () => {
  const world = new World()
  const { disk } = world
  const left = await world.do(disk.open('/x.tmp', 'create'))
  await world.do(left.write([new Uint8Array(100)], 0))
  await world.do(writeFileWhole(disk, '', 'x', Buffer.from('short')))
  assert.equal(await world.bytesOf('/x'), 5)
})

test('a journal file whose name a killed process did not make durable may be used all the same', async () => {
  const world = new World()
  // The first is that of the start itself: it must come through for files to be made.
  let times = 0
  world.disk.holds = ({ operation, path }) =>
    operation === 'syncDirectory' && path === '/data/journal' && times++ > 0
  void world.opening()
  await world.pass(1000)
  assert.equal(world.disk.held, 1)
  world.host.kill()
  const store = await world.open()
  const bytes = append(create(store), 50)
  await world.do(store.flush())
  world.host.powerCut('lose')
  const again = found(await world.open())
  assert.deepEqual(await world.read(again), Buffer.from(bytes))
})
