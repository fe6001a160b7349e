// What every implementation of the disk port must do. Power cuts are the simulator's own tests.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DiskError, type Disk, type DiskErrorCode, type DiskFile } from '../disk.ts'

export interface DiskSubject {
  readonly disk: Disk
  /** An empty directory, absolute. */
  readonly root: string
}

/** Gives the body a fresh subject and returns when the body has settled. */
export type WithDisk = (body: (subject: DiskSubject) => Promise<void>) => Promise<void>

export function diskContract(name: string, withDisk: WithDisk): void {
  const check = (what: string, body: (subject: DiskSubject) => Promise<void>): void => {
    test(`${name}: ${what}`, () => withDisk(body))
  }
  openContract(check)
  contentContract(check)
  namesContract(check)
  lockContract(check)
}

type Check = (what: string, body: (subject: DiskSubject) => Promise<void>) => void

async function failsWith(code: DiskErrorCode, promise: Promise<unknown>): Promise<DiskError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof DiskError, `expected ${code}, got ${String(error)}`)
  assert.equal(error.code, code, error.message)
  return error
}

function pattern(bytes: number, salt = 0): Uint8Array {
  const made = new Uint8Array(bytes)
  for (let i = 0; i < bytes; i++) made[i] = (i * 31 + (i >>> 8) * 7 + salt) & 0xff
  return made
}

async function readAll(file: DiskFile): Promise<Uint8Array> {
  const bytes = new Uint8Array(await file.size())
  assert.equal(await file.read(bytes, 0), bytes.byteLength)
  return bytes
}

function openContract(check: Check): void {
  check('open modes', async ({ disk, root }) => {
    const path = `${root}/a`
    await failsWith('ENOENT', disk.open(path, 'read'))
    await failsWith('ENOENT', disk.open(path, 'write'))
    const file = await disk.open(path, 'create')
    await file.write([pattern(10)], 0)
    await file.close()
    const error = await failsWith('EEXIST', disk.open(path, 'create'))
    assert.equal(error.operation, 'open')
    assert.equal(error.path, path)
    const again = await disk.open(path, 'write', { lane: 'commit' })
    await again.write([pattern(2, 9)], 4)
    await again.close()
    const reader = await disk.open(path, 'read')
    const expected = pattern(10)
    expected.set(pattern(2, 9), 4)
    assert.deepEqual(await readAll(reader), expected)
    await reader.close()
  })

  check('open below what is missing or no directory', async ({ disk, root }) => {
    await failsWith('ENOENT', disk.open(`${root}/none/a`, 'create'))
    await (await disk.open(`${root}/file`, 'create')).close()
    await failsWith('ENOTDIR', disk.open(`${root}/file/a`, 'create'))
  })

  check('a closed file refuses every call', async ({ disk, root }) => {
    const file = await disk.open(`${root}/a`, 'create')
    await file.close()
    await failsWith('OTHER', file.read(new Uint8Array(1), 0))
    await failsWith('OTHER', file.write([pattern(1)], 0))
    await failsWith('OTHER', file.sync())
    await failsWith('OTHER', file.size())
    await failsWith('OTHER', file.truncate(0))
    await failsWith('OTHER', file.close())
  })

  check('close waits for the calls in progress', async ({ disk, root }) => {
    const file = await disk.open(`${root}/a`, 'create')
    const write = file.write([pattern(100_000)], 0)
    await Promise.all([write, file.sync(), file.close()])
    assert.deepEqual(await disk.stat(`${root}/a`), { kind: 'file', bytes: 100_000 })
  })
}

function contentContract(check: Check): void {
  check('writes chunks one after the other, reads them back', async ({ disk, root }) => {
    const file = await disk.open(`${root}/a`, 'create')
    const whole = pattern(20_000)
    const chunks: Uint8Array[] = []
    for (let at = 0, size = 0; at < whole.byteLength; at += size, size = (size + 1) % 13) {
      chunks.push(whole.subarray(at, at + size))
    }
    assert.ok(chunks.length > 2_000, 'more chunks than one writev takes, some empty')
    await file.write(chunks, 5)
    await file.sync()
    assert.equal(await file.size(), 20_005)
    const back = new Uint8Array(20_000)
    assert.equal(await file.read(back, 5), 20_000)
    assert.deepEqual(back, whole)
    await file.write([], 30_000)
    await file.write([new Uint8Array(0)], 30_000)
    assert.equal(await file.size(), 20_005, 'writing nothing does not extend')
    await file.close()
  })

  check('a read is short only at the end', async ({ disk, root }) => {
    const file = await disk.open(`${root}/a`, 'create')
    await file.write([pattern(100)], 0)
    const target = new Uint8Array(64).fill(0xee)
    assert.equal(await file.read(target, 90), 10)
    assert.deepEqual(target.subarray(0, 10), pattern(100).subarray(90))
    assert.ok(
      target.subarray(10).every((byte) => byte === 0xee),
      'the rest is left alone',
    )
    assert.equal(await file.read(target, 100), 0)
    assert.equal(await file.read(target, 5_000), 0)
    assert.equal(await file.read(new Uint8Array(0), 0), 0)
    await file.close()
  })

  check('gaps and growth are zeros; what was cut does not come back', async ({ disk, root }) => {
    const file = await disk.open(`${root}/a`, 'create')
    await file.write([pattern(10)], 9_000)
    const gap = new Uint8Array(9_000).fill(1)
    assert.equal(await file.read(gap, 0), 9_000)
    assert.ok(gap.every((byte) => byte === 0))
    await file.truncate(9_005)
    assert.equal(await file.size(), 9_005)
    await file.truncate(9_020)
    const tail = new Uint8Array(20)
    assert.equal(await file.read(tail, 9_000), 20)
    assert.deepEqual(tail.subarray(0, 5), pattern(10).subarray(0, 5))
    assert.ok(tail.subarray(5).every((byte) => byte === 0))
    await file.close()
  })

  check('many operations in flight on one file', async ({ disk, root }) => {
    const file = await disk.open(`${root}/a`, 'create')
    const parts = Array.from({ length: 50 }, (_, i) => pattern(1_000, i))
    await Promise.all(parts.map((part, i) => file.write([part], i * 1_000)))
    await file.sync()
    const back = await Promise.all(
      parts.map(async (_, i) => {
        const target = new Uint8Array(1_000)
        await file.read(target, i * 1_000)
        return target
      }),
    )
    assert.deepEqual(back, parts)
    await file.close()
  })

  check('two handles see each other', async ({ disk, root }) => {
    const a = await disk.open(`${root}/a`, 'create')
    const b = await disk.open(`${root}/a`, 'read')
    await a.write([pattern(7)], 0)
    assert.deepEqual(await readAll(b), pattern(7))
    await Promise.all([a.close(), b.close()])
  })
}

