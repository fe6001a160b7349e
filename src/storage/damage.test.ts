// Law R5: bad bytes never move a log's end, nothing of them is served, the rest goes on, and what the leader sends takes
// their place, whenever the power fails.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32c } from '../base/crc32c.ts'
import { asLeaderEpoch, asOffset, type Offset } from '../base/brand.ts'
import { fillerBatch } from '../records/filler.ts'
import {
  ATTRIBUTES_AT,
  CRC_AT,
  putInt32,
  stampBatch,
  summarizeBatches,
} from '../records/batch-header.ts'
import { StoreError, type Damage, type StoredLog } from './store.ts'
import { SMALL_LOG, SMALL_STORE, testBatch } from './testing/batches.ts'
import { append, create, found, position, World } from './testing/world.ts'

const LARGE = SMALL_STORE.directBytesMin + 500
const ONE_BATCH_SEGMENTS = { ...SMALL_LOG, segmentBytes: 100 }
const UNCACHED = { tailCacheBytes: 1 }

const logFile = (base: number): string => `/data/logs/a.1/${String(base).padStart(20, '0')}.log`

async function change(world: World, path: string, at: number, bytes: Uint8Array): Promise<void> {
  const file = await world.do(world.env.disk.open(path, 'write'))
  await world.do(file.write([bytes], at))
  await world.do(file.sync())
  await world.do(file.close())
}

async function flip(world: World, path: string, at: number): Promise<void> {
  const file = await world.do(world.env.disk.open(path, 'read'))
  const byte = new Uint8Array(1)
  await world.do(file.read(byte, at))
  await world.do(file.close())
  await change(world, path, at, Uint8Array.of(byte[0]! ^ 16))
}

const isCorrupt = (error: unknown): boolean =>
  error instanceof StoreError && error.code === 'corrupt'

async function readOne(world: World, log: StoredLog, from: number): Promise<Offset> {
  const request = { from: asOffset(from), below: log.end.offset, maxBytes: 1 }
  const answer = await world.do((async () => log.read(request))())
  return answer.next
}

/** Which offsets are not served, batch by batch. */
async function unreadable(world: World, log: StoredLog): Promise<number[]> {
  const bad: number[] = []
  for (let from: number = log.logStart; from < log.end.offset; from++) {
    try {
      await readOne(world, log, from)
    } catch (error) {
      assert.ok(isCorrupt(error), String(error))
      bad.push(from)
    }
  }
  return bad
}

/** As the replication layer would, from what the leader has. */
async function repair(
  world: World,
  log: StoredLog,
  leader: readonly Uint8Array[],
  batchesAtOnce = 100,
): Promise<void> {
  const summaries = leader.map((batch) => summarizeBatches(batch)[0]!)
  let next = log.damage?.from
  for (let calls = 0; log.damage !== undefined; calls++) {
    assert.ok(calls < 100, 'a repair that never ends')
    const { to } = log.damage
    const from = next ?? log.damage.from
    const chosen = summaries.filter((one) => one.baseOffset >= from && one.lastOffset < to)
    const taken = chosen.slice(0, batchesAtOnce)
    const bytes = Buffer.concat(taken.map((one) => leader[summaries.indexOf(one)]!))
    next = await world.do(log.repair(bytes, taken))
    if (next === to || log.damage?.from === next) next = undefined
  }
}

/** Six batches of one record each, two bad ones in the middle of the segment. */
async function damagedLog(world: World): Promise<{ log: StoredLog; sent: Uint8Array[] }> {
  const store = await world.open(UNCACHED)
  const log = create(store)
  const sent = Array.from({ length: 6 }, () => append(log, LARGE))
  await world.do(store.close())
  world.host.kill()
  const size = sent[0]!.length
  await flip(world, logFile(0), size * 2 + 500)
  await flip(world, logFile(0), size * 3 + 9)
  world.host.kill()
  return { log: found(await world.open(UNCACHED)), sent }
}

test('a bad batch is found by a read, told once, and not served; what is before and after it is', async () => {
  const world = new World()
  const { log, sent } = await damagedLog(world)
  const heard: Damage[] = []
  log.onDamage((damage) => heard.push(damage))
  assert.equal(log.damage, undefined)
  assert.equal(await readOne(world, log, 1), 2)
  await assert.rejects(readOne(world, log, 2), isCorrupt)
  assert.deepEqual(log.damage, { from: 2, to: 4 })
  assert.deepEqual(await unreadable(world, log), [2, 3])
  assert.deepEqual(heard, [{ from: 2, to: 4 }])
  assert.deepEqual(log.end, position(1, 6))
  await assert.rejects(world.do(log.seekTimestamp(0, log.end.offset)), isCorrupt)
  // It goes on: new bytes go to a new segment.
  log.startEpoch(asLeaderEpoch(2))
  const more = append(log, LARGE)
  await repair(world, log, sent)
  assert.deepEqual(await unreadable(world, log), [])
  assert.deepEqual(await world.read(log), Buffer.concat([...sent, more]))
  assert.equal(await world.do(log.seekTimestamp(0, log.end.offset)), 0)
  world.host.powerCut('lose')
  const again = found(await world.open(UNCACHED))
  assert.deepEqual(await world.read(again), Buffer.concat([...sent, more]))
  const left = world.host.files.files().filter((file) => file.path.endsWith('.swap'))
  assert.deepEqual(left, [])
})

