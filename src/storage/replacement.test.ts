// What replication asks of a store beyond appends: logs that are replaced as a whole, histories that are replaced from a
// position on, log starts that a leader decides, and what must be as durable as a log's existence. Crashes come at every
// step of the disk operations that an acceptance causes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asLogId, asNodeId, asOffset } from '../base/brand.ts'
import type { Position } from '../base/position.ts'
import type { SimHost } from '../env/sim/sim-host.ts'
import { Simulation } from '../env/sim/simulation.ts'
import { summarizeBatches } from '../records/batch-header.ts'
import { openStore, type OpenStoreOptions } from './open-store.ts'
import { DESCRIPTOR_BYTES_MAX, StoreError, type Store, type StoredLog } from './store.ts'
import { SMALL_LOG, SMALL_STORE, testBatch } from './testing/batches.ts'

class Machine {
  readonly simulation: Simulation
  readonly host: SimHost

  constructor(seed = 1) {
    this.simulation = new Simulation(seed)
    this.host = this.simulation.host('node')
  }

  open(options: Partial<OpenStoreOptions> = {}): Promise<Store> {
    return this.do(openStore(this.host.boot(), { ...SMALL_STORE, directory: '/data', ...options }))
  }

  do<T>(promise: Promise<T>): Promise<T> {
    return this.simulation.settle(promise, { withinMs: 60_000 })
  }

  async read(log: StoredLog): Promise<Buffer> {
    const parts: Uint8Array[] = []
    for (let from = log.logStart; from < log.end.offset;) {
      const request = { from, below: log.end.offset, maxBytes: 1_000_000 }
      const answer = await this.do(Promise.resolve(log.read(request)))
      parts.push(...answer.chunks)
      from = answer.next
    }
    return Buffer.concat(parts)
  }

  /** Lets what was accepted go on, until it is through or the machine stops at that disk step. */
  async crashAt(step: number, how: 'kill' | 'cut', done: Promise<void>): Promise<boolean> {
    let taken = 0
    let through = false
    this.host.onDiskStep = () => {
      if (taken++ !== step) return
      if (how === 'cut') this.host.powerCut('mix')
      else this.host.kill()
    }
    void done.then(() => (through = true))
    await this.simulation.run({ until: () => through || !this.host.alive, untilMs: 60_000 })
    // Files follow what is durable.
    if (through) await this.simulation.run({ untilMs: this.simulation.nowMs + 20 })
    this.host.onDiskStep = undefined
    const crashed = !this.host.alive
    this.host.kill()
    return crashed
  }
}

function create(store: Store, id = 'a'): StoredLog {
  const log = store.create(asLogId(id), { directory: id, config: SMALL_LOG })
  log.startEpoch(asLeaderEpoch(1))
  return log
}

function append(log: StoredLog, payloadBytes = 100): Uint8Array {
  const { epoch, offset } = log.end
  const batch = testBatch({ baseOffset: offset, epoch, payloadBytes, seed: offset + epoch * 1000 })
  log.append(batch.slice(), summarizeBatches(batch))
  return batch
}

const position = (epoch: number, offset: number): Position => ({
  epoch: asLeaderEpoch(epoch),
  offset: asOffset(offset),
})

function found(store: Store, id = 'a'): StoredLog {
  const log = store.get(asLogId(id))
  assert.ok(log !== undefined)
  return log
}

const epochs = (...entries: readonly (readonly [number, number])[]) =>
  entries.map(([epoch, start]) => ({ epoch: asLeaderEpoch(epoch), start: asOffset(start) }))

const entriesOf = (log: StoredLog): number[][] =>
  log.epochs.entries.map(({ epoch, start }) => [epoch, start])

const LARGE = SMALL_STORE.directBytesMin + 500