function namesContract(check: Check): void {
  check('directories: make, list, stat, remove', async ({ disk, root }) => {
    assert.deepEqual(await disk.list(root), [])
    await disk.makeDirectory(`${root}/x/y/z`)
    await disk.makeDirectory(`${root}/x/y`)
    for (const name of ['b', 'a', 'B', '10', '9']) {
      await (await disk.open(`${root}/x/${name}`, 'create')).close()
    }
    const names = (await disk.list(`${root}/x`)).map((entry) => `${entry.name}:${entry.kind}`)
    assert.deepEqual(names, ['10:file', '9:file', 'B:file', 'a:file', 'b:file', 'y:directory'])
    assert.equal((await disk.stat(`${root}/x/y`))?.kind, 'directory')
    assert.deepEqual(await disk.stat(`${root}/x/a`), { kind: 'file', bytes: 0 })
    assert.equal(await disk.stat(`${root}/none`), undefined)
    await failsWith('ENOENT', disk.list(`${root}/none`))
    await failsWith('ENOTEMPTY', disk.removeDirectory(`${root}/x`))
    await disk.removeDirectory(`${root}/x/y/z`)
    await failsWith('ENOENT', disk.removeDirectory(`${root}/x/y/z`))
    await disk.syncDirectory(`${root}/x/y`)
    await failsWith('ENOENT', disk.syncDirectory(`${root}/x/y/z`))
    assert.ok((await disk.freeBytes(root)) > 0)
  })

  check('rename replaces; an open file keeps what it had', async ({ disk, root }) => {
    const old = await disk.open(`${root}/to`, 'create')
    await old.write([pattern(3, 1)], 0)
    const file = await disk.open(`${root}/from`, 'create')
    await file.write([pattern(4, 2)], 0)
    await disk.rename(`${root}/from`, `${root}/to`)
    assert.equal(await disk.stat(`${root}/from`), undefined)
    assert.deepEqual(await readAll(old), pattern(3, 1))
    const now = await disk.open(`${root}/to`, 'read')
    assert.deepEqual(await readAll(now), pattern(4, 2))
    await file.write([pattern(4, 3)], 0)
    assert.deepEqual(await readAll(now), pattern(4, 3), 'the handle follows the file, not the name')
    await failsWith('ENOENT', disk.rename(`${root}/from`, `${root}/to`))
    await Promise.all([old.close(), file.close(), now.close()])
  })

  check('a directory can be renamed with what is in it', async ({ disk, root }) => {
    await disk.makeDirectory(`${root}/d/e`)
    await (await disk.open(`${root}/d/e/f`, 'create')).close()
    await disk.rename(`${root}/d`, `${root}/g`)
    assert.deepEqual(await disk.stat(`${root}/g/e/f`), { kind: 'file', bytes: 0 })
    assert.equal(await disk.stat(`${root}/d`), undefined)
  })

  check('unlink leaves open files usable', async ({ disk, root }) => {
    const file = await disk.open(`${root}/a`, 'create')
    await file.write([pattern(5)], 0)
    await disk.unlink(`${root}/a`)
    assert.equal(await disk.stat(`${root}/a`), undefined)
    await file.write([pattern(5, 5)], 5)
    assert.equal((await readAll(file)).byteLength, 10)
    await failsWith('ENOENT', disk.unlink(`${root}/a`))
    await file.close()
  })
}

function lockContract(check: Check): void {
  check('a lock is taken once', async ({ disk, root }) => {
    const held = await disk.lock(`${root}/lock`)
    const error = await failsWith('LOCKED', disk.lock(`${root}/lock`))
    assert.match(error.message, /held by/)
    await failsWith('LOCKED', disk.lock(`${root}/lock`))
    const other = await disk.lock(`${root}/other`)
    await held.release()
    await held.release()
    const again = await disk.lock(`${root}/lock`)
    await Promise.all([again.release(), other.release()])
    await failsWith('ENOENT', disk.lock(`${root}/none/lock`))
  })
}