test('a segment that is gone, or shorter than recorded, is damage from the start on', async () => {
  for (const [what, from] of [
    ['gone', 0],
    ['short', 3],
    ['folder', 0],
  ] as const) {
    const world = new World()
    const store = await world.open(UNCACHED)
    const log = create(store)
    const sent = Array.from({ length: 5 }, () => append(log, LARGE))
    await world.do(store.close())
    world.host.kill()
    const { disk } = world.env
    if (what !== 'short') {
      for (const { name } of await world.do(disk.list('/data/logs/a.1'))) {
        if (what === 'folder' || name.endsWith('.log')) {
          await world.do(disk.unlink(`/data/logs/a.1/${name}`))
        }
      }
      if (what === 'folder') await world.do(disk.removeDirectory('/data/logs/a.1'))
    } else {
      const file = await world.do(disk.open(logFile(0), 'write'))
      await world.do(file.truncate(sent[0]!.length * 3 + 10))
      await world.do(file.sync())
      await world.do(file.close())
    }
    world.host.kill()
    const again = found(await world.open(UNCACHED))
    assert.deepEqual(again.damage, { from, to: 5 }, what)
    assert.deepEqual(again.end, position(1, 5))
    sent.push(append(again, LARGE))
    assert.deepEqual(await unreadable(world, again), [0, 1, 2, 3, 4].slice(from))
    // Nobody repairs it: it is still damage at the next start.
    world.host.kill()
    const third = found(await world.open(UNCACHED))
    assert.deepEqual(third.damage, { from, to: 5 }, what)
    if (third.end.offset === 5) third.startEpoch(asLeaderEpoch(2))
    await repair(world, third, sent, 2)
    world.host.powerCut('lose')
    const healed = found(await world.open(UNCACHED))
    assert.deepEqual(await world.read(healed), Buffer.concat(sent.slice(0, healed.end.offset)))
    assert.equal(healed.damage, undefined)
  }
})

for (const how of ['kill', 'cut'] as const) {
  test(`a repair is there as a whole or not at all, ${how} at any step`, async () => {
    let finished = 0
    for (let step = 0; finished === 0; step++) {
      const world = new World(step)
      const { log, sent } = await damagedLog(world)
      await assert.rejects(readOne(world, log, 3), isCorrupt)
      const beside = append(log, LARGE)
      let taken = 0
      world.host.onDiskStep = () => {
        if (taken++ !== step) return
        if (how === 'cut') world.host.powerCut('mix')
        else world.host.kill()
      }
      let done = false
      const two = Buffer.concat(sent.slice(2, 4))
      void log.repair(two, summarizeBatches(two)).then(() => (done = true))
      await world.simulation.run({
        until: () => done || !world.host.alive,
        untilMs: world.simulation.nowMs + 5000,
      })
      world.host.onDiskStep = undefined
      if (world.host.alive) finished++
      world.host.powerCut('mix')
      const again = found(await world.open(UNCACHED))
      assert.ok(again.end.offset >= 6)
      const bad = await unreadable(world, again)
      if (done) assert.deepEqual(bad, [])
      assert.ok(bad.length === 0 || bad.join() === '2,3', `step ${step}: ${bad.join()}`)
      await repair(world, again, sent)
      const all = Buffer.concat([...sent, beside].slice(0, again.end.offset))
      assert.deepEqual(await world.read(again), all, `step ${step}`)
      world.host.powerCut('lose')
      const last = found(await world.open(UNCACHED))
      assert.deepEqual(await world.read(last), all)
    }
  })
}

