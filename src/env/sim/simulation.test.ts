// The faults of the simulated world: what a kill keeps and a power cut takes, and that a seed decides everything.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DiskError, type DiskFile } from '../disk.ts'
import type { Env } from '../env.ts'
import { NetError, type Connection } from '../network.ts'
import { SECTOR_BYTES } from './sim-inode.ts'
import { Simulation } from './simulation.ts'

const DATA = new Uint8Array(8 * SECTOR_BYTES).fill(7)

async function create(env: Env, path: string): Promise<DiskFile> {
  await env.disk.makeDirectory('/d')
  return env.disk.open(path, 'create')
}

/** A file that will survive, with nothing in it. */
async function createDurable(env: Env, path: string): Promise<DiskFile> {
  const file = await create(env, path)
  await env.disk.syncDirectory('/d')
  await env.disk.syncDirectory('/')
  return file
}

async function content(env: Env, path: string): Promise<Uint8Array | undefined> {
  const stat = await env.disk.stat(path)
  if (stat === undefined) return undefined
  const file = await env.disk.open(path, 'read')
  const bytes = new Uint8Array(stat.bytes)
  assert.equal(await file.read(bytes, 0), bytes.byteLength)
  return bytes
}

/** How often each outcome came up over the seeds. */
async function tally(
  seeds: number,
  run: (simulation: Simulation) => Promise<string>,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (let seed = 0; seed < seeds; seed++) {
    const outcome = await run(new Simulation(seed))
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
  }
  return counts
}

function classify(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return 'no file'
  if (bytes.byteLength === 0) return 'empty'
  const sectors = new Set<string>()
  for (let at = 0; at < bytes.byteLength; at += SECTOR_BYTES) {
    const values: Set<number> = new Set(bytes.subarray(at, at + SECTOR_BYTES))
    assert.equal(values.size, 1, 'a sector is never torn inside')
    sectors.add(values.has(7) ? 'data' : 'zeros')
  }
  const size = bytes.byteLength === DATA.byteLength ? 'whole size' : 'part of the size'
  return `${size}, ${[...sectors].sort().join(' and ')}`
}

test('a kill keeps what was written, a power cut may take any part of it', async () => {
  const run = (cut: boolean) => async (simulation: Simulation) => {
    const host = simulation.host('a')
    const env = host.boot()
    const file = await simulation.settle(createDurable(env, '/d/f'))
    await simulation.settle(file.write([DATA], 0))
    host.kill()
    if (cut) host.powerCut()
    return classify(await simulation.settle(content(host.boot(), '/d/f')))
  }
  assert.deepEqual([...(await tally(20, run(false)))], [['whole size, data', 20]])
  const cut = await tally(300, run(true))
  for (const outcome of [
    'empty',
    'whole size, data',
    'whole size, zeros',
    'whole size, data and zeros',
    'part of the size, data',
    'part of the size, zeros',
  ]) {
    assert.ok((cut.get(outcome) ?? 0) > 0, `never seen: ${outcome} of ${JSON.stringify([...cut])}`)
  }
  assert.equal(cut.has('no file'), false)
})

test('what was synced is safe; a later write in the same sector may be lost', async () => {
  const counts = await tally(100, async (simulation) => {
    const host = simulation.host('a')
    const file = await simulation.settle(createDurable(host.boot(), '/d/f'))
    await simulation.settle(file.write([DATA], 0))
    await simulation.settle(file.sync())
    await simulation.settle(file.write([Uint8Array.of(9)], 0))
    host.powerCut()
    const bytes = await simulation.settle(content(host.boot(), '/d/f'))
    assert.ok(bytes !== undefined && bytes.byteLength === DATA.byteLength)
    assert.ok(bytes.subarray(1).every((byte) => byte === 7))
    return String(bytes[0])
  })
  assert.deepEqual([...counts.keys()].sort(), ['7', '9'])
})

test('a sync covers the writes that returned before it, not those after', async () => {
  const counts = await tally(200, async (simulation) => {
    const host = simulation.host('a')
    const file = await simulation.settle(createDurable(host.boot(), '/d/f'))
    await simulation.settle(file.write([DATA.subarray(0, SECTOR_BYTES)], 0))
    const sync = file.sync()
    void file.write([DATA.subarray(0, SECTOR_BYTES)], SECTOR_BYTES)
    await simulation.settle(sync)
    host.powerCut()
    const bytes = await simulation.settle(content(host.boot(), '/d/f'))
    assert.ok(bytes !== undefined && bytes.subarray(0, SECTOR_BYTES).every((byte) => byte === 7))
    return bytes.byteLength > SECTOR_BYTES ? 'both' : 'first'
  })
  assert.ok((counts.get('both') ?? 0) > 0 && (counts.get('first') ?? 0) > 0)
})

