// Files with a purpose: logs of bounded size, notes for one user, secrets.

import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { DiskError, type DiskErrorCode } from '../disk.ts'
import { readPrivateFile, writePrivateFile } from './private-file.ts'
import { RotatingFile } from './rotating-file.ts'
import { readSecretFile } from './secret-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'chronik-files-'))
after(() => rmSync(folder, { recursive: true }))

const fails = (code: DiskErrorCode) => (error: unknown) =>
  error instanceof DiskError && error.code === code

test('a log is never more than two files of the given size', () => {
  const path = join(folder, 'log')
  const file = new RotatingFile(path, 100)
  const line = `${'x'.repeat(39)}\n`
  for (let i = 0; i < 20; i++) {
    file.write(line)
    assert.ok(statSync(path).size < 100 + line.length)
  }
  file.close()
  const kept = readFileSync(`${path}.1`, 'utf8') + readFileSync(path, 'utf8')
  assert.equal(kept.length % line.length, 0, 'lines are whole')
  assert.ok(kept.length >= 3 * line.length)
})

test('a new log begins a new file and keeps the one before', () => {
  const path = join(folder, 'again')
  for (const text of ['first', 'second', 'third']) {
    const file = new RotatingFile(path, 1000)
    file.write(text)
    file.close()
  }
  assert.equal(readFileSync(path, 'utf8'), 'third')
  assert.equal(readFileSync(`${path}.1`, 'utf8'), 'second')
  assert.throws(() => new RotatingFile(join(folder, 'none', 'log'), 1), fails('ENOENT'))
})

test('a note replaces the one before as a whole, and stays private', async () => {
  const path = join(folder, 'note')
  assert.equal(await readPrivateFile(path), undefined)
  writeFileSync(path, 'anybody may read this', { mode: 0o644 })
  writeFileSync(`${path}.tmp`, 'left by a crash', { mode: 0o644 })
  await writePrivateFile(path, 'private')
  assert.equal(await readPrivateFile(path), 'private')
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(existsSync(`${path}.tmp`), false)
  assert.equal(await readPrivateFile(join(path, 'below a file')), undefined)
  await assert.rejects(writePrivateFile(join(folder, 'none', 'note'), ''), fails('ENOENT'))
})

test('a secret is read whole, with who else may read it', async () => {
  const path = join(folder, 'secret')
  writeFileSync(path, 'sesame\n', { mode: 0o600 })
  assert.deepEqual(await readSecretFile(path), { text: 'sesame\n', worldReadable: false })
  chmodSync(path, 0o640)
  assert.equal((await readSecretFile(path)).worldReadable, false)
  chmodSync(path, 0o604)
  assert.equal((await readSecretFile(path)).worldReadable, true)
  writeFileSync(path, 'x'.repeat(4096))
  assert.equal((await readSecretFile(path)).text.length, 4096)
  writeFileSync(path, 'x'.repeat(4097))
  await assert.rejects(readSecretFile(path), /more than 4096 bytes/)
  await assert.rejects(readSecretFile(join(folder, 'none')), fails('ENOENT'))
  mkdirSync(join(folder, 'directory'))
  await assert.rejects(readSecretFile(join(folder, 'directory')), fails('OTHER'))
})