test('only batches that chain to the segment end are believed behind damage', async () => {
  const world = new World()
  const store = await world.open(UNCACHED)
  const log = create(store)
  const first = append(log, LARGE)
  // A record that carries a batch with plausible offsets, as somebody may send on purpose.
  const planted = testBatch({ baseOffset: 2, epoch: 1, payloadBytes: 100, seed: 5 })
  const payload = testBatch({ baseOffset: 1, epoch: 1, payloadBytes: LARGE, count: 3, seed: 1 })
  payload.set(planted, 200)
  const carrier = reCrc(payload)
  log.append(carrier.slice(), summarizeBatches(carrier))
  const last = append(log, LARGE)
  await world.do(store.close())
  world.host.kill()
  await flip(world, logFile(0), first.length + 100)
  world.host.kill()
  const again = found(await world.open(UNCACHED))
  await assert.rejects(readOne(world, again, 1), isCorrupt)
  assert.deepEqual(again.damage, { from: 1, to: 4 })
  await repair(world, again, [first, carrier, last])
  assert.deepEqual(await world.read(again), Buffer.concat([first, carrier, last]))
})

function reCrc(batch: Uint8Array): Uint8Array {
  const [base, epoch] = [summarizeBatches(batch)[0]!.baseOffset, 1]
  const copy = batch.slice()
  const crc = crc32c(copy.subarray(ATTRIBUTES_AT))
  putInt32(copy, CRC_AT, crc)
  stampBatch(copy, 0, base, asLeaderEpoch(epoch))
  return copy
}

test('what a log loses, its damage loses too', async () => {
  const world = new World()
  const { log, sent } = await damagedLog(world)
  await assert.rejects(readOne(world, log, 3), isCorrupt)
  log.truncate(position(1, 3))
  assert.deepEqual(log.damage, { from: 2, to: 3 })
  const fresh = append(log, LARGE)
  await world.pass(200)
  assert.deepEqual(await unreadable(world, log), [2])
  world.host.powerCut('lose')
  const again = found(await world.open(UNCACHED))
  assert.deepEqual(again.end, position(1, 4))
  assert.deepEqual(await unreadable(world, again), [2])
  await repair(world, again, sent)
  assert.deepEqual(await world.read(again), Buffer.concat([...sent.slice(0, 3), fresh]))
})

test('a truncation to either border of damage cuts there, and one below the log start forgets it', async () => {
  for (const at of [2, 4, 5]) {
    const world = new World()
    const { log, sent } = await damagedLog(world)
    await assert.rejects(readOne(world, log, 3), isCorrupt)
    log.truncate(position(1, at))
    assert.deepEqual(log.damage, at === 2 ? undefined : { from: 2, to: 4 })
    const fresh = append(log, LARGE)
    await world.pass(200)
    if (at > 2) await repair(world, log, sent)
    assert.deepEqual(await world.read(log), Buffer.concat([...sent.slice(0, at), fresh]))
    log.advanceLogStart(asOffset(at))
    world.host.kill()
  }
  const world = new World()
  const { log } = await damagedLog(world)
  await assert.rejects(readOne(world, log, 3), isCorrupt)
  log.advanceLogStart(asOffset(4))
  assert.equal(log.damage, undefined)
})

test('a truncation that was not known to meet damage finds its place all the same', async () => {
  for (const at of [1, 2, 3, 4, 5]) {
    const world = new World()
    const { log, sent } = await damagedLog(world)
    log.truncate(position(1, at))
    log.startEpoch(asLeaderEpoch(2))
    const fresh = append(log, LARGE)
    await world.pass(200)
    world.host.powerCut('lose')
    const again = found(await world.open(UNCACHED))
    assert.deepEqual(again.end, position(2, at + 1))
    const bad = await unreadable(world, again)
    assert.deepEqual(
      bad,
      [2, 3].filter((offset) => offset < at),
      `cut at ${at}`,
    )
    await repair(world, again, sent)
    assert.deepEqual(await world.read(again), Buffer.concat([...sent.slice(0, at), fresh]))
  }
})

test('a leader that has no more of the damage than from its log start on is enough', async () => {
  const world = new World()
  const { log, sent } = await damagedLog(world)
  await assert.rejects(readOne(world, log, 2), isCorrupt)
  log.advanceLogStart(asOffset(3))
  assert.deepEqual(log.damage, { from: 2, to: 4 })
  const bytes = sent[3]!
  await assert.rejects(world.do(log.repair(sent[4]!, summarizeBatches(sent[4]!))), /repair from 4/)
  assert.equal(await world.do(log.repair(bytes, summarizeBatches(bytes))), 4)
  world.host.powerCut('lose')
  const again = found(await world.open(UNCACHED))
  assert.deepEqual(await world.read(again), Buffer.concat(sent.slice(3)))
})