test('names not synced may be lost, a rename whole or not at all', async () => {
  const counts = await tally(300, async (simulation) => {
    const host = simulation.host('a')
    const env = host.boot()
    const work = async (): Promise<void> => {
      const old = await createDurable(env, '/d/to')
      await old.write([Uint8Array.of(1)], 0)
      await old.sync()
      const file = await env.disk.open('/d/from', 'create')
      await file.write([Uint8Array.of(2)], 0)
      await file.sync()
      await env.disk.rename('/d/from', '/d/to')
    }
    await simulation.settle(work())
    host.powerCut()
    const next = host.boot()
    const from = await simulation.settle(content(next, '/d/from'))
    const to = await simulation.settle(content(next, '/d/to'))
    return `from ${from?.join() ?? 'none'} to ${to?.join() ?? 'none'}`
  })
  assert.deepEqual([...counts.keys()].sort(), ['from 2 to 1', 'from none to 1', 'from none to 2'])
})

test('syncDirectory makes names durable, for its own directory only', async () => {
  const counts = await tally(100, async (simulation) => {
    const host = simulation.host('a')
    const { disk } = host.boot()
    const work = async (): Promise<void> => {
      await disk.makeDirectory('/a/b')
      await (await disk.open('/a/b/f', 'create')).close()
      await disk.syncDirectory('/a/b')
      await disk.syncDirectory('/')
    }
    await simulation.settle(work())
    host.powerCut()
    const next = host.boot().disk
    assert.ok((await simulation.settle(next.stat('/a'))) !== undefined)
    return (await simulation.settle(next.stat('/a/b/f'))) === undefined ? 'gone' : 'there'
  })
  assert.deepEqual([...counts.keys()].sort(), ['gone', 'there'])
})

test('an unlink not synced may come back; a truncation too', async () => {
  const counts = await tally(200, async (simulation) => {
    const host = simulation.host('a')
    const env = host.boot()
    const work = async (): Promise<void> => {
      const file = await createDurable(env, '/d/f')
      const other = await env.disk.open('/d/g', 'create')
      await env.disk.syncDirectory('/d')
      await Promise.all([file.write([DATA], 0), other.write([DATA], 0)])
      await Promise.all([file.sync(), other.sync()])
      await env.disk.unlink('/d/f')
      await other.truncate(SECTOR_BYTES)
      await other.write([new Uint8Array(SECTOR_BYTES).fill(3)], SECTOR_BYTES)
    }
    await simulation.settle(work())
    host.powerCut()
    const next = host.boot()
    const f = await simulation.settle(content(next, '/d/f'))
    const g = await simulation.settle(content(next, '/d/g'))
    assert.ok(g !== undefined)
    const sectors = g.byteLength / SECTOR_BYTES
    assert.ok([1, 2, 8].includes(sectors), `${sectors} sectors`)
    if (sectors === 8)
      assert.ok(
        g.every((byte) => byte === 7),
        'written over what was not yet cut',
      )
    return `${f === undefined ? 'unlinked' : 'back'} ${sectors}`
  })
  for (const outcome of ['unlinked 1', 'unlinked 2', 'back 8']) {
    assert.ok((counts.get(outcome) ?? 0) > 0, `never seen: ${outcome}`)
  }
})

test('a failed sync leaves pages that no later sync writes', async () => {
  const counts = await tally(60, async (simulation) => {
    const host = simulation.host('a')
    const file = await simulation.settle(createDurable(host.boot(), '/d/f'))
    await simulation.settle(file.write([DATA], 0))
    host.faults.add({ operation: 'sync', path: /f$/, code: 'EIO', times: 1 })
    await assert.rejects(simulation.settle(file.sync()), DiskError)
    await simulation.settle(file.sync())
    const seen = new Uint8Array(DATA.byteLength)
    await simulation.settle(file.read(seen, 0))
    assert.deepEqual(seen, DATA, 'the cache still has it')
    host.powerCut()
    return classify(await simulation.settle(content(host.boot(), '/d/f')))
  })
  assert.ok(counts.size > 1 && [...counts.keys()].some((outcome) => outcome.includes('zeros')))
})

