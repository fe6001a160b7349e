// How a store ends: cleanly, with all of its logs in segments, or at once where it can't be trusted any more.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeCheckpoint } from './checkpoint.ts'
import { readWholeFile } from './files.ts'
import { append, create, DIRECTORY, World } from './testing/world.ts'

const IDENTITY = `${DIRECTORY}/chronik.json`

test('a clean stop leaves everything in segments, what was accepted last too', async () => {
  const world = new World()
  const store = await world.open()
  const log = create(store)
  for (let i = 0; i < 3; i++) append(log)
  await world.do(store.close())
  const bytes = await world.do(readWholeFile(world.env.disk, `${DIRECTORY}/checkpoint`))
  const [state, ...others] = decodeCheckpoint(bytes).state.logs.values()
  assert.ok(state !== undefined && others.length === 0)
  assert.equal(state.tail.length, 0)
  assert.deepEqual(state.end, log.end)
  assert.equal(state.fileEnd, 3)
})

test('a stop that can not write its checkpoint ends the process instead of going by as clean', async () => {
  const world = new World()
  const store = await world.open()
  append(create(store))
  await world.do(store.flush())
  world.host.faults.add({ operation: 'sync', path: /checkpoint/, code: 'EIO' })
  assert.equal(await world.settles(store.close()), false)
  assert.equal(world.host.fatals.length, 1)
  assert.equal(world.host.alive, false)
})

test('a checkpoint in the background that can not be written ends the process', async () => {
  const world = new World()
  const sizes = { journalFileBytes: 4096, journalFirstFileBytes: 4096, journalBytesMax: 16_384 }
  const store = await world.open(sizes)
  const log = create(store)
  world.host.faults.add({ operation: 'sync', path: /checkpoint/, code: 'EIO' })
  for (let votes = 1; world.host.alive; votes++) {
    assert.ok(votes < 500, 'no checkpoint is written')
    log.saveHardState({ term: votes, votedFor: undefined, suspect: false })
    await world.settles(store.flush())
  }
  assert.equal(world.host.fatals.length, 1)
})

test('a directory whose identity was lost is refused again and again, and nothing is written to it', async () => {
  const world = new World()
  append(create(await world.open()))
  world.host.kill()
  await world.do(world.disk.unlink(IDENTITY))
  for (let start = 0; start < 3; start++) {
    const before = world.disk.calls.length
    await assert.rejects(world.open(), /identity file/)
    await world.pass(1000)
    const changes = world.disk.calls
      .slice(before)
      .filter(({ operation }) => ['write', 'rename', 'unlink'].includes(operation))
    assert.deepEqual(changes, [])
    world.host.kill()
  }
  assert.equal(await world.bytesOf(IDENTITY), undefined)
})

test('a frame that can not be written or synced ends the process, and is told to nobody', async () => {
  for (const operation of ['write', 'sync'] as const) {
    const world = new World()
    const store = await world.open()
    const log = create(store)
    await world.do(store.flush())
    // The journal has its spare files by then: nothing else fails.
    await world.pass(100)
    const told: unknown[] = []
    log.onDurable((durable) => told.push(durable))
    world.host.faults.add({ operation, path: /000001\.journal$/, code: 'EIO' })
    append(log)
    assert.equal(await world.settles(store.flush()), false)
    assert.equal(world.host.alive, false)
    assert.match(world.host.fatals.join(), /^the journal could not be written and synced/)
    assert.deepEqual(told, [])
  }
})