test('an install replaces the whole log; durable waits for it, appends may follow at once', async () => {
  const machine = new Machine()
  const store = await machine.open()
  const log = create(store)
  const vote = { term: 3, votedFor: asNodeId(2), suspect: true }
  log.saveHardState(vote)
  for (const bytes of [LARGE, 50, LARGE, 60]) append(log, bytes)
  await machine.do(store.flush())
  await machine.do(log.snapshots.save(log.end, Buffer.from('old')))
  const heard: Position[] = []
  log.onDurable((durable) => heard.push(durable))
  const table = log.epochs
  log.install({ logStart: asOffset(100), epochs: epochs([1, 0], [4, 90], [6, 100]) })
  assert.equal(log.epochs, table)
  assert.equal(log.logStart, 100)
  assert.deepEqual(log.end, position(6, 100))
  assert.deepEqual(log.durable, position(-1, 0))
  assert.equal(log.bytes, 0)
  assert.deepEqual(log.segments(), [
    { baseOffset: 100, endOffset: 100, bytes: 0, maxTimestampMs: -1 },
  ])
  const sent = [append(log, 70), append(log, LARGE)]
  assert.deepEqual(log.durable, position(-1, 0))
  assert.deepEqual(await machine.read(log), Buffer.concat(sent))
  assert.throws(
    () => log.read({ from: asOffset(99), below: log.end.offset, maxBytes: 1 }),
    (error) => error instanceof StoreError && error.code === 'offset-out-of-range',
  )
  await machine.do(store.flush())
  assert.deepEqual(heard[0], position(6, 100))
  assert.deepEqual(heard.at(-1), position(6, 102))
  assert.equal(await machine.do(log.snapshots.latest(log.end.offset)), undefined)
  await machine.simulation.run({ untilMs: machine.simulation.nowMs + 1000 })
  machine.host.powerCut('lose')
  const again = found(await machine.open())
  assert.deepEqual(entriesOf(again), [
    [1, 0],
    [4, 90],
    [6, 100],
  ])
  assert.equal(again.logStart, 100)
  assert.deepEqual(again.hardState, vote)
  assert.deepEqual(await machine.read(again), Buffer.concat(sent))
  assert.deepEqual(
    machine.host.files
      .files()
      .map((file) => file.path)
      .filter((path) => path.endsWith('.log')),
    ['/data/logs/a.1/00000000000000000100.log'],
  )
})

for (const how of ['kill', 'cut'] as const) {
  for (const at of [0, 2, 4, 9]) {
    test(`an install at ${at} is there as a whole or not at all, ${how} at any step`, async () => {
      for (let step = 0; ; step++) {
        const machine = new Machine(step)
        const store = await machine.open()
        const log = create(store)
        const old = [LARGE, 50, LARGE, 60].map((bytes) => append(log, bytes))
        await machine.do(store.flush())
        log.install({ logStart: asOffset(at), epochs: epochs([1, 0], [5, at]) })
        const fresh = [append(log, 60), append(log, LARGE)]
        log.truncate(position(5, at + 1))
        log.startEpoch(asLeaderEpoch(6))
        fresh[1] = append(log, LARGE)
        await machine.simulation.run({ untilMs: machine.simulation.nowMs + 0.01 })
        fresh.push(append(log, LARGE))
        const crashed = await machine.crashAt(step, how, store.flush())
        const again = found(await machine.open())
        const bytes = await machine.read(again)
        if (again.end.epoch === 1) {
          assert.ok(crashed, `step ${step}: what was flushed is gone`)
          assert.deepEqual(again.end, position(1, 4))
          assert.deepEqual(bytes, Buffer.concat(old))
        } else {
          assert.equal(again.logStart, at)
          const count = again.end.offset - at
          if (!crashed) assert.equal(count, 3)
          assert.deepEqual(bytes, Buffer.concat(fresh.slice(0, count)), `step ${step}`)
        }
        // What comes now goes into files of the same names.
        again.startEpoch(asLeaderEpoch(9))
        const more = Buffer.concat([bytes, append(again, LARGE)])
        await machine.simulation.run({ untilMs: machine.simulation.nowMs + 200 })
        machine.host.powerCut('lose')
        assert.deepEqual(await machine.read(found(await machine.open())), more)
        if (!crashed) return
      }
    })
  }
}