test('a full disk, a failing read, flipped bits, a stall', async () => {
  const simulation = new Simulation(1)
  const host = simulation.host('a')
  const env = host.boot()
  const file = await simulation.settle(createDurable(env, '/d/f'))
  host.files.capacityBytes = 6 * SECTOR_BYTES
  const full = await simulation.settle(file.write([DATA], 0).catch((error: unknown) => error))
  assert.ok(full instanceof DiskError && full.code === 'ENOSPC')
  assert.ok((await simulation.settle(file.size())) <= 6 * SECTOR_BYTES)
  await simulation.settle(file.truncate(0))
  assert.equal(await simulation.settle(env.disk.freeBytes('/d')), 6 * SECTOR_BYTES)
  host.files.capacityBytes = 100 * SECTOR_BYTES
  await simulation.settle(file.write([DATA], 0))
  await simulation.settle(file.write([DATA], SECTOR_BYTES))
  assert.equal(await simulation.settle(env.disk.freeBytes('/d')), 91 * SECTOR_BYTES)

  const end = host.faults.add({ operation: 'read', code: 'EIO' })
  const target = new Uint8Array(4)
  await assert.rejects(simulation.settle(file.read(target, 0)), /EIO/)
  end()
  await simulation.settle(file.read(target, 0))

  assert.equal(host.flipBit(/\/g$/), undefined)
  assert.equal(host.flipBit(/\/f$/)?.path, '/d/f')
  const bytes = await simulation.settle(content(env, '/d/f'))
  assert.equal(bytes?.filter((byte) => byte !== 7).length, 1)

  host.stallDisk(50)
  const before = simulation.nowMs
  await simulation.settle(file.size())
  assert.ok(simulation.nowMs - before >= 50)
})

test('a dead process: nothing settles, no timer fires, its lock is free, fatal ends it', async () => {
  const simulation = new Simulation(3)
  const host = simulation.host('a')
  const env = host.boot()
  const seen: string[] = []
  const see = (what: string): number => seen.push(what)
  await simulation.settle(env.disk.makeDirectory('/d'))
  await simulation.settle(env.disk.lock('/d/lock'))
  void env.disk.stat('/d').then(() => see('settled'))
  env.timers.after(5, () => seen.push('timer'))
  simulation.after(0.001, () => {
    env.timers.soon(() => env.host.fatal('sync failed', new Error('EIO')))
  })
  assert.equal(await simulation.run(), 'idle')
  assert.deepEqual(seen, [])
  assert.deepEqual(host.fatals, ['sync failed: Error: EIO'])
  assert.equal(host.alive, false)
  void env.disk.stat('/d').then(() => see('settled'))
  env.timers.soon(() => see('soon'))
  const next = host.boot()
  await simulation.settle(next.disk.lock('/d/lock').then((lock) => lock.release()))
  assert.deepEqual(seen, [])
})

test('rejections that nobody handles fail the run', async () => {
  const simulation = new Simulation(4)
  const { timers } = simulation.host('a').boot()
  timers.soon(() => void Promise.reject(new Error('lost')))
  timers.after(5, () => {})
  await assert.rejects(simulation.run(), /lost/)
})

interface Peers {
  readonly simulation: Simulation
  readonly client: Connection
  readonly server: Connection
  readonly heard: string[]
}

async function connect(seed: number): Promise<Peers> {
  const simulation = new Simulation(seed)
  const heard: string[] = []
  const watch = (name: string, connection: Connection): void =>
    connection.start({
      onData: (chunk) => heard.push(`${name} got ${chunk.byteLength}`),
      onClose: (error) => heard.push(`${name} closed ${error?.code ?? 'cleanly'}`),
    })
  let server: Connection | undefined
  const serving = simulation
    .host('s')
    .boot()
    .network.listen({ host: 's', port: 9092 }, (accepted) => {
      server = accepted
      watch('server', accepted)
    })
  await simulation.settle(serving)
  const network = simulation.host('c').boot().network
  const client = await simulation.settle(network.connect({ host: 's', port: 9092 }))
  watch('client', client)
  assert.ok(server !== undefined)
  return { simulation, client, server, heard }
}

