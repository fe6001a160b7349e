// What only the real disk does: lanes in the thread pool, locks between processes.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { DiskError } from '../disk.ts'
import { NodeDisk } from './node-disk.ts'
import { dropBytes } from './node-file.ts'
import { DiskPool, type Callback } from './pool.ts'

async function temporaryDirectory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'chronik-disk-'))
  t.after(() => rm(path, { recursive: true }))
  return path
}

test('two background operations run at a time, the commit lane does not wait', async () => {
  const pool = new DiskPool()
  const started: string[] = []
  const finish: Callback<void>[] = []
  const begin = (name: string, lane: 'commit' | 'background'): Promise<void> =>
    pool.run<void>(lane, 'test', name, (done) => {
      started.push(name)
      finish.push(done)
    })
  const all = ['a', 'b', 'c', 'd'].map((name) => begin(name, 'background'))
  all.push(begin('journal', 'commit'))
  assert.deepEqual(started, ['a', 'b', 'journal'])
  finish[0]?.(null)
  assert.deepEqual(started, ['a', 'b', 'journal', 'c'])
  finish[1]?.(Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' }))
  for (const i of [2, 3, 4]) finish[i]?.(null)
  const results = await Promise.allSettled(all)
  const failed = results[1]
  assert.ok(failed?.status === 'rejected' && failed.reason instanceof DiskError)
  assert.equal(failed.reason.code, 'EIO')
  assert.match(failed.reason.message, /test b: EIO \(EIO: i\/o error, write\)/)
  assert.equal(results.filter((result) => result.status === 'fulfilled').length, 4)
})

test('a call that Node itself refuses frees its place', async (t) => {
  const disk = new NodeDisk()
  for (let i = 0; i < 5; i++) await assert.rejects(disk.open('/\0', 'read'), DiskError)
  assert.deepEqual(await disk.list(await temporaryDirectory(t)), [])
})

test('dropBytes', () => {
  const chunks = [3, 0, 2, 4].map((length) => new Uint8Array(length))
  const lengths = (bytes: number): number[] => dropBytes(chunks, bytes).map((c) => c.byteLength)
  assert.deepEqual(lengths(0), [3, 0, 2, 4])
  assert.deepEqual(lengths(2), [1, 0, 2, 4])
  assert.deepEqual(lengths(3), [2, 4])
  assert.deepEqual(lengths(6), [3])
  assert.deepEqual(lengths(9), [])
  assert.throws(() => dropBytes(chunks, 10))
})

const HOLDER = `
import { NodeDisk } from ${JSON.stringify(new URL('./node-disk.ts', import.meta.url).href)}
await new NodeDisk().lock(process.argv[1])
console.log('held')
setInterval(() => {}, 1000)
`

test('a lock held by another process names it and ends with it', async (t) => {
  const path = join(await temporaryDirectory(t), 'lock')
  const child = spawn(process.execPath, ['--input-type=module', '-e', HOLDER, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  const disk = new NodeDisk()
  await assert.rejects(disk.lock(path), (error) => {
    assert.ok(error instanceof DiskError)
    assert.equal(error.code, 'LOCKED')
    assert.match(error.message, new RegExp(`held by process ${child.pid}\\b`))
    return true
  })
  child.kill('SIGKILL')
  await once(child, 'exit')
  await (await disk.lock(path)).release()
})

test('a directory that can not be made is an error, not an endless attempt', async () => {
  const disk = new NodeDisk()
  const refused = (path: string) =>
    assert.rejects(disk.makeDirectory(path), (error) => error instanceof DiskError)
  await refused('/proc/chronik')
  await refused('/proc/chronik/below')
})
