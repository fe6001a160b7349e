// The front doors, as a person uses them: bin/chronik and tools/run.mjs.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

const root = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'chronik-launcher-'))
after(() => rmSync(folder, { recursive: true }))
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string
}

function run(program: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: 'utf8' })
  return { status, stdout, stderr }
}

test('bin/chronik runs from anywhere, also through a link to a link', () => {
  symlinkSync(join(root, 'bin', 'chronik'), join(folder, 'one'))
  symlinkSync('one', join(folder, 'two'))
  for (const program of [join(root, 'bin', 'chronik'), './one', './two']) {
    const { status, stdout } = run(program, '--version')
    assert.deepEqual([status, stdout], [0, `${version}\n`])
  }
})

test('its exit code is the command line’s: 0 done, 2 asked wrongly', () => {
  const program = join(root, 'bin', 'chronik')
  assert.equal(run(program, '--help').status, 0)
  const none = run(program)
  assert.equal(none.status, 2)
  assert.match(none.stderr, /Usage: chronik/)
  const unknown = run(program, 'strat')
  assert.equal(unknown.status, 2)
  assert.match(unknown.stderr, /there is no command "strat"/)
})

/** As an older Node would: another version, and `node:module` without the names that came later. */
const olderNode = `
import { registerHooks } from 'node:module'
Object.defineProperty(process, 'version', { value: 'v20.0.0' })
Object.defineProperty(process, 'versions', { value: { node: '20.0.0' } })
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'node:module' ? { url: 'data:text/javascript,export default {}', shortCircuit: true } : next(specifier, context),
})
`

test('an older Node is refused in plain words, not by a name that it lacks', () => {
  const preload = join(folder, 'older-node.mjs')
  writeFileSync(preload, olderNode)
  const main = join(root, 'src', 'cli', 'main.ts')
  const { status, stderr } = run(process.execPath, '--import', preload, main, '--version')
  assert.equal(stderr, `chronik: needs Node 24 or newer; this is v20.0.0 (${process.execPath})\n`)
  assert.equal(status, 1)
})

test('an unknown task is refused with those that there are', () => {
  const { status, stderr } = run(process.execPath, join(root, 'tools', 'run.mjs'), 'nonsense')
  assert.equal(status, 1)
  assert.match(stderr, /unknown task "nonsense"; there are: start, test/)
})

test('a selection of tests that matches nothing fails', () => {
  const { status, stderr } = run(
    process.execPath,
    join(root, 'tools', 'run.mjs'),
    'test',
    'no-such-file',
  )
  assert.equal(status, 1)
  assert.match(stderr, /no test file matches no-such-file/)
})

test('the task’s exit code is passed on', () => {
  const env = { ...process.env }
  // Else the inner runner would take itself for a part of this one.
  delete env['NODE_TEST_CONTEXT']
  const args = [join(root, 'tools', 'run.mjs'), 'test', '--test-name-pattern=none such', 'nearest']
  assert.equal(spawnSync(process.execPath, args, { env }).status, 0)
  const wrong = [join(root, 'tools', 'run.mjs'), 'test', '--no-such-flag', 'nearest']
  assert.notEqual(spawnSync(process.execPath, wrong, { env }).status, 0)
})
