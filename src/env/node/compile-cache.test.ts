import assert from 'node:assert/strict'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { compileCacheDirectory, isPrivateDirectory } from './compile-cache.ts'

const folder = mkdtempSync(join(tmpdir(), 'chronik-compile-cache-'))
after(() => rmSync(folder, { recursive: true }))
const uid = process.getuid?.()
const noUsers = { skip: uid === undefined && 'there are no user ids here' }

test('the directory is made, for its user alone, and taken again', () => {
  const path = compileCacheDirectory(folder, uid)
  assert.equal(isPrivateDirectory(path, uid), true)
  if (uid !== undefined) assert.equal(statSync(path).mode & 0o777, 0o700)
  assert.equal(isPrivateDirectory(path, uid), true)
})

test('users have directories of their own', () => {
  assert.notEqual(compileCacheDirectory(folder, 1), compileCacheDirectory(folder, 2))
})

test('one that is somebody else’s, or that others may write to, is not used', noUsers, () => {
  const path = join(folder, 'open')
  mkdirSync(path)
  chmodSync(path, 0o755)
  assert.equal(isPrivateDirectory(path, uid), true)
  assert.equal(isPrivateDirectory(path, (uid ?? 0) + 1), false)
  for (const mode of [0o775, 0o757, 0o777]) {
    chmodSync(path, mode)
    assert.equal(isPrivateDirectory(path, uid), false, mode.toString(8))
  }
})

test('a link or a file in its place is not used, nor a place that can’t be made', () => {
  const target = join(folder, 'target')
  mkdirSync(target, { mode: 0o700 })
  symlinkSync(target, join(folder, 'link'))
  writeFileSync(join(folder, 'file'), '')
  assert.equal(isPrivateDirectory(join(folder, 'link'), uid), false)
  assert.equal(isPrivateDirectory(join(folder, 'file'), uid), false)
  assert.equal(isPrivateDirectory(join(folder, 'file', 'below'), uid), false)
})
