// Keeping the journal bounded in the background: which files may be recycled, and when.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readWholeFile } from './files.ts'
import { dumpJournalFile } from './dump.ts'
import type { OpenStoreOptions } from './open-store.ts'
import type { Store, StoredLog } from './store.ts'
import { append, create, found, position, World } from './testing/world.ts'

/** Small tails stay in the journal until their file is to be recycled. */
const QUIET: Partial<OpenStoreOptions> = {
  journalFileBytes: 4096,
  journalFirstFileBytes: 4096,
  journalBytesMax: 32 * 1024,
  copyForwardBytesMax: 4096,
  writebackBytes: 1 << 20,
  dirtyBytesMax: 1 << 20,
  idleWritebackMs: 1_000_000,
}

/** Fills the journal with what no tail needs, until `done`. */
async function vote(
  world: World,
  store: Store,
  log: StoredLog,
  done: () => Promise<boolean> | boolean,
): Promise<void> {
  for (let votes = 0; !(await done()); votes++) {
    assert.ok(votes < 5000, 'it never comes to that')
    log.saveHardState({ term: log.hardState.term + 1, votedFor: undefined, suspect: false })
    await world.do(store.flush())
  }
}

async function journalLines(world: World): Promise<string[]> {
  const { disk } = world.env
  const lines: string[] = []
  for (const { name } of await world.do(disk.list('/data/journal'))) {
    const bytes = await world.do(readWholeFile(disk, `/data/journal/${name}`))
    lines.push(...dumpJournalFile(bytes))
  }
  return lines
}

const renames = (world: World): number =>
  world.disk.calls.filter(({ operation, ended }) => operation === 'rename' && ended).length

test('a short tail is copied out of the older files, and only out of those', async () => {
  const world = new World()
  const store = await world.open(QUIET)
  const [quiet, busy] = [create(store, 'quiet'), create(store, 'busy')]
  const first = append(quiet)
  await world.do(store.flush())
  const begun = async (): Promise<number> =>
    (await journalLines(world)).filter((line) => line.startsWith('generation ')).length
  await vote(world, store, busy, async () => (await begun()) === 2)
  const second = append(quiet)
  await world.do(store.flush())
  const copies = async (): Promise<string[]> =>
    (await journalLines(world)).filter((line) => line.startsWith('  copy log 1 '))
  await vote(world, store, busy, async () => (await copies()).length > 0)
  const copied = (await copies()).map((line) => /offsets \S+/.exec(line)?.[0])
  assert.deepEqual(copied, ['offsets 0..1'])
  world.host.powerCut('lose')
  const again = found(await world.open(QUIET), 'quiet')
  assert.deepEqual(await world.read(again), Buffer.concat([first, second]))
})

test('the journal stays within its bound also where quiet logs have a tail in each of its files', async () => {
  const world = new World()
  const store = await world.open(QUIET)
  const busy = create(store, 'busy')
  const sent: Uint8Array[] = []
  for (let i = 0; i < 12; i++) {
    sent.push(append(create(store, `quiet-${i}`)))
    const until = busy.hardState.term + 40
    await vote(world, store, busy, () => busy.hardState.term >= until)
  }
  assert.ok(store.stats().journalBytes <= (QUIET.journalBytesMax ?? 0))
  world.host.powerCut('lose')
  const again = await world.open(QUIET)
  for (const [i, bytes] of sent.entries()) {
    assert.deepEqual(await world.read(found(again, `quiet-${i}`)), Buffer.from(bytes))
  }
})

test('a checkpoint takes the place of the last one only when the journal it speaks of is durable', async () => {
  const world = new World()
  const store = await world.open(QUIET)
  const [log, busy] = [create(store), create(store, 'busy')]
  append(log)
  await world.do(store.flush())
  // Once a checkpoint is being written, the frame that is under way, which it covers, stays under way.
  let writing = false
  world.disk.holds = ({ operation, path }) => {
    if (operation === 'open' && path === '/data/checkpoint.tmp') writing = true
    return writing && operation === 'sync' && path.endsWith('.journal')
  }
  for (let i = 0; world.disk.held === 0; i++) {
    assert.ok(i < 20_000, 'no checkpoint is written')
    for (const one of [log, busy]) {
      one.saveHardState({ term: one.hardState.term + 1, votedFor: undefined, suspect: false })
    }
    await world.pass(0.05)
  }
  const before = renames(world)
  await world.pass(3000)
  assert.equal(renames(world), before)
  world.disk.release()
  await world.do(store.flush())
  await world.pass(3000)
  assert.ok(renames(world) > before)
})

test('a file that was begun while a checkpoint was written is not recycled with it', async () => {
  const world = new World()
  // Two files: one is written, the other is the reserve, which votes may use.
  const options = { ...QUIET, journalBytesMax: 16 * 1024 }
  const store = await world.open(options)
  const isRename = ({ operation }: { operation: string }): boolean => operation === 'rename'
  world.disk.holds = isRename
  const log = create(store)
  await world.do(store.flush())
  await world.pass(100)
  assert.equal(world.disk.held, 1, 'a checkpoint waits for its name')
  const begun = (): number =>
    world.disk.calls.filter(({ operation, path }) => operation === 'write' && path.endsWith('.tmp'))
      .length
  const checkpoints = begun()
  const active = (): string | undefined =>
    world.disk.calls.findLast(
      ({ operation, path }) => operation === 'write' && path.endsWith('.journal'),
    )?.path
  await vote(world, store, log, () => active() === '/data/journal/000002.journal')
  world.disk.release()
  world.disk.holds = isRename
  // The next checkpoint does not come into force: the last one must do.
  await vote(world, store, log, () => begun() > checkpoints)
  const { term } = log.hardState
  for (let i = 0; i < 100; i++) {
    log.saveHardState({ term: term + i, votedFor: undefined, suspect: false })
    if (!(await world.settles(store.flush()))) break
  }
  const { durableHardState } = log
  world.host.kill()
  const again = found(await world.open(options))
  assert.ok(again.hardState.term >= durableHardState.term)
  assert.deepEqual(again.end, position(1, 0))
})