test('after an install the first batch may be the one inside of which the log starts', async () => {
  for (const bytes of [50, LARGE]) {
    for (const cut of ['lose', 'keep', 'mix'] as const) {
      const machine = new Machine()
      const store = await machine.open()
      const log = create(store)
      append(log)
      log.install({ logStart: asOffset(41), epochs: epochs([1, 0]) })
      const batch = testBatch({ baseOffset: 39, epoch: 1, count: 5, payloadBytes: bytes })
      log.append(batch.slice(), summarizeBatches(batch))
      assert.deepEqual(log.end, position(1, 44))
      const sent = [batch, append(log, 70), append(log, LARGE)]
      assert.deepEqual(await machine.read(log), Buffer.concat(sent))
      await machine.do(store.flush())
      await machine.simulation.run({ untilMs: machine.simulation.nowMs + 1000 })
      machine.host.powerCut(cut)
      const reopened = await machine.open()
      const again = found(reopened)
      assert.deepEqual([again.logStart, again.end], [41, position(1, 46)])
      assert.deepEqual(await machine.read(again), Buffer.concat(sent))
      await machine.do(reopened.close())
      machine.host.kill()
      assert.deepEqual(await machine.read(found(await machine.open())), Buffer.concat(sent))
    }
  }
  const log = create(await new Machine().open())
  log.install({ logStart: asOffset(41), epochs: epochs([1, 0]) })
  const below = testBatch({ baseOffset: 39, epoch: 1, count: 2 })
  assert.throws(() => log.append(below, summarizeBatches(below)), /batch at 39, the end is 41/)
})

test('a read that an install overtakes is out of range, or right', async () => {
  const machine = new Machine()
  const store = await machine.open({ tailCacheBytes: 1 })
  const log = create(store)
  for (const bytes of [LARGE, LARGE, LARGE]) append(log, bytes)
  await machine.do(store.flush())
  const request = { from: asOffset(0), below: log.end.offset, maxBytes: 1 }
  const below = log.read(request)
  const within = log.read({ ...request, from: asOffset(2) })
  log.install({ logStart: asOffset(2), epochs: epochs([7, 0]) })
  const fresh = append(log, 80)
  await assert.rejects(
    machine.do(Promise.resolve(below)),
    (error) => error instanceof StoreError && error.code === 'offset-out-of-range',
  )
  const answer = await machine.do(Promise.resolve(within))
  assert.deepEqual(Buffer.concat(answer.chunks), Buffer.from(fresh))
  const sought = await machine.do(log.seekTimestamp(0, log.end.offset))
  assert.equal(sought, 2)
})

test('an install makes a log with a lost segment whole again', async () => {
  const machine = new Machine()
  const store = await machine.open()
  append(create(store), LARGE)
  await machine.do(store.close())
  machine.host.kill()
  const env = machine.host.boot()
  await machine.do(env.disk.unlink('/data/logs/a.1/00000000000000000000.log'))
  machine.host.kill()
  const reopened = await machine.open()
  const log = found(reopened)
  assert.deepEqual(log.damage, { from: 0, to: 1 })
  log.install({ logStart: asOffset(1), epochs: epochs([1, 0]) })
  assert.equal(log.damage, undefined)
  const sent = append(log, LARGE)
  await machine.do(reopened.flush())
  machine.host.powerCut('lose')
  assert.deepEqual(await machine.read(found(await machine.open())), Buffer.from(sent))
})

test('installs with epochs above the start, or below zero, are refused', async () => {
  const machine = new Machine()
  const log = create(await machine.open())
  const install = (logStart: number, start: number) => () =>
    log.install({ logStart: asOffset(logStart), epochs: epochs([3, start]) })
  assert.throws(install(5, 6), /starts above/)
  assert.throws(install(-1, -1), /install at -1/)
})

for (const how of ['kill', 'cut'] as const) {
  for (const payload of [100, LARGE, 5 * LARGE]) {
    test(`a truncation and entries of ${payload} bytes come together, ${how} at any step (law R1)`, async () => {
      for (let step = 0; ; step++) {
        const machine = new Machine(step)
        const store = await machine.open()
        const log = create(store)
        const old = [LARGE, 50, LARGE, 60, 70].map((bytes) => append(log, bytes))
        await machine.do(store.flush())
        log.truncate(position(1, 1))
        log.startEpoch(asLeaderEpoch(4))
        const fresh = [old[0]!, append(log, payload), append(log, payload), append(log, 30)]
        const crashed = await machine.crashAt(step, how, store.flush())
        const again = found(await machine.open())
        const both = JSON.stringify(again.end) === JSON.stringify(position(4, 4))
        const neither = JSON.stringify(again.end) === JSON.stringify(position(1, 5))
        assert.ok(
          both || (neither && crashed),
          `step ${step}: ended at ${JSON.stringify(again.end)}`,
        )
        assert.deepEqual(await machine.read(again), Buffer.concat(both ? fresh : old))
        if (!crashed) return
      }
    })
  }
}

