// The store over the simulated disk: what it promises call by call, and the cases that were once wrong. The random mix of
// everything, with crashes anywhere, is in verify/storage.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asLogId, asNodeId, asOffset } from '../base/brand.ts'
import { DiskError } from '../env/disk.ts'
import type { SimHost } from '../env/sim/sim-host.ts'
import { Simulation } from '../env/sim/simulation.ts'
import { summarizeBatches } from '../records/batch-header.ts'
import { openStore, type OpenStoreOptions } from './open-store.ts'
import { StoreError, type Store, type StoredLog } from './store.ts'
import { SMALL_LOG, SMALL_STORE, testBatch } from './testing/batches.ts'

const OPTIONS: OpenStoreOptions = { ...SMALL_STORE, directory: '/node/store' }

/** A world of one machine; `open` boots it where it does not run. */
class World {
  readonly simulation: Simulation
  readonly host: SimHost
  #env: ReturnType<SimHost['boot']> | undefined

  constructor(seed = 1) {
    this.simulation = new Simulation(seed)
    this.host = this.simulation.host('node')
  }

  open(options: Partial<OpenStoreOptions> = {}): Promise<Store> {
    if (!this.host.alive) this.#env = this.host.boot()
    assert.ok(this.#env !== undefined)
    return this.do(openStore(this.#env, { ...OPTIONS, ...options }))
  }

  do<T>(promise: Promise<T>): Promise<T> {
    return this.simulation.settle(promise, { withinMs: 60_000 })
  }

  async read(log: StoredLog, from: number, maxBytes = 1_000_000): Promise<Buffer> {
    const parts: Uint8Array[] = []
    for (let at = from; at < log.end.offset;) {
      const request = { from: asOffset(at), below: log.end.offset, maxBytes }
      const answer = await this.do(Promise.resolve(log.read(request)))
      assert.ok(answer.bytes > 0)
      parts.push(...answer.chunks)
      at = answer.next
    }
    return Buffer.concat(parts)
  }
}

function create(store: Store, id = 'a', config = SMALL_LOG): StoredLog {
  const log = store.create(asLogId(id), { directory: id, config })
  log.startEpoch(asLeaderEpoch(1))
  return log
}

/** One batch of `count` records at the log's end; returns its bytes. */
function append(log: StoredLog, payloadBytes = 100, count = 1, timestampMs = 1000): Uint8Array {
  const { epoch, offset } = log.end
  const seed = offset + epoch * 1000
  const batch = testBatch({ baseOffset: offset, epoch, count, payloadBytes, timestampMs, seed })
  log.append(batch.slice(), summarizeBatches(batch))
  return batch
}

const position = (epoch: number, offset: number) => ({
  epoch: asLeaderEpoch(epoch),
  offset: asOffset(offset),
})

test('what was flushed is there after a power cut, small and large, in order', async () => {
  const world = new World()
  const store = await world.open()
  const log = create(store)
  const sent: Uint8Array[] = []
  for (const payload of [50, 5000, 60, 70, 9000, 20_000, 10]) sent.push(append(log, payload, 3))
  await world.do(store.flush())
  assert.deepEqual(log.durable, position(1, 21))
  world.host.powerCut('lose')
  const again = (await world.open()).get(asLogId('a'))
  assert.ok(again !== undefined)
  assert.deepEqual(again.end, position(1, 21))
  assert.deepEqual(await world.read(again, 0), Buffer.concat(sent))
})

test('the identity stays, the generation grows', async () => {
  const world = new World()
  const first = await world.open()
  world.host.kill()
  const second = await world.open()
  assert.equal(second.directoryId, first.directoryId)
  assert.ok(second.generation > first.generation)
})

test('a truncation and the entries after it survive together or not at all', async () => {
  for (let seed = 0; seed < 40; seed++) {
    const world = new World(seed)
    const store = await world.open()
    const log = create(store)
    for (let i = 0; i < 6; i++) append(log, i % 2 === 0 ? 40 : 3000)
    await world.do(store.flush())
    const steps = seed
    let taken = 0
    world.host.onDiskStep = () => {
      if (taken++ === steps) world.host.kill()
    }
    log.truncate(position(1, 3))
    log.startEpoch(asLeaderEpoch(4))
    append(log, 2500, 2)
    await world.simulation.run({ until: () => !world.host.alive })
    world.host.onDiskStep = undefined
    if (world.host.alive) world.host.kill()
    const again = (await world.open()).get(asLogId('a'))
    assert.ok(again !== undefined)
    const ends = [position(1, 6), position(4, 5)]
    assert.ok(
      ends.some((end) => JSON.stringify(end) === JSON.stringify(again.end)),
      `seed ${seed}`,
    )
    assert.equal((await world.read(again, 0)).length > 0, true)
  }
})

test('what was truncated never comes back, what replaced it stays, in the same file range too', async () => {
  const world = new World(5)
  const store = await world.open()
  const log = create(store)
  const kept = append(log, 4000)
  for (let i = 0; i < 3; i++) append(log, 4000)
  await world.do(store.flush())
  log.truncate(position(1, 1))
  log.startEpoch(asLeaderEpoch(2))
  await world.do(store.flush())
  const replaced = append(log, 6000, 2)
  await world.do(store.flush())
  world.host.powerCut('mix')
  const again = (await world.open()).get(asLogId('a'))
  assert.ok(again !== undefined)
  assert.deepEqual(await world.read(again, 0), Buffer.concat([kept, replaced]))
  assert.deepEqual(
    again.epochs.entries.map(({ epoch, start }) => [epoch, start]),
    [
      [1, 0],
      [2, 1],
    ],
  )
})

test('epoch starts at one offset are kept apart by truncation and recovery (law R1)', async () => {
  const world = new World()
  const store = await world.open()
  const log = create(store)
  append(log)
  for (const epoch of [2, 3, 5]) log.startEpoch(asLeaderEpoch(epoch))
  log.truncate(position(3, 1))
  await world.do(store.flush())
  world.host.powerCut('lose')
  const again = (await world.open()).get(asLogId('a'))
  assert.deepEqual(
    again?.epochs.entries.map(({ epoch }) => epoch),
    [1, 2, 3],
  )
  assert.deepEqual(again?.end, position(3, 1))
})

test('term and vote are durable once reported, also while appends wait', async () => {
  const world = new World()
  const store = await world.open()
  const log = create(store)
  append(log, 10_000)
  const vote = { term: 7, votedFor: asNodeId(3), suspect: true }
  log.saveHardState(vote)
  assert.deepEqual(log.durableHardState, { term: 0, votedFor: undefined, suspect: false })
  await world.simulation.run({ until: () => log.durableHardState.term === 7 })
  world.host.powerCut('lose')
  assert.deepEqual((await world.open()).get(asLogId('a'))?.hardState, vote)
})

test('durable is reported in order, and stays below a truncation until that is durable', async () => {
  const world = new World()
  const store = await world.open()
  const log = create(store)
  const seen: string[] = []
  log.onDurable(({ epoch, offset }) => seen.push(`${epoch}:${offset}`))
  for (let i = 0; i < 4; i++) append(log)
  await world.do(store.flush())
  log.truncate(position(1, 2))
  assert.deepEqual(log.durable, position(1, 1))
  log.startEpoch(asLeaderEpoch(2))
  append(log)
  assert.deepEqual(log.durable, position(1, 1))
  await world.do(store.flush())
  assert.deepEqual(seen, ['1:4', '1:2', '2:3'])
})

test('a dropped log stays away, and its id starts anew', async () => {
  const world = new World()
  const store = await world.open()
  const log = create(store)
  append(log, 5000)
  await world.do(store.flush())
  store.drop(log.id)
  assert.throws(() => append(log), StoreError)
  const next = create(store)
  assert.ok(next.incarnation > log.incarnation)
  const bytes = append(next, 300)
  await world.do(store.flush())
  world.host.powerCut('lose')
  const again = (await world.open()).get(asLogId('a'))
  assert.ok(again !== undefined)
  assert.equal(again.incarnation, next.incarnation)
  assert.deepEqual(await world.read(again, 0), Buffer.from(bytes))
})

test('creating what is there fails with exists', async () => {
  const world = new World()
  const store = await world.open()
  create(store)
  assert.throws(
    () => create(store),
    (error) => error instanceof StoreError && error.code === 'exists',
  )
})

test('reads below the log start and above the end are out of range', async () => {
  const world = new World()
  const store = await world.open()
  const log = create(store)
  for (let i = 0; i < 5; i++) append(log)
  log.advanceLogStart(asOffset(2))
  const read = (from: number) => () =>
    log.read({ from: asOffset(from), below: log.end.offset, maxBytes: 1 })
  for (const from of [0, 1, 6]) assert.throws(read(from), /outside/)
  const answer = await world.do(Promise.resolve(read(5)()))
  assert.deepEqual(answer, { chunks: [], bytes: 0, next: 5 })
})

test('a read gives at least one batch, whole ones, and stops at its bound', async () => {
  const world = new World()
  const store = await world.open()
  const log = create(store)
  const sizes = [100, 3000, 100, 100]
  for (const size of sizes) append(log, size, 2)
  const first = await world.do(
    Promise.resolve(log.read({ from: asOffset(3), below: log.end.offset, maxBytes: 1 })),
  )
  assert.equal(first.bytes, 3061)
  assert.equal(first.next, 4)
  const bounded = await world.do(
    Promise.resolve(log.read({ from: asOffset(0), below: asOffset(4), maxBytes: 1_000_000 })),
  )
  assert.equal(bounded.next, 4)
})

test('timestamps are found in memory and in files, also after a restart', async () => {
  const world = new World()
  const store = await world.open()
  const log = create(store)
  for (let i = 0; i < 60; i++) append(log, 900, 1, 1000 + i * 10 - (i % 3) * 25)
  const seek = (in_: StoredLog, ms: number): Promise<number | undefined> =>
    world.do(in_.seekTimestamp(ms, in_.end.offset))
  const expected = (ms: number): number | undefined => {
    for (let i = 0; i < 60; i++) if (1000 + i * 10 - (i % 3) * 25 >= ms) return i
    return undefined
  }
  const times = [0, 1000, 1001, 1290, 1405, 1555, 1556, 1590, 1591]
  for (const ms of times) assert.equal(await seek(log, ms), expected(ms), `${ms}`)
  await world.do(store.flush())
  world.host.powerCut('mix')
  const again = (await world.open()).get(asLogId('a'))
  assert.ok(again !== undefined)
  for (const ms of times) assert.equal(await seek(again, ms), expected(ms), `${ms}`)
})

test('segments roll by size and go below the log start', async () => {
  const world = new World()
  const store = await world.open()
  const log = create(store, 'a', { ...SMALL_LOG, segmentBytes: 4000 })
  for (let i = 0; i < 20; i++) append(log, 900)
  await world.do(store.close())
  world.host.kill()
  const again = (await world.open()).get(asLogId('a'))
  assert.ok(again !== undefined)
  const segments = again.segments()
  assert.ok(segments.length >= 5)
  assert.ok(segments.every((segment) => segment.bytes <= 4000))
  assert.equal(again.bytes, 20 * 961)
  again.advanceLogStart(asOffset(10))
  assert.ok(again.segments()[0]!.endOffset > 10)
  assert.ok((again.segments()[0]?.baseOffset ?? 0) > 0)
})

test('a segment that is shorter than recorded damages its log only, and never shortens it', async () => {
  const world = new World()
  const store = await world.open()
  for (const id of ['a', 'b']) append(create(store, id), 9000)
  await world.do(store.close())
  world.host.kill()
  const env = world.host.boot()
  const path = '/node/store/logs/a.1/00000000000000000000.log'
  const file = await world.do(env.disk.open(path, 'write'))
  await world.do(file.truncate(9000))
  await world.do(file.sync())
  world.host.kill()
  const again = await world.open()
  const damaged = again.get(asLogId('a'))
  assert.deepEqual(damaged?.end, position(1, 1))
  assert.throws(
    () => damaged?.read({ from: asOffset(0), below: asOffset(1), maxBytes: 1 }),
    (error) => error instanceof StoreError && error.code === 'corrupt',
  )
  const whole = again.get(asLogId('b'))
  assert.ok(whole !== undefined)
  assert.equal((await world.read(whole, 0)).length, 9061)
})

test('a batch that fails its check is reported, and the end stays', async () => {
  const world = new World()
  const store = await world.open({ tailCacheBytes: 0 })
  append(create(store), 9000)
  await world.do(store.close())
  world.host.kill()
  const env = world.host.boot()
  const path = '/node/store/logs/a.1/00000000000000000000.log'
  const file = await world.do(env.disk.open(path, 'write'))
  await world.do(file.write([Buffer.from('xx')], 5000))
  await world.do(file.sync())
  world.host.kill()
  const log = (await world.open({ tailCacheBytes: 0 })).get(asLogId('a'))
  assert.ok(log !== undefined)
  await assert.rejects(
    world.read(log, 0),
    (error) => error instanceof StoreError && error.code === 'corrupt',
  )
  assert.deepEqual(log.end, position(1, 1))
})

test('a failed sync of the journal, or of a segment, ends the process', async () => {
  for (const path of [/journal$/, /\.log$/]) {
    const world = new World()
    const store = await world.open()
    const log = create(store)
    await world.do(store.flush())
    world.host.faults.add({ operation: 'sync', path, code: 'EIO' })
    append(log, 10_000)
    await world.simulation.run({ until: () => !world.host.alive })
    assert.equal(world.host.fatals.length, 1)
    assert.equal(log.durable.offset, 0, 'nothing was acknowledged')
  }
})

test('a frame whose sync failed is written again by recovery, before anything is built on it', async () => {
  const world = new World(3)
  const store = await world.open()
  const log = create(store)
  await world.do(store.flush())
  const end = world.host.faults.add({ operation: 'sync', path: /journal$/, code: 'EIO' })
  append(log, 50)
  await world.simulation.run({ until: () => !world.host.alive })
  end()
  const second = await world.open()
  const recovered = second.get(asLogId('a'))
  assert.ok(recovered !== undefined)
  const held = recovered.end.offset
  append(recovered, 60)
  await world.do(second.flush())
  world.host.powerCut('lose')
  assert.equal((await world.open()).get(asLogId('a'))?.end.offset, held + 1)
})

test('a second process on the directory is refused, and told why', async () => {
  const world = new World()
  await world.open()
  await assert.rejects(
    world.open(),
    (error) =>
      error instanceof DiskError && error.code === 'LOCKED' && /in use/.test(error.message),
  )
})

test('an identity file of a newer version, or a damaged one, is refused', async () => {
  for (const [text, message] of [
    ['{"format":"chronik-data","version":3,"directoryId":"x"}', /newer/],
    ['{"format":"chronik-data","version":1,"directoryId":"x","crc":1}', /no identity file/],
    ['{"format":"chronik-data","directoryId":"x"}', /no identity file/],
    ['', /no identity file/],
  ] as const) {
    const world = new World()
    await world.open()
    world.host.kill()
    const env = world.host.boot()
    const file = await world.do(env.disk.open('/node/store/chronik.json', 'write'))
    await world.do(file.truncate(0))
    await world.do(file.write([Buffer.from(text)], 0))
    world.host.kill()
    await assert.rejects(world.open(), message)
  }
})

test('a lost identity is not replaced by a new one while there is data', async () => {
  const world = new World()
  await world.open()
  world.host.kill()
  const env = world.host.boot()
  await world.do(env.disk.unlink('/node/store/chronik.json'))
  world.host.kill()
  await assert.rejects(world.open(), /identity file/)
})

test('snapshots are given back only while the log holds their position', async () => {
  const world = new World()
  const store = await world.open()
  const log = create(store)
  for (let i = 0; i < 4; i++) append(log)
  const body = (text: string): Uint8Array => Buffer.from(text)
  assert.equal(await world.do(log.snapshots.save(position(1, 2), body('two'))), true)
  assert.equal((await world.do(log.snapshots.latest(asOffset(9))))?.at.offset, 2)
  assert.equal(await world.do(log.snapshots.save(position(1, 4), body('four'))), true)
  const found = await world.do(log.snapshots.latest(asOffset(9)))
  assert.deepEqual(Buffer.from(found?.bytes ?? []).toString(), 'four')
  assert.equal((await world.do(log.snapshots.latest(asOffset(3))))?.at.offset, 2)
  log.truncate(position(1, 3))
  assert.equal((await world.do(log.snapshots.latest(asOffset(9))))?.at.offset, 2)
  await world.do(store.flush())
  world.host.powerCut('keep')
  const again = (await world.open()).get(asLogId('a'))
  assert.equal((await world.do(again!.snapshots.latest(asOffset(9))))?.at.offset, 2)
})

test('the journal stays within its bound however much goes through it', async () => {
  const world = new World()
  const store = await world.open()
  const logs = ['a', 'b', 'c', 'd'].map((id) => create(store, id))
  for (let round = 0; round < 150; round++) {
    for (const log of logs) append(log, 400 + ((round * 37) % 900))
    await world.do(store.flush())
    assert.ok(store.stats().journalBytes <= SMALL_STORE.journalBytesMax)
  }
  // Files in use at the moment come on top.
  await world.simulation.run({ untilMs: world.simulation.nowMs + 1_000 })
  assert.ok(store.stats().openFiles <= SMALL_STORE.maxOpenFiles)
  for (const log of logs) assert.equal((await world.read(log, 0)).length, log.bytes)
})

test('a full disk refuses appends, loses nothing that was accepted, and recovers by itself', async () => {
  const world = new World()
  const { files } = world.host
  const store = await world.open()
  const log = create(store)
  append(log)
  await world.do(store.flush())
  files.capacityBytes = files.usedBytes + 12_000
  const sent: number[] = []
  let refused = false
  for (let i = 0; i < 400 && !refused; i++) {
    try {
      append(log, 900)
      sent.push(log.end.offset)
    } catch (error) {
      assert.ok(error instanceof StoreError && error.code === 'storage-full')
      refused = true
    }
    await world.simulation.run({ untilMs: world.simulation.nowMs + 2 })
  }
  assert.ok(refused && store.full)
  log.saveHardState({ term: 5, votedFor: undefined, suspect: false })
  await world.simulation.run({ until: () => log.durableHardState.term === 5 })
  files.capacityBytes = Number.MAX_SAFE_INTEGER
  await world.simulation.run({ until: () => !store.full })
  append(log, 900)
  await world.do(store.flush())
  assert.equal(log.durable.offset, sent.length + 2)
  world.host.powerCut('lose')
  const again = (await world.open()).get(asLogId('a'))
  assert.equal(again?.end.offset, sent.length + 2)
})