test('a partition holds bytes back until it heals, one way or both', async () => {
  const { simulation, client, server, heard } = await connect(5)
  simulation.network.block('c', 's')
  client.write([new Uint8Array(3)])
  server.write([new Uint8Array(2)])
  await simulation.run({ untilMs: simulation.nowMs + 1_000 })
  assert.deepEqual(heard, ['client got 2'])
  const connecting = simulation
    .host('x')
    .boot()
    .network.connect({ host: 's', port: 9092 }, { timeoutMs: 700 })
  simulation.network.partition([['x'], ['s', 'c']])
  await assert.rejects(simulation.settle(connecting), (error) => {
    return error instanceof NetError && error.code === 'ETIMEDOUT'
  })
  simulation.network.heal()
  await simulation.run()
  assert.deepEqual(heard, ['client got 2', 'server got 3'])
})

test('a reset drops what is under way and both ends hear of it', async () => {
  const { simulation, client, heard } = await connect(6)
  client.write([new Uint8Array(200_000)])
  await simulation.run({ until: () => heard.length > 0 })
  simulation.network.reset('c', 's')
  await simulation.run()
  const ends = heard.filter((line) => line.includes('closed')).sort()
  assert.deepEqual(ends, ['client closed ECONNRESET', 'server closed ECONNRESET'])
})

test('a killed process ends its connections; one without power says nothing', async () => {
  const codes = new Set<string>()
  for (let seed = 0; seed < 20; seed++) {
    const { simulation, client, heard } = await connect(seed)
    simulation.host('s').kill()
    client.write([new Uint8Array(1)])
    await simulation.run()
    codes.add(heard.join())
    const again = simulation.host('c').kill()
    assert.equal(again, undefined)
    const refused = simulation.host('c').boot().network.connect({ host: 's', port: 9092 })
    await assert.rejects(simulation.settle(refused), /refused/)
  }
  assert.deepEqual([...codes].sort(), ['client closed ECONNRESET', 'client closed cleanly'])

  const { simulation, client, heard } = await connect(7)
  simulation.host('s').powerCut()
  client.write([new Uint8Array(1)])
  await simulation.run({ untilMs: simulation.nowMs + 60_000 })
  assert.deepEqual(heard, [])
  simulation.host('s').boot()
  await simulation.run()
  assert.deepEqual(heard, ['client closed ECONNRESET'])
})

test('one seed, one trace; another seed, another', async () => {
  const run = async (seed: number): Promise<string> => {
    const { simulation, client, server } = await connect(seed)
    const host = simulation.host('c')
    client.write([new Uint8Array(300_000)])
    server.write([new Uint8Array(100)])
    await simulation.run({ untilMs: 3 })
    host.powerCut()
    const env = host.boot()
    const file = await simulation.settle(create(env, '/d/f'))
    await simulation.settle(file.write([env.random.bytes(5_000)], 0))
    await simulation.run()
    return simulation.traceHash
  }
  assert.equal(await run(1), await run(1))
  assert.equal(await run(2), await run(2))
  assert.notEqual(await run(1), await run(2))
})

test('clocks of hosts differ by their skew; time passes only in events', async () => {
  const simulation = new Simulation(8)
  const host = simulation.host('a')
  const env = host.boot()
  const before = env.clock.nowMs()
  host.skewMs = -5_000
  assert.equal(env.clock.nowMs(), before - 5_000)
  env.timers.after(86_400_000, () => {})
  assert.equal(await simulation.run(), 'idle')
  assert.equal(env.clock.monotonicMs(), 86_400_000)
})

test('a process that is held does nothing, while its kernel goes on; then it finds what came meanwhile', async () => {
  const { simulation, client, heard } = await connect(8)
  const host = simulation.host('s')
  const env = simulation.host('p').boot()
  const seen: string[] = []
  env.timers.after(5, () => seen.push(`timer at ${simulation.nowMs}`))
  const cancelled = env.timers.after(6, () => seen.push('cancelled'))
  env.timers.after(4, () => cancelled.cancel())
  void env.disk.makeDirectory('/d').then(() => seen.push('made'))
  simulation.host('p').pause()
  host.pause()
  client.write([new Uint8Array(3)])
  const other = simulation.host('o').boot().network.connect({ host: 's', port: 9092 })
  const connection = await simulation.settle(other, { withinMs: 1_000 })
  await simulation.run({ untilMs: 100 })
  assert.deepEqual([...seen, ...heard], [])
  assert.equal(simulation.host('p').files.find('/d')?.kind, 'directory', 'the kernel has done it')
  simulation.host('p').resume()
  host.resume()
  connection.destroy()
  await simulation.run()
  assert.deepEqual(seen, ['made', 'timer at 100'])
  assert.ok(heard.includes('server got 3'))
  host.pause()
  host.kill()
  host.resume()
  assert.equal(host.paused, false)
})