test('a follower takes any log start up to its end, in bytes, journal and files', async () => {
  for (const small of [true, false]) {
    for (const start of [1, 3, 5, 6]) {
      const machine = new Machine(start)
      const store = await machine.open({ tailCacheBytes: 1 })
      const log = create(store)
      const sent = Array.from({ length: 6 }, () => append(log, small ? 40 : LARGE))
      if (start > 3) await machine.do(store.flush())
      log.advanceLogStart(asOffset(start))
      log.advanceLogStart(asOffset(start - 1))
      assert.equal(log.logStart, start)
      await machine.do(store.flush())
      assert.deepEqual(log.durable, position(1, 6))
      if (start === 6) assert.equal(log.bytes, 0)
      // Nothing of what went stays in memory for want of somebody who writes it.
      if (start === 6) assert.ok(store.stats().tailCacheBytes <= 1)
      sent.push(append(log, 50))
      await machine.do(store.flush())
      machine.host.powerCut('lose')
      const again = found(await machine.open())
      assert.equal(again.logStart, start)
      assert.deepEqual(await machine.read(again), Buffer.concat(sent.slice(start)))
      again.truncate(position(1, start))
      assert.deepEqual(again.end, position(1, start))
    }
  }
})

test('a log start above the end is a mistake of the caller', async () => {
  const machine = new Machine()
  const log = create(await machine.open())
  append(log)
  assert.throws(() => log.advanceLogStart(asOffset(2)), /above the end/)
})

test('a descriptor is as durable as its log, from journal and checkpoint', async () => {
  const machine = new Machine()
  const store = await machine.open()
  const given = {
    none: undefined,
    small: Buffer.from('voters 1, 2, 3'),
    large: new Uint8Array(DESCRIPTOR_BYTES_MAX).fill(7),
  }
  for (const [id, descriptor] of Object.entries(given)) {
    const made = store.create(asLogId(id), { directory: id, config: SMALL_LOG, descriptor })
    assert.deepEqual(Buffer.from(made.descriptor), Buffer.from(descriptor ?? []))
  }
  assert.throws(
    () =>
      store.create(asLogId('more'), {
        directory: 'more',
        config: SMALL_LOG,
        descriptor: new Uint8Array(DESCRIPTOR_BYTES_MAX + 1),
      }),
    /descriptor of 65537 bytes/,
  )
  await machine.do(store.flush())
  // First from the journal, then from the checkpoint that the start before has written.
  for (let start = 0; start < 3; start++) {
    machine.host.powerCut('lose')
    const again = await machine.open()
    assert.deepEqual(
      [...again.logs()].map((log) => log.id).toSorted(),
      Object.keys(given).toSorted(),
    )
    for (const [id, descriptor] of Object.entries(given)) {
      assert.deepEqual(Buffer.from(found(again, id).descriptor), Buffer.from(descriptor ?? []))
    }
  }
})

test('being suspect is durable with the hard state', async () => {
  const machine = new Machine()
  const store = await machine.open()
  const log = create(store)
  assert.equal(log.hardState.suspect, false)
  for (const suspect of [true, false]) {
    log.saveHardState({ term: 1, votedFor: undefined, suspect })
    assert.equal(log.hardState.suspect, suspect)
    assert.equal(log.durableHardState.suspect, !suspect)
    await machine.do(store.flush())
    assert.equal(log.durableHardState.suspect, suspect)
  }
})

test('however many ask for a flush in one turn, one frame serves them all', async () => {
  const machine = new Machine()
  const store = await machine.open({ journalFileBytes: 1 << 20, journalFirstFileBytes: 1 << 20 })
  const logs = Array.from({ length: 2000 }, (_, i) =>
    store.create(asLogId(`log-${i}`), { directory: 'log', config: SMALL_LOG }),
  )
  await machine.do(store.flush())
  const { syncs } = store.stats()
  const flushed = logs.map(async (log) => {
    log.saveHardState({ term: 1, votedFor: asNodeId(1), suspect: false })
    await store.flush()
    assert.equal(log.durableHardState.term, 1)
  })
  assert.equal(store.flush(), store.flush())
  await machine.do(Promise.all(flushed))
  assert.equal(store.stats().syncs, syncs + 1)
  // A flush of the next turn is a round of its own.
  logs[0]!.saveHardState({ term: 2, votedFor: undefined, suspect: false })
  await machine.do(store.flush())
  assert.equal(logs[0]!.durableHardState.term, 2)
  assert.equal(store.stats().syncs, syncs + 2)
})