test('a repair refuses what is not the log, and what is not asked for', async () => {
  const world = new World()
  const { log, sent } = await damagedLog(world)
  await assert.rejects(
    world.do(log.repair(sent[2]!, summarizeBatches(sent[2]!))),
    /nothing to repair/,
  )
  await assert.rejects(readOne(world, log, 2), isCorrupt)
  const wrong = (batch: Uint8Array) => world.do(log.repair(batch, summarizeBatches(batch)))
  await assert.rejects(wrong(testBatch({ baseOffset: 2, epoch: 3 })), isCorrupt)
  const torn = sent[2]!.slice()
  torn[100]! ^= 1
  await assert.rejects(wrong(torn), isCorrupt)
  await assert.rejects(wrong(sent[1]!), /repair from 1/)
  const tooMuch = Buffer.concat(sent.slice(2, 5))
  await assert.rejects(wrong(tooMuch), /repair beyond 4/)
  // Another batch for the offsets is believed when its epoch and CRC are right: the leader compacts as well.
  const other = fillerBatch(asOffset(2), asOffset(3), asLeaderEpoch(1))
  assert.equal(await wrong(other), 4)
  assert.deepEqual(
    await world.read(log),
    Buffer.concat([...sent.slice(0, 2), other, ...sent.slice(4)]),
  )
})

test('a change that overtakes a repair makes it begin anew', async () => {
  const world = new World()
  const { log, sent } = await damagedLog(world)
  await assert.rejects(readOne(world, log, 2), isCorrupt)
  assert.equal(await world.do(log.repair(sent[2]!, summarizeBatches(sent[2]!))), 3)
  log.truncate(position(1, 5))
  const repairing = log.repair(sent[3]!, summarizeBatches(sent[3]!))
  assert.equal(await world.do(repairing), 2)
  assert.deepEqual(log.damage, { from: 2, to: 4 })
  await repair(world, log, sent)
  assert.deepEqual(await world.read(log), Buffer.concat(sent.slice(0, 5)))
})

test('several segments are repaired one after the other, on a full disk not at all', async () => {
  const world = new World()
  const store = await world.open(UNCACHED)
  const log = create(store, 'a', ONE_BATCH_SEGMENTS)
  const sent = Array.from({ length: 4 }, () => append(log, LARGE))
  await world.do(store.close())
  world.host.kill()
  for (const base of [1, 2]) await world.do(world.env.disk.unlink(logFile(base)))
  world.host.kill()
  const reopened = await world.open(UNCACHED)
  const again = found(reopened)
  assert.deepEqual(again.damage, { from: 1, to: 2 })
  const { files } = world.host
  files.capacityBytes = files.usedBytes + 100
  await assert.rejects(
    world.do(again.repair(sent[1]!, summarizeBatches(sent[1]!))),
    (error) => error instanceof StoreError && error.code === 'storage-full',
  )
  files.capacityBytes = Number.MAX_SAFE_INTEGER
  assert.equal(await world.do(again.repair(sent[1]!, summarizeBatches(sent[1]!))), 2)
  assert.deepEqual(again.damage, { from: 2, to: 3 })
  await world.do(reopened.close())
  await assert.rejects(
    world.do(again.repair(sent[2]!, summarizeBatches(sent[2]!))),
    (error) => error instanceof StoreError && error.code === 'closed',
  )
  world.host.kill()
  const last = found(await world.open(UNCACHED))
  assert.deepEqual(last.damage, { from: 2, to: 3 })
  await repair(world, last, sent)
  assert.deepEqual(await world.read(last), Buffer.concat(sent))
})

test('bytes that the disk does not give any more are damage, and can be repaired', async () => {
  const world = new World()
  const store = await world.open(UNCACHED)
  const log = create(store)
  const sent = Array.from({ length: 3 }, () => append(log, LARGE))
  await world.do(store.flush())
  world.host.faults.add({ operation: 'read', path: /\.log$/, code: 'EIO', probability: 1 })
  await assert.rejects(readOne(world, log, 1), isCorrupt)
  assert.deepEqual(log.damage, { from: 0, to: 3 })
  await repair(world, log, sent)
  world.host.faults.clear()
  assert.deepEqual(await world.read(log), Buffer.concat(sent))
})

test('damage below the log start matters to nobody, and reads above it go on', async () => {
  const world = new World()
  const { log, sent } = await damagedLog(world)
  log.advanceLogStart(asOffset(4))
  const heard: Damage[] = []
  log.onDamage((damage) => heard.push(damage))
  assert.deepEqual(await unreadable(world, log), [])
  assert.deepEqual(await world.read(log), Buffer.concat(sent.slice(4)))
  assert.deepEqual([log.damage, heard], [undefined, []])
  log.install({ logStart: asOffset(0), epochs: [{ epoch: asLeaderEpoch(1), start: asOffset(0) }] })
  append(log, LARGE)
  assert.equal(log.damage, undefined)
})
