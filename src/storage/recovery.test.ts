// A start relies only on what it made sure of: which journal files it syncs, writes again and checks before it changes
// anything.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asOffset } from '../base/brand.ts'
import { decodeCheckpoint } from './checkpoint.ts'
import { readWholeFile } from './files.ts'
import { decodeSlotHead, type SlotHead } from './journal-frame.ts'
import type { OpenStoreOptions } from './open-store.ts'
import { StoreError } from './store.ts'
import { append, create, DIRECTORY, found, World } from './testing/world.ts'

const OPTIONS: Partial<OpenStoreOptions> = {
  journalFileBytes: 4096,
  journalFirstFileBytes: 4096,
  journalBytesMax: 32 * 1024,
}

async function journalHeads(world: World): Promise<Map<string, SlotHead>> {
  const { disk } = world.env
  const heads = new Map<string, SlotHead>()
  for (const { name } of await world.do(disk.list(`${DIRECTORY}/journal`))) {
    const path = `${DIRECTORY}/journal/${name}`
    const head = decodeSlotHead(await world.do(readWholeFile(disk, path)))
    if (head !== undefined) heads.set(path, head)
  }
  return heads
}

test('every file that is read is synced, no other; the last frame is written again; then comes the rest', async () => {
  const world = new World()
  const store = await world.open(OPTIONS)
  const log = create(store)
  // So many votes that files were recycled, and one that was is not in use again.
  let needed: string[] = []
  let heads = new Map<string, SlotHead>()
  for (let votes = 0; needed.length < 2 || needed.length === heads.size; votes++) {
    assert.ok(votes < 2000, 'no file is recycled')
    log.saveHardState({ term: log.hardState.term + 1, votedFor: undefined, suspect: false })
    await world.do(store.flush())
    heads = await journalHeads(world)
    const checkpoint = await world.do(readWholeFile(world.env.disk, `${DIRECTORY}/checkpoint`))
    const { cursor } = decodeCheckpoint(checkpoint)
    needed = [...heads]
      .filter(([, { sequence }]) => sequence >= cursor.sequence)
      .toSorted(([, a], [, b]) => a.sequence - b.sequence)
      .map(([path]) => path)
  }
  world.host.kill()
  const again = found(await world.open(OPTIONS))
  assert.equal(again.hardState.term, log.hardState.term)
  const { calls } = world.disk
  const end = calls.findIndex(({ path }) => path === `${DIRECTORY}/checkpoint.tmp`)
  const done = (wanted: string): string[] =>
    calls
      .slice(0, end)
      .filter(({ operation, path }) => operation === wanted && heads.has(path))
      .map(({ path }) => path)
  assert.deepEqual(done('sync').toSorted(), needed.toSorted())
  assert.deepEqual(done('write'), needed.slice(-1))
  assert.notEqual(needed.at(-1), [...heads.keys()].at(0))
})

test('nothing is relied on before the last frame has been written again', async () => {
  const world = new World()
  const store = await world.open(OPTIONS)
  create(store)
  await world.do(store.flush())
  world.host.kill()
  world.disk.holds = ({ operation }) => operation === 'write'
  assert.equal(await world.settles(world.opening(OPTIONS)), false)
  assert.equal(world.disk.held, 1)
  assert.equal(world.disk.calls.at(-1)?.operation, 'write')
  assert.match(world.disk.calls.at(-1)?.path ?? '', /journal$/)
})

test('a tail that an earlier start left in its journal file is checked', async () => {
  const world = new World()
  const options = { ...OPTIONS, idleWritebackMs: 1_000_000 }
  const store = await world.open(options)
  const bytes = append(create(store))
  await world.do(store.flush())
  world.host.kill()
  const second = await world.open(options)
  assert.deepEqual(await world.read(found(second)), Buffer.from(bytes))
  world.host.kill()
  const path = `${DIRECTORY}/journal/000001.journal`
  const journal = Buffer.from(await world.do(readWholeFile(world.env.disk, path)))
  const at = journal.indexOf(bytes)
  assert.ok(at > 0)
  const file = await world.do(world.env.disk.open(path, 'write'))
  await world.do(file.write([Uint8Array.of(bytes[80]! ^ 1)], at + 80))
  world.host.kill()
  await assert.rejects(
    world.open(options),
    (error) => error instanceof StoreError && error.code === 'corrupt',
  )
})

test('a segment that is too short stays as short, so that the next start sees it too', async () => {
  const world = new World()
  const store = await world.open()
  append(create(store), 3000)
  await world.do(store.close())
  world.host.kill()
  const path = `${DIRECTORY}/logs/a.1/00000000000000000000.log`
  const file = await world.do(world.disk.open(path, 'write'))
  await world.do(file.truncate(2000))
  world.host.kill()
  for (let start = 0; start < 3; start++) {
    const log = found(await world.open())
    const request = { from: asOffset(0), below: log.end.offset, maxBytes: 1 }
    assert.throws(
      () => log.read(request),
      (error) => error instanceof StoreError && error.code === 'corrupt',
    )
    assert.equal(await world.bytesOf(path), 2000)
    world.host.kill()
  }
})
