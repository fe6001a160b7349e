// The directory of a development cluster on the real disk: what it holds is never lost or ignored without a word.

import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { nodeEnv } from '../../env/node/node-env.ts'
import { readPrivateFile, writePrivateFile } from '../../env/node/private-file.ts'
import { Failure } from '../failure.ts'
import { DevDirectory } from './directory.ts'

const folder = mkdtempSync(join(tmpdir(), 'chronik-dev-directory-'))
after(() => rmSync(folder, { recursive: true }))
const { disk } = nodeEnv()

/** A path ending in `/` is a directory. */
function directory(name: string, ...content: readonly string[]): DevDirectory {
  const path = join(folder, name)
  for (const entry of content) {
    const full = join(path, entry)
    mkdirSync(entry.endsWith('/') ? full : join(full, '..'), { recursive: true })
    if (!entry.endsWith('/')) writeFileSync(full, '')
  }
  const files = { read: readPrivateFile, write: writePrivateFile }
  return new DevDirectory(path, { disk, files, self: 'chronik' })
}

const sure = { sure: true, ask: undefined, say: () => undefined }

function failure(exitCode: 1 | 2, message: RegExp) {
  return (error: unknown) =>
    error instanceof Failure && error.exitCode === exitCode && message.test(error.message)
}

test('the number of nodes is what the directory holds', async () => {
  const fresh = directory('fresh')
  assert.equal(await fresh.nodeCount(undefined, 3), 3)
  assert.equal(await fresh.nodeCount(5, 3), 5)
  assert.equal(await fresh.holdsData(), false)
  const noted = directory('noted', 'node-1/')
  await noted.writeNote({ nodes: 5 })
  assert.equal(await noted.nodeCount(undefined, 3), 5)
  assert.equal(await noted.nodeCount(5, 3), 5)
  assert.equal(await noted.holdsData(), true)
  await assert.rejects(noted.nodeCount(3, 3), failure(2, /holds a cluster of 5, .*--reset/))
  const empty = directory('empty', 'node-1.log')
  await empty.writeNote({ nodes: 5 })
  assert.equal(await empty.nodeCount(1, 3), 1)
  const unnoted = directory('unnoted', 'node-1/', 'node-3/', 'node-2/')
  assert.equal(await unnoted.nodeCount(undefined, 1), 3)
})

test('data of a single node is not taken for a cluster, and it is said what to do', async () => {
  for (const name of ['checkpoint', 'journal/', 'logs/', 'chronik.json']) {
    const single = directory(`single-${name.length}`, name)
    const message = /data of one node by itself.*chronik start --data-dir .*mv .*-single.*--reset/
    await assert.rejects(single.nodeCount(undefined, 3), failure(1, message))
  }
  writeFileSync(join(folder, 'file'), '')
  await assert.rejects(directory('file').nodeCount(1, 1), failure(1, /is a file; give a directory/))
})

test('the note is for its user alone, and a damaged one is named', async () => {
  const noted = directory('note', 'node-1/')
  const note = { nodes: 3, control: { pid: 1, port: 2, token: 't' } }
  await noted.writeNote(note)
  assert.deepEqual(await noted.readNote(), note)
  assert.equal(statSync(join(noted.path, 'dev.json')).mode & 0o777, 0o600)
  for (const text of ['', '{}', '{"version":2,"nodes":3}', '[]', '{"version":1}']) {
    writeFileSync(join(noted.path, 'dev.json'), text)
    await assert.rejects(noted.readNote(), failure(1, /dev\.json is damaged or of another version/))
  }
  assert.equal(await directory('nothing').readNote(), undefined)
})

test('two supervisors do not share a directory', async () => {
  const one = directory('shared')
  const lock = await one.lock()
  await assert.rejects(one.lock(), failure(1, /shared is in use, held by /))
  await lock.release()
  await (await one.lock()).release()
})

test('reset deletes the cluster, or a single node, and nothing else', async () => {
  const cluster = directory(
    'reset-cluster',
    ...[
      'node-1/checkpoint',
      'node-1/logs/x/0.log',
      'node-2/journal/1',
      'node-1.log',
      'node-1.log.1',
    ],
    ...['dev.json', 'lock'],
  )
  const left = async (path: string) =>
    (await disk.list(path)).map(({ name }) => name).filter((name) => name !== 'lock')
  await cluster.reset(sure)
  assert.deepEqual(await left(cluster.path), [])
  const single = directory('reset-single', 'checkpoint', 'logs/x')
  await single.reset(sure)
  assert.deepEqual(await left(single.path), [])
  for (const foreign of ['thesis.tex', 'node-1/thesis.tex', 'node-x/']) {
    const mixed = directory(`reset-${foreign.length}`, 'node-1/checkpoint', foreign)
    await assert.rejects(mixed.reset(sure), failure(1, /holds (thesis\.tex|node-x), .*nothing was/))
    assert.ok(existsSync(join(mixed.path, 'node-1', 'checkpoint')))
  }
})

test('reset leaves a cluster of which a node still runs', async () => {
  const busy = directory('busy', 'node-1/checkpoint', 'node-2/checkpoint')
  const lock = await disk.lock(join(busy.path, 'node-2', 'lock'))
  await assert.rejects(busy.reset(sure), failure(1, /a node is running on .*node-2; stop it first/))
  assert.ok(existsSync(join(busy.path, 'node-1', 'checkpoint')))
  await lock.release()
  await busy.reset(sure)
})
